"""What rules find in a message: documents, dates, money, sizes, names of the shop; and what was asked for wins."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rasa.shared.nlu.constants import ENTITIES, TEXT
from rasa.shared.nlu.training_data.message import Message

from bot.components import identifiers, names
from bot.components.dates import find_dates
from bot.components.documents import is_cnpj
from bot.components.identifiers import ASKED, MOST_FOUND, IdentifierExtractor, find_identifiers
from bot.components.names import Names
from bot.components.words import MOST_LETTERS

TODAY = date(2026, 11, 26)  # a Thursday


def found(text: str, asked: str | None = None) -> list[tuple[str, str]]:
    return [(one.entity, one.value) for one in find_identifiers(text, today=TODAY, asked=asked)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("11.222.333/0001-81", [("cnpj", "11222333000181")]),
        ("nota no cnpj 12.ABC.345/01DE-35", [("cnpj", "12ABC34501DE35")]),
        ("cnpj 12abc34501de35", [("cnpj", "12ABC34501DE35")]),
        ("11.222.333/0001-82", []),
        ("custou R$ 1.234,56", [("money", "1234.56")]),
        ("de R$1500", [("money", "1500")]),
        ("paguei 89,90 reais", [("money", "89.90")]),
        ("it was $1,299.00", [("money", "1299.00")]),
        ("50 dollars", [("money", "50")]),
        ("tem no tamanho 42?", [("size", "42")]),
        ("do you have size 8", [("size", "8")]),
        ("vocês têm a sandália 37 em Recife", [("size", "37")]),
        ("pedi 38 e veio 40", [("size", "38"), ("size", "40")]),
        ("my sister wears 44", [("size", "44")]),
        ("lençol casal tem?", [("size", "CASAL")]),
        ("a king duvet please", [("size", "KING")]),
        ("blusa infantil de 8 anos", [("size", "8 ANOS")]),
        ("a calça custa 40 reais", [("money", "40")]),
        ("chega em 48 horas? moro na rua das Flores, 45", []),
        ("troca o M pelo GG", [("size", "M"), ("size", "GG")]),
        ("is it there in large", [("size", "LARGE")]),
        ("a camisa azul marinho", [("color", "azul"), ("color", "marinho")]),
        ("cancela o 30551 por favor", [("order_number", "30551")]),
        ("moro na rua das flores 1500", []),
        ("comprei em 2024", []),
        ("tem um 0800?", []),
        ("chegou ontem o pedido 1001", [("date", "2026-11-25"), ("order_number", "1001")]),
        ("pedido 1001 de 03/11", [("order_number", "1001"), ("date", "2026-11-03")]),
    ],
)
def test_each_kind_is_told_from_the_others(text, expected):
    assert expected == found(text)


@pytest.mark.parametrize(
    ("text", "asked", "expected"),
    [
        ("50030230", "cep", [("cep", "50030230")]),
        ("50030230", "order_number", [("order_number", "50030230")]),
        ("é 50030230", "cep", [("cep", "50030230")]),
        ("2024", "order_number", [("order_number", "2024")]),
        ("11987654321", "phone", [("phone", "11987654321")]),
        ("ana@example.com", "cep", [("email", "ana@example.com")]),
        ("52998224726", "cpf", []),
    ],
)
def test_what_was_asked_for_wins(text, asked, expected):
    assert expected == found(text, asked)


def test_the_extractor_reads_what_the_turn_says_was_asked():
    extractor = IdentifierExtractor(
        {"kinds": ["cep", "order_number"], "slots": {"where": "cep"}, "time_zone": "America/Sao_Paulo"},
        today=lambda: TODAY,
    )
    kinds = []
    for slot in (None, "where", "order_number"):
        token = ASKED.set(slot)
        message = Message({TEXT: "50030230"})
        extractor.process([message])
        kinds.append([entity["entity"] for entity in message.get(ENTITIES)])
        ASKED.reset(token)
    assert [["order_number"], ["cep"], ["order_number"]] == kinds


@pytest.mark.parametrize(
    "signs", ["00000000000000", "1122233300018", "11222333000182", "12ABC34501DE3X", "é1222333000181"]
)
def test_what_is_no_cnpj(signs):
    assert not is_cnpj(signs)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("hoje", "2026-11-26"), ("amanhã", "2026-11-27"), ("depois de amanhã", "2026-11-28"), ("ontem", "2026-11-25"),
        ("anteontem", "2026-11-24"), ("tomorrow", "2026-11-27"), ("the day before yesterday", "2026-11-24"),
        ("dia 30", "2026-11-30"), ("dia 2", "2026-12-02"), ("on the 24th", "2026-11-24"),
        ("15/11", "2026-11-15"), ("05/01", "2027-01-05"), ("5/1/26", "2026-01-05"), ("10.11.2026", "2026-11-10"),
        ("2026-11-01", "2026-11-01"), ("15 de março", "2027-03-15"), ("1º de dezembro de 2026", "2026-12-01"),
        ("March 3rd, 2026", "2026-03-03"), ("3rd of March 2026", "2026-03-03"),
        ("sexta", "2026-11-27"), ("sexta-feira passada", "2026-11-20"), ("last friday", "2026-11-20"),
        ("próxima quinta", "2026-12-03"), ("quinta passada", "2026-11-19"), ("on sunday", "2026-11-29"),
        ("há 3 dias", "2026-11-23"), ("faz dez dias", "2026-11-16"), ("two weeks ago", "2026-11-12"),
        ("3 dias atrás", "2026-11-23"), ("daqui a 2 dias", "2026-11-28"), ("semana passada", "2026-11-19"),
    ],
)  # fmt: skip
def test_dates_are_resolved_against_today(text, day):
    assert [day] == [one.day.isoformat() for one in find_dates(text, TODAY)][:1]


@pytest.mark.parametrize(
    "text", ["segunda via do boleto", "31/02", "quero pagar em 3 vezes", "99/99", "1.234.567", "10h"]
)
def test_what_is_no_date(text):
    assert not list(find_dates(text, TODAY))


NAMES = Names({"city": ["São Paulo", "Recife"], "product": ["Tênis", "calça", "Vestido longo"]}, ["recipe", "caixa"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tem loja em sao paulo?", [("city", "São Paulo")]),
        ("em Recif?", [("city", "Recife")]),
        ("meus tenis e a calsa", [("product", "Tênis"), ("product", "calça")]),
        ("as calças", [("product", "calça")]),
        ("vestido longo", [("product", "Vestido longo")]),
        ("vestido", []),
        ("a cake recipe", []),
        ("São Bento", []),
        ("cama", []),
    ],
)
def test_names_of_the_shop_are_found_with_small_faults(text, expected):
    assert expected == [(one.entity, one.value) for one in NAMES.find(text)]


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("019 .,-/@#R$º()apmédi\nGPsx\u0130ﬁ"), max_size=400))
def test_nothing_overlaps_and_every_place_is_inside(text):
    for one, two in pairwise(find_identifiers(text, today=TODAY)):
        assert one.end <= two.start
    for one in [*find_identifiers(text, today=TODAY), *NAMES.find(text)]:
        assert 0 <= one.start < one.end <= len(text)


async def test_a_trained_assistant_knows_names_of_tables_and_of_marked_words(tmp_path):
    from rasa.core.channels.channel import UserMessage
    from rasa.core.processor import MessageProcessor
    from rasa.model_training import train_nlu

    (tmp_path / "nlu.yml").write_text(
        'version: "3.1"\nnlu:\n- lookup: city\n  examples: |\n    - Olinda\n- intent: a\n  examples: |\n'
        "    - quero um [guarda-chuva](product)\n    - oi\n- intent: b\n  examples: |\n    - tchau\n    - adeus\n",
        encoding="utf-8",
    )
    (tmp_path / "config.yml").write_text(
        "recipe: default.v1\nlanguage: pt\nassistant_id: names\npipeline:\n- name: WhitespaceTokenizer\n"
        "- name: bot.components.identifiers.IdentifierExtractor\n  kinds: [date]\n"
        "- name: bot.components.names.NameExtractor\n",
        encoding="utf-8",
    )
    made = train_nlu(str(tmp_path / "config.yml"), str(tmp_path / "nlu.yml"), str(tmp_path))
    processor = MessageProcessor(model_path=made, tracker_store=None, lock_store=None, generator=None)  # type: ignore[arg-type]
    parsed = await processor.parse_message(UserMessage("guarda chuva em olinda hoje"))
    assert [("date", 23, 27), ("product", 0, 12), ("city", 16, 22)] == [
        (one["entity"], one["start"], one["end"]) for one in parsed["entities"]
    ]


def test_work_does_not_grow_with_one_endless_word_or_with_a_thousand_prices(monkeypatch):
    folded: list[int] = []

    def fold(text):
        folded.append(len(text))
        return text

    monkeypatch.setattr(names, "fold", fold)
    monkeypatch.setattr(identifiers, "fold", fold)
    assert [] == list(Names({"city": ["Recife"]}).find("a" * 20_000 + " Olinda"))
    assert [] == find_identifiers("\ufdfa" * 20_000)
    assert max(folded) <= MOST_LETTERS
    assert len(find_identifiers("R$ 1 " * 700)) == MOST_FOUND
