"""A turn that cannot be answered fails loudly: the cause, the place, and no events."""

from __future__ import annotations

import copy

import pytest
from dialogue import Dialogue, timeless
from rasa.core.policies.rule_policy import RulePolicy

from bot.failure import TurnFailure
from bot.request import parse_request
from bot.turns import Turns

FORM = "validate_parcel_form"


async def failure_of(turns, text: str) -> TurnFailure:
    dialogue = Dialogue(turns)
    await dialogue.say("cadê meu pedido")
    with pytest.raises(TurnFailure) as failed:
        await dialogue.say(text)
    return failed.value


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("status", "action_status"),
        ("html", "action_invalid"),
        ("schema", "action_invalid"),
        ("list", "action_invalid"),
        ("export", "action_invalid"),
        ("user", "action_invalid"),
        ("drop", "action_unreachable"),
        ("hang", "action_timeout"),
        ("unknown response", "response_missing"),
    ],
)
async def test_a_broken_action_is_a_failure_with_its_name(turns, actions, fault, kind):
    dialogue = Dialogue(turns)
    await dialogue.say("cadê meu pedido")
    actions.fault = fault
    turns._action_seconds = 0.2 if fault == "hang" else 2.0
    with pytest.raises(TurnFailure) as failed:
        await dialogue.say("1001")
    assert kind == failed.value.kind
    assert ("utter_nowhere" if kind == "response_missing" else FORM) == failed.value.where
    assert (500 if kind == "response_missing" else 502) == failed.value.status


async def test_an_action_server_that_is_down_is_a_failure(turns, actions):
    dialogue = Dialogue(turns)
    await dialogue.say("cadê meu pedido")
    await actions.stop()
    with pytest.raises(TurnFailure) as failed:
        await dialogue.say("1001")
    assert ("action_unreachable", FORM) == (failed.value.kind, failed.value.where)


async def test_the_same_turn_succeeds_once_the_action_server_is_back(turns, actions):
    dialogue = Dialogue(turns)
    await dialogue.say("cadê meu pedido")
    actions.fault = "drop"
    with pytest.raises(TurnFailure):
        await dialogue.say("1001")
    actions.fault = ""
    assert ["Qual é o e-mail?"] == await dialogue.texts("1001")


async def test_a_rejection_is_rasas_contract_and_not_a_failure(turns, actions):
    dialogue = Dialogue(turns)
    await dialogue.say("cadê meu pedido")
    actions.fault = "reject"
    answer = await dialogue.say("1001")
    assert "action_execution_rejected" in [event["event"] for event in answer["events"]]


async def test_no_action_server_configured_is_a_failure(loaded):
    with pytest.raises(TurnFailure) as failed:
        await Dialogue(loaded).say("zzbroken please")
    assert ("action_error", "action_broken") == (failed.value.kind, failed.value.where)


async def test_a_response_without_a_text_for_this_channel_is_a_failure(turns):
    with pytest.raises(TurnFailure) as failed:
        await Dialogue(turns).say("zzwordless please")
    assert ("response_missing", "utter_secret") == (failed.value.kind, failed.value.where)


async def test_a_placeholder_that_nothing_fills_is_a_failure(turns):
    turns.nlg = copy.copy(turns.nlg)
    turns.nlg.responses = {**turns.nlg.responses, "utter_greet": [{"text": "Oi, {brand_nothing}."}]}
    with pytest.raises(TurnFailure) as failed:
        await Dialogue(turns).say("bom dia")
    assert ("response_missing", "utter_greet") == (failed.value.kind, failed.value.where)


async def test_a_policy_that_raises_is_a_failure_that_quotes_nobody(turns, monkeypatch):
    def predict(self, tracker, *args, **kwargs):
        raise RuntimeError(tracker.latest_message.text)

    monkeypatch.setattr(RulePolicy, "_predict", predict)
    with pytest.raises(TurnFailure) as failed:
        await Dialogue(turns).say("bom dia segredo")
    assert "error" == failed.value.kind
    assert "segredo" not in str(failed.value)


async def test_a_turn_that_never_listens_is_a_failure(turns):
    turns.max_number_of_predictions = 1
    with pytest.raises(TurnFailure) as failed:
        await Dialogue(turns).say("cadê meu pedido")
    assert "action_limit" == failed.value.kind


async def test_a_turn_that_ends_without_listening_is_a_failure(turns, monkeypatch):
    async def stops_early(self, output, tracker):
        return None

    monkeypatch.setattr(Turns, "_run_prediction_loop", stops_early)
    with pytest.raises(TurnFailure) as failed:
        await Dialogue(turns).say("bom dia")
    assert "no_listen" == failed.value.kind


async def test_a_turn_past_its_deadline_is_a_failure(turns, actions):
    dialogue = Dialogue(turns)
    await dialogue.say("cadê meu pedido")
    actions.fault = "hang"
    turns._turn_seconds = 0.2
    with pytest.raises(TurnFailure) as failed:
        await dialogue.say("1001")
    # Inside an action the action is named; either way it is over.
    assert failed.value.kind in ("action_timeout", "error")


async def test_a_failed_turn_leaves_no_trace_on_the_next(turns, actions):
    dialogue = Dialogue(turns)
    await dialogue.say("cadê meu pedido")
    undisturbed = timeless(await turns.take(parse_request(dialogue.body("1001"))))
    actions.fault = "status"
    with pytest.raises(TurnFailure):
        await turns.take(parse_request(dialogue.body("1001")))
    actions.fault = ""
    assert undisturbed == timeless(await turns.take(parse_request(dialogue.body("1001"))))


EXPORT = {"event": "export", "timestamp": 1.0}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"window": [EXPORT]}, "window"),
        ({"window": [{"event": "entities"}]}, "window"),
        ({"window": ["x"]}, "window"),
        ({"window": "x"}, "window"),
        ({"message": {"text": "oi"}}, "message.id"),
        ({"message": {"id": "c.1"}}, "message"),
        ({"message": {"id": "c.1", "text": 5}}, "message.text"),
        ({"message": {"id": "c.1", "text": "x" * 30_000}}, "message"),
        ({"slots": []}, "slots"),
        ({"said": [{"author": "bot", "text": "x"}]}, "said"),
        ({"said": [{"author": "agent"}]}, "said.text"),
        ({"new_session": "yes"}, "new_session"),
        ({"language": {"votes": True}}, "language.votes"),
    ],
)
def test_a_malformed_request_is_refused_by_its_field(change, where):
    body = {"window": [], "message": {"id": "c.1", "text": "oi"}, **change}
    with pytest.raises(TurnFailure) as refused:
        parse_request(body)
    assert ("bad_request", where) == (refused.value.kind, refused.value.where)


async def test_an_unknown_slot_is_refused(turns):
    with pytest.raises(TurnFailure) as refused:
        await Dialogue(turns).say("oi", slots={"nope": 1})
    assert "slots.nope" == refused.value.where


async def test_an_event_that_cannot_be_read_is_refused(turns):
    body = {"window": [{"event": "slot"}, {"event": "reminder"}], "message": {"id": "c.1", "text": "oi"}}
    with pytest.raises(TurnFailure) as refused:
        await turns.take(parse_request(body))
    assert ("bad_request", "window") == (refused.value.kind, refused.value.where)
