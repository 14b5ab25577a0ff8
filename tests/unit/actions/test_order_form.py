import pytest
from unit.actions.support import Said, dialogue, slots_set

from actions.order_form import DIGRESSIONS, FORGET, LEAVING, VALIDATE

ASKED_NUMBER = {"requested_slot": "order_number"}
ASKED_PROOF = {"requested_slot": "order_proof", "order_number": "1001"}


async def test_the_first_message_may_hold_the_number() -> None:
    said = Said()
    events = await VALIDATE.run(said, dialogue("onde está meu pedido 1001?", "order_status"), {})
    assert slots_set(events) == {"order_number": "1001", "order_misses": 0}
    assert said.names == []


async def test_the_first_message_may_hold_number_and_proof() -> None:
    text = "pedido 1001, cpf 529.982.247-25"
    events = await VALIDATE.run(Said(), dialogue(text, "give_identifier"), {})
    assert slots_set(events) == {"order_number": "1001", "order_proof": "52998224725", "order_misses": 0}


async def test_a_first_message_without_anything_is_no_mistake() -> None:
    said = Said()
    assert await VALIDATE.run(said, dialogue("cadê meu pedido", "order_status"), {}) == []
    assert said.names == []


@pytest.mark.parametrize(
    "intent", ["give_identifier", "nlu_fallback", "affirm", "greet", "store_locator", "out_of_scope"]
)
async def test_a_short_answer_counts_whatever_the_classifier_thinks(intent: str) -> None:
    events = await VALIDATE.run(Said(), dialogue("é o 1001", intent, **ASKED_NUMBER), {})
    assert slots_set(events)["order_number"] == "1001"


async def test_an_email_and_a_cpf_are_both_proofs() -> None:
    email = await VALIDATE.run(Said(), dialogue("comprei com Ana@exemplo.com.br", "store_locator", **ASKED_PROOF), {})
    cpf = await VALIDATE.run(Said(), dialogue("529 982 247 25", "nlu_fallback", **ASKED_PROOF), {})
    assert slots_set(email)["order_proof"] == "ana@exemplo.com.br"
    assert slots_set(cpf)["order_proof"] == "52998224725"


async def test_the_number_can_be_corrected_while_the_proof_is_asked() -> None:
    text = "na verdade é o pedido 1002"
    events = await VALIDATE.run(Said(), dialogue(text, "give_identifier", **ASKED_PROOF), {})
    assert slots_set(events)["order_number"] == "1002"


@pytest.mark.parametrize("intent", sorted(DIGRESSIONS))
async def test_a_question_in_the_middle_is_left_to_its_rule(intent: str) -> None:
    said = Said()
    message = dialogue("uma pergunta sobre o ano de 2026 inteiro", intent, **ASKED_NUMBER)
    assert await VALIDATE.run(said, message, {}) == []
    assert said.names == []


@pytest.mark.parametrize("intent", sorted(LEAVING))
async def test_who_leaves_leaves_even_with_a_number_in_the_sentence(intent: str) -> None:
    assert await VALIDATE.run(Said(), dialogue("esquece o pedido 1001", intent, **ASKED_NUMBER), {}) == []


async def test_a_wrong_number_format_gets_a_clear_sentence_and_the_question_again() -> None:
    said = Said()
    events = await VALIDATE.run(said, dialogue("abc", "nlu_fallback", **ASKED_NUMBER), {})
    assert slots_set(events) == {"order_number": None, "order_misses": 1}
    assert said.names == ["utter_order_number_unclear"]


@pytest.mark.parametrize("text", ["12", "ana@", "abc"])
async def test_short_answers_that_look_out_of_scope_are_a_failed_answer_and_no_small_talk(text: str) -> None:
    said = Said()
    await VALIDATE.run(said, dialogue(text, "out_of_scope", **ASKED_NUMBER), {})
    assert said.names == ["utter_order_number_unclear"]


async def test_a_wrong_proof_format_gets_a_clear_sentence() -> None:
    unclear, wrong_cpf = Said(), Said()
    await VALIDATE.run(unclear, dialogue("ana@exemplo", "nlu_fallback", **ASKED_PROOF), {})
    await VALIDATE.run(wrong_cpf, dialogue("529.982.247-26", "give_identifier", **ASKED_PROOF), {})
    assert unclear.names == ["utter_order_proof_unclear"]
    assert wrong_cpf.names == ["utter_cpf_wrong"]


async def test_a_second_miss_and_a_refusal_offer_ways_out() -> None:
    second, refusal = Said(), Said()
    await VALIDATE.run(second, dialogue("xyz", "nlu_fallback", order_misses=1, **ASKED_NUMBER), {})
    await VALIDATE.run(refusal, dialogue("não", "deny", **ASKED_NUMBER), {})
    assert second.names == ["utter_order_stuck"]
    assert refusal.names == ["utter_order_stuck"]


async def test_asking_for_the_order_once_more_is_no_mistake() -> None:
    said = Said()
    events = await VALIDATE.run(said, dialogue("cadê meu pedido", "order_status", **ASKED_NUMBER), {})
    assert slots_set(events) == {"order_number": None}
    assert said.names == []


async def test_forgetting_empties_every_slot_of_the_form() -> None:
    events = await FORGET.run(Said(), dialogue(order_number="1001", order_proof="a@b.co"), {})
    assert slots_set(events) == {"order_number": None, "order_proof": None, "order_misses": None}
