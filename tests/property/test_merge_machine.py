"""Merges, undos, messages, turns and sends in any order, with drivers that die at any call, against a simple model.

`SEGUE_EXAMPLES=1000 SEGUE_STEPS=60` looks longer and at other examples each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections import defaultdict
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import redis
from cases.merging import Killed
from fakes.redis_server import RedisServer
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from property.merge_model import People

from bench.chaos.planted import MERGE_FAULTS, Fault, broken
from connectors.content import Text
from connectors.contract import Author, CustomerId, Identity
from router.merging import Merging
from router.store import (
    Bucket,
    Busy,
    Claim,
    Commit,
    Entry,
    Lane,
    LeaseLost,
    Moved,
    Moving,
    NewEntry,
    NotMine,
    NotUndone,
    Store,
    StoreError,
    Try,
    connect,
    keys,
    runner,
)

LEASE, SEND_LEASE = 10_000, 45_000
PEOPLE = [CustomerId(f"0190b0c0-0000-7000-8000-00000000000{number}") for number in range(1, 5)]
IDENTITIES = ["telegram:main/1", "whatsapp:br/2", "telegram:main/3", "webchat:demo/4", "whatsapp:br/5"]
FIRST = dict(zip(IDENTITIES, [*PEOPLE, PEOPLE[1]], strict=True))
"""The second has two."""

FROZEN_CLOCK = ("t[1] * 1000 + math.floor(t[2] / 1000) + tonumber(offset)", "tonumber(offset)")

who = st.sampled_from(IDENTITIES)
pick = st.integers(0, 7)
lasts = st.one_of(st.just(1000), st.integers(0, 45))


class _Quiet(Merging):
    """Leaves what it would do in the background to the sweep, so that an example can be played again."""

    def soon(self, merge: Any) -> None:
        pass


class MergeMachine(RuleBasedStateMachine):
    server: ClassVar[RedisServer]

    def __init__(self) -> None:
        super().__init__()
        self.numbers = itertools.count(1)
        self.loop = asyncio.new_event_loop()
        self.redis = redis.Redis(unix_socket_path=str(self.server.socket))
        self.redis.flushall()
        self.store = Store(connect(self.server.url), lease=LEASE)
        self.mortal = Store(connect(self.server.url), lease=LEASE)
        self.calls_left, self.sleeps = 1 << 30, False
        self.asleep = asyncio.Event()
        self.wakes: list[asyncio.Event] = []
        self.sleepers: list[asyncio.Future[Any]] = []
        self._make_mortal()
        self.now = 1_000_000
        self.people = People({identity: str(customer) for identity, customer in FIRST.items()})
        self.applied: dict[str, str] = {}
        self.begun: dict[str, CustomerId] = {}
        # What really happened.
        self.accepted: dict[str, list[str]] = defaultdict(list)
        self.first_answers: dict[str, str] = {}
        self.refused: list[tuple[str, str]] = []
        self.consumed: dict[str, list[str]] = defaultdict(list)
        self.turns: dict[str, str] = {}
        self.replies: dict[str, list[str]] = defaultdict(list)
        self.sent: dict[str, list[str]] = defaultdict(list)
        self.maybe: set[str] = set()
        self.claims: list[Claim] = []
        self.tries: list[Try] = []
        self.time_passes(0)

    def _make_mortal(self) -> None:
        one, many = self.mortal._runner.call, self.mortal._runner.call_all

        async def through(call: Callable[..., Any], *arguments: Any) -> Any:
            self.calls_left -= 1
            if self.calls_left < 0 and not self.sleeps:
                raise Killed
            if self.calls_left < 0:
                self.calls_left, wakes = 1 << 30, asyncio.Event()
                self.wakes.append(wakes)
                self.asleep.set()
                await wakes.wait()
            return await call(*arguments)

        self.mortal._runner.call = lambda *command: through(one, *command)  # type: ignore[assignment,return-value]
        self.mortal._runner.call_all = lambda commands: through(many, commands)  # type: ignore[assignment,return-value]

    def run(self, promise: Any) -> Any:
        return self.loop.run_until_complete(promise)

    @initialize()
    def everybody_has_written(self) -> None:
        for identity in IDENTITIES:
            self.run(self.store.adopt_identity(Identity.parse(identity), FIRST[identity]))
            if identity == IDENTITIES[-1]:
                self.redis.sadd(keys.identities(FIRST[identity]), identity)
            self.somebody_writes(identity)

    @rule(by=st.sampled_from([1, 1000, LEASE, SEND_LEASE]))
    def time_passes(self, by: int) -> None:
        self.now += by
        self.store.offset = self.mortal.offset = self.now

    # ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(identity=who)
    def somebody_writes(self, identity: str) -> None:
        self.write(identity, f"m{next(self.numbers)}")

    @precondition(lambda self: self.first_answers)
    @rule(number=pick)
    def a_platform_sends_again(self, number: int) -> None:
        name = list(self.first_answers)[-1 - number % len(self.first_answers)]
        identity = next(one for one, names in self.accepted.items() if name in names)
        self.write(identity, name)

    @precondition(lambda self: self.refused)
    @rule()
    def who_was_refused_sends_again(self) -> None:
        refused, self.refused = self.refused, []
        for identity, name in refused:
            self.write(identity, name)

    def write(self, identity: str, name: str) -> None:
        """As the edge does it, without its patience."""
        me = Identity.parse(identity)
        entry = Entry(kind="message", author=Author("customer"), id=f"{name}-{next(self.numbers)}", identity=identity,
                      content=Text(name))  # fmt: skip
        for _ in range(12):
            customer = self.run(self.store.find_customer(me))
            try:
                done = self.run(
                    self.store.enqueue(customer, me, entry, dedupe=name, joins=True, window=0, journal="00aa",
                                       conversation=f"c{next(self.numbers)}", locale="", origin={})
                )  # fmt: skip
            except Moved as moved:
                self.run(self.store.merges.repoint([identity], customer, moved.survivor))
            except NotMine:
                owner = self.run(self.store.merges.owner_of(customer, me))
                if owner is None:
                    break
                self.run(self.store.merges.repoint([identity], customer, owner))
            except Moving:
                break
            else:
                assert done.repeated == (name in self.first_answers), f"{name} was taken {done}"
                assert self.first_answers.setdefault(name, done.id) == done.id, "a repeat got another answer"
                if not done.repeated:
                    self.accepted[identity].append(name)
                return
        else:
            raise AssertionError(f"{identity} is sent from one to the other")
        if name not in self.first_answers:
            self.refused.append((identity, name))

    # ── turns and sends ─────────────────────────────────────────────────────────────────────────────────────────────

    @rule(customer=st.sampled_from(PEOPLE), commits=st.booleans())
    def a_worker_claims(self, customer: CustomerId, commits: bool) -> None:
        claim = self.run(self.store.claim(customer))
        if claim is None:
            return
        for row in claim.batch:
            name = row.entry.content.text if row.entry.content else f"arrival {row.entry.reason}"
            assert self.turns.setdefault(name, claim.turn_id) == claim.turn_id, f"{name} has a turn under another id"
        self.claims.append(claim)
        if commits:
            self.a_worker_commits(0)

    @precondition(lambda self: self.claims)
    @rule(number=pick)
    def a_worker_commits(self, number: int) -> None:
        claim = self.claims[-1 - number % len(self.claims)]
        identity = str(claim.identity)
        name = f"re:{claim.turn_id}"
        to = [] if claim.identity.channel == "webchat" else [claim.identity]
        entry = Entry(kind="message", author=Author("bot"), id=name, identity=identity, content=Text(name))
        try:
            self.run(self.store.commit(claim, Commit(entries=[NewEntry(entry, to=to)], window=b"\x02w")))
        except LeaseLost:
            return
        for row in claim.batch:
            if row.entry.content and row.entry.content.text not in self.consumed[row.entry.identity]:
                self.consumed[row.entry.identity].append(row.entry.content.text)
        if to and name not in self.replies[identity]:
            self.replies[identity].append(name)

    @rule(customer=st.sampled_from(PEOPLE), account=st.sampled_from(["telegram:main", "whatsapp:br"]),
          settles=st.booleans())  # fmt: skip
    def an_outbox_sends(self, customer: CustomerId, account: str, settles: bool) -> None:
        attempt = self.run(
            self.store.lanes.reserve(Lane(customer, account), lease=SEND_LEASE, safe=False, bucket=Bucket())
        )
        if attempt is None:
            return
        assert attempt.entry.content
        name = attempt.entry.content.text
        assert name not in self.sent[str(attempt.identity)], f"{name} was sent twice"
        self.sent[str(attempt.identity)].append(name)
        self.tries.append(attempt)
        if settles:
            self.an_outbox_settles(0)
        else:
            self.maybe.add(name)

    @precondition(lambda self: self.tries)
    @rule(number=pick)
    def an_outbox_settles(self, number: int) -> None:
        attempt = self.tries[-1 - number % len(self.tries)]
        self.run(self.store.lanes.settle(attempt, "sent", vendor_id=f"v{attempt.entry.id}"))

    # ── merges ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(maker=who, redeemer=who, lasts=lasts, sleeps=st.booleans())
    def somebody_goes_on_elsewhere(self, maker: str, redeemer: str, lasts: int, sleeps: bool) -> None:
        """The process drives it for so many calls, then it dies."""
        merge = f"g{next(self.numbers)}"

        async def go() -> None:
            source, to = Identity.parse(maker), Identity.parse(redeemer)
            one, two = await self.store.find_customer(source), await self.store.find_customer(to)
            assert one
            assert two
            begun = await _Quiet(self.store).begin(merge, maker=one, redeemer=two, source=source, to=to, reason="link")
            if begun:
                self.begun[begun.id] = begun.survivor
                await self.drives(lasts, sleeps, lambda: _Quiet(self.mortal).drive(begun, within=0))

        with contextlib.suppress(Busy):
            self.run(go())
        self.apply()

    @precondition(lambda self: any(not union.undone for union in self.people.unions.values()))
    @rule(number=pick, lasts=lasts, sleeps=st.booleans())
    def somebody_takes_it_back(self, number: int, lasts: int, sleeps: bool) -> None:
        standing = [merge for merge, union in self.people.unions.items() if not union.undone]
        merge = standing[-1 - number % len(standing)]
        may = self.people.may_undo(merge)
        survivor = CustomerId(self.people.unions[merge].survivor)

        async def go() -> None:
            begun = await _Quiet(self.store).undo(survivor, merge)
            assert may, "an undo out of its order was begun"
            await self.drives(lasts, sleeps, lambda: _Quiet(self.mortal).drive(begun, within=0))

        try:
            self.run(go())
        except (NotUndone, Moved):
            assert not may
        except (Busy, Moving):
            pass
        self.apply()

    async def drives(self, lasts: int, sleeps: bool, go: Callable[[], Any]) -> None:
        """For so many calls; then the process dies, or sleeps until a rule wakes it."""
        self.calls_left, self.sleeps = lasts, sleeps
        task = asyncio.ensure_future(go())
        asleep = asyncio.ensure_future(self.asleep.wait())
        await asyncio.wait([task, asleep], return_when=asyncio.FIRST_COMPLETED)
        self.calls_left, self.sleeps = 1 << 30, False
        self.asleep.clear()
        asleep.cancel()
        if task.done():
            with contextlib.suppress(Killed):
                task.result()
        else:
            self.sleepers.append(task)

    @precondition(lambda self: self.sleepers)
    @rule()
    def a_sleeper_wakes(self) -> None:
        """What it does then comes out of its turn."""
        task = self.sleepers.pop(0)
        self.wakes.pop(0).set()
        self.run(asyncio.wait([task]))
        with contextlib.suppress(StoreError):
            task.result()
        self.apply()

    @rule(identity=st.sampled_from(IDENTITIES[:3]), account_dies=st.booleans())
    def somebody_writes_and_a_worker_or_a_sender_sleeps(self, identity: str, account_dies: bool) -> None:
        self.somebody_writes(identity)
        customer = CustomerId(self.people.home(str(FIRST[identity])))
        self.a_worker_claims(customer, account_dies)
        if account_dies:
            self.an_outbox_sends(customer, identity.partition("/")[0], False)
            self.time_passes(SEND_LEASE)

    @rule()
    def the_sweep_goes_on(self) -> None:
        self.time_passes(5_001)
        self.run(_Quiet(self.store).sweep())
        self.apply()

    def apply(self) -> None:
        """Tells the model what has happened to merges, in the order in which it did; at one time the youngest first."""
        records = {
            record.id: record
            for customer in PEOPLE
            for record in self.run(self.store.merges.all(customer))
            if record.survivor == customer
        }
        done = [r for r in records.values() if r.phase != "intent" and r.phase != "void" and r.id not in self.applied]
        for record in sorted(done, key=lambda one: (one.merged, -PEOPLE.index(one.survivor), one.seq)):
            self.people.merged(record.id, str(record.survivor), str(record.other))
            self.applied[record.id] = "merged"
        for record in records.values():
            if record.phase == "undone" and self.applied[record.id] == "merged":
                self.people.undone(record.id)
                self.applied[record.id] = "undone"

    # ── what must hold ──────────────────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def nobody_has_what_is_anothers(self) -> None:
        owners = defaultdict(list)
        for customer in PEOPLE:
            if self.redis.hget(keys.state(customer), "gone"):
                continue
            for identity in self.redis.smembers(keys.identities(customer)):
                owners[identity.decode()].append(customer)
        assert all(len(whose) == 1 for whose in owners.values()), f"two have one identity: {dict(owners)}"

    def teardown(self) -> None:
        try:
            if self.first_answers:
                self.everything_comes_to_its_end()
        finally:
            for task in self.sleepers:
                task.cancel()
            if self.sleepers:
                self.run(asyncio.wait(self.sleepers))
            self.run(self.store.close())
            self.run(self.mortal.close())
            self.loop.close()
            self.redis.close()

    def everything_comes_to_its_end(self) -> None:
        while self.sleepers:
            self.a_sleeper_wakes()
        for _ in range(60):
            self.time_passes(SEND_LEASE + 1)
            self.run(_Quiet(self.store).sweep())
            self.apply()
            self.who_was_refused_sends_again() if self.refused else None
            for customer in PEOPLE:
                self.a_worker_claims(customer, True)
                for account in ("telegram:main", "whatsapp:br"):
                    self.an_outbox_sends(customer, account, True)
            if not self.refused and self.is_quiet():
                break
        else:
            raise AssertionError("it does not come to an end")
        for identity in IDENTITIES:
            assert self.consumed[identity] == self.accepted[identity], f"{identity}: lost, doubled or reordered"
            assert [name for name in self.replies[identity] if name in self.sent[identity]] == self.sent[identity]
            missing = set(self.replies[identity]) - set(self.sent[identity])
            assert missing <= self.maybe, f"never sent to {identity}: {missing}"
            home = self.run(self.store.find_customer(Identity.parse(identity)))
            assert self.run(self.store.kin.home(home)) == self.people.owner[identity]
        for customer in PEOPLE:
            assert self.run(self.store.kin.home(customer)) == self.people.home(customer)
            if customer not in self.people.over:
                mine = {identity.decode() for identity in self.redis.smembers(keys.identities(customer))}
                assert mine == self.people.of(customer)
        for name in list(self.first_answers):
            identity = next(one for one, names in self.accepted.items() if name in names)
            self.write(identity, name)

    def is_quiet(self) -> bool:
        for customer in PEOPLE:
            shard = keys.shard_of(customer)
            if self.redis.zscore(keys.run(shard), customer) is not None:
                return False
            if self.redis.zcard(keys.merges_under_way(shard)) or self.redis.llen(keys.mailbox(customer)):
                return False
            for account in ("telegram:main", "whatsapp:br"):
                if self.redis.llen(keys.lane(customer, account)):
                    return False
        return True


EXAMPLES = int(os.environ.get("SEGUE_EXAMPLES", "0"))
STEPS = int(os.environ.get("SEGUE_STEPS", "30"))

LOOK = settings(
    max_examples=EXAMPLES or 40,
    stateful_step_count=STEPS,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate] if not EXAMPLES else list(Phase),
)


def frozen_scripts(texts: dict[str, str], server: RedisServer, patch: pytest.MonkeyPatch) -> None:
    """Puts texts in the place of the scripts, with a clock that only the machine moves."""
    MergeMachine.server = server
    for name, text in texts.items():
        assert FROZEN_CLOCK[0] in text
        patch.setitem(runner.SCRIPT_TEXTS, name, text.replace(*FROZEN_CLOCK))
    patch.setattr("router.store.merges.time.time", lambda: 0.0)
    patch.setattr("router.store.store.time.time", lambda: 0.0)


@pytest.mark.timeout(0 if EXAMPLES else 120)
def test_merges_and_undos_lose_double_and_reorder_nothing(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen_scripts(dict(runner.SCRIPT_TEXTS), redis_server, monkeypatch)
    run_state_machine_as_test(MergeMachine, settings=LOOK)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("fault", MERGE_FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_found(fault: Fault, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that a walk meets too seldom are in test_merge_paths.py."""
    frozen_scripts(broken(runner.SCRIPT_TEXTS, fault), redis_server, monkeypatch)
    bounds = settings(LOOK, max_examples=400, stateful_step_count=30, derandomize=True, phases=[Phase.generate])
    with pytest.raises((AssertionError, redis.ResponseError)):
        run_state_machine_as_test(MergeMachine, settings=bounds)
