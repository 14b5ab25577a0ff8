"""Language of the answer: pure, sticky, and not fooled by numbers."""

from __future__ import annotations

import pytest

from bot.language import ENGLISH, GUESSED, PORTUGUESE, Language, decide, from_locale, score


def first(text: str, locale: str | None = None) -> Language:
    return decide(text, current=None, votes=0, locale=locale)


@pytest.mark.parametrize(
    "text",
    [
        "oi",
        "olá",
        "oii, tudo bem?",
        "bom dia",
        "cadê meu pedido?",
        "cade meu pedido",
        "onde está a minha encomenda",
        "qual o horário da loja no domingo?",
        "quero trocar uma camisa",
        "quero devolver o pedido 1001",
        "o pedido veio errado",
        "posso pagar com pix?",
        "vcs aceitam cartão?",
        "não",
        "sim",
        "obrigada",
        "valeu",
        "falar com atendente",
        "meu e-mail é john.smith@thestore.com",
        "status do pedido",
        "comprei um notebook e chegou quebrado",
        "quanto custa o frete",
        "tem loja em recife?",
        "preciso de ajuda",
        "deixa pra lá",
    ],
)
def test_a_portuguese_message_is_answered_in_portuguese_on_an_english_browser(text):
    assert Language(PORTUGUESE) == first(text, "en-US")


@pytest.mark.parametrize(
    "text",
    [
        "hi",
        "hello",
        "hey there",
        "good morning",
        "where is my order?",
        "where's my order 1001",
        "wheres my parcel",
        "what are your opening hours?",
        "are you open on sunday",
        "i want to return a shirt",
        "can I pay with pix?",
        "I’d like a refund",
        "yes",
        "thanks",
        "thank you",
        "talk to a person",
        "human agent please",
        "my email is joao.pereira@lojas.com.br",
        "order status",
        "do you ship to Recife?",
        "never mind",
        "it arrived broken",
        "how much is shipping",
        "need help",
        "can i speak to someone",
    ],
)
def test_an_english_message_is_answered_in_english_on_a_brazilian_browser(text):
    assert Language(ENGLISH) == first(text, "pt-BR")


@pytest.mark.parametrize(
    "text",
    [
        "ok",
        "1001",
        "#1001",
        "status?",
        "",
        "👍",
        "ana@example.com",
        "where@is.my.order.com",
        "https://the.shop/when",
        "529.982.247-25",
        "pix",
        "...",
    ],
)
@pytest.mark.parametrize(("locale", "expected"), [("pt-BR", PORTUGUESE), ("en-GB", ENGLISH), (None, PORTUGUESE)])
def test_what_says_nothing_leaves_the_locale_as_a_guess(text, locale, expected):
    assert Language(expected, GUESSED) == first(text, locale)


def test_a_guess_gives_way_to_the_first_sentence():
    guess = first("1001", "pt-BR")
    assert Language(ENGLISH) == decide("where is it?", current=guess.current, votes=guess.votes, locale="pt-BR")


def test_one_foreign_sentence_does_not_switch_and_the_second_does():
    once = decide("where is my order?", current=PORTUGUESE, votes=0, locale=None)
    assert Language(PORTUGUESE, 1) == once
    assert Language(ENGLISH) == decide("is the store open today?", current=once.current, votes=once.votes, locale=None)


def test_a_sentence_in_the_language_spoken_takes_the_vote_back():
    assert Language(PORTUGUESE) == decide("quero saber do meu pedido", current=PORTUGUESE, votes=1, locale=None)


@pytest.mark.parametrize("text", ["ok", "1001", "yes", "hi", "thanks", "me@shop.com", "black friday"])
def test_a_word_is_no_vote_once_the_language_is_known(text):
    assert Language(PORTUGUESE, 1) == decide(text, current=PORTUGUESE, votes=1, locale="en")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("in English please", ENGLISH),
        ("can you speak English?", ENGLISH),
        ("pode falar em inglês?", ENGLISH),
        ("English", ENGLISH),
        ("em português", PORTUGUESE),
        ("em português por favor", PORTUGUESE),
        ("answer in Portuguese", PORTUGUESE),
        ("fala português?", PORTUGUESE),
        ("Português", PORTUGUESE),
    ],
)
def test_asking_for_a_language_switches_at_once(text, expected):
    other = PORTUGUESE if expected == ENGLISH else ENGLISH
    assert Language(expected) == decide(text, current=other, votes=0, locale=other)


def test_refusing_a_language_is_not_asking_for_it():
    assert PORTUGUESE == decide("não falo em inglês", current=PORTUGUESE, votes=0, locale=None).current


@pytest.mark.parametrize(
    ("text", "expected"),
    [("oi, where is my order? it is late", ENGLISH), ("hello, cadê o meu pedido? não chegou", PORTUGUESE)],
)
def test_a_mixed_message_goes_with_the_greater_part(text, expected):
    assert expected == first(text).current


@pytest.mark.parametrize(
    ("locale", "expected"),
    [("pt", PORTUGUESE), ("pt-PT", PORTUGUESE), ("en-US", ENGLISH), ("es-AR", ENGLISH), ("", PORTUGUESE)],
)
def test_a_locale_greets(locale, expected):
    assert expected == from_locale(locale)


def test_an_unknown_remembered_language_counts_as_none():
    assert PORTUGUESE == decide("oi", current="xx", votes=3, locale=None).current


def test_both_word_lists_are_silent_about_what_they_share():
    assert 0 == score("a no me so ok status chat")
