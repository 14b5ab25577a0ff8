"""One of every content, made for tests: by hand and at random."""

from __future__ import annotations

from hypothesis import strategies as st

from connectors.content import (
    Audio,
    Button,
    Buttons,
    Card,
    Carousel,
    Choice,
    Content,
    ContentKind,
    File,
    Image,
    List,
    Location,
    Row,
    Survey,
    Template,
    Text,
    Video,
)
from connectors.contract import Capabilities

YES_NO = (Button("y", "Sim"), Button("n", "Não"))
ALL_KINDS: frozenset[ContentKind] = frozenset(
    {"text", "buttons", "image", "file", "audio", "video", "location", "list", "carousel", "template", "survey"}
)
PLAIN = Capabilities()
RICH = Capabilities(
    shows=ALL_KINDS, longest_text=1000, most_buttons=3, longest_button=20, most_rows=10, most_cards=5, markdown=True
)
NARROW = Capabilities(shows=frozenset({"text", "buttons", "image"}), longest_text=160, most_buttons=2, longest_button=8)
CHANNELS = {"plain": PLAIN, "rich": RICH, "narrow": NARROW}

SAMPLES: dict[str, Content] = {
    "text": Text("**Olá**, tudo bem? " * 20),
    "buttons": Buttons("Posso ajudar?", YES_NO),
    "many buttons": Buttons("Qual tamanho?", tuple(Button(f"s{n}", f"Tamanho número {n}") for n in range(34, 46))),
    "choice": Choice("Sim", "y"),
    "image": Image("https://loja.example/tenis.jpg", "Um tênis azul", "O *novo*"),
    "file": File("https://loja.example/nota.pdf", "nota.pdf", "Sua nota fiscal"),
    "audio": Audio("https://loja.example/a.ogg", "Ouça"),
    "video": Video("https://loja.example/v.mp4", "Veja"),
    "location": Location(-23.5505, -46.6333, "Loja Sé", "Estamos aqui"),
    "list": List("Qual loja?", (Row("a", "Centro", "Rua A, 1"), Row("b", "Shopping"))),
    "carousel": Carousel(
        (
            Card("Tênis", "Azul", "https://loja.example/1.jpg", "https://loja.example/p/1", YES_NO),
            Card("Bota", "Couro", "https://loja.example/2.jpg", "", (Button("c", "Comprar"),)),
        ),
        "Separei para você:",
    ),
    "template": Template("order_sent", "pt_BR", ("Ana", "123"), "Ana, seu pedido 123 saiu."),
    "survey": Survey("Como foi?", tuple(Button(f"g{n}", str(n)) for n in range(1, 6))),
}


def contents() -> st.SearchStrategy[Content]:
    """Every type, with words that always hold something to read."""
    letters = st.sampled_from("abc çãé .!?\n*_`[]()1👍🏽\u0301🇧🇷שלו")
    words = st.text(letters, min_size=1, max_size=120).map(lambda text: f"w{text}")
    some = st.one_of(st.just(""), words)
    urls = st.sampled_from(["https://l.example/a", "https://l.example/b_c_d?e=*f*"])
    ids = st.uuids(version=4).map(str)
    titles = st.one_of(words, st.integers(0, 10).map(str))
    buttons = st.lists(st.builds(Button, ids, titles), max_size=12).map(tuple)
    rows = st.lists(st.builds(Row, ids, titles, some), max_size=12).map(tuple)
    cards = st.lists(st.builds(Card, words, some, st.one_of(st.just(""), urls), st.one_of(st.just(""), urls), buttons))
    return st.one_of(
        st.builds(Text, words),
        st.builds(Buttons, words, buttons),
        st.builds(Choice, words, ids),
        st.builds(Image, urls, some, some),
        st.builds(File, urls, some, some),
        st.builds(Audio, urls, some),
        st.builds(Video, urls, some),
        st.builds(Location, st.floats(-90, 90), st.floats(-180, 180), some, some),
        st.builds(List, words, rows, some),
        st.builds(Carousel, cards.map(lambda made: tuple(made[:6])), words),
        st.builds(Template, st.just("t"), st.just("pt_BR"), st.just(()), some),
        st.builds(Survey, words, buttons),
    )


def capabilities() -> st.SearchStrategy[Capabilities]:
    return st.builds(
        Capabilities,
        shows=st.frozensets(st.sampled_from(sorted(ALL_KINDS))).map(lambda kinds: kinds | {"text"}),
        longest_text=st.integers(1, 400),
        most_buttons=st.integers(0, 6),
        longest_button=st.integers(1, 30),
        most_rows=st.integers(0, 10),
        most_cards=st.integers(0, 4),
        markdown=st.booleans(),
    )


def beyond(parts: tuple[Content, ...], capabilities: Capabilities) -> list[str]:
    """What in these parts the channel cannot show, or is longer or more than it declared."""
    return [complaint for part in parts for complaint in _beyond(part, capabilities)]


def _beyond(part: Content, can: Capabilities) -> list[str]:
    kind = part.__struct_config__.tag
    found = [] if kind in can.shows else [f"{kind} is not shown"]
    # A template's words are the platform's: what it approved is not ours to measure.
    texts = [getattr(part, name, "") for name in ("text", "alt") if kind != "template"]
    tapped: list[tuple[Button, ...]] = []
    match part:
        case Buttons() | Survey():
            tapped = [part.buttons]
        case List():
            found += ["too many rows"] if len(part.rows) > can.most_rows else []
            found += ["long row"] if any(len(row.title) > can.longest_button for row in part.rows) else []
            found += ["long action"] if len(part.action) > can.longest_button else []
        case Carousel():
            found += ["too many cards"] if len(part.cards) > can.most_cards else []
            texts += [card.title + card.text for card in part.cards]
            tapped = [card.buttons for card in part.cards]
        case _:
            pass
    found += ["too many buttons"] if any(len(buttons) > can.most_buttons for buttons in tapped) else []
    titles = [button.title for buttons in tapped for button in buttons]
    found += ["long title"] if any(len(title) > can.longest_button for title in titles) else []
    found += ["long text"] if any(len(text) > can.longest_text for text in texts) else []
    if not can.markdown and any(text.startswith("**") for text in texts):
        found.append("Markdown")
    return found
