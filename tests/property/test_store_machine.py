"""The store against its model: whatever comes in whatever order, with crashes, repeats and workers that wake up late.

`SEGUE_EXAMPLES=2000 SEGUE_STEPS=80` looks longer and at other examples each time.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar, cast

import msgspec
import pytest
import redis
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
from property.model import (
    IDLE,
    LEASE,
    MOST_IN_BATCH,
    MOST_WAITING,
    RANK,
    SEND_LEASE,
    Model,
    Queued,
    Row,
    Said,
    Waiting,
)

from bench.chaos.planted import FAULTS, Fault, broken
from connectors.content import Choice, Text
from connectors.contract import Author, CustomerId, Identity
from router.store import (
    Bucket,
    Claim,
    Commit,
    Committed,
    ControlMoved,
    DeadLetter,
    Entry,
    Erased,
    Lane,
    LeaseLost,
    MailboxFull,
    NewEntry,
    NotMine,
    OfferedButton,
    Store,
    Try,
    connect,
    keys,
    runner,
)
from router.store.hints import Hints

ANA = CustomerId("0190b0c0-0000-7000-8000-000000000001")
WIDGET, TELEGRAM, WHATSAPP, STRANGER = "webchat:demo/ana", "telegram:main/77", "whatsapp:br/5511", "telegram:main/666"
SHARD = keys.shard_of(ANA)
READER = "insights"

FROZEN_CLOCK = ("t[1] * 1000 + math.floor(t[2] / 1000) + tonumber(offset)", "tonumber(offset)")
"""Time is what the machine says, so that the model knows it to the millisecond."""

pick = st.integers(0, 3)
identities = st.sampled_from([WIDGET, WIDGET, TELEGRAM, WHATSAPP, STRANGER])
said = st.builds(
    Said,
    author=st.sampled_from(["bot", "bot", "system", "agent"]),
    audience=st.sampled_from(["customer", "customer", "agents"]),
    to=st.sampled_from(["", TELEGRAM, TELEGRAM, WHATSAPP]),
    button=st.booleans(),
)

outgoing = said.map(lambda one: one._replace(to=TELEGRAM))


def _sending(machine: StoreMachine) -> bool:
    return any(head.sending for head in machine.model.heads.values())


class StoreMachine(RuleBasedStateMachine):
    """Calls store and model alike, compares every answer and, after each step, everything that is in Redis."""

    server: ClassVar[RedisServer]

    def __init__(self) -> None:
        super().__init__()
        self.numbers = itertools.count(1)
        self.loop = asyncio.new_event_loop()
        self.redis = redis.Redis(unix_socket_path=str(self.server.socket))
        self.redis.flushall()
        hints = Hints(connect(self.server.url))
        self.store = Store(connect(self.server.url), lease=LEASE, most_waiting=MOST_WAITING, idle=IDLE, hints=hints)
        self.stands_by = False
        hints.stands_by = lambda: self.stands_by
        self.brought: list[Claim] = []
        hints.on_claimed.append(self.brought.append)
        self.model = Model()
        self.store.offset = self.model.now
        self.claims: list[Claim] = []
        self.commits: dict[int, tuple[Commit, list[Said], list[str]]] = {}
        self.tries: list[Try] = []
        self.letters: list[DeadLetter] = []
        # What really happened, counted apart from the model.
        self.accepted: dict[int, Waiting] = {}
        self.consumed: Counter[int] = Counter()
        self.batches: dict[int, list[int]] = {}
        self.requeued: set[int] = set()
        self.taken_by: dict[int, int] = {}
        self.sent_off: dict[int, str] = {}
        self.before: dict[int, str] = {}
        self.highest_control = 0
        self.given: tuple[str, str, bool, int] | None = None

    def teardown(self) -> None:
        self.run(self.store.close())
        self.loop.close()
        self.redis.close()

    def run(self, promise: Any) -> Any:
        return self.loop.run_until_complete(promise)

    @initialize(window=st.sampled_from([0, 1000]))
    def somebody_reads_events_and_two_identities_are_linked(self, window: int) -> None:
        self.redis.hset(keys.event_cursors(SHARD), READER, "0-0")
        self.write(WIDGET, "first", True, window)
        for identity in (TELEGRAM, WHATSAPP):
            self.redis.sadd(keys.identities(ANA), identity)
            self.model.identities.add(identity)

    def entry(self, kind: Any, author: Any, identity: str, content: Any = None) -> Entry:
        number = f"e{next(self.numbers)}"
        return Entry(kind=kind, author=Author(author), id=number, identity=identity, content=content)

    # ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(by=st.sampled_from([1, 400, 1000, LEASE - 1, LEASE, 61_000]))
    def time_passes(self, by: int) -> None:
        self.model.now += by
        self.store.offset += by

    # ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(identity=identities, dedupe=st.integers(0, 4), joins=st.booleans(), window=st.sampled_from([0, 1000]))
    def a_platform_may_send_again(self, identity: str, dedupe: int, joins: bool, window: int) -> None:
        self.write(identity, str(dedupe), joins, window)

    @rule(identity=identities, joins=st.booleans(), window=st.sampled_from([0, 1000]))
    def somebody_writes(self, identity: str, joins: bool, window: int) -> None:
        self.write(identity, f"new-{next(self.numbers)}", joins, window)

    @rule(yes=st.booleans())
    def a_worker_stands_by(self, yes: bool) -> None:
        """Then a message that may start brings its claim."""
        self.stands_by = yes

    @precondition(lambda self: self.given)
    @rule()
    def the_last_message_comes_again(self) -> None:
        assert self.given
        self.write(*self.given)

    @precondition(lambda self: len(self.model.mailbox) < 2)
    @rule(apart=st.sampled_from([900, 900, 0]))
    def somebody_writes_in_a_burst(self, apart: int) -> None:
        for _ in range(4):
            self.write(WIDGET, f"new-{next(self.numbers)}", True, 1000)
            self.time_passes(apart)

    def write(self, identity: str, dedupe: str, joins: bool, window: int) -> None:
        self.given = (identity, dedupe, joins, window)
        content = Text("oi") if joins else Choice(text="oi", button="b")
        entry = self.entry("message", "customer", identity, content)
        conversation = f"conversation-{next(self.numbers)}"
        who = Identity.parse(identity)
        try:
            done = self.run(
                self.store.enqueue(
                    ANA, who, entry, dedupe=dedupe, joins=joins, window=window,
                    journal="00aa", conversation=conversation, locale="pt-BR", origin={},
                )
            )  # fmt: skip
            answer = ("repeat" if done.repeated else "ok", done.seq)
        except NotMine:
            answer = ("not_mine", 0)
        except MailboxFull:
            answer = ("full", 0)
        self.run(asyncio.sleep(0))
        mode = "t" if joins else "x"
        was_due = self.model.due
        expected = self.model.enqueue(identity, f"{who.account}/{dedupe}", mode, window, conversation, entry.id)
        assert answer == expected
        if answer[0] == "ok":
            self.accepted[answer[1]] = Waiting(answer[1], mode, identity)
        brings = answer[0] == "ok" and self.stands_by and was_due is None and self.model.due == self.model.now
        assert len(self.brought) == int(brings)
        if brings:
            self.is_claimed(self.brought.pop())

    # ── a turn ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @rule()
    def a_worker_claims(self) -> None:
        self.is_claimed(self.run(self.store.claim(ANA, most=MOST_IN_BATCH)))

    def is_claimed(self, claim: Claim | None) -> None:
        expected = self.model.claim()
        assert (claim is None) == (expected is None)
        if claim is None:
            return
        batch = [written.seq for written in claim.batch]
        assert (claim.lease, claim.turn, claim.attempts, batch) == expected
        assert self.batches.setdefault(claim.turn, batch) == batch, "a turn was claimed again with another batch"
        self.claims.append(claim)

    @precondition(lambda self: self.model.why == "lease")
    @rule(joins=st.booleans())
    def a_worker_dies_and_another_claims(self, joins: bool) -> None:
        self.write(WIDGET, f"new-{next(self.numbers)}", joins, 0)
        self.time_passes(LEASE)
        self.a_worker_claims()

    def held(self, number: int) -> Claim:
        """A claim, more often a late one: its worker may be the holder, a sleeper, or one that has committed."""
        return self.claims[-1 - number % len(self.claims)]

    @precondition(lambda self: self.claims)
    @rule(number=pick)
    def a_worker_renews(self, number: int) -> None:
        claim = self.held(number)
        assert self.kept(self.store.renew(claim)) == self.model.renew(claim.lease)

    @precondition(lambda self: self.claims)
    @rule(number=pick, delay=st.sampled_from([0, 500, 30_000]), counts=st.booleans())
    def a_worker_gives_back(self, number: int, delay: int, counts: bool) -> None:
        claim = self.held(number)
        kept = self.kept(self.store.retry(claim, delay=delay, counts=counts))
        assert kept == self.model.retry(claim.lease, delay, counts=counts)

    def kept(self, promise: Any) -> bool:
        try:
            self.run(promise)
        except LeaseLost:
            return False
        return True

    @precondition(lambda self: self.claims)
    @rule(number=pick, entries=st.lists(said, max_size=3), dead=st.sampled_from(["", "", "", "attempts"]))
    def a_worker_commits(self, number: int, entries: list[Said], dead: str) -> None:
        """Who has committed with this lease before does it again with the same words: the reply was lost."""
        claim = self.held(number)
        if claim.lease not in self.commits:
            made = [self.new_entry(one) for one in entries]
            commit = Commit(made, state={"lang": "en"}, window=b"\x01w", dead=dead)
            self.commits[claim.lease] = (commit, entries, [new.entry.id for new in made])
        self.commit(claim)

    @rule(entries=st.lists(outgoing, min_size=1, max_size=2), dead=st.sampled_from(["", "", "attempts"]),
          sends=st.booleans(), safe=st.booleans())  # fmt: skip
    def a_turn_goes_through(self, entries: list[Said], dead: str, sends: bool, safe: bool) -> None:
        self.write(TELEGRAM, f"new-{next(self.numbers)}", True, 0)
        if self.model.due is not None:
            self.time_passes(max(0, self.model.due - self.model.now))
        self.a_worker_claims()
        if self.claims and self.model.why == "lease":
            self.a_worker_commits(0, entries, dead)
        if sends:
            self.an_outbox_reserves("telegram:main", safe, (0, 1))

    @precondition(lambda self: self.commits)
    @rule()
    def the_last_commit_is_repeated(self) -> None:
        lease = max(self.commits)
        self.commit(next(claim for claim in self.claims if claim.lease == lease))

    def new_entry(self, one: Said) -> NewEntry:
        entry = self.entry("message", one.author, one.to or WIDGET, Text("olá"))
        buttons = [OfferedButton(f"button-{entry.id}", "Sim", "/affirm")] if one.button else []
        to = [Identity.parse(one.to)] if one.to else []
        return NewEntry(entry, cast("Any", one.audience), buttons, to)

    def commit(self, claim: Claim) -> None:
        commit, entries, ids = self.commits[claim.lease]
        expected = self.model.commit(claim.lease, claim.turn, entries, ids, dead=bool(commit.dead))
        try:
            committed: Committed = self.run(self.store.commit(claim, commit))
        except LeaseLost:
            assert expected is None
            return
        assert (committed.seqs, committed.waiting) == expected
        first = claim.turn not in self.taken_by
        assert self.taken_by.setdefault(claim.turn, claim.lease) == claim.lease, "two workers committed one turn"
        if first and not commit.dead:
            self.consumed.update(self.batches[claim.turn])

    @precondition(lambda self: self.claims)
    @rule(number=pick, times=st.integers(1, 2))
    def a_worker_says_one_moment(self, number: int, times: int) -> None:
        claim = self.held(number)
        to = "" if str(claim.identity) == WIDGET else str(claim.identity)
        for _ in range(times):
            entry = self.entry("message", "system", to or WIDGET, Text("um momento"))
            said_it = self.run(self.store.interject(claim, NewEntry(entry, to=[claim.identity] if to else [])))
            assert said_it == bool(self.model.interject(claim.lease, claim.turn, to, entry.id))

    # ── control, timers, dead letters, events ───────────────────────────────────────────────────────────────────────

    @rule(
        change=st.sampled_from(["take", "assign", "queue", "release"]),
        owner=st.sampled_from(["agent-1", "agent-2"]),
        behind=st.sampled_from([None, 0, 0, 1]),
    )
    def control_moves(self, change: str, owner: str, behind: int | None) -> None:
        seen = None if behind is None else max(0, self.model.number - behind)
        entry = self.entry("control", "system", WIDGET)
        upkeep = self.store.upkeep
        calls: dict[str, Callable[[], Any]] = {
            "take": lambda: upkeep.take(ANA, owner, entry, seen=seen),
            "assign": lambda: upkeep.assign(ANA, owner, entry, seen=seen),
            "queue": lambda: upkeep.queue(ANA, entry, seen=seen),
            "release": lambda: upkeep.release(ANA, entry, seen=seen),
        }
        control = {"queue": "queued", "release": "bot"}.get(change, "human")
        try:
            answer = ("ok", self.run(calls[change]()))
        except ControlMoved as moved:
            answer = ("conflict", moved.number)
        except Erased:
            answer = ("gone", 0)
        owner = owner if control == "human" else ""
        assert answer == self.model.change_control(control, owner, "a" if change == "assign" else "c", seen)

    @rule()
    def the_idle_timer_is_looked_at(self) -> None:
        fired = self.run(self.store.upkeep.fire(ANA, "idle", self.entry("control", "system", "")))
        assert fired == self.model.fire()

    @rule()
    def an_hour_goes_by(self) -> None:
        self.time_passes(IDLE)
        self.the_idle_timer_is_looked_at()

    @precondition(lambda self: self.letters)
    @rule(number=pick)
    def a_dead_letter_is_put_back(self, number: int) -> None:
        letter = self.letters[-1 - number % len(self.letters)]
        again = self.run(self.store.upkeep.requeue(letter))
        assert again == self.model.requeue(letter.turn)
        self.requeued.update(letter.seqs)

    @rule(done=st.booleans())
    def events_are_trimmed(self, done: bool) -> None:
        """A reader that is done with what there is loses nothing that comes later."""
        if done:
            self.run(self.store.upkeep.done_with(READER, SHARD, self.run(self.store.last_event(SHARD))))
        touched = [keys.events(SHARD), keys.event_cursors(SHARD)]

        async def trim() -> None:
            await self.store._runner.run("trim", touched, 1)

        self.run(trim())
        if done:
            self.model.events.clear()

    @precondition(_sending)
    @rule(status=st.sampled_from(["delivered", "read"]))
    def a_receipt_comes_before_the_reply(self, status: str) -> None:
        """And a lower one afterwards."""
        last = list(self.sent_off).index(self.tries[-1].seq)
        self.a_platform_reports(len(self.sent_off) - 1 - last, status)
        self.an_outbox_settles(0, "sent", True, 0, True)
        self.a_platform_reports(len(self.sent_off) - 1 - last, "delivered")

    @rule(seq=st.integers(0, 30))
    def somebody_reads_up_to(self, seq: int) -> None:
        entry = Entry(
            kind="status", author=Author("customer"), identity=WIDGET, of=min(seq, self.model.shown), status="read"
        )
        assert self.run(self.store.mark_read(ANA, Identity.parse(WIDGET), seq, entry)) == self.model.read(seq)

    # ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(account=st.sampled_from(["telegram:main", "telegram:main", "whatsapp:br"]), safe=st.booleans(),
          bucket=st.sampled_from([(0, 1), (0, 1), (1000, 1), (1000, 2)]))  # fmt: skip
    def an_outbox_reserves(self, account: str, safe: bool, bucket: tuple[int, int]) -> None:
        lane = Lane(ANA, account)
        head = self.model.heads.get(account)
        tried = head.sending if head else False
        control = self.model.number
        expected = self.model.reserve(account, *bucket, safe=safe)
        limit = Bucket(every=bucket[0], burst=bucket[1])
        attempt: Try | None = self.run(self.store.lanes.reserve(lane, lease=SEND_LEASE, safe=safe, bucket=limit))
        assert (attempt is None) == (expected is None)
        if attempt is None:
            return
        assert (attempt.fence, attempt.tries, attempt.seq) == expected
        queued = self.model.lanes[account][0]
        if attempt.entry.author.kind == "bot" and not tried:
            assert queued.control == control, "a bot's words of an older control were handed out"
        assert safe or self.sent_off.get(attempt.seq, "retry") == "retry", "an unsafe message was handed out again"
        self.sent_off[attempt.seq] = "under way"
        self.tries.append(attempt)

    @precondition(lambda self: self.tries)
    @rule(number=pick, result=st.sampled_from(["sent", "sent", "retry", "failed", "unknown"]), named=st.booleans(),
          delay=st.sampled_from([0, 500]), counts=st.booleans())  # fmt: skip
    def an_outbox_settles(self, number: int, result: Any, named: bool, delay: int, counts: bool) -> None:
        """Also one that slept over its lease, or has settled already."""
        attempt = self.tries[-1 - number % len(self.tries)]
        vendor = f"v{attempt.seq}" if named else ""
        expected = self.model.settle(attempt.lane.account, attempt.fence, result, vendor, "why", delay, counts=counts)
        settled = self.run(
            self.store.lanes.settle(attempt, result, vendor_id=vendor, reason="why", delay=delay, counts=counts)
        )
        assert settled == expected
        if settled:
            self.sent_off[attempt.seq] = result

    @precondition(_sending)
    @rule(safe=st.booleans(), wakes=st.booleans())
    def a_sender_dies_and_another_tries(self, safe: bool, wakes: bool) -> None:
        account = next(account for account, head in self.model.heads.items() if head.sending)
        self.time_passes(SEND_LEASE)
        self.an_outbox_reserves(account, safe, (0, 1))
        if wakes:
            self.an_outbox_settles(1, "sent", True, 0, True)

    @precondition(lambda self: self.sent_off)
    @rule(number=pick, status=st.sampled_from(["sent", "delivered", "read", "failed"]))
    def a_platform_reports(self, number: int, status: Any) -> None:
        seq = list(self.sent_off)[-1 - number % len(self.sent_off)]
        account = next(attempt.lane.account for attempt in self.tries if attempt.seq == seq)
        answer = self.run(self.store.lanes.receipt(ANA, account, f"v{seq}", status, "why"))
        assert answer == self.model.receipt(account, f"v{seq}", status, "why")

    # ── after every step ────────────────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def redis_is_as_the_model_says(self) -> None:
        seen = _Seen(self.redis, list(self.model.lanes))
        self.letters += [letter for letter in seen.letters if letter not in self.letters]
        model = self.model
        assert seen.journal == model.journal
        assert seen.mailbox == model.mailbox
        assert seen.due == model.due
        assert seen.state == {
            "ctl": model.control, "cn": model.number, "own": model.owner, "ln": model.lease, "tn": model.turn,
            "bl": model.frozen, "at": model.attempts, "why": model.why, "open": int(model.open),
            "cid": model.conversation, "rd": model.read_to,
        }  # fmt: skip
        assert seen.lanes == {account: lane for account, lane in model.lanes.items() if lane}
        assert seen.lane_due == model.lane_due
        assert seen.states == model.states
        assert {letter.turn: letter.seqs for letter in seen.letters} == model.dead
        assert seen.events == model.events
        assert seen.timer == model.timer
        assert seen.buttons == model.buttons
        self.promises_hold(seen)

    def promises_hold(self, seen: _Seen) -> None:
        """What the documents promise, looked at without the model."""
        places = Counter(item.seq for item in seen.mailbox) + Counter(s for one in seen.letters for s in one.seqs)
        assert places + self.consumed == Counter(dict.fromkeys(self.accepted, 1)), "a message was lost or doubled"
        for identity in {WIDGET, TELEGRAM, WHATSAPP}:
            waiting = [i.seq for i in seen.mailbox if i.identity == identity and i.seq not in self.requeued]
            assert waiting == sorted(waiting), "an identity's messages changed places"
        assert [row.prev for row in seen.journal] == _chain(seen.journal)
        assert seen.seqs == list(range(1, len(seen.journal) + 1))
        assert bool(seen.mailbox) == (seen.due is not None)
        assert seen.lanes.keys() == seen.lane_due.keys()
        assert seen.state["cn"] >= self.highest_control
        self.highest_control = seen.state["cn"]
        for seq, status in self.before.items():
            now = seen.states[seq]
            assert RANK[now] > RANK[status] or now == status or now == "failed", f"{seq} fell: {status} to {now}"
        self.before = seen.states


class _Seen:
    """What is in Redis of the one customer, in the model's terms."""

    def __init__(self, client: redis.Redis, accounts: list[str]) -> None:
        fields = ["ctl", "cn", "own", "ln", "tn", "bl", "at", "why", "open", "cid", "rd"]
        pipe = client.pipeline(transaction=False)
        pipe.hmget(keys.state(ANA), fields)
        pipe.xrange(keys.journal(ANA))
        pipe.lrange(keys.mailbox(ANA), 0, -1)
        pipe.zscore(keys.run(SHARD), ANA)
        pipe.zrange(keys.lanes_run(SHARD), 0, -1, withscores=True)
        pipe.hgetall(keys.deliveries(ANA))
        pipe.xrange(keys.dead_letters(SHARD))
        pipe.hget(keys.event_cursors(SHARD), READER)
        pipe.xrange(keys.events(SHARD))
        pipe.zscore(keys.timers(SHARD), f"{ANA} idle")
        pipe.hgetall(keys.buttons(ANA))
        for account in accounts:
            pipe.lrange(keys.lane(ANA, account), 0, -1)
        state, journal, mailbox, due, lane_due, states, letters, cursor, events, timer, buttons, *lanes = pipe.execute()
        numbers = {"cn", "ln", "tn", "bl", "at", "open", "rd"}
        values = {name: (value or b"").decode() for name, value in zip(fields, state, strict=True)}
        self.state: dict[str, Any] = {n: int(v or 0) if n in numbers else v for n, v in values.items()}
        self.seqs = [int(number.partition(b"-")[0]) for number, _ in journal]
        self.journal = [_row(row) for _, row in journal]
        self.mailbox = [Waiting(int(s), m, i) for s, m, i in (item.decode().split(" ", 2) for item in mailbox)]
        self.due = None if due is None else int(due)
        self.lane_due = {member.decode().split(" ", 1)[1]: int(at) for member, at in lane_due}
        self.states = {int(seq): status.decode() for seq, status in states.items()}
        self.letters = [
            DeadLetter(n.decode(), ANA, int(f[b"turn"]), tuple(map(int, f[b"seqs"].split())), f[b"reason"].decode())
            for n, f in letters
        ]
        self.events = [(f[b"k"].decode(), int(f[b"s"])) for n, f in events if _after(n, cursor)]
        self.timer = None if timer is None else int(timer)
        self.buttons = {name.decode(): int(value.split(b" ", 1)[0]) for name, value in buttons.items()}
        self.lanes = {
            account: [Queued(int(s), a, int(c), i) for s, a, c, i in (item.decode().split(" ", 3) for item in lane)]
            for account, lane in zip(accounts, lanes, strict=True)
            if lane
        }


_read_entry = msgspec.json.Decoder(Entry)


def _row(row: dict[bytes, bytes]) -> Row:
    entry = _read_entry.decode(row[b"e"])
    told = entry.id if entry.kind == "message" else ""
    return Row(int(row[b"p"]), row[b"a"].decode(), entry.kind, told, entry.of, entry.status, entry.reason)


def _chain(journal: list[Row]) -> list[int]:
    """For each entry the last one before it that a customer may see."""
    shown, chain = 0, []
    for seq, row in enumerate(journal, start=1):
        chain.append(shown)
        shown = seq if row.audience == "c" else shown
    return chain


def _after(number: bytes, cursor: bytes) -> bool:
    def parts(of: bytes) -> tuple[int, ...]:
        return tuple(int(part) for part in of.split(b"-"))

    return parts(number) > parts(cursor)


# ── the tests ───────────────────────────────────────────────────────────────────────────────────────────────────────

EXAMPLES = int(os.environ.get("SEGUE_EXAMPLES", "0"))
STEPS = int(os.environ.get("SEGUE_STEPS", "50"))

LOOK = settings(
    max_examples=EXAMPLES or 120,
    stateful_step_count=STEPS,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def frozen(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    """Puts texts in the place of the scripts, with a clock that only the machine moves."""
    StoreMachine.server = redis_server

    def put(texts: dict[str, str]) -> None:
        for name, text in texts.items():
            assert FROZEN_CLOCK[0] in text
            monkeypatch.setitem(runner.SCRIPT_TEXTS, name, text.replace(*FROZEN_CLOCK))

    return put


@pytest.mark.timeout(0 if EXAMPLES else 60)
def test_the_store_does_what_its_model_does(frozen: Callable[[dict[str, str]], None]) -> None:
    frozen(dict(runner.SCRIPT_TEXTS))
    run_state_machine_as_test(StoreMachine, settings=LOOK)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_found(fault: Fault, frozen: Callable[[dict[str, str]], None]) -> None:
    frozen(broken(runner.SCRIPT_TEXTS, fault))
    bounds = settings(LOOK, max_examples=600, stateful_step_count=40, derandomize=True, phases=[Phase.generate])
    with pytest.raises(AssertionError):
        run_state_machine_as_test(StoreMachine, settings=bounds)
