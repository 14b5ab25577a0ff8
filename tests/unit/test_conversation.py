"""The rules: facts in, decision out."""

from __future__ import annotations

import pytest

from connectors.content import Choice, Image, Text
from router.conversation import Answerer, Asked, Control, Facts, asked, joins_burst, who_answers


@pytest.mark.parametrize(
    ("control", "attempts", "expected"),
    [
        ("bot", 1, "bot"),
        ("bot", 5, "bot"),
        ("bot", 6, "nobody"),
        ("queued", 1, "people"),
        ("human", 1, "people"),
        ("human", 6, "people"),
    ],
)
def test_the_bot_speaks_only_while_it_has_control_and_while_workers_survive(
    control: Control, attempts: int, expected: Answerer
) -> None:
    assert who_answers(Facts(control=control, attempts=attempts)) == expected


def test_texts_join_a_burst_and_a_tap_stands_alone() -> None:
    assert joins_burst(Text("oi"))
    assert not joins_burst(Choice(text="Sim", button="b"))


def test_a_burst_is_asked_as_lines() -> None:
    assert asked((Text("oi"), Text("tudo bem?")), None) == Asked(text="oi\ntudo bem?")


def test_what_has_no_words_adds_no_line() -> None:
    assert asked((Text("veja"), Image(url="u")), None) == Asked(text="veja")


def test_a_known_button_is_asked_by_its_payload_alone() -> None:
    assert asked((Choice(text="Sim", button="b"),), "/affirm") == Asked(payload="/affirm")


def test_an_unknown_button_is_asked_by_its_title() -> None:
    assert asked((Choice(text="/restart", button="b"),), None) == Asked(text="/restart")
