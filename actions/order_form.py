"""The order form: what counts as an answer to "what is your order number?", and what is a change of subject.

Rasa runs `validate_order_status_form` on every turn of the form. Slots set here mean "this was an answer"; nothing
set means the form steps aside, a rule answers (opening hours, say) and the form asks its question again.
"""

from collections.abc import Mapping
from typing import Any

from actions.dialogue import (
    Action,
    Dispatcher,
    Event,
    Tracker,
    intent_of,
    set_slot,
    text_of,
)
from actions.identifiers import find_cpf, find_email, find_order_number, has_broken_cpf

FORM = "order_status_form"
NUMBER, PROOF, MISSES = "order_number", "order_proof", "order_misses"

# Intents that other rules answer. In the middle of the form they are a digression, not a failed answer.
DIGRESSIONS = frozenset(
    {
        "greet",
        "thanks",
        "praise",
        "help",
        "repeat",
        "bot_challenge",
        "complaint",
        "opt_out",
        "my_data_privacy",
        "continue_elsewhere",
        "opening_hours",
        "store_locator",
        "product_in_store",
        "pickup_ready",
        "pickup_change_store",
        "product_search",
        "product_availability",
        "price",
        "promotion",
        "recommendation",
        "size_guide",
        "gift_card",
        "cart",
        "payment_methods",
        "pix",
        "boleto",
        "installments",
        "coupon",
        "shipping_cost",
        "delivery_time",
        "change_address",
        "cancel_order",
        "find_order_number",
        "invoice",
        "return_start",
        "exchange_start",
        "return_status",
        "refund_status",
        "returns_policy",
        "wrong_or_damaged_item",
        "warranty",
        "account_password",
        "loyalty_balance",
        "loyalty_redeem",
        "out_of_scope",
    }
)
# Intents that open the form. Once more in the middle of it, they are no answer, and no mistake either.
ASKING = frozenset({"order_status", "order_delayed"})
# Intents that end or leave the form whatever else the message holds.
LEAVING = frozenset({"cancel", "goodbye", "human_handoff", "language_switch"})
_SHORT_ANSWER_WORDS = 4


async def validate(dispatcher: Dispatcher, tracker: Tracker, domain: Mapping[str, Any]) -> list[Event]:
    """Set what the message tells us; say what was wrong when it was meant as an answer and is none."""
    intent, text = intent_of(tracker), text_of(tracker)
    if intent in LEAVING:
        return []
    asked = tracker.slots.get("requested_slot")
    found = _read(text, intent=intent, asked=asked)
    if found:
        return [
            *(set_slot(name, value) for name, value in found.items()),
            set_slot(MISSES, 0),
        ]
    if asked is None or (intent in DIGRESSIONS and not _tried_to_answer(intent, text)):
        return []
    if intent in ASKING:
        # "where is my order?" once more: the form repeats its question.
        return [set_slot(asked, None)]
    misses = int(tracker.slots.get(MISSES) or 0) + 1
    dispatcher.utter_message(response=_what_was_wrong(asked, text, misses=misses, refused=intent == "deny"))
    return [set_slot(asked, None), set_slot(MISSES, misses)]


def _read(text: str, *, intent: str, asked: str | None) -> dict[str, str]:
    found: dict[str, str] = {}
    bare_counts = asked == NUMBER and (intent not in DIGRESSIONS or len(text.split()) <= _SHORT_ANSWER_WORDS)
    # A bare number that opens the conversation ("1001 cadê") counts too: the intent has said what it is about.
    opening = asked is None and intent in {*ASKING, "give_identifier"}
    if number := find_order_number(text, asked=bare_counts or opening):
        found[NUMBER] = number
    if proof := find_email(text) or find_cpf(text):
        found[PROOF] = proof
    return found


def _tried_to_answer(intent: str, text: str) -> bool:
    """ "12", "ana@" or "abc" are nobody's small talk, even if the classifier has no better name for them."""
    words = text.split()
    looks_like_one = any(character.isdigit() or character == "@" for character in text) or len(words) == 1
    return intent == "out_of_scope" and len(words) <= _SHORT_ANSWER_WORDS and looks_like_one


def _what_was_wrong(asked: str, text: str, *, misses: int, refused: bool) -> str:
    if refused or misses > 1:
        return "utter_order_stuck"
    if asked == NUMBER:
        return "utter_order_number_unclear"
    return "utter_cpf_wrong" if has_broken_cpf(text) else "utter_order_proof_unclear"


async def forget(dispatcher: Dispatcher, tracker: Tracker, domain: Mapping[str, Any]) -> list[Event]:
    """Empty the form's slots: the next order starts with its own number and its own proof."""
    return forgotten()


def forgotten() -> list[Event]:
    return [set_slot(name, None) for name in (NUMBER, PROOF, MISSES)]


VALIDATE = Action("validate_order_status_form", validate)
FORGET = Action("action_forget_order", forget)
