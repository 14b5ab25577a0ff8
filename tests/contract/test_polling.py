"""Asking a platform under a lease: never two processes at once, and nobody's place stays empty."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from fakes.waiting import until

from router.store import Store, StoreUnavailable
from segue.polling import Polling

LEASE = 0.3
ACCOUNT = "telegram:main"


class Asks:
    """Notes how many ask at the same time."""

    def __init__(self) -> None:
        self.at_once = 0
        self.most = 0
        self.began = 0
        self.fault: Exception | None = None
        self.ends = asyncio.Event()

    async def poll(self) -> None:
        self.began += 1
        if self.fault:
            fault, self.fault = self.fault, None
            raise fault
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await self.ends.wait()
        finally:
            self.at_once -= 1


@pytest.fixture
async def two(store: Store) -> AsyncIterator[tuple[Polling, Polling, Asks]]:
    asks = Asks()
    first, second = (Polling(store, {ACCOUNT: asks}, lease=LEASE) for _ in "12")
    yield first, second, asks
    await first.stop()
    await second.stop()


async def test_one_of_two_processes_asks_and_the_other_takes_over(two: tuple[Polling, Polling, Asks]) -> None:
    first, second, asks = two
    first.start()
    await until(lambda: asks.at_once == 1)
    second.start()
    await until(lambda: second._until.get(ACCOUNT) == 0.0)
    assert (asks.began, asks.most) == (1, 1)
    await first.stop()
    await until(lambda: asks.began == 2)
    assert (asks.at_once, asks.most) == (1, 1)


async def test_a_lease_that_another_took_ends_the_asking(two: tuple[Polling, Polling, Asks], store: Store) -> None:
    first, _, asks = two
    first.start()
    await until(lambda: asks.at_once == 1)
    await store.upkeep.let_go(f"poll {ACCOUNT}", first._me)
    assert await store.upkeep.hold(f"poll {ACCOUNT}", "another", 60_000)
    await until(lambda: asks.at_once == 0)


async def test_a_store_that_does_not_answer_ends_it_before_another_may_ask(
    two: tuple[Polling, Polling, Asks], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _, asks = two
    first.start()
    await until(lambda: asks.at_once == 1)

    async def unavailable(*_: object) -> bool:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(store.upkeep, "hold", unavailable)
    await until(lambda: asks.at_once == 0)


async def test_asking_that_crashed_begins_again(two: tuple[Polling, Polling, Asks]) -> None:
    first, _, asks = two
    asks.fault = RuntimeError("x")
    first.start()
    await until(lambda: asks.at_once == 1)
    assert asks.began == 2


async def test_where_there_is_nothing_to_ask_the_place_is_given_back(
    two: tuple[Polling, Polling, Asks], store: Store
) -> None:
    first, _, asks = two
    asks.ends.set()
    first.start()
    await until(lambda: asks.began == 1)

    async def free() -> bool:
        return await store.upkeep.hold(f"poll {ACCOUNT}", "another", 1000)

    await until(free)
