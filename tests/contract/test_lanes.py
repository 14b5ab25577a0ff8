"""What the store promises of lanes, receipts and limits, on a real Redis."""

from __future__ import annotations

import asyncio

from contract.test_store import ANA, claimed, reply, write

from connectors.content import Text
from connectors.contract import Author, Identity
from router.store import Bucket, Commit, Entry, Lane, NewEntry, Store, Try, keys

TELEGRAM = Identity("telegram:main", "77")
LANE = Lane(ANA, "telegram:main")
LEASE = 10_000


async def offered(store: Store, *texts: str, author: str = "bot") -> None:
    """Puts messages to Telegram into the lane, by a turn."""
    await write(store)
    entries = [
        Entry(kind="message", author=Author(author), id=text, identity=str(TELEGRAM), content=Text(text))  # type: ignore[arg-type]
        for text in texts
    ]
    await store.commit(await claimed(store), Commit([NewEntry(entry, to=[TELEGRAM]) for entry in entries]))


async def reserved(store: Store, *, safe: bool = False, bucket: Bucket | None = None) -> Try:
    found = await store.lanes.reserve(LANE, lease=LEASE, safe=safe, bucket=bucket or Bucket())
    assert found is not None
    return found


async def state(store: Store, seq: int) -> str | None:
    return (await store.lanes.states(ANA, [seq])).get(seq)


async def statuses(store: Store) -> list[tuple[int, str, str]]:
    rows = [row.entry for row in await store.journal(ANA) if row.entry.kind == "status"]
    return [(entry.of, entry.status, entry.reason) for entry in rows]


# ── order, one at a time ────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_lane_is_delivered_in_order(store: Store) -> None:
    await offered(store, "um", "dois")
    assert await store.lanes.ready(range(256)) == [LANE]
    first = await reserved(store)
    assert (first.seq, first.entry.id, first.identity, first.tries) == (2, "um", TELEGRAM, 1)
    assert await store.lanes.settle(first, "sent", vendor_id="v1")
    second = await reserved(store)
    assert second.entry.id == "dois"
    assert await store.lanes.settle(second, "sent", vendor_id="v2")
    assert await store.lanes.reserve(LANE, lease=LEASE, safe=False, bucket=Bucket()) is None
    assert await statuses(store) == [(2, "sent", ""), (3, "sent", "")]
    assert await store.lanes.ready(range(256)) == []


async def test_parts_that_were_taken_are_told_to_every_later_try_of_that_message_alone(store: Store) -> None:
    await offered(store, "um", "dois")
    first = await reserved(store)
    assert first.taken == 0
    assert await store.lanes.settle(first, "retry", reason="try_again", taken=2)
    again = await reserved(store)
    assert (again.tries, again.taken) == (2, 2)
    assert await store.lanes.settle(again, "retry", reason="limit", counts=False)
    third = await reserved(store)
    assert (third.tries, third.taken) == (2, 2)
    assert await store.lanes.settle(third, "sent")
    assert (await reserved(store)).taken == 0


async def test_parts_of_a_message_whose_try_died_are_not_taken_for_those_of_the_next(store: Store) -> None:
    await offered(store, "um", "dois")
    assert await store.lanes.settle(await reserved(store), "retry", reason="try_again", taken=1)
    await reserved(store)
    store.offset += LEASE + 1
    assert await store.lanes.reserve(LANE, lease=LEASE, safe=False, bucket=Bucket()) is None
    assert await state(store, 2) == "unknown"
    following = await reserved(store)
    assert (following.entry.id, following.taken) == ("dois", 0)


async def test_of_many_workers_one_gets_the_head(store: Store) -> None:
    await offered(store, "um")
    tries = await asyncio.gather(
        *(store.lanes.reserve(LANE, lease=LEASE, safe=False, bucket=Bucket()) for _ in range(20))
    )
    assert sum(found is not None for found in tries) == 1


async def test_a_message_is_pending_until_its_result(store: Store) -> None:
    await offered(store, "um")
    assert await state(store, 2) == "pending"
    await store.lanes.settle(await reserved(store), "sent")
    assert await state(store, 2) == "sent"


async def test_live_channels_have_no_lane(store: Store) -> None:
    await write(store)
    await store.commit(await claimed(store), reply("olá"))
    assert await store.lanes.ready(range(256)) == []


# ── retry, give up, unknown ─────────────────────────────────────────────────────────────────────────────────────────


async def test_a_retry_keeps_its_place_and_waits_its_time(store: Store) -> None:
    await offered(store, "um", "dois")
    await store.lanes.settle(await reserved(store), "retry", delay=5000)
    assert await store.lanes.reserve(LANE, lease=LEASE, safe=False, bucket=Bucket()) is None
    store.offset = 5001
    again = await reserved(store)
    assert (again.entry.id, again.tries) == ("um", 2)


async def test_a_retry_that_is_not_its_fault_does_not_count(store: Store) -> None:
    await offered(store, "um")
    await store.lanes.settle(await reserved(store), "retry", counts=False)
    assert (await reserved(store)).tries == 1


async def test_giving_up_says_why_and_the_next_one_goes_on(store: Store) -> None:
    await offered(store, "um", "dois")
    await store.lanes.settle(await reserved(store), "failed", reason="blocked")
    assert await statuses(store) == [(2, "failed", "blocked")]
    assert (await reserved(store)).entry.id == "dois"


async def test_a_try_that_died_is_unknown_where_a_repeat_is_not_safe(store: Store) -> None:
    await offered(store, "um", "dois")
    zombie = await reserved(store)
    store.offset = LEASE + 1
    assert await store.lanes.reserve(LANE, lease=LEASE, safe=False, bucket=Bucket()) is None
    assert await statuses(store) == [(2, "unknown", "worker_died")]
    assert not await store.lanes.settle(zombie, "sent", vendor_id="late")
    assert (await reserved(store)).entry.id == "dois"


async def test_a_try_that_died_is_sent_again_where_a_repeat_is_safe(store: Store) -> None:
    await offered(store, "um")
    zombie = await reserved(store, safe=True)
    store.offset = LEASE + 1
    again = await reserved(store, safe=True)
    assert (again.entry.id, again.tries) == ("um", 2)
    assert not await store.lanes.settle(zombie, "sent")
    assert await store.lanes.settle(again, "sent")
    assert await statuses(store) == [(2, "sent", "")]


async def test_a_result_counts_once(store: Store) -> None:
    await offered(store, "um", "dois")
    first = await reserved(store)
    assert await store.lanes.settle(first, "sent")
    assert not await store.lanes.settle(first, "sent")
    assert (await reserved(store)).entry.id == "dois"


async def test_the_fence_outlives_an_empty_lane(store: Store) -> None:
    await offered(store, "um")
    zombie = await reserved(store)
    await store.lanes.settle(zombie, "sent")
    assert await store.lanes.reserve(LANE, lease=LEASE, safe=False, bucket=Bucket()) is None
    await offered(store, "dois")
    fresh = await reserved(store)
    assert fresh.fence != zombie.fence
    assert not await store.lanes.settle(zombie, "sent")


# ── control ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_bots_words_are_dropped_when_a_person_took_over(store: Store) -> None:
    await offered(store, "do robô", "também")
    await store.upkeep.take(ANA, "agent-1", Entry(kind="control", author=Author("system"), identity=str(TELEGRAM)))
    for _ in range(2):
        assert await store.lanes.reserve(LANE, lease=LEASE, safe=False, bucket=Bucket()) is None
    assert await statuses(store) == [(2, "failed", "control_moved"), (3, "failed", "control_moved")]


async def test_a_persons_and_the_systems_words_are_delivered_whatever_control_does(store: Store) -> None:
    await offered(store, "da pessoa", author="agent")
    await offered(store, "aviso", author="system")
    await store.upkeep.take(ANA, "agent-1", Entry(kind="control", author=Author("system"), identity=str(TELEGRAM)))
    for text in ("da pessoa", "aviso"):
        attempt = await reserved(store)
        assert attempt.entry.id == text
        await store.lanes.settle(attempt, "sent")


# ── receipts ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_status_only_rises(store: Store) -> None:
    await offered(store, "um")
    await store.lanes.settle(await reserved(store), "sent", vendor_id="v1")
    answers = [
        await store.lanes.receipt(ANA, "telegram:main", "v1", status)
        for status in ("read", "delivered", "read", "failed")
    ]
    assert answers == [2, -1, -1, -1]
    assert await state(store, 2) == "read"


async def test_a_receipt_that_comes_before_our_own_record_waits_for_it(store: Store) -> None:
    await offered(store, "um")
    attempt = await reserved(store)
    assert await store.lanes.receipt(ANA, "telegram:main", "v1", "delivered") == 0
    await store.lanes.settle(attempt, "sent", vendor_id="v1")
    assert await statuses(store) == [(2, "sent", ""), (2, "delivered", "")]


async def test_an_early_failure_keeps_its_reason(store: Store) -> None:
    await offered(store, "um")
    attempt = await reserved(store)
    await store.lanes.receipt(ANA, "telegram:main", "v1", "failed", "blocked by them")
    await store.lanes.settle(attempt, "sent", vendor_id="v1")
    assert await statuses(store) == [(2, "sent", ""), (2, "failed", "blocked by them")]


async def test_an_early_receipt_is_forgotten_after_a_minute(store: Store) -> None:
    await offered(store, "um")
    attempt = await reserved(store)
    await store.lanes.receipt(ANA, "telegram:main", "v1", "delivered")
    store.offset = 61_000
    assert not await store.client.exists(keys.early_receipts(ANA)) or await store.lanes.settle(
        attempt, "sent", vendor_id="v1"
    )
    assert await state(store, 2) == "sent"


async def test_a_receipt_proves_that_an_unknown_message_arrived(store: Store) -> None:
    await offered(store, "um")
    await store.lanes.settle(await reserved(store), "unknown", vendor_id="v1", reason="answer_lost")
    assert await store.lanes.receipt(ANA, "telegram:main", "v1", "delivered") == 2
    assert await state(store, 2) == "delivered"


async def test_a_failure_that_the_platform_reports_is_kept_with_its_reason(store: Store) -> None:
    await offered(store, "um")
    await store.lanes.settle(await reserved(store), "sent", vendor_id="v1")
    await store.lanes.receipt(ANA, "telegram:main", "v1", "failed", "blocked")
    assert await statuses(store) == [(2, "sent", ""), (2, "failed", "blocked")]


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_empty_bucket_answers_with_the_time_at_which_there_is_room(store: Store) -> None:
    bucket = Bucket(every=1000, burst=2)
    waits = [await store.lanes.wait_for("telegram:main", bucket) for _ in range(3)]
    assert waits[:2] == [0, 0]
    assert 900 < waits[2] <= 1000
    store.offset = 1001
    assert await store.lanes.wait_for("telegram:main", bucket) == 0


async def test_a_lane_waits_for_its_bucket_and_loses_nothing(store: Store) -> None:
    bucket = Bucket(every=1000, burst=1)
    await offered(store, "um", "dois")
    await store.lanes.settle(await reserved(store, bucket=bucket), "sent")
    assert await store.lanes.reserve(LANE, lease=LEASE, safe=False, bucket=bucket) is None
    store.offset = 1001
    assert (await reserved(store, bucket=bucket)).entry.id == "dois"
