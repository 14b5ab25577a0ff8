"""Cursors, gaps, restarts: who comes back has missed nothing."""

from __future__ import annotations

import aiohttp
from fakes.bot import FakeBot
from fakes.waiting import until

from .conftest import House, Visitor


async def has(visitor: Visitor, number: int) -> bool:
    return len(await visitor.texts()) == number


async def test_a_stream_goes_on_after_its_cursor(visitor: Visitor) -> None:
    async with visitor.stream("0.0") as stream:
        await visitor.say("um")
        assert await stream.texts(1) == ["um"]
        cursor = (await stream.next("message.created")).id
    await visitor.say("dois")
    async with visitor.stream(cursor) as stream:
        assert await stream.texts(2) == ["dois", "echo: dois"]


async def test_an_unknown_cursor_is_a_reset(visitor: Visitor) -> None:
    await visitor.say("oi")
    for cursor in ("ffff.1", "0123456789abcdef.99"):
        async with visitor.stream(cursor) as stream:
            assert (await stream.next("reset")).data == {"reason": "unknown_cursor"}


async def test_a_gap_is_filled_by_after(visitor: Visitor) -> None:
    for text in ("um", "dois"):
        await visitor.say(text)
    await until(lambda: has(visitor, 4))
    everything = (await visitor.history())["messages"]
    behind = (await visitor.history(after=str(everything[1]["seq"])))["messages"]
    assert behind == everything[2:]


async def test_pages_go_back_to_the_beginning_without_a_hole(visitor: Visitor) -> None:
    for number in range(5):
        await visitor.say(str(number))
        await until(lambda number=number: has(visitor, 2 * number + 2))
    newest = await visitor.history(limit=4)
    older = await visitor.history(limit=4, before=str(newest["messages"][0]["seq"]))
    oldest = await visitor.history(limit=4, before=str(older["messages"][0]["seq"]))
    seqs = [message["seq"] for page in (oldest, older, newest) for message in page["messages"]]
    assert seqs == list(range(1, 11))
    assert [page["more"] for page in (newest, older, oldest)] == [True, True, False]


async def test_two_tabs_see_the_same(house: House, visitor: Visitor, http: aiohttp.ClientSession) -> None:
    second = await Visitor(http, house.url).arrive(handle=visitor.session["handle"])
    async with visitor.stream("0.0") as one, second.stream("0.0") as two:
        await visitor.say("oi")
        assert await one.texts(2) == await two.texts(2) == ["oi", "echo: oi"]


async def test_two_routers_serve_one_customer(
    house: House, visitor: Visitor, bot: FakeBot, http: aiohttp.ClientSession
) -> None:
    other = House(house.settings, house.files)
    await other.start()
    try:
        elsewhere = await Visitor(http, other.url).arrive(handle=visitor.session["handle"])
        async with elsewhere.stream("0.0") as stream:
            await visitor.say("oi")
            assert await stream.texts(2) == ["oi", "echo: oi"]
        assert len(bot.asked) == 1
    finally:
        await other.stop()


async def test_a_conversation_survives_a_restart(
    house: House, visitor: Visitor, bot: FakeBot, http: aiohttp.ClientSession
) -> None:
    await visitor.say("antes")
    await until(lambda: has(visitor, 2))
    await house.restart()
    back = await Visitor(http, house.url).arrive(handle=visitor.session["handle"])
    await back.say("depois")
    await until(lambda: has(back, 4))
    assert await back.texts() == ["antes", "echo: antes", "depois", "echo: depois"]
    assert len(bot.asked[1]["window"]) == 2


async def test_a_stream_is_told_goodbye_when_the_router_ends(house: House, visitor: Visitor) -> None:
    async with visitor.stream("0.0") as stream:
        await stream.next("hello")
        await house.stop()
        assert (await stream.next("bye")).data["retry_ms"] >= 1000


async def test_messages_wait_for_a_bot_that_is_not_ready_yet(
    house: House, bot: FakeBot, http: aiohttp.ClientSession
) -> None:
    await house.stop()
    bot.is_ready = False
    await house.start()
    visitor = await Visitor(http, house.url).arrive()
    assert visitor.session["ready"] is False
    async with visitor.stream("0.0") as stream:
        assert (await stream.next("hello")).data["ready"] is False
        await visitor.say("oi")
        assert await stream.texts(1) == ["oi"]
        bot.is_ready = True
        frames = [await stream.next(), await stream.next()]
    assert {frame.event for frame in frames} - {"typing"} == {"state", "message.created"}
    assert await visitor.texts() == ["oi", "echo: oi"]


async def test_what_was_read_is_told_to_every_tab_and_never_taken_back(house: House, visitor: Visitor) -> None:
    await visitor.say("oi")
    await until(lambda: has(visitor, 2))
    async with visitor.stream((await visitor.arrive(handle=visitor.session["handle"])).session["cursor"]) as stream:
        await stream.next("hello")
        for seq in (2, 1):
            async with visitor.http.post(
                f"{house.url}/v1/widget/read", json={"seq": seq}, headers=visitor.headers
            ) as answer:
                assert answer.status == 204
        frame = await stream.next("message.updated")
    assert frame.data == {"prev": 2, "of": 2, "status": "read"}
    assert [message["status"] for message in (await visitor.history())["messages"]] == ["sent", "read"]
