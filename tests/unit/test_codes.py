"""Link codes: hard to guess, easy to type, found in what people write, and never taken for a word."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import codes


def test_a_token_has_128_bits_in_letters_that_every_deep_link_carries() -> None:
    tokens = {codes.new_token() for _ in range(200)}
    assert 200 == len(tokens)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22}", token) for token in tokens)


def test_a_typed_code_has_no_signs_that_are_taken_for_one_another() -> None:
    made = "".join(codes.new_code() for _ in range(500))
    assert set(made) <= set(codes.ALPHABET)
    assert not set(codes.ALPHABET) & set("IOLU01")
    assert len(set(made)) == len(codes.ALPHABET)


@pytest.mark.parametrize(
    "written",
    [
        "{code}",
        "{code} oi, vim do site 😀",
        "Continuar a conversa: {code}",
        "meu código é {lower}",
        "o codigo:{spaced}.",
        "({joined})",
    ],
)
def test_a_code_is_found_however_people_send_it(written: str) -> None:
    code = "ABCD2345"
    shown = codes.shown(code)
    text = written.format(code=shown, lower=shown.lower(), spaced="ABCD 2345", joined=code)
    assert [code] == codes.found_in(text)
    assert code not in codes.hidden(text, code).upper().replace("-", "").replace(" ", "")
    assert codes.HIDDEN in codes.hidden(text, code)


def test_what_stands_around_a_code_stays() -> None:
    assert "oi ••••-•••• tudo bem" == codes.hidden("oi abcd-2345 tudo bem", "ABCD2345")


@pytest.mark.parametrize("text", ["quero saber do pedido", "obrigada", "AU-48213", "123.456.789-09", "", "x" * 500])
def test_words_numbers_and_long_texts_are_no_codes(text: str) -> None:
    assert not codes.is_nothing_else(text)
    assert [] == codes.found_in(text)


def test_only_a_code_as_we_show_it_counts_when_nobody_knows_it() -> None:
    assert codes.is_nothing_else(" WXYZ-2345 ")
    assert not codes.is_nothing_else("entregar")  # eight letters, all of them in the alphabet
    assert not codes.is_nothing_else("cupom WXYZ-2345")


@given(st.text(max_size=500))
def test_any_text_can_be_looked_at(text: str) -> None:
    for code in codes.found_in(text):
        assert code not in codes.found_in(codes.hidden(text, code))
