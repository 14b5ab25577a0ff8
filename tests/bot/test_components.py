"""The two components of ours: intents of short messages, and identifiers."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from bot.components.documents import is_cpf
from bot.components.identifiers import find_identifiers
from bot.components.words import surfaces_of
from bot.language import asked_for, score
from bot.typed import harmless


def found(text: str) -> list[tuple[str, str]]:
    return [(one.entity, one.value) for one in find_identifiers(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("529.982.247-25", [("cpf", "52998224725")]),
        ("meu cpf é 52998224725", [("cpf", "52998224725")]),
        ("cpf 529 982 247 25", [("cpf", "52998224725")]),
        ("111.111.111-11", []),
        ("529.982.247-26", []),
        ("(81) 98888-7777", [("phone", "81988887777")]),
        ("81988887777", [("phone", "81988887777")]),
        ("+55 81 98888-7777", [("phone", "5581988887777")]),
        ("50030-230", [("cep", "50030230")]),
        ("meu cep é 50030230", [("cep", "50030230")]),
        ("50030230", [("order_number", "50030230")]),
        ("1001", [("order_number", "1001")]),
        ("#1001", [("order_number", "1001")]),
        ("pedido nº 1001", [("order_number", "1001")]),
        ("my order number is 20345", [("order_number", "20345")]),
        ("where is order 1001?", [("order_number", "1001")]),
        ("Ana@Example.com", [("email", "ana@example.com")]),
        ("pedido 1001, ana@example.com", [("order_number", "1001"), ("email", "ana@example.com")]),
        ("o pedido 1001 é do cpf 529.982.247-25", [("order_number", "1001"), ("cpf", "52998224725")]),
        ("custa 1500 reais", [("money", "1500")]),
        ("pedido de R$ 1500", [("money", "1500")]),
        ("meu pedido de 1500 reais", [("money", "1500")]),
        ("comprei em 2024", []),
        ("tamanho 42", [("size", "42")]),
        ("tv de 220 volts", []),
        ("às 10h", []),
        ("oi", []),
    ],
)
def test_identifiers_are_told_apart(text, expected):
    assert expected == found(text)


def test_no_two_identifiers_overlap():
    spans = sorted((one.start, one.end) for one in find_identifiers("pedido 52998224725 ou 81988887777 a@b.co 1001"))
    assert all(first[1] <= second[0] for first, second in pairwise(spans))


@pytest.mark.parametrize(
    "piece",
    ["9", "1.", "a@", "a.", "a@a.", "a", "é", "pedido ", "(81) ", "wwww.", "#1 ", " ", "/", "\u200b", "in english "],
)
def test_hostile_text_takes_no_time(piece):
    text = "a@" + piece * (20_000 // len(piece))
    began = time.process_time()
    find_identifiers(text)
    surfaces_of(text)
    score(text)
    asked_for(text)
    harmless(text)
    assert time.process_time() - began < 0.5


def test_check_digits():
    assert is_cpf("52998224725")
    assert not is_cpf("00000000000")
    assert not is_cpf("5299822472")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Olááá, TUDO bem?", ["olá", "tudo", "bem"]),
        ("oiii", ["oi"]),
        ("pedido 1001", ["pedido", "zlongnumberz"]),
        ("tamanho 42", ["tamanho", "znumberz"]),
        ("ana@example.com", ["zemailz"]),
        ("https://x.example/1", ["zlinkz"]),
        ("👍", []),
    ],
)
def test_words_are_lower_case_and_identifiers_replaced(text, expected):
    assert expected == surfaces_of(text)


async def parse(loaded, text: str) -> dict:
    from rasa.core.channels.channel import UserMessage

    return await loaded.parse_message(UserMessage(text))


@pytest.mark.parametrize("text", ["xqzt brrp", "asdfgh", "qwrtp zxcvb", "👍", "?!", "кто это"])
async def test_gibberish_falls_to_the_fallback(loaded, text):
    assert "nlu_fallback" == (await parse(loaded, text))["intent"]["name"]


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("oii", "greet"),
        ("cade meu pedidoo", "parcel"),
        ("HELLO", "greet"),
        ("olá 👋", "greet"),
        ("obrigadooo", "thanks"),
    ],
)
async def test_a_message_with_small_faults_is_still_understood(loaded, text, intent):
    assert intent == (await parse(loaded, text))["intent"]["name"]
