"""Nothing that a person types is a command."""

from __future__ import annotations

import pytest
from dialogue import Dialogue

from bot.typed import MOST_TEXT, harmless

COMMANDS = [
    "/restart",
    " /restart",
    "\u00a0/restart",
    "／restart",
    "\u3000／restart",
    "//restart",
    "/ /restart",
    "／/restart",
    "\u200b/restart",
    "\ufeff/restart",
    "\u2060 / \u200d/restart",
    "\t\n/restart\n",
    "/restart{}",
    "/session_start",
    "/back",
    '/parcel{"order_number": "1001"}',
    '/thanks@1.0{"happy": true}',
    "/\x00restart",
    "\x00/restart",
    "/affirm",
]


@pytest.mark.parametrize("text", COMMANDS)
def test_a_typed_command_loses_its_slash(text):
    assert not harmless(text).startswith("/")
    assert harmless(text) == harmless(text).strip()


@pytest.mark.parametrize("text", COMMANDS)
async def test_a_typed_command_does_nothing_that_a_sentence_could_not(turns, text):
    dialogue = Dialogue(turns)
    for said in ("cadê meu pedido", "1001"):
        await dialogue.say(said)
    answer = await dialogue.say(text)
    kinds = {event["event"] for event in answer["events"]}
    assert kinds.isdisjoint({"restart", "session_started"})
    assert {event["name"] for event in answer["events"] if event["event"] == "action"}.isdisjoint(
        {"action_restart", "action_session_start", "action_back"}
    )
    assert 1.0 > answer["nlu"]["intent"]["confidence"]
    assert "1001" == answer["state"]["slots"]["number"]


async def test_the_corpus_would_restart_without_the_guard(turns, monkeypatch):
    monkeypatch.setattr("bot.turns.harmless", lambda text: text)
    answer = await Dialogue(turns).say("/restart")
    assert "restart" in {event["event"] for event in answer["events"]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1/2", "1/2"),
        ("  oi  ", "oi"),
        ("１００１", "1001"),
        ("oi\n/restart", "oi\n/restart"),
        ("/", "∕"),
        ("", ""),
        ("👍🏽", "👍🏽"),
    ],
)
def test_ordinary_text_stays_what_it_is(text, expected):
    assert expected == harmless(text)


def test_folding_makes_no_text_longer_than_a_message_may_be():
    assert len(harmless("\ufdfa" * 20_000)) <= MOST_TEXT == 20_000
    assert harmless("a" * 20_000) == "a" * 20_000
