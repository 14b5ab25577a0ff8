"""Whoever drives a merge or its undo may die anywhere, sleep through the rest, or be two."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from cases.merging import (
    NEW,
    OLD,
    TELEGRAM,
    WHATSAPP,
    WIDGET,
    Killed,
    Mortal,
    begun,
    delivered,
    differences,
    linked,
    picture,
    reply,
    turn,
    two_who_talked,
    write,
)
from fakes.redis_server import RedisServer, redis_binaries

from bench.chaos.planted import TWICE_FAULTS, Fault, broken
from connectors.content import Choice, Text
from connectors.contract import Author, Identity
from router.merging import Merging
from router.store import (
    Bucket,
    Claim,
    Commit,
    Enqueued,
    Entry,
    Lane,
    LeaseLost,
    Merge,
    Moved,
    Moving,
    NotMine,
    Store,
    Try,
    connect,
    keys,
)
from router.store.merges import HOLD
from router.store.runner import SCRIPT_TEXTS

IDLE = 3_600_000


@pytest.fixture(scope="module")
def _shared_redis() -> Iterator[RedisServer]:
    """One Redis is enough here: that the scripts run on all of them is shown by test_merges.py."""
    server = RedisServer(redis_binaries()[0])
    yield server
    server.close()


Stage = Callable[[], Awaitable[Store]]


@pytest.fixture
async def stage(redis_server: RedisServer) -> Any:
    """Every call: an empty Redis, and the two with everything that can wait."""
    stores: list[Store] = []

    async def set_up() -> Store:
        store = Store(connect(redis_server.url), idle=IDLE)
        stores.append(store)
        await store.client.flushall()
        await two_who_talked(store)
        await linked(store, NEW, WHATSAPP)
        for word in ("A", "B"):
            await write(store, NEW, WHATSAPP, word.lower())
            await turn(store, NEW, reply(word, WHATSAPP))
        await write(store, OLD, TELEGRAM, "c")
        await turn(store, OLD, reply("C", TELEGRAM))
        await write(store, OLD, TELEGRAM, "old waits")
        waits = await write(store, NEW, WIDGET, "one", dedupe="one")
        await write(store, NEW, WIDGET, content=Choice(text="Sim", button="yes"))
        await write(store, NEW, WHATSAPP, "two")
        entry = Entry(kind="edit", author=Author("customer"), identity=str(WIDGET), content=Text("1"), of=waits.seq)
        await store.append(NEW, "edit", entry, audience="customer")
        await store.visitors.use(NEW, WIDGET, "v1", 3)
        await store.visitors.tell(NEW, {"name": "Ana"})
        return store

    yield set_up
    for store in stores:
        await store.close()


async def merge_them(store: Store) -> Merge:
    return await Merging(store).drive(await begun(store))


async def merge_and_part(store: Store) -> Merge:
    merging = Merging(store)
    record = await merge_them(store)
    return await merging.drive(await merging.undo(OLD, record.id))


async def part_them(store: Store) -> Merge:
    merging = Merging(store)
    return await merging.drive(await merging.undo(OLD, "merge-1"))


async def first_merged(store: Store) -> None:
    """And more waits then, of both."""
    await merge_them(store)
    await write(store, OLD, WIDGET, "three")
    await write(store, OLD, TELEGRAM, "four")


@pytest.mark.parametrize("behind", [True, False], ids=["behind", "before"])
@pytest.mark.parametrize("what", ["merge", "undo"])
async def test_who_dies_at_any_call_is_followed_by_another(
    stage: Stage, redis_server: RedisServer, what: str, behind: bool
) -> None:
    walk = merge_them if what == "merge" else part_them

    async def ready() -> Store:
        store = await stage()
        if what == "undo":
            await first_merged(store)
        return store

    store = await ready()
    calls = Mortal(store, 10_000)
    await walk(store)
    expected = await picture(store, OLD, NEW)
    for call in range(1, calls.calls + 1):
        store = await ready()
        dying = Store(connect(redis_server.url), idle=IDLE)
        Mortal(dying, call, behind=behind)
        with pytest.raises(Killed):
            await walk(dying)
        await dying.close()
        await walk(store)
        assert differences(expected, await picture(store, OLD, NEW)) == [], f"died at call {call}"


@pytest.mark.parametrize("what", ["merge", "undo"])
async def test_who_sleeps_at_any_call_does_no_harm_when_it_wakes(
    stage: Stage, redis_server: RedisServer, what: str
) -> None:
    """It wakes behind the merge, its undo, and another merge of the two."""
    store = await stage()
    calls = Mortal(store, 10_000)
    await merge_and_part(store)
    for call in range(1, calls.calls):
        store = await stage()
        sleeper = Store(connect(redis_server.url), idle=IDLE)
        asleep = _Sleeper(sleeper, call)
        task = asyncio.create_task(merge_and_part(sleeper))
        await asyncio.wait([task, asyncio.create_task(asleep.sleeps.wait())], return_when=asyncio.FIRST_COMPLETED)
        await merge_and_part(store)
        if what == "merge":
            again = await Merging(store).begin(
                "merge-2", maker=NEW, redeemer=OLD, source=WIDGET, to=TELEGRAM, reason="link"
            )
            assert again is not None
            await Merging(store).drive(again)
        before = await picture(store, OLD, NEW)
        asleep.wakes.set()
        await asyncio.wait([task])
        store.offset += HOLD
        after = await picture(store, OLD, NEW)
        for identity in (WIDGET, WHATSAPP, TELEGRAM):
            # A hint that came out wrong is mended by who finds it; all else is as it was.
            after[str(identity)] = before[str(identity)]
        assert differences(before, after) == [], f"slept at call {call}"
        await sleeper.close()


class _Sleeper:
    """A store of a process that stops before its nth call until `wakes`."""

    def __init__(self, store: Store, call: int) -> None:
        self.sleeps, self.wakes = asyncio.Event(), asyncio.Event()
        self._calls = 0
        self._at = call
        runner = store._runner
        one, many = runner.call, runner.call_all

        async def through(call: Any, *arguments: Any) -> Any:
            self._calls += 1
            if self._calls == self._at:
                self.sleeps.set()
                await self.wakes.wait()
            return await call(*arguments)

        runner.call = lambda *command: through(one, *command)  # type: ignore[assignment,return-value]
        runner.call_all = lambda commands: through(many, commands)  # type: ignore[assignment,return-value]


async def _all_twice(store: Store) -> dict[str, Any]:
    """Every script is run twice, as if its first reply had been lost: what is there then."""
    once = store._runner.run

    async def twice(script: str, *arguments: Any) -> Any:
        await once(script, *arguments)
        return await once(script, *arguments)

    store._runner.run = twice  # type: ignore[assignment,method-assign]
    await merge_them(store)
    await part_them(store)
    store._runner.run = once  # type: ignore[method-assign]
    return await picture(store, OLD, NEW)


async def test_every_script_may_be_run_twice(stage: Stage) -> None:
    store = await stage()
    await merge_and_part(store)
    expected = await picture(store, OLD, NEW)
    assert differences(expected, await _all_twice(await stage())) == []


@pytest.mark.parametrize("fault", TWICE_FAULTS, ids=lambda fault: fault.name)
async def test_a_script_that_must_not_be_run_twice_is_found(
    stage: Stage, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await stage()
    await merge_and_part(store)
    expected = await picture(store, OLD, NEW)
    for name, text in broken(SCRIPT_TEXTS, fault).items():
        monkeypatch.setitem(SCRIPT_TEXTS, name, text)
    assert differences(expected, await _all_twice(await stage())) != []


async def test_two_who_drive_at_once_are_as_good_as_one(stage: Stage, redis_server: RedisServer) -> None:
    store = await stage()
    await merge_them(store)
    expected = await picture(store, OLD, NEW)
    store = await stage()
    record = await begun(store)
    others = [Store(connect(redis_server.url), idle=IDLE) for _ in range(3)]
    await asyncio.gather(*(Merging(other).drive(record) for other in [store, *others]))
    assert differences(expected, await picture(store, OLD, NEW)) == []
    for other in others:
        await other.close()


async def test_the_sweep_goes_on_with_what_was_left_lying(stage: Stage) -> None:
    store = await stage()
    record = await begun(store)
    assert await Merging(store).sweep() == 0, "somebody may still be at it"
    store.offset += 5001
    assert await Merging(store).sweep() == 1
    assert await store.kin.home(NEW) == OLD
    await Merging(store).undo(OLD, record.id)
    store.offset += 5001
    assert await Merging(store).sweep() == 1
    assert await store.kin.home(NEW) == NEW
    assert await Merging(store).sweep() == 0


async def test_a_freeze_of_a_merge_that_cannot_be_is_taken_back(stage: Stage) -> None:
    store = await stage()
    merging = Merging(store)
    record = await begun(store)
    assert await merging._quiet_both(record)
    before = await picture(store, NEW)
    await store.client.hset(keys.state(OLD), "gone", "1")
    after = await merging.drive(record)
    assert after.phase == "void"
    await write(store, NEW, WIDGET, "still here")
    assert before[NEW]["mailbox"] == (await picture(store, NEW))[NEW]["mailbox"][:-1]
    assert await store.claim(NEW) is not None
    assert await delivered(store, NEW, "whatsapp:br") == ["A", "B"]


# ── what comes in between ───────────────────────────────────────────────────────────────────────────────────────────


class Meanwhile:
    """Something that happens between two calls of the merge, with what must hold of it at the end."""

    def __init__(self, store: Store, kind: str) -> None:
        self.store, self.kind = store, kind
        self.accepted: list[str] = []
        self.refused: list[tuple[Identity, str]] = []
        self.claim: Claim | None = None
        self.attempt: Try | None = None
        self.taken: list[str] = []

    async def happens(self) -> None:
        match self.kind:
            case "both write":
                await self.writes(WIDGET, "w")
                await self.writes(TELEGRAM, "t")
            case "a turn":
                await self.works(commits=True)
            case "a claim":
                await self.works(commits=False)
            case "a send":
                lane = Lane(NEW, "whatsapp:br")
                self.attempt = await self.store.lanes.reserve(lane, lease=45_000, safe=False, bucket=Bucket())

    async def writes(self, identity: Identity, text: str) -> None:
        customer = await self.store.find_customer(identity)
        for _ in range(4):
            assert customer is not None
            try:
                enqueued: Enqueued = await write(self.store, customer, identity, text, dedupe=text)
            except Moved as moved:
                customer = moved.survivor
            except (Moving, NotMine):
                break
            else:
                assert not enqueued.repeated
                self.accepted.append(text)
                return
        self.refused.append((identity, text))

    async def works(self, *, commits: bool) -> None:
        for customer in (NEW, OLD):
            if claim := await self.store.claim(customer):
                if commits:
                    await self.commits(claim)
                else:
                    self.claim = claim
                return

    async def commits(self, claim: Claim) -> None:
        try:
            await self.store.commit(claim, Commit())
        except LeaseLost:
            return
        self.taken += [row.entry.content.text for row in claim.batch if row.entry.content]

    async def ends(self) -> None:
        """What had begun comes to its end, behind everything else."""
        if self.claim:
            await self.commits(self.claim)
        if self.attempt:
            await self.store.lanes.settle(self.attempt, "sent", vendor_id="v")

    async def drain(self) -> None:
        for identity, text in self.refused:
            self.refused = []
            await self.writes(identity, text)
        assert not self.refused
        for customer in (OLD, NEW):
            while claim := await self.store.claim(customer):
                await self.commits(claim)


@pytest.mark.parametrize("what", ["merge", "undo"])
@pytest.mark.parametrize("kind", ["both write", "a turn", "a claim", "a send"])
async def test_what_comes_between_any_two_steps_is_neither_lost_nor_doubled(
    stage: Stage, redis_server: RedisServer, kind: str, what: str
) -> None:
    walk = merge_them if what == "merge" else part_them
    store = await stage()
    if what == "undo":
        await first_merged(store)
    calls = Mortal(store, 10_000)
    await walk(store)
    for call in range(1, calls.calls + 1):
        store = await stage()
        if what == "undo":
            await first_merged(store)
        driver = Store(connect(redis_server.url), idle=IDLE)
        asleep = _Sleeper(driver, call)
        task = asyncio.create_task(walk(driver))
        await asyncio.wait([task, asyncio.create_task(asleep.sleeps.wait())], return_when=asyncio.FIRST_COMPLETED)
        meanwhile = Meanwhile(store, kind)
        await meanwhile.happens()
        asleep.wakes.set()
        if meanwhile.claim or meanwhile.attempt:
            # What is under way is waited for; nothing goes on before.
            await asyncio.sleep(0)
            await meanwhile.ends()
        assert (await task).is_over
        await meanwhile.drain()
        everything = ["old waits", "one", "Sim", "two"]
        everything += ["three", "four"] if what == "undo" else []
        everything += ["w", "t"] if kind == "both write" else []
        assert sorted(meanwhile.taken) == sorted(everything), f"{kind} at call {call}"
        mine = [text for text in meanwhile.taken if text in ("one", "Sim", "three", "w")]
        assert mine == [text for text in ("one", "Sim", "three", "w") if text in mine], "an identity's order"
        sent = ["A"] if meanwhile.attempt else []
        for customer in (NEW, OLD):
            sent += await delivered(store, customer, "whatsapp:br")
        assert sent == ["A", "B"], f"{kind} at call {call}"
        await driver.close()
