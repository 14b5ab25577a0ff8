"""Text is cut where a reader would, and never inside a character or a link."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.cutting import is_boundary, plain, shortened, split

FAMILY = "👨‍👩‍👧‍👦"
THUMB = "👍🏽"
BRAZIL = "🇧🇷"
WALES = "🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f"
ACCENTED = "e\u0301\u0323"
CLUSTERS = [FAMILY, THUMB, BRAZIL, WALES, ACCENTED, "각", "\u1100\u1161\u11a8", "क्षि", "กำ", "\r\n", "❤️"]

words = st.text(st.sampled_from("ab çã.!?\n  *_`[]()💚\u0301\u200d🇧🇷👍🏽שלוםہ-"), max_size=200)


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_no_place_inside_one_character_is_a_boundary(cluster: str) -> None:
    assert not [at for at in range(1, len(cluster)) if is_boundary(cluster, at)]
    assert is_boundary(f"{cluster}a", len(cluster))


def test_two_flags_may_be_parted_and_one_may_not() -> None:
    assert [False, True, False] == [is_boundary(BRAZIL * 2, at) for at in (1, 2, 3)]


def test_a_text_that_fits_is_left_alone() -> None:
    assert ("  oi \n",) == split("  oi \n", 6)


@pytest.mark.parametrize(
    ("text", "longest", "pieces"),
    [
        ("um dois.\n\ntrês quatro. cinco seis", 24, ("um dois.", "três quatro. cinco seis")),
        ("um dois já\ntrês quatro. cinco seis", 24, ("um dois já", "três quatro. cinco seis")),
        ("Um dois. Três quatro? Cinco seis", 24, ("Um dois. Três quatro?", "Cinco seis")),
        ("um dois três quatro", 10, ("um dois", "três", "quatro")),
        ("umdoistrês", 4, ("umdo", "istr", "ês")),
        ("um  " + "a" * 9, 10, ("um", "a" * 9)),
    ],
)
def test_cuts_fall_between_paragraphs_then_lines_sentences_words(
    text: str, longest: int, pieces: tuple[str, ...]
) -> None:
    assert pieces == split(text, longest)


def test_a_link_stays_whole() -> None:
    url = "https://loja.example/p/tenis-42?cor=azul"
    text = f"Veja este tênis aqui: {url} e me diga"
    for longest in range(len(url), len(text)):
        assert any(url in piece for piece in split(text, longest)), longest
    marked = "[o tênis azul de corrida](https://loja.example/p/42)"
    for longest in range(len(marked), 80):
        assert any(marked in piece for piece in split(f"veja {marked} e me diga se serve em você", longest)), longest


def test_bold_words_stay_together_where_another_cut_is_possible() -> None:
    assert ("olha so", "**isto aqui** ja") == split("olha so **isto aqui** ja", 17)


def test_a_link_longer_than_a_message_is_cut_rather_than_lost() -> None:
    url = "https://loja.example/" + "a" * 50
    assert url == "".join(split(url, 20))


@given(words, st.integers(1, 60))
def test_pieces_fit_and_together_are_the_text(text: str, longest: int) -> None:
    pieces = split(text, longest)
    assert all(len(piece) <= longest for piece in pieces)
    assert pieces
    assert re.sub(r"\s", "", text) == re.sub(r"\s", "", "".join(pieces))
    if text.strip():
        assert all(piece.strip() for piece in pieces)


@given(st.lists(st.sampled_from([*CLUSTERS, "a", " ", "."]), max_size=60), st.integers(11, 40))
def test_no_piece_begins_or_ends_inside_a_character(clusters: list[str], longest: int) -> None:
    text = "".join(clusters)
    at = 0
    for piece in split(text, longest):
        at = text.index(piece, at)
        # A cluster longer than a message can only be glued from neighbours (two flags are not).
        assert is_boundary(text, at)
        at += len(piece)
        assert is_boundary(text, at)


def test_a_hostile_text_is_cut_in_good_time() -> None:
    started = time.process_time()
    for text in ("[" * 60_000, "*" * 60_000, "a_" * 30_000, "http://" * 9_000, " \n" * 30_000, "[a](" * 15_000):
        split(text, 1000)
        plain(text)
    assert time.process_time() - started < 8


# ── shortened ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_title_that_fits_keeps_every_character() -> None:
    assert "Falar com alguém" == shortened("Falar com alguém", 16)


def test_a_longer_title_ends_with_an_ellipsis_at_a_whole_character() -> None:
    assert "Falar com…" == shortened("Falar com alguém", 11)
    assert "oi…" == shortened(f"oi{FAMILY}{FAMILY}", 9)
    assert "…" == shortened(FAMILY, 1)


@given(words, st.integers(1, 30))
def test_a_shortened_title_fits_and_begins_as_the_title_does(text: str, longest: int) -> None:
    short = shortened(text, longest)
    assert len(short) <= longest
    assert text.startswith(short.removesuffix("…")) or text == short


# ── plain ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("marked", "read"),
    [
        ("**Oi**, *tudo* _bem_?", "Oi, tudo bem?"),
        ("**muito _bom_**", "muito bom"),
        ("o código `A_1*2` vale", "o código A_1*2 vale"),
        ("[Trocas](https://loja.example/trocas)", "Trocas (https://loja.example/trocas)"),
        ("[https://loja.example](https://loja.example)", "https://loja.example"),
        ("[fale@loja.example](mailto:fale@loja.example)", "mailto:fale@loja.example"),
        ("https://loja.example/a_b_c*d*", "https://loja.example/a_b_c*d*"),
        ("* um\n* dois\n- três", "- um\n- dois\n- três"),
        ("2 * 3 * 4 e a_b_c", "2 * 3 * 4 e a_b_c"),
        ("R$ 10 ** nada", "R$ 10 ** nada"),
        ("**", "**"),
    ],
)
def test_marks_are_taken_off_and_everything_else_stays(marked: str, read: str) -> None:
    assert read == plain(marked)


@given(words)
def test_taking_marks_off_never_leaves_nothing_of_something(text: str) -> None:
    assert bool(text.strip()) == bool(plain(text).strip())
