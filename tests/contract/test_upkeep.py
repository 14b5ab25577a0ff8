"""What the store promises of control, timers, dead letters, trimming and leases by name, on a real Redis."""

from __future__ import annotations

import pytest
from contract.test_store import ANA, claimed, reply, write
from fakes.redis_server import RedisServer

from connectors.contract import Author, CustomerId
from router.store import Commit, ControlMoved, Entry, LeaseLost, Store, connect, keys

HOUR = 3_600_000
SHARD = keys.shard_of(ANA)


def said(text: str = "") -> Entry:
    return Entry(kind="control", author=Author("system", text), identity="webchat:demo/ana")


async def control(store: Store) -> dict[str, str]:
    return await store.state(ANA, "ctl", "cn", "own")


# ── control ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_each_change_raises_the_number_and_is_journalled(store: Store) -> None:
    await write(store)
    assert await store.upkeep.queue(ANA, said()) == 1
    assert await store.upkeep.take(ANA, "agent-1", said()) == 2
    assert await control(store) == {"ctl": "human", "cn": "2", "own": "agent-1"}
    assert await store.upkeep.assign(ANA, "agent-2", said()) == 3
    assert await store.upkeep.release(ANA, said()) == 4
    assert await control(store) == {"ctl": "bot", "cn": "4"}
    audiences = [row.audience for row in await store.journal(ANA) if row.entry.kind == "control"]
    assert audiences == ["customer", "customer", "agents", "customer"]


async def test_who_saw_an_older_number_is_told_todays(store: Store) -> None:
    await write(store)
    await store.upkeep.take(ANA, "agent-1", said(), seen=0)
    with pytest.raises(ControlMoved) as refused:
        await store.upkeep.take(ANA, "agent-2", said(), seen=0)
    assert (refused.value.number, refused.value.control) == (1, "human")
    assert (await control(store))["own"] == "agent-1"


async def test_the_same_change_again_changes_nothing(store: Store) -> None:
    await write(store)
    assert await store.upkeep.take(ANA, "agent-1", said()) == await store.upkeep.take(ANA, "agent-1", said())
    assert sum(row.entry.kind == "control" for row in await store.journal(ANA)) == 1


async def test_the_bots_late_answer_is_refused_after_a_handoff(store: Store) -> None:
    await write(store)
    late = await claimed(store)
    await store.upkeep.take(ANA, "agent-1", said())
    with pytest.raises(LeaseLost):
        await store.commit(late, reply("tarde demais"))
    again = await claimed(store)
    assert (again.state["ctl"], again.turn_id, again.attempts) == ("human", late.turn_id, 1)


async def test_a_change_of_control_ends_a_back_off(store: Store) -> None:
    await write(store)
    await store.retry(await claimed(store), delay=HOUR, counts=True)
    await store.upkeep.take(ANA, "agent-1", said())
    assert (await claimed(store)).attempts == 1


# ── timers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def patient(redis_server: RedisServer) -> Store:
    """A store that closes a conversation after an idle hour."""
    return Store(connect(redis_server.url), idle=HOUR)


async def test_an_idle_conversation_is_closed_and_the_next_message_opens_another(patient: Store) -> None:
    await write(patient)
    await patient.commit(await claimed(patient), reply("olá"))
    assert await patient.upkeep.due(range(256)) == []
    patient.offset = HOUR + 1
    assert await patient.upkeep.due(range(256)) == [(ANA, "idle")]
    assert await patient.upkeep.fire(ANA, "idle", said())
    assert not await patient.upkeep.fire(ANA, "idle", said())
    assert (await patient.state(ANA, "open"))["open"] == "0"
    await write(patient)
    assert await patient.state(ANA, "open", "ns") == {"open": "1", "ns": "1"}
    await patient.close()


async def test_a_message_puts_the_end_off(patient: Store) -> None:
    await write(patient)
    await patient.commit(await claimed(patient), Commit())
    patient.offset = HOUR // 2
    await write(patient)
    await patient.commit(await claimed(patient), Commit())
    patient.offset = HOUR + 1
    assert not await patient.upkeep.fire(ANA, "idle", said())
    await patient.close()


async def test_time_does_not_close_what_a_person_has(patient: Store) -> None:
    await write(patient)
    await patient.commit(await claimed(patient), Commit())
    await patient.upkeep.take(ANA, "agent-1", said())
    patient.offset = 2 * HOUR
    assert await patient.upkeep.due(range(256)) == []
    await patient.upkeep.release(ANA, said())
    patient.offset = 3 * HOUR + 1
    assert await patient.upkeep.fire(ANA, "idle", said())
    await patient.close()


async def test_a_timer_whose_control_moved_fires_into_nothing(patient: Store) -> None:
    await write(patient)
    await patient.commit(await claimed(patient), Commit())
    await patient.client.hincrby(keys.state(ANA), "cn", 1)  # as a change that came in between
    patient.offset = HOUR + 1
    assert not await patient.upkeep.fire(ANA, "idle", said())
    assert (await patient.state(ANA, "open"))["open"] == "1"
    await patient.close()


async def test_a_timer_that_comes_in_the_middle_of_a_turn_waits_for_its_end(patient: Store) -> None:
    await write(patient)
    await patient.commit(await claimed(patient), Commit())
    patient.offset = HOUR + 1
    await patient.client.zadd(keys.run(SHARD), {ANA: 0})  # as while a turn is under way
    assert not await patient.upkeep.fire(ANA, "idle", said())
    await patient.client.zrem(keys.run(SHARD), ANA)
    assert not await patient.upkeep.fire(ANA, "idle", said())
    patient.offset += 60_000
    assert await patient.upkeep.fire(ANA, "idle", said())
    await patient.close()


# ── dead letters ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_dead_letter_goes_back_once(store: Store) -> None:
    await write(store, "um")
    await write(store, "Sim", joins=False)
    await store.commit(await claimed(store), reply("desculpe", dead="attempts"))
    await store.commit(await claimed(store), reply("desculpe", dead="attempts"))
    letters = await store.upkeep.dead_letters()
    assert [(letter.customer, letter.seqs, letter.reason) for letter in letters] == [
        (ANA, (1,), "attempts"),
        (ANA, (2,), "attempts"),
    ]
    assert [await store.upkeep.requeue(letter) for letter in (*letters, letters[0])] == [1, 1, 0]
    assert await store.upkeep.dead_letters() == []
    batches = []
    for _ in range(2):
        claim = await claimed(store)
        batches.append([written.seq for written in claim.batch])
        await store.commit(claim, Commit())
    assert batches == [[1], [2]]


# ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def events(store: Store) -> int:
    return int(await store.client.xlen(keys.events(SHARD)))


async def test_without_readers_the_last_events_of_a_shard_stay(store: Store) -> None:
    for number in range(600):
        await write(store, str(number) if number < 400 else "x", dedupe=f"k{number}")
        if number % 100 == 0:
            await store.commit(await claimed(store), Commit())
            await store.client.delete(keys.mailbox(ANA))
    await store.upkeep.trim_events()
    assert await events(store) == 500


async def test_events_go_only_behind_the_slowest_reader(store: Store) -> None:
    await store.upkeep.register("projector")
    await store.upkeep.register("insights")
    for _ in range(5):
        await write(store)
    ids = [number for number, _ in (await store.events({SHARD: "0-0"}))[SHARD]]
    await store.upkeep.done_with("projector", SHARD, ids[4])
    await store.upkeep.done_with("insights", SHARD, ids[1])
    await store.upkeep.trim_events()
    assert [number for number, _ in (await store.events({SHARD: "0-0"}))[SHARD]] == ids[2:]
    await store.upkeep.unregister("insights")
    await store.upkeep.trim_events()
    assert [number for number, _ in (await store.events({SHARD: "0-0"}))[SHARD]] == ids[5:]


async def test_who_registers_late_starts_with_what_is_there(store: Store) -> None:
    await write(store)
    await store.upkeep.register("projector")
    await store.upkeep.register("projector")
    await store.upkeep.trim_events()
    assert await events(store) == 2


# ── one process for a job ───────────────────────────────────────────────────────────────────────────────────────────


async def test_one_process_holds_a_job_and_keeps_it_while_it_asks(store: Store) -> None:
    assert await store.upkeep.hold("sweep", "a", 60_000)
    assert not await store.upkeep.hold("sweep", "b", 60_000)
    assert await store.upkeep.hold("sweep", "a", 1)
    while await store.client.exists(keys.lease("sweep")):
        pass
    assert await store.upkeep.hold("sweep", "b", 60_000)


async def test_room_tells_what_redis_uses_and_may_use(store: Store) -> None:
    await store.client.config_set("maxmemory", "100mb")
    room = await store.upkeep.room()
    await store.client.config_set("maxmemory", "0")
    assert (room.used > 0, room.most) == (True, 100 * 1024 * 1024)


async def test_nobody_takes_a_customer_who_does_not_exist(store: Store) -> None:
    from router.store import Erased

    with pytest.raises(Erased):
        await store.upkeep.take(CustomerId("nobody"), "agent-1", said())
