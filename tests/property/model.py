"""The store as it should be: one customer in plain Python. It exists only as the oracle of `test_store_machine.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

LEASE = 10_000
SEND_LEASE = 45_000
IDLE = 3_600_000
MOST_WAITING = 8
MOST_IN_BATCH = 3

RANK = {"pending": 0, "unknown": 1, "failed": 1, "sent": 2, "delivered": 3, "read": 4}


def rises(before: str | None, after: str) -> bool:
    if before is None:
        return True
    if after == "failed":
        return before in ("pending", "unknown", "sent")
    return RANK[after] > RANK[before]


class Waiting(NamedTuple):
    seq: int
    mode: str
    identity: str


class Queued(NamedTuple):
    seq: int
    author: str
    control: int
    identity: str


class Row(NamedTuple):
    """What is compared of a journal entry."""

    prev: int
    audience: str
    kind: str
    id: str = ""
    of: int = 0
    status: str = ""
    reason: str = ""


class Said(NamedTuple):
    """An entry of a turn: who says it, who sees it, the identity it is delivered to ('' none), with a button or not."""

    author: Literal["bot", "agent", "system"]
    audience: str
    to: str
    button: bool


@dataclass
class Head:
    fence: int = 0
    tries: int = 0
    sending: bool = False
    tat: int = 0


@dataclass
class Model:
    """Every method is one call of the store at `now`; it answers what the store must answer."""

    now: int = 1_000_000
    known: bool = False
    identities: set[str] = field(default_factory=set)
    journal: list[Row] = field(default_factory=list)
    shown: int = 0
    seen: dict[str, int] = field(default_factory=dict)
    senders: dict[int, Waiting] = field(default_factory=dict)
    mailbox: list[Waiting] = field(default_factory=list)
    due: int | None = None
    why: str = ""
    burst_began: int | None = None
    burst_ends: int | None = None
    frozen: int = 0
    lease: int = 0
    turn: int = 0
    attempts: int = 0
    last: tuple[int, int, tuple[int, ...], int] | None = None
    moment: int | None = None
    control: str = "bot"
    number: int = 0
    owner: str = ""
    open: bool = True
    conversation: str = ""
    read_to: int = 0
    timer: int | None = None
    timer_of: tuple[str, int] | None = None
    lanes: dict[str, list[Queued]] = field(default_factory=dict)
    heads: dict[str, Head] = field(default_factory=dict)
    lane_due: dict[str, int] = field(default_factory=dict)
    states: dict[int, str] = field(default_factory=dict)
    vendor: dict[str, int] = field(default_factory=dict)
    early: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    dead: dict[int, tuple[int, ...]] = field(default_factory=dict)
    buttons: dict[str, int] = field(default_factory=dict)
    events: list[tuple[str, int]] = field(default_factory=list)

    def append(self, audience: str, kind: str, **more: str | int) -> int:
        self.journal.append(Row(self.shown, audience, kind, **more))  # type: ignore[arg-type]
        seq = len(self.journal)
        if audience == "c":
            self.shown = seq
        return seq

    # ── in ──

    def enqueue(
        self, identity: str, dedupe: str, mode: str, window: int, conversation: str, entry: str
    ) -> tuple[str, int]:
        if self.known and identity not in self.identities:
            return "not_mine", 0
        if dedupe in self.seen:
            return "repeat", self.seen[dedupe]
        if len(self.mailbox) >= MOST_WAITING:
            return "full", 0
        if not self.known or not self.open:
            self.conversation = conversation
            self.events.append(("conversation.opened", 0))
        self.known = self.open = True
        self.identities.add(identity)
        seq = self.append("c", "message", id=entry)
        self.seen[dedupe] = seq
        waiting = Waiting(seq, mode, identity)
        self.senders[seq] = waiting
        self.mailbox.append(waiting)
        if self.control == "bot":
            self.timer, self.timer_of = self.now + IDLE, (self.conversation, self.number)
        free = self.due is None or self.why == "window"
        if mode == "t" and window:
            going_on = self.burst_began is not None and self.burst_ends is not None and self.burst_ends > self.now
            began = self.burst_began if going_on and self.burst_began is not None else self.now
            self.burst_began = began
            self.burst_ends = min(self.now + window, began + 3 * window)
            if free:
                self.due, self.why = self.burst_ends, "window"
        else:
            self.burst_ends = 0
            if free:
                self.due, self.why = self.now, ""
        self.events.append(("message.created", seq))
        return "ok", seq

    # ── a turn ──

    def claim(self) -> tuple[int, int, int, list[int]] | None:
        """Lease, turn, attempts, batch."""
        if self.due is None or self.due > self.now:
            return None
        if not self.frozen:
            first = self.mailbox[0]
            self.frozen = 1
            for item in self.mailbox[1:MOST_IN_BATCH]:
                if first.mode != "t" or (item.mode, item.identity) != ("t", first.identity):
                    break
                self.frozen += 1
        self.lease += 1
        self.attempts += 1
        self.why = "lease"
        self.due = self.now + LEASE
        return self.lease, self.turn, self.attempts, [item.seq for item in self.mailbox[: self.frozen]]

    def renew(self, lease: int) -> bool:
        if lease != self.lease or self.why != "lease":
            return False
        self.due = self.now + LEASE
        return True

    def retry(self, lease: int, delay: int, *, counts: bool) -> bool:
        if lease != self.lease or self.why != "lease":
            return False
        self.lease += 1
        self.attempts -= not counts
        self.why = "backoff"
        self.due = self.now + delay
        return True

    def commit(
        self, lease: int, turn: int, said: Sequence[Said], ids: Sequence[str], *, dead: bool
    ) -> tuple[tuple[int, ...], int] | None:
        """Seqs and how many wait; None when the lease is lost."""
        if self.last and self.last[:2] == (lease, turn) and self.turn == turn + 1:
            return self.last[2:]
        if lease != self.lease or turn != self.turn or not self.frozen:
            return None
        batch, self.mailbox = self.mailbox[: self.frozen], self.mailbox[self.frozen :]
        if dead:
            self.dead[turn] = tuple(item.seq for item in batch)
            self.events.append(("turn.dead", batch[0].seq))
        seqs = tuple(self._say(one, entry) for one, entry in zip(said, ids, strict=True))
        for one, seq in zip(said, seqs, strict=True):
            if one.to:
                self._queue(one, seq, self.number)
        self.turn, self.frozen, self.attempts, self.why = turn + 1, 0, 0, ""
        self.due = self.now if self.mailbox else None
        if self.mailbox and self.burst_ends and self.burst_ends > self.now:
            self.due, self.why = self.burst_ends, "window"
        self.last = (lease, turn, seqs, len(self.mailbox))
        return seqs, len(self.mailbox)

    def _say(self, one: Said, entry: str) -> int:
        seq = self.append(one.audience[0], "message", id=entry)
        self.events.append(("message.created", seq))
        if one.button:
            self.buttons[f"button-{entry}"] = seq
        return seq

    def _queue(self, one: Said, seq: int, control: int) -> None:
        account = one.to.partition("/")[0]
        self.lanes.setdefault(account, []).append(Queued(seq, one.author[0], control, one.to))
        self.lane_due.setdefault(account, self.now)
        self.states[seq] = "pending"

    def interject(self, lease: int, turn: int, to: str, entry: str) -> int:
        if lease != self.lease or turn != self.turn or self.moment == turn or self.why != "lease":
            return 0
        self.moment = turn
        one = Said("system", "customer", to, button=False)
        seq = self._say(one, entry)
        if to:
            self._queue(one, seq, self.number)
        return seq

    # ── control, timers, dead letters ──

    def change_control(self, control: str, owner: str, audience: str, seen: int | None) -> tuple[str, int]:
        if not self.known:
            return "gone", 0
        if seen is not None and seen != self.number:
            return "conflict", self.number
        if (control, owner) == (self.control, self.owner):
            return "ok", self.number
        self.number += 1
        self.lease += 1
        self.control, self.owner, self.attempts, self.why = control, owner, 0, ""
        self.timer = None
        if control == "bot":
            self.timer, self.timer_of = self.now + IDLE, (self.conversation, self.number)
        self.append(audience, "control")
        self.events.append((f"control.{control}", self.number))
        self.due = self.now if self.mailbox else None
        return "ok", self.number

    def fire(self) -> bool:
        if self.timer is None or self.timer > self.now:
            return False
        moved = not self.open or self.timer_of != (self.conversation, self.number)
        if not moved and self.due is not None:
            self.timer = self.now + 60_000
            return False
        self.timer, self.timer_of = None, None
        if moved:
            return False
        self.open, self.control, self.owner = False, "bot", ""
        self.events.append(("conversation.closed", self.append("a", "control")))
        return True

    def requeue(self, turn: int) -> int:
        seqs = self.dead.pop(turn, ())
        self.mailbox += [self.senders[seq] for seq in seqs]
        if seqs and self.due is None:
            self.due = self.now
        return len(seqs)

    def read(self, seq: int) -> bool:
        seq = min(seq, self.shown)
        if seq <= self.read_to:
            return False
        self.read_to = seq
        self.append("c", "status", of=seq, status="read")
        self.events.append(("message.read", seq))
        return True

    # ── out ──

    def _status(self, seq: int, status: str, reason: str = "") -> bool:
        if not rises(self.states.get(seq), status):
            return False
        self.states[seq] = status
        self.append("c", "status", of=seq, status=status, reason=reason)
        self.events.append((f"delivery.{status}", seq))
        return True

    def _next(self, account: str) -> None:
        head = self.heads[account]
        head.sending, head.tries = False, 0
        self.lanes[account].pop(0)

    def _lane_goes_on(self, account: str) -> None:
        if self.lanes[account]:
            self.lane_due[account] = self.now
        else:
            del self.lane_due[account]

    def reserve(self, account: str, every: int, burst: int, *, safe: bool) -> tuple[int, int, int] | None:
        """Fence, tries, seq."""
        due = self.lane_due.get(account)
        if due is None or due > self.now:
            return None
        item = self.lanes[account][0]
        head = self.heads.setdefault(account, Head())
        given_up = ""
        if head.sending:
            given_up = "" if safe else "unknown worker_died"
        elif item.author == "b" and item.control < self.number:
            given_up = "failed control_moved"
        if given_up:
            status, reason = given_up.split(" ")
            self._next(account)
            self._status(item.seq, status, reason)
            self._lane_goes_on(account)
            return None
        if every:
            arrival = max(head.tat, self.now)
            if arrival - self.now > every * (burst - 1):
                self.lane_due[account] = arrival - every * (burst - 1)
                return None
            head.tat = arrival + every
        head.fence += 1
        head.tries += 1
        head.sending = True
        self.lane_due[account] = self.now + SEND_LEASE
        return head.fence, head.tries, item.seq

    def settle(
        self, account: str, fence: int, result: str, vendor: str, reason: str, delay: int, *, counts: bool
    ) -> bool:
        head = self.heads[account]
        if head.fence != fence or not head.sending:
            return False
        if result == "retry":
            head.sending = False
            head.tries -= not counts
            self.lane_due[account] = self.now + delay
            return True
        seq = self.lanes[account][0].seq
        self._next(account)
        self._status(seq, result, reason)
        if vendor:
            named = f"{account}/{vendor}"
            self.vendor[named] = seq
            at, status, why = self.early.pop(named, (0, "", ""))
            if status and self.now - at <= 60_000:
                self._status(seq, status, why)
        self._lane_goes_on(account)
        return True

    def receipt(self, account: str, vendor: str, status: str, reason: str) -> int:
        named = f"{account}/{vendor}"
        seq = self.vendor.get(named)
        if seq is not None:
            return seq if self._status(seq, status, reason) else -1
        at, waited, _ = self.early.get(named, (0, "", ""))
        if waited and self.now - at <= 60_000 and not rises(waited, status):
            return -1
        self.early[named] = (self.now, status, reason)
        return 0
