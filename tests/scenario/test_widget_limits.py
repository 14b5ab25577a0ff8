"""More than a person does is 429 with a time to come back and a sentence; counted by hash, forgotten by itself."""

from __future__ import annotations

import uuid
from typing import Any

import aiohttp
import pytest

from router.store import Store
from segue.settings import Server, Settings

from .conftest import Clock, House, Visitor

PROXIED = Server(trusted_proxies=("127.0.0.1", "10.0.0.0/8"))


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"server": PROXIED})


async def arrive(house: House, http: aiohttp.ClientSession, hops: str = "", **body: Any) -> tuple[int, Any, str]:
    headers = {"X-Forwarded-For": hops} if hops else {}
    json = {"site": "demo", **body}
    async with http.post(f"{house.url}/v1/widget/session", json=json, headers=headers) as response:
        return response.status, await response.json(), response.headers.get("Retry-After", "")


async def statuses(visitor: Visitor, count: int, hops: str = "203.0.113.1") -> list[int]:
    found = []
    for _ in range(count):
        headers = {**visitor.headers, "Idempotency-Key": str(uuid.uuid4()), "X-Forwarded-For": hops}
        async with visitor.http.post(
            f"{visitor.url}/v1/widget/messages", json={"text": "oi"}, headers=headers
        ) as response:
            found.append(response.status)
    return found


async def test_ten_sessions_a_minute_and_then_a_sentence_and_a_time(
    clock: Clock, house: House, http: aiohttp.ClientSession
) -> None:
    assert [(await arrive(house, http))[0] for _ in range(10)] == [200] * 10
    status, problem, retry = await arrive(house, http, locale="en")
    assert (status, problem["title"], retry) == (429, "Too many", "6")
    assert problem["detail"] == "Too many tries from this connection. Wait a little and try again."
    assert (await arrive(house, http))[1]["detail"].startswith("Muitas tentativas")
    clock.forward(6)
    assert (await arrive(house, http))[0] == 200
    assert (await arrive(house, http))[0] == 429


async def test_sixty_sessions_an_hour(clock: Clock, house: House, http: aiohttp.ClientSession) -> None:
    found = []
    for _ in range(75):
        found.append((await arrive(house, http))[0])
        clock.forward(6)
    # Sixty at once, and one more each minute that went by meanwhile.
    assert found[:60] == [200] * 60
    assert found.count(200) == 60 + 7


async def test_five_messages_at_once_and_then_one_in_three_seconds(clock: Clock, visitor: Visitor) -> None:
    assert await statuses(visitor, 6) == [201] * 5 + [429]
    clock.forward(3)
    assert await statuses(visitor, 2) == [201, 429]


async def test_a_refused_message_is_not_written_and_the_same_key_works_later(clock: Clock, visitor: Visitor) -> None:
    await statuses(visitor, 5)
    key = str(uuid.uuid4())
    assert (await visitor.post({"text": "depois"}, key))[0] == 429
    clock.forward(3)
    assert (await visitor.post({"text": "depois"}, key))[0] == 201
    assert (await visitor.texts()).count("depois") == 1


async def test_one_address_cannot_write_as_many(house: House, http: aiohttp.ClientSession, clock: Clock) -> None:
    found: list[int] = []
    for _ in range(25):
        visitor = await Visitor(http, house.url).arrive()
        clock.forward(60)
        found += await statuses(visitor, 5)
    clock.forward(60)
    many = [await Visitor(http, house.url).arrive() for _ in range(10)]
    clock.forward(360)
    more = [await Visitor(http, house.url).arrive() for _ in range(10)]
    clock.forward(900)
    more += [await Visitor(http, house.url).arrive() for _ in range(10)]
    burst = [status for visitor in [*many, *more] for status in await statuses(visitor, 5)]
    assert found == [201] * 125
    assert 120 <= burst.count(201) <= 122
    assert burst.count(429) == 150 - burst.count(201)


async def test_typing_once_in_three_seconds(clock: Clock, visitor: Visitor) -> None:
    async def typed() -> int:
        url = f"{visitor.url}/v1/widget/typing"
        async with visitor.http.post(url, json={"on": True}, headers=visitor.headers) as response:
            return response.status

    assert [await typed(), await typed()] == [204, 429]
    clock.forward(3)
    assert await typed() == 204


async def test_thirty_pages_of_history_a_minute(clock: Clock, visitor: Visitor) -> None:
    async def paged() -> int:
        url = f"{visitor.url}/v1/widget/messages"
        async with visitor.http.get(url, headers=visitor.headers) as response:
            return response.status

    assert [await paged() for _ in range(31)] == [200] * 30 + [429]
    clock.forward(2)
    assert await paged() == 200


async def test_four_streams_a_visitor(visitor: Visitor) -> None:
    async with visitor.stream() as one, visitor.stream() as two, visitor.stream() as three, visitor.stream() as four:
        for stream in (one, two, three, four):
            await stream.next("hello")
        url = f"{visitor.url}/v1/widget/stream"
        async with visitor.http.get(url, headers=visitor.headers) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "15")
    async with visitor.stream() as again:
        await again.next("hello")


async def test_no_address_is_in_the_store_and_counters_forget(
    house: House, http: aiohttp.ClientSession, store: Store
) -> None:
    await arrive(house, http, "198.51.100.77")
    keys = await store.client.keys("*")
    assert [key for key in keys if key.startswith(b"limit:")]
    assert not [key for key in keys if b"198.51" in key]
    assert all([0 < await store.client.pttl(key) <= 3_602_000 for key in keys if key.startswith(b"limit:")])


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("198.51.100.1", "198.51.100.2", False),
        ("198.51.100.1", "9.9.9.9, 198.51.100.1", True),  # what stands left of the last stranger was made up
        ("198.51.100.1", "198.51.100.1, 10.1.2.3", True),  # a second proxy of ours
        ("198.51.100.1", "198.51.100.1:4711", True),
        ("198.51.100.1", "::ffff:198.51.100.1", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),  # one household
        ("2001:db8:1:2::1", "[2001:db8:1:2::7]:443", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("garbage", "", True),  # nobody chooses their own address
    ],
)
async def test_who_counts_as_one_address(
    house: House, http: aiohttp.ClientSession, first: str, second: str, same: bool
) -> None:
    for _ in range(10):
        assert (await arrive(house, http, first))[0] == 200
    assert (await arrive(house, http, second))[0] == (429 if same else 200)


async def test_a_stranger_cannot_choose_an_address(settings: Settings, files: Any, http: aiohttp.ClientSession) -> None:
    house = House(settings.model_copy(update={"server": Server()}), files)
    await house.start()
    try:
        found = [(await arrive(house, http, f"198.51.100.{number}"))[0] for number in range(11)]
    finally:
        await house.stop()
    assert found == [200] * 10 + [429]
