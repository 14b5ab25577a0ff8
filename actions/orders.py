"""Tell a person about their order."""

from collections.abc import Mapping
from datetime import date
from typing import Any, assert_never

from actions.dialogue import Action, Dispatcher, Event, Tracker, language_of
from actions.order_form import NUMBER, PROOF, forgotten
from actions.shop.port import (
    Asker,
    Cpf,
    Email,
    Found,
    NotFound,
    Order,
    OrderNumber,
    Shop,
    ShopUnavailable,
    Wait,
)


def order_status(shop: Shop) -> Action:
    async def run(dispatcher: Dispatcher, tracker: Tracker, domain: Mapping[str, Any]) -> list[Event]:
        """Look the order up, answer, and forget what was given: a proof is good for one look."""
        number, proof = tracker.slots.get(NUMBER), tracker.slots.get(PROOF)
        if not number or not proof:
            # Not by the form; only a hand-made payload comes here.
            dispatcher.utter_message(response="utter_order_not_found")
            return forgotten()
        kind = Email if "@" in proof else Cpf
        try:
            answer = await shop.find_order(OrderNumber(number), kind(proof), asker=Asker(tracker.sender_id))
        except ShopUnavailable:
            dispatcher.utter_message(response="utter_shop_unavailable")
            return forgotten()
        match answer:
            case Found(order):
                dispatcher.utter_message(
                    response=f"utter_order_{order.stage}",
                    **_facts(order, language_of(tracker)),
                )
            case NotFound():
                dispatcher.utter_message(response="utter_order_not_found")
            case Wait():
                dispatcher.utter_message(response="utter_order_wait")
            case _:
                assert_never(answer)
        return forgotten()

    return Action("action_order_status", run)


def _facts(order: Order, language: str) -> dict[str, str]:
    """What the sentences of data/responses/order.yml may name."""
    return {
        "number": order.number,
        "items": _list(order.items),
        "pending": _list(order.pending),
        "day": _day(order.day, language),
        "carrier": order.carrier or "",
    }


def _list(items: tuple[str, ...]) -> str:
    # Semicolons: an item's name may hold a comma ("Camisa de linho, G").
    return "; ".join(items)


def _day(day: date, language: str) -> str:
    """25/11 in Brazil; "25 November" elsewhere, because 11/12 is two days."""
    return f"{day.day} {_MONTHS[day.month - 1]}" if language == "en" else day.strftime("%d/%m")


_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
