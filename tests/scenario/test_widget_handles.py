"""A handle rotates, a token carries its generation, and sign-out ends both: nothing passed over comes back."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from fakes.redis_server import RedisServer
from fakes.waiting import until

from router.store import Store

from .conftest import Clock, House, Visitor


@pytest.fixture(autouse=True)
def _nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes believe their last answer for a few seconds; here each asks the store."""
    monkeypatch.setattr("connectors.webchat.visitors.REMEMBERED", 0.0)


@pytest.fixture
async def talking(visitor: Visitor) -> Visitor:
    """Somebody with a customer: the generation of the token is in the store."""
    await visitor.say("oi")
    await until(lambda: _count(visitor, 2))
    return visitor


async def _count(visitor: Visitor, number: int) -> bool:
    return len(await visitor.texts()) == number


async def again(house: House, http: aiohttp.ClientSession, handle: str) -> Visitor:
    return await Visitor(http, house.url).arrive(handle=handle)


async def status_of(visitor: Visitor) -> int:
    async with visitor.http.get(f"{visitor.url}/v1/widget/messages", headers=visitor.headers) as response:
        return response.status


async def sign_out(visitor: Visitor) -> int:
    async with visitor.http.post(f"{visitor.url}/v1/widget/signout", headers=visitor.headers) as response:
        return response.status


async def test_a_handle_is_followed_by_another_and_the_conversation_goes_on(
    house: House, talking: Visitor, http: aiohttp.ClientSession
) -> None:
    second = await again(house, http, talking.session["handle"])
    assert second.session["handle"] != talking.session["handle"]
    assert second.session["restarted"] is False
    assert await second.texts() == ["oi", "echo: oi"]


async def test_a_lost_answer_is_asked_for_again_with_the_same_handle(
    house: House, talking: Visitor, http: aiohttp.ClientSession
) -> None:
    await again(house, http, talking.session["handle"])
    second = await again(house, http, talking.session["handle"])
    assert second.session["restarted"] is False
    assert await second.texts() == ["oi", "echo: oi"]


async def test_a_handle_whose_follower_was_used_is_a_stranger(
    house: House, talking: Visitor, http: aiohttp.ClientSession
) -> None:
    second = await again(house, http, talking.session["handle"])
    assert await second.texts() == ["oi", "echo: oi"]
    thief = await again(house, http, talking.session["handle"])
    assert thief.session["restarted"] is True
    assert await thief.texts() == []
    assert await second.texts() == ["oi", "echo: oi"]


async def test_a_token_whose_follower_was_used_is_401(
    house: House, talking: Visitor, http: aiohttp.ClientSession
) -> None:
    second = await again(house, http, talking.session["handle"])
    assert await status_of(talking) == 200
    assert await status_of(second) == 200
    assert await status_of(talking) == 401


async def test_a_handle_is_good_for_a_minute_beside_a_follower_that_nobody_uses(
    clock: Clock, house: House, talking: Visitor, http: aiohttp.ClientSession
) -> None:
    second = await again(house, http, talking.session["handle"])
    clock.forward(59)
    assert (await again(house, http, talking.session["handle"])).session["restarted"] is False
    clock.forward(2)
    assert (await again(house, http, talking.session["handle"])).session["restarted"] is True
    assert await second.texts() == ["oi", "echo: oi"]


async def test_signing_out_ends_handle_token_and_streams(
    house: House, talking: Visitor, http: aiohttp.ClientSession
) -> None:
    async with talking.stream() as stream:
        await stream.next("hello")
        assert await sign_out(talking) == 204
        assert (await stream.next()).event == "bye"
        with pytest.raises(EOFError):
            await stream.next()
    assert await status_of(talking) == 401
    assert await sign_out(talking) == 401
    back = await again(house, http, talking.session["handle"])
    assert back.session["restarted"] is True
    assert await back.texts() == []


async def test_signing_out_at_one_router_ends_the_streams_of_another(
    house: House, talking: Visitor, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.webchat.streams.HEARTBEAT", 0.05)
    other = House(house.settings, house.files)
    await other.start()
    try:
        elsewhere = Visitor(http, other.url, talking.token)
        async with elsewhere.stream() as stream:
            await stream.next("hello")
            assert await sign_out(talking) == 204
            with pytest.raises(EOFError):
                await stream.next()
        assert await status_of(elsewhere) == 401
    finally:
        await other.stop()


async def test_signing_out_before_the_first_message_is_kept_for_as_long_as_the_token_lives(
    house: House, visitor: Visitor, store: Store, http: aiohttp.ClientSession
) -> None:
    assert await sign_out(visitor) == 204
    assert await status_of(visitor) == 401
    assert (await again(house, http, visitor.session["handle"])).session["restarted"] is True
    keys = [key.decode() for key in await store.client.keys("{*}*")]
    assert [0 < await store.client.ttl(key) <= 24 * 3600 for key in keys if "}so:" in key] == [True]
    assert not [key for key in keys if "}st:" in key]


async def test_the_last_answer_is_believed_for_moments_only(
    house: House, talking: Visitor, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.webchat.visitors.REMEMBERED", 0.2)
    other = House(house.settings, house.files)
    await other.start()
    try:
        elsewhere = Visitor(http, other.url, talking.token)
        assert await status_of(elsewhere) == 200
        assert await sign_out(talking) == 204

        async def refused() -> bool:
            return await status_of(elsewhere) == 401

        await until(refused, seconds=2)
    finally:
        await other.stop()


@pytest.mark.parametrize("handle", ["", "x", "A" * 300, "ção"])
async def test_what_is_no_handle_is_a_new_visitor(house: House, http: aiohttp.ClientSession, handle: str) -> None:
    visitor = await again(house, http, handle)
    assert visitor.session["restarted"] is bool(handle)
    assert visitor.session["cursor"] == "0.0"


async def test_a_handle_of_another_site_is_a_new_visitor(
    settings: Any, files: Any, redis_server: RedisServer, http: aiohttp.ClientSession
) -> None:
    from segue.settings import Site

    house = House(settings.model_copy(update={"sites": {"shop": Site(origins=("https://shop.example",))}}), files)
    await house.start()
    try:
        demo = await Visitor(http, house.url).arrive()
        await demo.say("oi")
        shop = await Visitor(http, house.url).arrive(site="shop", handle=demo.session["handle"])
        assert shop.session["restarted"] is True
        assert await shop.texts() == []
    finally:
        await house.stop()
