"""Whether a visitor's token is good is answered also while two are merged and parted, however often."""

from __future__ import annotations

import contextlib

import pytest
from cases.merging import NEW, OLD, TELEGRAM, WIDGET, Killed, Mortal, two_who_talked
from fakes.redis_server import RedisServer

from connectors.contract import TryAgain
from router.merging import Merging
from router.store import Store, connect
from router.visits import StoredVisits


async def merge_again(store: Store) -> None:
    """They were one, were parted, and are one again."""
    await two_who_talked(store)
    for merge in ("merge-1", "merge-2"):
        record = await Merging(store).begin(
            merge, maker=NEW, redeemer=OLD, source=WIDGET, to=TELEGRAM, reason="link", arrive=False
        )
        assert record
        await Merging(store).drive(record)
        if merge == "merge-1":
            await part(store, merge)


async def part(store: Store, merge: str) -> None:
    await Merging(store).drive(await Merging(store).undo(OLD, merge))


async def test_a_token_is_judged_wherever_the_second_undo_stops(
    store: Store, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.visits.PATIENCE", 0.1)
    visits = StoredVisits(store, lambda purpose, text: text)
    await merge_again(store)
    calls = Mortal(other := Store(connect(redis_server.url)), 10_000)
    await part(other, "merge-2")
    await other.close()
    assert calls.calls > 5
    told_to_come_back = 0
    for call in range(1, calls.calls + 1):
        await store.client.flushall()
        store.forget_remembered(WIDGET)
        await merge_again(store)
        dying = Store(connect(redis_server.url))
        Mortal(dying, call)
        with contextlib.suppress(Killed):
            await part(dying, "merge-2")
        await dying.close()
        try:
            assert await visits.admit(WIDGET, NEW, "v1", 1) == "ok"
        except TryAgain:
            told_to_come_back += 1
        await part(store, "merge-2")
        assert await visits.admit(WIDGET, NEW, "v1", 1) == "ok", f"the driver died at call {call}"
    assert told_to_come_back >= 1, "the moment in which it is nobody's was not met"
