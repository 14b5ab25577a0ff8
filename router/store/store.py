"""The store's promises in Python: build the arguments of a script, read its answer."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec
from redis.asyncio import Redis

from connectors.contract import CustomerId, Generation, Identity, Milliseconds
from router.store import calls, keys
from router.store.hints import Hints
from router.store.inbox import Enqueuing, claim_of, enqueued, read_entry
from router.store.kin import Kin
from router.store.lanes import Lanes
from router.store.links import Links
from router.store.merges import Merges
from router.store.runner import Runner, connect
from router.store.types import (
    Audience,
    Claim,
    Commit,
    Committed,
    Enqueued,
    Entry,
    LeaseLost,
    NewEntry,
    OfferedButton,
    StoreError,
    StoreUnavailable,
    Written,
    why_gone,
)
from router.store.upkeep import Upkeep
from router.store.visitors import Visitors

_entry_json = msgspec.json.Encoder()


def _json(value: Mapping[str, str]) -> str:
    return _entry_json.encode(value).decode()


_LETTERS: Mapping[Audience, Literal["c", "a"]] = {"customer": "c", "agents": "a"}
"""As the scripts know who may read an entry."""

_MOST_REMEMBERED = 20_000


class Store:
    """A message in, a turn, the journal; `lanes` and `upkeep` hold the rest."""

    def __init__(
        self,
        client: Redis,
        *,
        lease: int = 15_000,
        most_waiting: int = 500,
        idle: int = 0,
        hints: Hints | None = None,
    ) -> None:
        """`lease` and `idle` in milliseconds; after `idle` a quiet conversation is closed, 0 never.

        `hints` are this process' own: what it does itself is told there at once.
        """
        self._hints = hints
        self.client = client
        self.lease = lease
        self._idle = idle
        self._most_waiting = most_waiting
        self._runner = Runner(client)
        self._call = self._runner.call
        self.lanes = Lanes(self._runner)
        self.upkeep = Upkeep(self._runner, idle=idle)
        self.visitors = Visitors(self._runner)
        self.merges = Merges(self._runner, idle=idle)
        self.kin = Kin(self._runner)
        self.links = Links(self._runner)
        self._drift = 0
        self._customers: dict[Identity, CustomerId] = {}

    @property
    def offset(self) -> int:
        return self._runner.offset

    @offset.setter
    def offset(self, milliseconds: int) -> None:
        self._runner.offset = milliseconds

    async def close(self) -> None:
        await self._runner.close()

    async def check_format(self) -> None:
        """Raises `StoreError` when this Redis holds data of another format or number of shards."""
        found = await self._call("HGETALL", keys.FORMAT_KEY)
        if not found:
            await self._call("HSET", keys.FORMAT_KEY, "format", keys.FORMAT, "shards", keys.SHARDS)
            return
        ours = {b"format": str(keys.FORMAT).encode(), b"shards": str(keys.SHARDS).encode()}
        if dict(found) != ours:
            raise StoreError(
                f"Redis holds data of format {found.get(b'format', b'?').decode()} with "
                f"{found.get(b'shards', b'?').decode()} shards, this version reads format {keys.FORMAT} with "
                f"{keys.SHARDS}: start the version that wrote it, or give another data folder."
            )

    async def ping(self) -> None:
        await self._call("PING")

    async def now(self) -> Milliseconds:
        """Redis' clock, with the tests' offset."""
        seconds, micros = await self._call("TIME")
        return Milliseconds(int(seconds) * 1000 + int(micros) // 1000 + self.offset)

    async def _run(self, script: str, customer: CustomerId, *arguments: Any) -> Any:
        return await self._runner.run(script, keys.SCRIPTS[script](customer), customer, *arguments)

    # ── identities ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def find_customer(self, identity: Identity) -> CustomerId | None:
        found = await self._call("GET", keys.identity(identity))
        return CustomerId(found.decode()) if found else None

    def remembered(self, identity: Identity) -> CustomerId | None:
        """As this process saw it last: for who asks the customer's own scripts next, which refuse a wrong one."""
        return self._customers.get(identity)

    async def remembered_customer(self, identity: Identity) -> CustomerId | None:
        """The same; looked up when this process has not seen it yet."""
        known = self.remembered(identity)
        if known is None and (known := await self.find_customer(identity)):
            if len(self._customers) >= _MOST_REMEMBERED:
                self._customers.clear()
            self._customers[identity] = known
        return known

    def forget_remembered(self, identity: Identity) -> None:
        self._customers.pop(identity, None)

    async def adopt_identity(self, identity: Identity, customer: CustomerId) -> CustomerId:
        """The customer of this identity: the one given, unless somebody was first."""
        key = keys.identity(identity)
        if await self._call("SET", key, customer, "NX"):
            return customer
        found = await self._call("GET", key)
        return CustomerId(found.decode()) if found else await self.adopt_identity(identity, customer)

    async def forget_identity(self, identity: Identity, customer: CustomerId) -> None:
        """Drop the hint that named this customer, unless it names another by now."""
        self._customers.pop(identity, None)
        await self._runner.run("forget", [keys.identity(identity)], customer)

    # ── a message in ────────────────────────────────────────────────────────────────────────────────────────────────

    async def enqueue(
        self,
        customer: CustomerId,
        identity: Identity,
        entry: Entry,
        *,
        dedupe: str,
        joins: bool,
        window: int,
        journal: str,
        conversation: str,
        locale: str,
        origin: Mapping[str, str],
        shown: Generation | None = None,
    ) -> Enqueued:
        """Write a message down once; `identity` is the entry's.

        Raises `NotMine`, `Erased`, `Moving`, `Moved`, `PassedOver`, `MailboxFull`, `StoreUnavailable`.
        """
        answer: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        here = self._hints if self._hints and self._hints.stands_by() else None
        call = calls.Enqueue(
            customer,
            entry.identity,
            identity.channel,  # with more than fifteen names Python would make a dictionary of them first
            dedupe=f"{identity.account}/{dedupe}",
            mode="t" if joins else "x",
            window=window,
            most=self._most_waiting,
            journal=journal,
            conversation=conversation,
            visitor=shown.visitor if shown else "",
            generation=shown.number if shown else 0,
            locale=locale,
            origin=origin,
            idle=self._idle,
            lease=self.lease if here else 0,
            hint=("" if here.alone else "e") if here else "b",
        )
        taker = Enqueuing(customer, entry, answer, here)
        self._runner.run_for(taker, "enqueue", customer, calls.packed(call), _entry_json.encode(entry))
        reply = await answer
        if reply[0] == b"elsewhere":
            return await self.kin.first_answer(reply[1].decode().split(), call.dedupe)
        done = enqueued(customer, entry, reply)
        self._tell_readers(customer)
        return done

    def _tell_readers(self, customer: CustomerId) -> None:
        """Those of this process. While others listen too, it hears its own hints."""
        if self._hints and self._hints.alone:
            self._hints.event(keys.shard_of(customer))

    async def find_message(self, customer: CustomerId, account: str, dedupe: str) -> tuple[CustomerId, int]:
        """Whose journal has what was written down by that name of its platform, and its seq; 0: nobody's (any more)."""
        return await self.kin.message(customer, f"{account}/{dedupe}")

    async def append(
        self, customer: CustomerId, name: str, entry: Entry, *, audience: Audience, event: str = "", channel: str = ""
    ) -> int:
        """Journals what is no message, once by its name: its seq, 0 when it was there or nobody is.

        One who was taken over still takes it. Raises `Moving`.
        """
        written = _entry_json.encode(entry)
        seq = await self._run("append", customer, name, _LETTERS[audience], written, event, channel)
        return _number(seq, customer)

    async def reachable(self, customer: CustomerId, identity: Identity, why_not: str) -> None:
        """Whether an identity can be written to; empty when it can."""
        field = f"un:{identity}"
        if why_not:
            await self._call("HSET", keys.state(customer), field, why_not)
        else:
            await self._call("HDEL", keys.state(customer), field)

    async def find_button(self, customer: CustomerId, button: str) -> OfferedButton | None:
        found = await self._call("HGET", keys.buttons(customer), button)
        if not found:
            return None
        meaning = msgspec.json.decode(found.partition(b" ")[2], type=dict[str, str])
        return OfferedButton(button, meaning["title"], meaning["payload"])

    # ── a turn ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def ready(self, shards: Iterable[int], most: int = 16) -> list[CustomerId]:
        """Customers that may be claimed now, at most `most` a shard. The claim itself decides."""
        wanted = list(shards)
        if not wanted:
            return []
        # The process's clock, corrected by what Redis said last, is good enough to look; the claim uses Redis' own.
        # It is measured so that it errs ahead: a look too early finds what the claim then refuses, one too late waits.
        asked = int(time.time() * 1000)
        upto = asked + self._drift + self.offset + 1
        (seconds, micros), (_, listeners), found = await asyncio.gather(
            self._call("TIME"),
            self._call("PUBSUB", "NUMSUB", keys.HINTS),
            self._runner.first([keys.run(shard) for shard in wanted], upto, most),
        )
        self._drift = int(seconds) * 1000 + int(micros) // 1000 - asked
        if self._hints:
            self._hints.alone = int(listeners) <= 1
        return [CustomerId(customer) for customer in found]

    async def claim(self, customer: CustomerId, *, most: int = 16) -> Claim | None:
        """The right to work on this customer, or None when there is nothing to do or somebody else does it."""
        answer = await self._runner.run("claim", keys.for_claim(customer), customer, self.lease, most)
        if answer[0] != b"ok":
            return None
        _, now, state, window, items, entries = answer
        said = [
            (int(item.split(b" ", 1)[0]), read_entry.decode(entry)) for item, entry in zip(items, entries, strict=True)
        ]
        return claim_of(customer, now, state, window, said)

    async def renew(self, claim: Claim) -> None:
        """Raises `LeaseLost`."""
        if not await self._run("renew", claim.customer, claim.lease, self.lease):
            raise LeaseLost(claim.customer)

    async def retry(self, claim: Claim, *, delay: int, counts: bool, thaws: bool = False) -> None:
        """Give the batch back for later; `counts` says whether this was an attempt. Raises `LeaseLost`.

        `thaws`: it may be cut anew, for a turn that asked no bot and waits for somebody who waits for it.
        """
        if not await self._run("retry", claim.customer, claim.lease, delay, int(counts), int(thaws)):
            raise LeaseLost(claim.customer)

    async def commit(self, claim: Claim, commit: Commit) -> Committed:
        """Write the turn whole. May be run again after a lost reply. Raises `LeaseLost`, `StoreUnavailable`."""
        customer = claim.customer
        sent_to = [to for new in commit.entries for to in new.to]
        accounts = tuple(sorted({to.account for to in sent_to})) if sent_to else ()
        call = calls.Commit(
            customer=customer,
            lease=claim.lease,
            turn=claim.turn,
            channel=claim.identity.channel,
            dead=commit.dead,
            hint=not (self._hints and self._hints.alone),
            state=commit.state,
            entries=[(_LETTERS[new.audience], _entry_json.encode(new.entry).decode()) for new in commit.entries],
            buttons=[
                (i, button.id, _json({"title": button.title, "payload": button.payload}))
                for i, new in enumerate(commit.entries, start=1)
                for button in new.buttons
            ],
            events=commit.events,
            deliveries=_deliveries(customer, commit, accounts) if accounts else (),
        )
        reply: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._runner.run_for(reply, "commit", customer, calls.packed(call), commit.window or b"", accounts)
        answer = await reply
        if answer[0] != b"ok":
            raise LeaseLost(claim.customer)
        committed = Committed(seqs=tuple(answer[3:]), waiting=answer[1], after=answer[2])
        self._tell_readers(claim.customer)
        if self._hints:
            if self._hints.alone and accounts:
                self._hints.lane(keys.shard_of(claim.customer), 0)
            if committed.waiting and committed.after:
                self._hints.ready(claim.customer, committed.after)
        return committed

    async def interject(self, claim: Claim, new: NewEntry) -> bool:
        """Say something in the middle of a turn, once. False when it was said, or the lease is gone."""
        account = claim.identity.account
        seq = await self._runner.run(
            "interject",
            keys.for_interject(claim.customer, account),
            claim.customer,
            claim.lease,
            claim.turn,
            claim.identity.channel,
            _entry_json.encode(new.entry),
            keys.lane_member(claim.customer, account),
            str(new.to[0]) if new.to else "",
        )
        return bool(seq)

    async def hint_typing(self, customer: CustomerId, *, on: bool) -> None:
        """Tell every process that reads for this customer. Never stored; a lost one does not matter."""
        with contextlib.suppress(StoreUnavailable):
            await self._call("PUBLISH", keys.HINTS, f"t {customer} {int(on)}")

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def state(self, customer: CustomerId, *fields: str) -> dict[str, str]:
        """The fields that are there."""
        found = await self._call("HMGET", keys.state(customer), *fields)
        return {name: value.decode() for name, value in zip(fields, found, strict=True) if value is not None}

    async def journal(
        self, customer: CustomerId, *, after: int = 0, before: int = 0, limit: int = 100, newest: bool = False
    ) -> list[Written]:
        """Entries behind `after` and before `before` (0: no bound), oldest first; `newest` takes them from the end."""
        first = f"({after}-0" if after else "-"
        last = f"({before}-0" if before else "+"
        if newest:
            rows = await self._call("XREVRANGE", keys.journal(customer), last, first, "COUNT", limit)
            rows = rows[::-1]
        else:
            rows = await self._call("XRANGE", keys.journal(customer), first, last, "COUNT", limit)
        return [_written(seq, row) for seq, row in rows]

    async def changes(self, customer: CustomerId, seqs: Iterable[int]) -> dict[int, Entry]:
        """The last edit of each of those messages that was changed since."""
        wanted = list(seqs)
        if not wanted:
            return {}
        found = await self._call("HMGET", keys.deliveries(customer), *(f"e{seq}" for seq in wanted))
        changed = {seq: int(at) for seq, at in zip(wanted, found, strict=True) if at}
        calls = [("XRANGE", keys.journal(customer), f"{at}-0", f"{at}-0") for at in changed.values()]
        rows = await self._runner.call_all(calls) if calls else []
        return {seq: read_entry.decode(row[0][1][b"e"]) for seq, row in zip(changed, rows, strict=True) if row}

    async def mark_read(self, customer: CustomerId, identity: Identity, seq: int, entry: Entry) -> bool:
        """Everything up to seq was read. False when that was known. Raises `Moving`, `Moved`."""
        marked = await self._run("read", customer, seq, identity.channel, _entry_json.encode(entry))
        return bool(_number(marked, customer))

    # ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def last_event(self, shard: int) -> str:
        rows = await self._call("XREVRANGE", keys.events(shard), "+", "-", "COUNT", 1)
        return rows[0][0].decode() if rows else "0-0"

    async def events(self, cursors: Mapping[int, str], most: int = 500) -> dict[int, list[tuple[str, dict[str, str]]]]:
        """Events behind a cursor of each shard, at most `most` a shard."""
        calls = [("XRANGE", keys.events(shard), f"({cursor}", "+", "COUNT", most) for shard, cursor in cursors.items()]
        found = zip(cursors, await self._runner.call_all(calls), strict=True)
        return {
            shard: [(number.decode(), {k.decode(): v.decode() for k, v in fields.items()}) for number, fields in rows]
            for shard, rows in found
        }


def _number(answer: int | bytes, customer: CustomerId) -> int:
    """A script answers a number, or where the customer is."""
    if isinstance(answer, bytes):
        raise why_gone(customer, answer)
    return answer


def _written(stream_id: bytes, row: Mapping[bytes, bytes]) -> Written:
    return Written(
        seq=int(stream_id.partition(b"-")[0]),
        prev=int(row[b"p"]),
        received=Milliseconds(int(row[b"t"])),
        audience="customer" if row[b"a"] == b"c" else "agents",
        conversation=row[b"c"].decode(),
        entry=read_entry.decode(row[b"e"]),
    )


def _deliveries(customer: CustomerId, commit: Commit, accounts: Sequence[str]) -> list[tuple[int, int, str, str, str]]:
    """As `calls.Commit` wants them."""
    return [
        (i, accounts.index(to.account) + 1, keys.lane_member(customer, to.account), new.entry.author.kind[0], str(to))
        for i, new in enumerate(commit.entries, start=1)
        for to in new.to
    ]


__all__ = ["Store", "connect"]
