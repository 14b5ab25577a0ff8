"""A shortened window answers as the whole past would. Two naive cuts must be caught, or this test proves nothing.

`SEGUE_FUZZ_DIALOGUES` and `SEGUE_FUZZ_TURNS` make it longer.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from dialogue import Dialogue, timeless
from rasa.core.featurizers.tracker_featurizers import TrackerFeaturizer
from rasa.core.policies.rule_policy import RulePolicy
from rasa.shared.core.events import ActionExecuted, Event, deserialise_events

from bot import window
from bot.events import slim
from bot.graph import recent_states
from bot.request import parse_request

DIALOGUES = int(os.environ.get("SEGUE_FUZZ_DIALOGUES", "3"))
TURNS = int(os.environ.get("SEGUE_FUZZ_TURNS", "60"))

POOL = (
    ["oi", "hello", "a loja abre no domingo?", "what is your return policy", "xqzt brrp", "sim", "não", "obrigado"]
    + ["cadê meu pedido", "where is my order"] * 2
    + ["1001", "pedido 2002", "abc", "12", "ana@example.com", "meu e-mail é bia@example.com"] * 2
    + ["quero falar com uma pessoa", "cancela", "never mind", "zzforget please", "thank you", "no", "in English please"]
)
INJECTED: list[list[dict[str, Any]]] = [
    [{"event": "pause"}],
    [{"event": "resume"}],
    [{"event": "reset_slots"}],
    [{"event": "rewind"}],
    [{"event": "slot", "name": "happy", "value": True}],
    [{"event": "slot", "name": "number", "value": None}],
    [{"event": "restart"}, {"event": "action", "name": "action_listen"}],
]


def base_and_tail(events: list[Event], turns: Any) -> list[Event]:
    return window.shorten(events, turns.domain, rule_length=turns.rule_length).events


def last_raw(events: list[Event], turns: Any) -> list[Event]:
    return events[-window.TAIL :]


def slots_and_last(events: list[Event], turns: Any) -> list[Event]:
    slots = [event for event in events[: -window.TAIL] if event.type_name == "slot"]
    latest = {event.key: event for event in slots}
    return list(latest.values()) + events[-window.TAIL :]


async def differences(
    turns: Any, cut: Callable[..., list[Event]], seed: int, *, inject: bool
) -> tuple[int, Counter[str]]:
    """Plays a random dialogue twice, once with every window cut; counts the turns that differ."""
    chance = random.Random(seed)
    whole, short = Dialogue(turns, f"fuzz{seed}", cut=False), Dialogue(turns, f"fuzz{seed}", cut=False)
    found, seen = 0, Counter()
    for _ in range(TURNS):
        said = [{"author": "agent", "text": "Oi", "at": 1.0}, {"author": "customer", "text": "cancela", "at": 2.0}]
        more: dict[str, Any] = {"said": said} if chance.random() < 0.06 else {}
        if inject and whole.window and chance.random() < 0.06:
            extra = [{"timestamp": 0.0, **event} for event in chance.choice(INJECTED)]
            whole.window, short.window = whole.window + extra, short.window + extra
        text = chance.choice(POOL)
        payload = {"payload": '/parcel{"order_number": "1001"}'} if chance.random() < 0.05 else {}
        expected = await whole.say(text, **more, **payload)
        answer = await short.say(text, **more, **payload)
        if timeless(expected) | {"window": 0} != timeless(answer) | {"window": 0}:
            found += 1
            # Compared turn by turn: a difference must not hide the next ones.
            short.window, short.language = list(whole.window), dict(whole.language)
        events = deserialise_events(short.window)
        if len(events) > window.TAIL:
            cut_events = cut(events, turns)
            seen["cuts"] += 1
            seen["inside a form"] += bool(expected["state"]["form"])
            seen["longest"] = max(seen["longest"], len(cut_events))
            short.window = [slim(event.as_dict()) for event in cut_events]
    return found, seen


@pytest.mark.parametrize("inject", [False, True], ids=["talk", "with injected events"])
async def test_a_shortened_window_answers_as_the_whole_past_would(turns, inject):
    total: Counter[str] = Counter()
    for seed in range(DIALOGUES):
        found, seen = await differences(turns, base_and_tail, seed, inject=inject)
        assert 0 == found, f"seed {seed}"
        longest = max(total["longest"], seen.pop("longest"))
        total += seen
        total["longest"] = longest
    assert total["cuts"] > DIALOGUES * TURNS / 2
    assert total["inside a form"] > 0
    print(dict(total))


@pytest.mark.parametrize("cut", [last_raw, slots_and_last])
async def test_the_fuzz_catches_a_naive_cut(turns, cut):
    found = 0
    for seed in range(DIALOGUES):
        found += (await differences(turns, cut, seed, inject=False))[0]
    assert found > 0


def states_of(turns: Any, how: Callable[..., Any]) -> None:
    for policy in turns.graph_runner.components():
        if isinstance(policy, RulePolicy):
            policy.featurizer._create_states = how


async def differing_states(turns: Any, many: int, seed: int) -> int:
    """Plays a random dialogue; counts the turns in which so many states give another answer than all of them."""
    chance = random.Random(seed)
    dialogue = Dialogue(turns, f"states{seed}", cut=False)
    found = 0
    for _ in range(TURNS):
        text = chance.choice(POOL)
        body = dialogue.body(text)
        states_of(turns, partial(recent_states, many=many))
        answer = await turns.take(parse_request(body))
        states_of(turns, TrackerFeaturizer._create_states)
        found += timeless(await dialogue.say(text)) != timeless(answer)
    return found


async def test_rules_answer_from_the_last_states_as_from_all(turns):
    try:
        for seed in range(DIALOGUES):
            assert 0 == await differing_states(turns, turns.rule_length + 1, seed)
        assert sum([await differing_states(turns, 1, seed) for seed in range(DIALOGUES)]) > 0
    finally:
        states_of(turns, partial(recent_states, many=turns.rule_length + 1))


async def long_dialogue(turns: Any, *last: str) -> Dialogue:
    dialogue = Dialogue(turns, cut=False)
    for text in ["oi", "a loja abre no domingo?", "obrigado"] * 12:
        await dialogue.say(text)
    for text in last:
        await dialogue.say(text)
    for text in ["a loja abre no domingo?"] * 16:
        await dialogue.say(text)
    return dialogue


async def both(turns: Any, dialogue: Dialogue, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The answer over the whole past and over its cut."""
    events = deserialise_events(dialogue.window)
    cut = window.shorten(events, turns.domain, rule_length=turns.rule_length)
    assert cut.exact
    assert len(cut.events) < len(events) / 2
    body = dialogue.body(text)
    whole = timeless(await turns.take(parse_request(body)))
    body["window"] = [slim(event.as_dict()) for event in cut.events]
    return whole, timeless(await turns.take(parse_request(body)))


async def test_an_open_form_survives_a_cut(turns):
    whole, short = await both(turns, await long_dialogue(turns, "cadê meu pedido", "1001"), "ana@example.com")
    assert "O pedido 1001 está a caminho." == whole["responses"][0]["text"]
    assert whole["responses"] == short["responses"]


async def test_a_rejected_form_stays_rejected_after_a_cut(turns):
    dialogue = await long_dialogue(turns, "cadê meu pedido", "quero falar com uma pessoa")
    whole, short = await both(turns, dialogue, "1001")
    assert (whole["responses"], whole["state"]) == (short["responses"], short["state"])


async def test_a_paused_dialogue_stays_paused_after_a_cut(turns):
    whole, short = await both(turns, await long_dialogue(turns, "zzpause now"), "bom dia")
    assert "silent" == whole["outcome"] == short["outcome"]


async def test_a_rule_for_the_first_message_does_not_fire_at_a_cut(turns):
    whole, short = await both(turns, await long_dialogue(turns), "não")
    assert (whole["responses"], whole["events"]) == (short["responses"], short["events"])
    fresh = await Dialogue(turns).say("não")
    assert fresh["responses"] != short["responses"]


async def test_a_late_customer_finds_the_form_open_after_a_cut(turns):
    dialogue = await long_dialogue(turns, "cadê meu pedido", "1001")
    for event in dialogue.window:
        event["timestamp"] -= 30 * 86400
    whole, short = await both(turns, dialogue, "ana@example.com")
    assert whole["responses"] == short["responses"]
    assert "O pedido 1001 está a caminho." == short["responses"][0]["text"]


async def test_a_long_window_comes_back_shorter_and_stays_bounded(turns):
    dialogue = Dialogue(turns)
    longest, returned = 0, 0
    for text in ["oi", "cadê meu pedido", "a loja abre no domingo?", "1001", "ana@example.com"] * 12:
        returned += "window" in await dialogue.say(text)
        longest = max(longest, len(dialogue.window))
    assert returned > 1
    assert longest < window.LONG + 40


async def test_a_difference_keeps_everything(turns, monkeypatch):
    dialogue = await long_dialogue(turns)
    events = deserialise_events(dialogue.window)
    monkeypatch.setattr("bot.window._state", lambda domain, given, rule_length: (len(given),))
    cut = window.shorten(events, turns.domain, rule_length=turns.rule_length)
    assert (False, events) == (cut.exact, cut.events)


def test_a_tail_begins_with_a_turn():
    listen = ActionExecuted("action_listen")
    events: list[Event] = [
        listen,
        ActionExecuted("utter_x"),
        listen,
        ActionExecuted("utter_x"),
        ActionExecuted("utter_y"),
    ]
    assert 3 == window._turn_start(events, 2)
    assert 3 == window._turn_start(events, 1)
    assert 1 == window._turn_start(events, 3)
    assert 0 == window._turn_start(events, 5)
