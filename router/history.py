"""One conversation read over several journals: those of customers who were merged stay where they are.

Order is accept time, journal, seq; a cursor names the journal. What a reader may see of the other side is decided here
(docs/decisions/0005); agents see all of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from connectors.contract import CustomerId, Identity, Milliseconds, NotUnderstood
from router.store import Merge, Store, Written
from router.store.merges import LOGIN

DISPUTE = 10 * 60_000
"""Milliseconds for which a merge may be refused: until then neither side sees what the other had said before."""

_PAGE = 100
_MOST_JOURNALS = 32

Shown = Callable[[Written], bool]


@dataclass(slots=True)
class Source:
    """A journal, or a stretch of it: `after` < seq ≤ `upto` (0: no end), without `skips`.

    `others` leaves out what these identities said and heard between two seqs; `only` leaves out all else.
    """

    customer: CustomerId
    journal: str
    read: int
    after: int = 0
    upto: int = 0
    skips: frozenset[int] = frozenset()
    others: list[tuple[int, int, frozenset[str]]] = field(default_factory=list)
    only: frozenset[str] | None = None

    def holds(self, row: Written) -> bool:
        """Whether a row of this journal belongs to what is read."""
        seq, identity = row.seq, row.entry.identity
        if seq <= self.after or (self.upto and seq > self.upto) or seq in self.skips:
            return False
        if self.only is not None and identity not in self.only:
            return False
        return not any(first < seq < last and identity in left for first, last, left in self.others)


@dataclass(frozen=True, slots=True)
class Placed:
    """A row and where it stands."""

    source: Source
    row: Written

    @property
    def key(self) -> tuple[Milliseconds, str, int]:
        return self.row.received, self.source.journal, self.row.seq


class History:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def sources(self, customer: CustomerId, viewer: Identity | None) -> list[Source]:
        """What this identity may read of the customer, its own journal first; None is an agent."""
        found: list[Source] = []
        hidden = ""
        if viewer is not None:
            hidden = (await self._store.state(customer, f"vf:{viewer}")).get(f"vf:{viewer}", "")
        now = await self._store.now()
        await self._collect(found, Source(customer, "", 0), _Viewer(viewer, frozenset(hidden.split()), now))
        return found

    async def own(self, customer: CustomerId, viewer: Identity | None) -> Source:
        """The customer's own journal, as far as this identity may read it."""
        return (await self.sources(customer, viewer))[0]

    async def _collect(self, found: list[Source], source: Source, viewer: _Viewer) -> None:
        if len(found) >= _MOST_JOURNALS or any(one.customer == source.customer for one in found):
            return
        state, merges = await asyncio.gather(
            self._store.state(source.customer, "jid", "rd"), self._store.merges.all(source.customer)
        )
        source.journal, source.read = state.get("jid", ""), int(state.get("rd", 0))
        found.append(source)
        parts: list[Source] = []
        inner: list[tuple[Merge, Source]] = []
        for merge in merges:
            left = frozenset(merge.left.split())
            if merge.phase in ("split", "undone"):
                if merge.survivor == source.customer:
                    source.others.append((merge.seq, merge.split, left))
                elif merge.phase == "undone":
                    parts.append(_said_meanwhile(merge, left))
            elif merge.phase in ("adopted", "done", "undoing") and merge.survivor == source.customer:
                inner.append((merge, Source(merge.other, "", 0, upto=merge.last, skips=frozenset(merge.moved_seqs))))
        # Who came along does not see what the survivor had said before, nor whom they had taken over before.
        hidden = [one for one, _ in inner if viewer.came_with(one) and not viewer.may_see_other_side(one)]
        source.after = max([source.after, *(_open_from(one, source.customer, viewer) for one in hidden)])
        for merge, theirs in inner:
            if merge.seq < source.after:
                continue
            if not viewer.came_with(merge) and not viewer.may_see_other_side(merge):
                theirs.after = _open_from(merge, merge.other, viewer)
                if theirs.after >= theirs.upto:
                    continue
            await self._collect(found, theirs, viewer)
        for part in parts:
            part.journal = (await self._store.state(part.customer, "jid")).get("jid", "")
            found.append(part)

    # ── pages ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def page(
        self, sources: Sequence[Source], *, after: str | None, before: str | None, limit: int, shown: Shown
    ) -> tuple[list[Placed], bool]:
        """So many rows behind or before a cursor (the last ones without either), oldest first; whether there are more.

        A cursor of the customer's own journal has only that one's rows behind it. Raises `NotUnderstood`.
        """
        newest = after is None
        if not newest and (seq := _seq_of(after, sources[0].journal)) is not None:
            rows = await self._rows(sources[0], seq, 0, limit, shown, newest=False)
            return rows[:limit], len(rows) > limit
        found = await asyncio.gather(
            *(self._part(source, sources, after, before, limit, shown, newest=newest) for source in sources)
        )
        placed = sorted((one for part in found for one in part), key=lambda one: one.key)
        return (placed[-limit:] if newest else placed[:limit]), len(placed) > limit

    async def _part(
        self,
        source: Source,
        sources: Sequence[Source],
        after: str | None,
        before: str | None,
        limit: int,
        shown: Shown,
        *,
        newest: bool,
    ) -> list[Placed]:
        first = await self._bound(source, sources, after, behind=True) if after else 0
        last = await self._bound(source, sources, before, behind=False) if before else 0
        if before and not last:
            return []
        return await self._rows(source, first, last, limit, shown, newest=newest)

    async def _bound(self, source: Source, sources: Sequence[Source], cursor: str, *, behind: bool) -> int:
        """The seq of this journal behind which, or before which, everything comes behind or before the cursor."""
        named, number = _cursor(cursor, sources[0].journal)
        seq = int(number)
        if named == source.journal:
            return seq
        home = next((one for one in sources if one.journal == named), None)
        if home is None:
            raise NotUnderstood("an unknown cursor")
        rows = await self._store.journal(home.customer, after=seq - 1, limit=1)
        if not rows:
            return 0 if behind else 1 << 53
        at = (rows[0].received, named)
        return await self._place(source, at, behind=behind)

    async def _place(self, source: Source, at: tuple[int, str], *, behind: bool) -> int:
        """By halving: times of a journal only rise. The last seq at or before `at`; or the first one behind it."""
        low, high = 0, 1 + int((await self._store.state(source.customer, "n")).get("n", 0))
        while high - low > 1:
            middle = (low + high) // 2
            rows = await self._store.journal(source.customer, after=middle - 1, limit=1)
            if rows and (rows[0].received, source.journal) < at:
                low = max(middle, min(rows[0].seq, high - 1))
            else:
                high = middle
        return low if behind else high

    async def _rows(
        self, source: Source, first: int, last: int, limit: int, shown: Shown, *, newest: bool
    ) -> list[Placed]:
        """At most `limit` and one more."""
        found: list[Placed] = []
        first = max(first, source.after)
        if source.upto:
            last = min(last, source.upto + 1) if last else source.upto + 1
        while len(found) <= limit:
            rows = await self._store.journal(source.customer, after=first, before=last, limit=_PAGE, newest=newest)
            kept = [Placed(source, row) for row in rows if source.holds(row) and shown(row)]
            found = kept + found if newest else found + kept
            if len(rows) < _PAGE:
                break
            if newest:
                last = rows[0].seq
            else:
                first = rows[-1].seq
        return found[-limit - 1 :] if newest else found[: limit + 1]


@dataclass(frozen=True, slots=True)
class _Viewer:
    identity: Identity | None
    hidden: frozenset[str]
    """Merges of which this identity sees what comes behind them alone."""
    now: Milliseconds

    def came_with(self, merge: Merge) -> bool:
        return self.identity is not None and str(self.identity) in merge.identities.split()

    def may_see_other_side(self, merge: Merge) -> bool:
        if self.identity is None:
            return True
        if merge.id in self.hidden:
            return False
        if merge.reason == LOGIN:
            # The person whom the site signed for sees what their browser had said; the browser alone sees nothing more.
            return self.came_with(merge) != (merge.source in merge.identities.split())
        return self.now >= merge.merged + DISPUTE


def _open_from(merge: Merge, hidden: CustomerId, viewer: _Viewer) -> int:
    """The last seq of the hidden side that is not shown: up to the message that redeemed, else up to the merge."""
    redeemer = merge.other if merge.maker == merge.survivor else merge.survivor
    if merge.said and hidden == redeemer and merge.id not in viewer.hidden:
        return merge.said - 1
    return merge.seq if hidden == merge.survivor else merge.last


def _said_meanwhile(merge: Merge, left: frozenset[str]) -> Source:
    """What who left had said and heard while they were one, but for what they took with them."""
    return Source(
        merge.survivor,
        "",
        0,
        after=merge.seq,
        upto=merge.split,
        skips=frozenset(merge.returned_seqs),
        only=left,
    )


def _cursor(cursor: str, own: str) -> tuple[str, str]:
    """Journal and number; a bare number, or one before the first message, means the customer's own journal."""
    named, dot, number = cursor.rpartition(".")
    if not number.isdigit():
        raise NotUnderstood("an unknown cursor")
    return (named if dot and named != "0" else own), number


def _seq_of(cursor: str | None, own: str) -> int | None:
    """The seq of a cursor of the own journal."""
    if cursor is None:
        return 0
    named, number = _cursor(cursor, own)
    return int(number) if named == own else None
