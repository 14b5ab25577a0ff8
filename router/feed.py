"""The journal as live channels see it: pages of history, and everything new as it comes.

A process tails the events of those shards for which it has readers, and a reader named there reads its own journal from
its own cursor. So any process serves any reader, and a reader that comes back misses nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import cast

import msgspec
import structlog

from connectors.content import Content, Text
from connectors.contract import (
    Author,
    Created,
    CustomerId,
    DeliveryState,
    Frame,
    Identity,
    Message,
    Page,
    Reset,
    TryAgain,
    Typing,
    Updated,
)
from router.history import History, Placed, Source
from router.store import Entry, Store, StoreUnavailable, Written
from router.store.hints import Hints
from router.store.keys import shard_of
from router.store.kin import MOST_HOPS, at_home

log = structlog.get_logger()

TICK = 0.25
"""Seconds between two batched looks at the events; hints are faster."""

NOWHERE = "0.0"
"""The cursor before the first message."""

_MOST_EVENTS = 500
_PAGE = 100


class _Reader:
    """One open stream: woken by events, told about typing."""

    def __init__(self, customer: CustomerId) -> None:
        self.customer = customer
        self.woken = asyncio.Event()
        self.typing: bool | None = None
        self.moved = True
        """Somebody was merged or parted since it last looked whether it may still read here."""


class JournalFeed:
    """The `Feed` of contract.py over the store."""

    def __init__(self, store: Store, hints: Hints) -> None:
        self._store = store
        self._history = History(store)
        self._readers: dict[int, dict[CustomerId, set[_Reader]]] = defaultdict(dict)
        self._cursors: dict[int, str] = {}
        self._hinted: set[int] = set()
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        hints.on_event.append(self._hint)
        hints.on_typing.append(self._show_typing)

    def start(self) -> None:
        self._task = asyncio.create_task(self._tail(), name="feed")

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # ── pages ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def cursor(self, identity: Identity, known: CustomerId) -> str:
        try:
            _, state = await self._state(identity, known, "jid", "pv")
        except StoreUnavailable as error:
            raise TryAgain("the store does not answer") from error
        return f"{state['jid']}.{state.get('pv', '0')}" if "jid" in state else NOWHERE

    async def page(
        self, identity: Identity, known: CustomerId, *, after: str | None, before: str | None, limit: int
    ) -> Page:
        try:
            customer, state = await self._state(identity, known, "jid", "rd", "kin")
            if "jid" not in state:
                return Page((), more=False)
            sources = await self._sources(customer, state, identity)
            placed, more = await self._history.page(sources, after=after, before=before, limit=limit, shown=_is_message)
            messages = await self._as_read_now(placed, identity)
        except StoreUnavailable as error:
            raise TryAgain("the store does not answer") from error
        return Page(tuple(messages), more)

    async def _sources(self, customer: CustomerId, state: Mapping[str, str], identity: Identity) -> list[Source]:
        """Who was never merged has one journal, and nothing to look up."""
        if "kin" in state:
            return await self._history.sources(customer, identity)
        return [Source(customer, state["jid"], int(state.get("rd", 0)))]

    async def _as_read_now(self, placed: Sequence[Placed], identity: Identity) -> list[Message]:
        """With what became of them on platforms, and what they say by now, as the journals in which they stand know."""
        parts: dict[CustomerId, list[Placed]] = defaultdict(list)
        for one in placed:
            parts[one.source.customer].append(one)
        messages: dict[object, Message] = {}
        for customer, those in parts.items():
            elsewhere = [one.row.seq for one in those if one.row.entry.identity.partition("/")[0] != identity.account]
            states = await self._store.lanes.states(customer, elsewhere)
            said = [one.row.seq for one in those if one.row.entry.author.kind == "customer"]
            changes = await self._store.changes(customer, said)
            for one in those:
                row = _as_it_reads_now(one.row, changes.get(one.row.seq))
                messages[one.key] = _message(row, one.source.journal, one.source.read, states.get(row.seq))
        return [messages[one.key] for one in placed]

    async def _state(self, identity: Identity, known: CustomerId, *fields: str) -> tuple[CustomerId, dict[str, str]]:
        """Whose journal it is, also for who asks by somebody who was taken over; and fields of the state."""
        customer = await self._store.find_customer(identity) or known
        for _ in range(MOST_HOPS):
            state = await self._store.state(customer, "gone", *fields)
            what, _, survivor = state.get("gone", "").partition(" ")
            if what != "moved":
                return customer, state
            customer = CustomerId(survivor)
        return customer, {}

    async def unread(self, identity: Identity, known: CustomerId) -> int:
        try:
            customer, state = await self._state(identity, known, "rd", "n", "jid", "kin")
            own = (await self._sources(customer, state, identity))[0] if "jid" in state else Source(customer, "", 0)
            first = max(int(state.get("rd", 0)), int(state.get("n", 0)) - _PAGE, own.after)
            rows = await self._store.journal(customer, after=first, limit=_PAGE)
        except StoreUnavailable as error:
            raise TryAgain("the store does not answer") from error
        return min(99, sum(_is_message(row) and own.holds(row) and row.entry.author.kind != "customer" for row in rows))

    async def read(self, identity: Identity, known: CustomerId, seq: int) -> None:
        try:
            customer = await self._store.find_customer(identity) or known
            entry = Entry(kind="status", author=Author("customer"), identity=str(identity), of=seq, status="read")
            await at_home(customer, lambda whose: self._store.mark_read(whose, identity, seq, entry))
        except StoreUnavailable as error:
            raise TryAgain("the store does not answer") from error

    # ── following ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def follow(self, identity: Identity, known: CustomerId, cursor: str) -> AsyncIterator[Frame]:
        try:
            customer, _ = await self._state(identity, known)
            reader = _Reader(customer)
            async with self._registered(reader):
                journal, _, number = cursor.partition(".")
                seen = int(number) if number.isdigit() else 0
                own: Source | None = None
                while True:
                    reader.woken.clear()
                    state = await self._store.state(customer, "jid", "n", "rd", "gone", "kin")
                    if reader.moved:
                        reader.moved, own = False, None
                        if "gone" in state or not await self._store.kin.is_of(customer, identity):
                            yield Reset("moved")
                            return
                    if "jid" in state:
                        if journal not in (state["jid"], "0") or seen > int(state["n"]):
                            yield Reset("unknown_cursor")
                            return
                        journal = state["jid"]
                        if seen < int(state["n"]):
                            own = own or (await self._sources(customer, state, identity))[0]
                            seen = max(seen, own.after)
                        while seen < int(state["n"]):
                            rows = await self._store.journal(customer, after=seen, limit=_PAGE)
                            for row in rows:
                                if row.audience == "customer" and own and own.holds(row):
                                    yield _frame(row, journal)
                                seen = row.seq
                            if len(rows) < _PAGE:
                                break
                    elif journal != "0":
                        yield Reset("unknown_cursor")
                        return
                    if reader.typing is not None:
                        shown, reader.typing = reader.typing, None
                        yield Typing(shown)
                    await reader.woken.wait()
        except StoreUnavailable as error:
            raise TryAgain("the store does not answer") from error

    @contextlib.asynccontextmanager
    async def _registered(self, reader: _Reader) -> AsyncIterator[None]:
        shard = shard_of(reader.customer)
        if shard not in self._cursors:
            last = await self._store.last_event(shard)
            self._cursors.setdefault(shard, last)
        readers = self._readers[shard].setdefault(reader.customer, set())
        readers.add(reader)
        try:
            yield
        finally:
            readers.discard(reader)
            if not readers and self._readers[shard].get(reader.customer) is readers:
                del self._readers[shard][reader.customer]
            if not self._readers[shard]:
                del self._readers[shard]
                self._cursors.pop(shard, None)

    def _show_typing(self, customer: CustomerId, on: bool) -> None:
        for reader in self._readers.get(shard_of(customer), {}).get(customer, ()):
            reader.typing = on
            reader.woken.set()

    def _hint(self, shard: int) -> None:
        if shard in self._cursors:
            self._hinted.add(shard)
            self._woken.set()

    async def _tail(self) -> None:
        """Hinted shards at once, all of them each tick: a message costs one look, however many readers there are."""
        loop = asyncio.get_running_loop()
        looked = loop.time()
        while True:
            tick = loop.call_at(looked + TICK, self._woken.set)
            await self._woken.wait()
            tick.cancel()
            self._woken.clear()
            hinted, self._hinted = self._hinted, set()
            wanted = {shard: self._cursors[shard] for shard in hinted if shard in self._cursors}
            if loop.time() >= looked + TICK:
                looked, wanted = loop.time(), dict(self._cursors)
            if not wanted:
                continue
            try:
                found = await self._store.events(wanted, _MOST_EVENTS)
            except StoreUnavailable as error:
                log.warning("feed.store_unavailable", error=str(error))
                await asyncio.sleep(TICK)
                continue
            for shard, events in found.items():
                self._wake(shard, events)

    def _wake(self, shard: int, events: list[tuple[str, dict[str, str]]]) -> None:
        if not events or shard not in self._cursors:
            return
        self._cursors[shard] = events[-1][0]
        readers = self._readers.get(shard, {})
        # A full answer may have a trimmed gap before it: wake them all, each reads from its own cursor.
        full = len(events) >= _MOST_EVENTS
        named = set(readers) if full else {event["c"] for _, event in events} & set(readers)
        moved = {event["c"] for _, event in events if event["k"].startswith("customer.")}
        for customer in named:
            for reader in readers[CustomerId(customer)]:
                reader.moved |= full or customer in moved
                reader.woken.set()


def _is_message(row: Written) -> bool:
    return row.audience == "customer" and row.entry.kind == "message"


def _frame(row: Written, journal: str) -> Created | Updated:
    cursor = f"{journal}.{row.seq}"
    match row.entry:
        case Entry(kind="message"):
            return Created(cursor, row.prev, _message(row, journal, 0))
        case Entry(kind="edit", of=of, content=content) if content is not None:
            said = _message(row, journal, 0)
            return Updated(cursor, row.prev, of, text=said.text, content=said.content)
        case entry:
            return Updated(cursor, row.prev, entry.of, cast("DeliveryState", entry.status))


def _as_it_reads_now(row: Written, change: Entry | None) -> Written:
    if change is None or change.content is None:
        return row
    return msgspec.structs.replace(row, entry=msgspec.structs.replace(row.entry, content=change.content))


def _message(row: Written, journal: str, read: int, delivery: DeliveryState | None = None) -> Message:
    """`read` is the seq up to which a widget has shown them; `delivery` what became of it on a platform."""
    content: Content | None = row.entry.content
    incoming = row.entry.author.kind == "customer"
    return Message(
        id=row.entry.id,
        seq=row.seq,
        cursor=f"{journal}.{row.seq}",
        author=row.entry.author,
        channel=Identity.parse(row.entry.identity).channel,
        text=content.text if content else "",
        content=None if isinstance(content, Text) else content,
        at=row.received,
        status=delivery or ("read" if not incoming and row.seq <= read else "sent"),
    )
