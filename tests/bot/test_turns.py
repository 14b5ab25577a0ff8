"""A turn is a pure function of window and message."""

from __future__ import annotations

import asyncio
import copy

import pytest
from dialogue import Dialogue, timeless

from bot.failure import TurnFailure
from bot.request import parse_request


async def test_a_first_message_is_answered_in_its_language(turns):
    assert ["Hello from Loja de Teste."] == await Dialogue(turns).texts("hello")


async def test_a_first_turn_starts_a_session_and_ends_listening(turns):
    events = (await Dialogue(turns).say("bom dia"))["events"]
    assert ["action_session_start", "action_listen"] == [e["name"] for e in events if e["event"] == "action"][:2]
    assert "action_listen" == events[-1]["name"]


async def test_brand_sentences_are_filled_in_by_language(turns):
    assert ["Abrimos às 9h."] == await Dialogue(turns).texts("a loja abre no domingo?")
    assert ["We open at 9 am."] == await Dialogue(turns).texts("are you open on sunday?")


async def test_a_form_runs_through_to_its_end(turns, actions):
    dialogue = Dialogue(turns)
    assert ["Qual é o número?"] == await dialogue.texts("cadê meu pedido")
    answer = await dialogue.say("1001")
    assert {"form": "parcel_form", "requested_slot": "proof"} == {
        key: answer["state"][key] for key in ("form", "requested_slot")
    }
    assert "1001" == answer["state"]["slots"]["number"]
    answer = await dialogue.say("ana@example.com")
    assert ["O pedido 1001 está a caminho."] == [r["text"] for r in answer["responses"]]
    assert answer["state"]["form"] is None


async def test_actions_get_turn_id_and_message_id(turns, actions):
    await Dialogue(turns, "c0ffee").say("cadê meu pedido")
    assert {"c0ffee.1"} == {call["turn"] for call in actions.calls} | {call["message_id"] for call in actions.calls}
    assert {None} == {call["dry_run"] for call in actions.calls}


async def test_a_dry_run_says_so_to_actions(turns, actions):
    await Dialogue(turns).say("cadê meu pedido", dry_run=True)
    assert {"1"} == {call["dry_run"] for call in actions.calls}


async def test_a_repeated_turn_has_the_same_answer_and_leaves_the_window_alone(turns):
    dialogue = Dialogue(turns)
    for text in ("oi", "cadê meu pedido", "1001"):
        await dialogue.say(text)
    body = dialogue.body("ana@example.com")
    before = copy.deepcopy(body)
    first = await turns.take(parse_request(body))
    second = await turns.take(parse_request(body))
    assert timeless(first) == timeless(second)
    assert before == body


async def test_variations_follow_the_message_id_and_not_chance(turns):
    texts = set()
    for number in range(12):
        said = {tuple(await Dialogue(turns, f"c{number}").texts("bom dia")) for _ in range(3)}
        assert 1 == len(said)
        texts |= said
    assert 2 == len(texts)


async def test_turns_at_the_same_time_give_what_turns_in_a_row_give(turns):
    script = ["oi", "cadê meu pedido", "que horas vocês abrem", "1001", "quero falar com uma pessoa", "ana@example.com"]

    async def run(customer: str) -> list:
        dialogue = Dialogue(turns, customer)
        return [timeless(await dialogue.say(text)) for text in script]

    names = [f"customer{number}" for number in range(12)]
    in_a_row = [await run(name) for name in names]
    at_once = await asyncio.gather(*(run(name) for name in names))
    assert in_a_row == list(at_once)


async def test_a_button_reaches_rasa_as_data_and_shows_its_title(turns):
    answer = await Dialogue(turns).say("Pedido 1001", payload='/parcel{"order_number": "1001"}')
    assert {"name": "parcel", "confidence": 1.0} == answer["nlu"]["intent"]
    user = next(event for event in answer["events"] if event["event"] == "user")
    assert "Pedido 1001" == user["text"]
    assert [("order_number", "1001")] == [(e["entity"], e["value"]) for e in user["parse_data"]["entities"]]


async def test_buttons_are_offered_with_their_payloads(turns):
    response = (await Dialogue(turns).say("quero devolver um produto"))["responses"][0]
    assert '/parcel{"order_number": "1001"}' == response["buttons"][1]["payload"]


@pytest.mark.parametrize(
    "payload", ["parcel", "/", "/nowhere", '/parcel{"x"', "/parcel{} more", "//parcel", '/parcel["x"]']
)
async def test_a_payload_that_no_button_has_is_refused(turns, payload):
    with pytest.raises(TurnFailure) as refused:
        await Dialogue(turns).say(payload=payload)
    assert "bad_request" == refused.value.kind


async def test_a_handoff_is_a_request_and_not_a_response(turns):
    answer = await Dialogue(turns).say("quero falar com uma pessoa")
    assert [{"kind": "handoff", "reason": "asked"}] == answer["requests"]
    assert [{"text": "Chamando uma pessoa."}] == answer["responses"]


async def test_a_message_that_is_not_understood_is_marked(turns):
    assert (await Dialogue(turns).say("xqzt brrp"))["fallback"] is True
    assert (await Dialogue(turns).say("bom dia"))["fallback"] is False


async def test_events_are_slim(turns):
    dialogue = Dialogue(turns)
    await dialogue.say("cadê meu pedido")
    events = (await dialogue.say("1001"))["events"]
    user = next(event for event in events if event["event"] == "user")
    assert 5 == len(user["parse_data"]["intent_ranking"])
    assert "text_tokens" not in user["parse_data"]
    for event in events:
        allowed = {"value"} if event["event"] == "slot" else {"name"}
        assert set() == {key for key, value in event.items() if value is None} - allowed
        assert set() == {"model_id", "assistant_id"} & set(event.get("metadata", {}))


async def test_without_a_message_only_slots_and_sayings_are_put_down(turns):
    dialogue = Dialogue(turns)
    answer = await dialogue.say(slots={"number": "7"}, said=[{"author": "agent", "text": "Oi", "at": 5.0}])
    assert "silent" == answer["outcome"]
    assert ["slot", "bot"] == [event["event"] for event in answer["events"]][-3:-1]
    assert "7" == answer["state"]["slots"]["number"]


async def test_what_was_said_with_a_person_leaves_an_open_form_as_it_was(turns):
    said = [
        {"author": "agent", "text": "Oi, sou a Bia.", "at": 10.0},
        {"author": "customer", "text": "cancela", "at": 11.0},
        {"author": "agent", "text": "Pronto.", "at": 12.0},
    ]
    script = ["quero falar com uma pessoa", "1001", "a loja abre no domingo?", "ana@example.com", "bom dia"]
    plain, with_person = Dialogue(turns), Dialogue(turns)
    for dialogue in (plain, with_person):
        await dialogue.say("cadê meu pedido")
        await dialogue.say(script[0])
    for place, text in enumerate(script[1:]):
        expected = await plain.say(text)
        answer = await with_person.say(text, **({"said": said} if place == 0 else {}))
        assert expected["responses"] == answer["responses"]
        assert expected["state"] == answer["state"]


async def test_a_new_session_keeps_only_the_slots_that_are_given(turns):
    dialogue = Dialogue(turns)
    for text in ("cadê meu pedido", "1001"):
        await dialogue.say(text)
    answer = await dialogue.say("bom dia", new_session=True, slots={"happy": True})
    assert answer["state"]["form"] is None
    assert {"language": "pt-BR", "happy": True} == answer["state"]["slots"]
    assert answer["window"] == answer["events"]


async def test_the_language_is_switched_after_two_sure_turns(turns):
    dialogue = Dialogue(turns)
    await dialogue.say("que horas vocês abrem?")
    assert ["Abrimos às 9h."] == await dialogue.texts("when do you open your store?")
    assert ["We open at 9 am."] == await dialogue.texts("what are your opening hours?")


async def test_the_route_of_state_and_language_survives_the_request(turns):
    answer = await Dialogue(turns).say("1001")
    assert {"current": "pt-BR", "votes": -1} == answer["language"]


async def test_responses_may_differ_by_channel(turns):
    dialogue = Dialogue(turns)
    body = dialogue.body("zzwordless please")
    body["message"]["metadata"] = {"channel": "nowhere"}
    answer = await turns.take(parse_request(body))
    assert [{"text": "Only on one channel."}] == answer["responses"]


async def test_a_paused_dialogue_stays_silent(turns):
    dialogue = Dialogue(turns)
    await dialogue.say("zzpause now")
    answer = await dialogue.say("bom dia")
    assert ("silent", []) == (answer["outcome"], answer["responses"])


async def test_a_customer_who_comes_back_late_finishes_the_form(turns):
    dialogue = Dialogue(turns)
    for text in ("cadê meu pedido", "1001"):
        await dialogue.say(text)
    for event in dialogue.window:
        event["timestamp"] -= 3 * 86400
    assert ["O pedido 1001 está a caminho."] == await dialogue.texts("ana@example.com")
