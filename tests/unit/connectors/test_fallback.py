"""What a channel cannot show becomes something it can, and nothing is left out."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from unit.connectors.samples import (
    ALL_KINDS,
    CHANNELS,
    NARROW,
    PLAIN,
    RICH,
    SAMPLES,
    YES_NO,
    beyond,
    capabilities,
    contents,
)

from connectors.content import (
    Button,
    Buttons,
    Card,
    Carousel,
    Choice,
    Content,
    File,
    Image,
    List,
    Location,
    Row,
    Survey,
    Template,
    Text,
    choices,
)
from connectors.contract import Capabilities
from connectors.cutting import plain
from connectors.fallback import numbered, rendered

GRADES = tuple(Button(f"g{n}", str(n)) for n in range(1, 6))


def read(parts: tuple[Content, ...]) -> str:
    """Everything that a person sees of them."""
    seen: list[str] = []
    for part in parts:
        seen += [str(getattr(part, name, "")) for name in ("text", "alt", "name", "url", "latitude", "longitude")]
        seen += [button.title for button in choices(part)]
        if isinstance(part, List):
            seen += [row.description for row in part.rows]
        if isinstance(part, Carousel):
            seen += [word for card in part.cards for word in (card.title, card.text, card.url, card.image)]
    return "\n".join(seen)


# ── every content, every channel ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("sample", SAMPLES)
def test_every_content_fits_every_channel(sample: str, channel: str) -> None:
    can = CHANNELS[channel]
    parts = rendered(SAMPLES[sample], can, "en")
    assert parts
    assert [] == beyond(parts, can)


def test_a_channel_that_shows_everything_gets_everything_as_it_is() -> None:
    can = replace(RICH, most_buttons=10, longest_text=5000)
    for name in ("text", "buttons", "image", "file", "audio", "video", "location", "template", "survey"):
        assert (SAMPLES[name],) == rendered(SAMPLES[name], can)
    carousel = SAMPLES["carousel"]
    assert isinstance(carousel, Carousel)
    assert (Text(carousel.text), Carousel(carousel.cards)) == rendered(carousel, can)
    assert (replace_action(SAMPLES["list"], "Ver opções"),) == rendered(SAMPLES["list"], can)


def replace_action(content: Content, action: str) -> List:
    assert isinstance(content, List)
    return List(content.text, content.rows, action)


@given(contents(), capabilities())
def test_nothing_is_beyond_the_limits_or_empty(content: Content, can: Capabilities) -> None:
    parts = rendered(content, can, "pt-BR")
    assert parts
    assert [] == beyond(parts, replace(can, markdown=True))
    for part in parts:
        assert read((part,)).strip()


@given(contents(), capabilities())
def test_every_choice_can_be_made_by_a_tap_or_by_a_number(content: Content, can: Capabilities) -> None:
    offered = {button.id for button in choices(content)}
    tapped = {button.id for part in rendered(content, can, "en") for button in choices(part)}
    typed = numbered(content, can)
    assert len(typed) == len(set(typed))
    assert not (tapped and typed)
    titles_are_numbers = all(button.title.isdigit() for button in choices(content))
    assert offered == tapped | set(typed) or (titles_are_numbers and not tapped and not typed)


@given(contents(), capabilities())
def test_every_word_arrives(content: Content, can: Capabilities) -> None:
    roomy = replace(can, longest_text=100_000, longest_button=1000)
    seen = re.sub(r"\s", "", read(rendered(content, roomy, "en")))
    for word in words_of(content):
        shown = word if roomy.markdown else plain(word)
        assert re.sub(r"\s", "", shown) in seen or re.sub(r"\s", "", word) in seen


def words_of(content: Content) -> list[str]:
    found = [getattr(content, "text", ""), getattr(content, "url", "")]
    found += [button.title for button in choices(content)]
    match content:
        case List():
            found += [row.description for row in content.rows]
        case Carousel():
            found += [word for card in content.cards for word in (card.title, card.text, card.url or card.image)]
        case File() | Location():
            found.append(content.name)
        case Image():
            found.append(content.alt)
        case _:
            pass
    return found


# ── buttons and lists ───────────────────────────────────────────────────────────────────────────────────────────────


def test_buttons_are_numbered_where_there_are_none() -> None:
    content = Buttons("**Posso** ajudar?", YES_NO)
    assert (Text("Posso ajudar?\n\n1. Sim\n2. Não\n\nResponda com o número."),) == rendered(content, PLAIN)
    assert ("y", "n") == numbered(content, PLAIN)


def test_buttons_that_are_shown_have_no_numbers() -> None:
    content = Buttons("Posso ajudar?", YES_NO)
    assert (content,) == rendered(content, NARROW)
    assert () == numbered(content, NARROW)


def test_too_many_buttons_become_a_list_where_lists_are_shown() -> None:
    (made,) = rendered(SAMPLES["many buttons"], replace(RICH, most_rows=12), "en")
    assert isinstance(made, List)
    assert [button.id for button in choices(SAMPLES["many buttons"])] == [row.id for row in made.rows]
    assert "See options" == made.action


def test_too_many_for_a_list_too_are_numbered() -> None:
    assert 12 == len(numbered(SAMPLES["many buttons"], RICH))
    (made,) = rendered(SAMPLES["many buttons"], RICH)
    assert isinstance(made, Text)
    assert "12. Tamanho número 45" in made.text


def test_a_list_becomes_buttons_where_its_rows_fit_and_its_descriptions_are_told() -> None:
    (made,) = rendered(SAMPLES["list"], NARROW)
    assert made == Buttons("Qual loja?\n\n- Centro – Rua A, 1", (Button("a", "Centro"), Button("b", "Shopping")))


def test_a_numbered_list_tells_the_descriptions() -> None:
    (made,) = rendered(SAMPLES["list"], PLAIN, "en")
    assert made == Text("Qual loja?\n\n1. Centro – Rua A, 1\n2. Shopping\n\nReply with the number.")


def test_a_title_is_shortened_only_where_needed_and_its_id_is_kept() -> None:
    content = Buttons("?", (Button("id-1", "Rastrear meu pedido"), Button("id-2", "Sair")))
    (made,) = rendered(content, NARROW)
    assert isinstance(made, Buttons)
    assert (Button("id-1", "Rastrea…"), Button("id-2", "Sair")) == made.buttons


def test_titles_that_would_become_equal_are_told_apart() -> None:
    content = Buttons("?", (Button("1", "Camisa azul clara"), Button("2", "Camisa azul escura")))
    (made,) = rendered(content, NARROW)
    assert ["Camisa…", "Camis… 2"] == [button.title for button in choices(made)]


def test_a_shortened_row_stands_whole_in_its_description() -> None:
    (made,) = rendered(List("?", (Row("a", "Uma loja de nome longo demais"),)), RICH)
    assert isinstance(made, List)
    assert Row("a", "Uma loja de nome lo…", "Uma loja de nome longo demais") == made.rows[0]


def test_a_long_question_keeps_its_buttons_at_the_end() -> None:
    first, *_, last = rendered(Buttons("Uma frase inteira. " * 20, YES_NO), NARROW)
    assert isinstance(first, Text)
    assert isinstance(last, Buttons)
    assert YES_NO == last.buttons


def test_a_question_without_words_gets_some() -> None:
    (made,) = rendered(Buttons("", YES_NO), NARROW)
    assert made == Buttons("Escolha uma opção:", YES_NO)


# ── surveys ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_survey_is_a_survey_or_buttons_or_numbers() -> None:
    survey = Survey("Como foi?", GRADES)
    can = replace(RICH, most_buttons=5)
    assert (survey,) == rendered(survey, can)
    assert (Buttons("Como foi?", GRADES),) == rendered(survey, replace(can, shows=ALL_KINDS - {"survey"}))
    assert (Text("Como foi?\n\n1, 2, 3, 4, 5\n\nResponda com o número."),) == rendered(survey, PLAIN)
    assert ("g1", "g2", "g3", "g4", "g5") == numbered(survey, PLAIN)


def test_a_typed_grade_is_that_grade_whatever_the_order() -> None:
    falling = Survey("Como foi?", GRADES[::-1])
    assert ("g1", "g2", "g3", "g4", "g5") == numbered(falling, PLAIN)
    assert "1, 2, 3, 4, 5" in read(rendered(falling, PLAIN))


def test_a_scale_from_zero_is_never_numbered_from_one() -> None:
    scale = Survey("De 0 a 10?", tuple(Button(f"g{n}", str(n)) for n in range(11)))
    assert () == numbered(scale, PLAIN)
    text = read(rendered(scale, PLAIN))
    assert "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10" in text
    assert "1. 0" not in text


def test_a_scale_of_rows_keeps_its_descriptions() -> None:
    scale = List("Nota?", (Row("a", "0", "nunca"), Row("b", "10", "com certeza")))
    assert (Text("Nota?\n\n0 – nunca\n10 – com certeza\n\nResponda com uma das opções acima."),) == rendered(
        scale, PLAIN
    )


# ── cards ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_cards_become_text_and_their_numbers_go_on() -> None:
    (made,) = rendered(SAMPLES["carousel"], PLAIN)
    assert made == Text(
        "Separei para você:\n\n"
        "Tênis\nAzul\nhttps://loja.example/p/1\n1. Sim\n2. Não\n\n"
        "Bota\nCouro\nhttps://loja.example/2.jpg\n3. Comprar\n\n"
        "Responda com o número."
    )
    assert ("y", "n", "c") == numbered(SAMPLES["carousel"], PLAIN)


def test_cards_keep_their_images_and_buttons_where_those_are_shown() -> None:
    assert (
        Text("Separei para você:"),
        Image("https://loja.example/1.jpg", "Tênis"),
        Buttons("Tênis\nAzul\nhttps://loja.example/p/1", YES_NO),
        Image("https://loja.example/2.jpg", "Bota"),
        Buttons("Bota\nCouro", (Button("c", "Comprar"),)),
    ) == rendered(SAMPLES["carousel"], NARROW)
    assert () == numbered(SAMPLES["carousel"], NARROW)


def test_all_cards_are_numbered_when_the_buttons_of_one_do_not_fit() -> None:
    three = (Button("1", "A"), Button("2", "B"), Button("3", "C"))
    content = Carousel((Card("Um", buttons=YES_NO), Card("Dois", buttons=three)))
    assert ("y", "n", "1", "2", "3") == numbered(content, NARROW)
    assert not [part for part in rendered(content, NARROW) if choices(part)]


def test_more_cards_than_fit_become_several_carousels() -> None:
    cards = tuple(Card(f"Tênis {n}") for n in range(7))
    pages = rendered(Carousel(cards), RICH)
    assert (Carousel(cards[:5]), Carousel(cards[5:])) == pages


def test_numbers_as_titles_of_cards_are_not_put_in_another_order() -> None:
    content = Carousel((Card("A", buttons=(Button("b", "2"),)), Card("B", buttons=(Button("a", "1"),))))
    assert () == numbered(content, PLAIN)


# ── media, places, templates ────────────────────────────────────────────────────────────────────────────────────────


def test_media_that_is_not_shown_is_its_words_and_its_address() -> None:
    assert (Text("O novo\nUm tênis azul\nhttps://loja.example/tenis.jpg"),) == rendered(SAMPLES["image"], PLAIN)
    assert (Text("Sua nota fiscal\nnota.pdf\nhttps://loja.example/nota.pdf"),) == rendered(SAMPLES["file"], PLAIN)
    assert (Text("Ouça\nhttps://loja.example/a.ogg"),) == rendered(SAMPLES["audio"], PLAIN)
    assert (Text("Veja\nhttps://loja.example/v.mp4"),) == rendered(SAMPLES["video"], PLAIN)


def test_words_too_long_for_an_image_follow_it() -> None:
    image, *texts = rendered(Image("https://l.example/a.jpg", "A", "Uma frase inteira. " * 20), NARROW)
    assert image == Image("https://l.example/a.jpg", "A")
    assert len(texts) > 1


def test_a_place_becomes_coordinates_and_a_map() -> None:
    assert (
        Text(
            "Estamos aqui\nLoja Sé\n-23.5505, -46.6333\n"
            "https://www.openstreetmap.org/?mlat=-23.5505&mlon=-46.6333#map=17/-23.5505/-46.6333"
        ),
    ) == rendered(SAMPLES["location"], PLAIN)


def test_a_template_reads_as_its_text() -> None:
    assert (Text("Ana, seu pedido 123 saiu."),) == rendered(SAMPLES["template"], PLAIN)
    assert (Text("Ana, 123"),) == rendered(Template("order_sent", "pt_BR", ("Ana", "123")), PLAIN)


def test_a_choice_that_is_mirrored_is_its_title() -> None:
    assert (Text("Sim"),) == rendered(Choice("Sim", "y"), RICH)
