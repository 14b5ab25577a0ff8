"""One id names a message's way from the edge to the action."""

from __future__ import annotations

import re
import uuid

from fakes.bot import FakeBot
from fakes.waiting import until

from connectors.contract import CustomerId
from router.store import Store

from .conftest import Visitor

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


async def _answered(visitor: Visitor) -> bool:
    return len(await visitor.texts()) == 2


async def test_a_callers_trace_goes_through_the_bot_to_the_answer(visitor: Visitor, bot: FakeBot, store: Store) -> None:
    visitor.http.headers["traceparent"] = f"00-{TRACE}-00f067aa0ba902b7-01"
    await visitor.say("oi")
    await until(lambda: _answered(visitor))
    assert bot.asked[0]["message"]["metadata"]["trace"] == TRACE
    customer = CustomerId(bot.asked[0]["message"]["id"].partition(".")[0])
    assert [row.entry.trace for row in await store.journal(customer)] == [TRACE, TRACE]


async def test_without_one_the_door_makes_it_and_nonsense_is_no_trace(visitor: Visitor, bot: FakeBot) -> None:
    visitor.http.headers["traceparent"] = "<script>"
    await visitor.post({"text": "oi"}, str(uuid.uuid4()))
    await until(lambda: _answered(visitor))
    assert re.fullmatch("[0-9a-f]{32}", bot.asked[0]["message"]["metadata"]["trace"])
