"""Two customers become one, and two again: walks the steps of docs/decisions/0005, each safe to repeat.

`begin` writes the intent down and is cheap: a turn may call it. `drive` goes the way to the end; it waits until nothing
is under way for either of the two, so a turn of one of them must have committed first: it calls `soon`. A sweep goes on
with what was left lying.
"""

from __future__ import annotations

import asyncio
import time
from uuid import NAMESPACE_OID, uuid5

import structlog
import uuid_utils

from connectors.contract import Author, CustomerId, Identity
from router import metrics
from router.store import Busy, Entry, Erased, Merge, Moved, Moving, Store, StoreError, StoreUnavailable
from router.store.keys import SHARDS
from router.store.merges import Phase

log = structlog.get_logger()

PATIENCE = 2.0
"""Seconds that a drive waits for what is under way before it leaves the rest to the sweep."""

SOON = 30.0
"""The same, where nobody waits for it."""

_PAUSE = 0.02

_SYSTEM = Author("system")

_IN_FORCE: tuple[Phase, ...] = ("adopted", "done")


class Merging:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._merges = store.merges
        self._driving: set[asyncio.Task[Merge]] = set()

    async def close(self) -> None:
        """What is under way is left to the sweep."""
        for task in self._driving:
            task.cancel()
        await asyncio.gather(*self._driving, return_exceptions=True)

    # ── beginning ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def begin(
        self,
        merge: str,
        *,
        maker: CustomerId,
        redeemer: CustomerId,
        source: Identity,
        to: Identity,
        reason: str,
        arrive: bool = True,
        said: int = 0,
    ) -> Merge | None:
        """Writes down that two customers become one, once by the id `merge`. None: they are one already.

        The older id survives; the dialogue of `maker` goes on, at whose `source` the code was made; `to` redeemed it.
        With `arrive` the entry `merged` stands in the survivor's mailbox: its turn welcomes `to`. `said` is the seq of
        the redeeming message with the redeemer: what they say behind it belongs to both.
        Raises `Busy` while another merge of one of the two is under way, `Erased`.
        """
        makers, theirs = await self._store.kin.home(maker), await self._store.kin.home(redeemer)
        if makers == theirs:
            return await self._merges.get(makers, merge)
        survivor, other = sorted((makers, theirs))
        if known := await self._merges.get(survivor, merge):
            return known
        gone = await self._store.state(other, "mgo", "gone")
        if gone:
            raise Busy(other)
        wanted = Merge(
            id=merge,
            survivor=survivor,
            other=other,
            maker=makers,
            source=str(source),
            to=str(to),
            reason=reason,
            arrive=arrive,
            said=said,
        )
        try:
            return await self._merges.begin(
                wanted, journal=uuid_utils.uuid4().hex[16:], conversation=str(uuid_utils.uuid7())
            )
        except (Moving, Moved) as error:
            raise Busy(survivor) from error

    async def undo(self, survivor: CustomerId, merge: str, *, disputed: bool = False) -> Merge:
        """Begins to take a merge back; `drive` does it. Raises `NotUndone` with a sentence, `Busy`, `Erased`.

        `disputed`: who made the code says that it was not them; what their dialogue knows does not stay behind.
        """
        return await self._merges.unmerge(survivor, merge, disputed=disputed)

    async def brought(self, customer: CustomerId, identity: Identity) -> CustomerId | None:
        """Whose identity it was before a merge brought it here; None for one that is here from the beginning."""
        for one in await self._merges.all(customer):
            if one.survivor == customer and one.phase in _IN_FORCE and str(identity) in one.identities.split():
                return one.other
        return None

    async def find(self, customer: CustomerId, merge: str) -> Merge | None:
        """The record of a merge that concerns this customer, also when its survivor was taken over since."""
        if record := await self._merges.get(customer, merge):
            return record
        for one in await self._merges.all(customer):
            if one.survivor == customer and one.phase in _IN_FORCE and (found := await self.find(one.other, merge)):
                return found
        return None

    async def to_undo(self, customer: CustomerId, merge: str, who: Identity) -> tuple[Merge, Merge] | None:
        """The merge that `who` disputes, and the one of `customer` that must be taken back first so that it can be.

        Others may have come on top of it, and it may have been theirs who took `who` along to somebody else. None where
        it never was, or where `who` would be taken away from it before it is reached.
        """
        records = await self._merges.all(customer)
        known = next((one for one in records if one.id == merge), None)
        if known and (known.phase != "done" or known.survivor != customer):
            return known, known
        mine = (one for one in records if one.survivor == customer and one.phase in _IN_FORCE)
        standing = sorted(mine, key=lambda one: one.seq)
        for at, one in enumerate(standing):
            brought = str(who) in one.identities.split()
            if one is known:
                disputed: Merge | None = known
            elif brought:
                deeper = await self.to_undo(one.other, merge, who)
                disputed = deeper[0] if deeper else None
            else:
                disputed = None
            if disputed is None:
                continue
            above = standing[at + 1 :]
            if any(str(who) in other.identities.split() for other in above):
                return None
            return disputed, standing[-1]
        return None

    # ── driving ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def soon(self, merge: Merge) -> None:
        """Drives in the background, behind the turn that began it."""
        task = asyncio.create_task(self.drive(merge, within=SOON), name=f"merge {merge.id}")
        self._driving.add(task)
        task.add_done_callback(self._driven)

    def _driven(self, task: asyncio.Task[Merge]) -> None:
        self._driving.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.warning("merge.left_to_the_sweep", error=str(error))

    async def drive(self, merge: Merge, *, within: float = PATIENCE) -> Merge:
        """Goes on until the merge or its undo is over, or something that must end first takes longer than `within`.

        The record as it is then. May be called again, and by several at once. Raises `StoreUnavailable`.
        """
        deadline = time.monotonic() + within
        while True:
            now = await self._merges.get(merge.survivor, merge.id)
            if now is None:
                raise StoreError(f"there is no merge {merge.id} of {merge.survivor}")
            if now.is_over:
                return now
            if await self._step(now):
                continue
            if time.monotonic() >= deadline:
                return now
            await asyncio.sleep(_PAUSE)

    async def _step(self, merge: Merge) -> bool:
        """Whether it went on; False: something has to end first."""
        match merge.phase:
            case "intent":
                return await self._take_over(merge)
            case "adopted":
                await self._finish(merge)
            case "undoing":
                return await self._part(merge)
            case "split":
                await self._give_back(merge)
            case _:
                pass
        return True

    async def _take_over(self, merge: Merge) -> bool:
        try:
            if not await self._quiet_both(merge):
                return False
        except (Moved, Erased) as gone:
            await self._cannot_be(merge, gone)
            return True
        except Moving:
            return False
        # Nothing changes the other any more: what is read now is true until the alias.
        frozen = await self._merges.frozen(merge.other)
        await self._merges.share_seen(merge.other, merge.survivor, merge.base)
        entry = Entry(kind="merged", author=_SYSTEM, identity=merge.to, reason=merge.id)
        try:
            adopted = await self._merges.adopt(merge, frozen, entry)
        except (Moved, Erased) as gone:
            await self._cannot_be(merge, gone)
            return True
        if adopted is None:
            return False
        await self._alias(adopted)
        return True

    async def _quiet_both(self, merge: Merge) -> bool:
        """The other is frozen and the survivor held. The survivor waits only once the other is quiet."""
        held = await self._merges.hold(merge.other, merge.id)
        if held.what == "quiet":
            if await self._merges.sending(merge.other):
                return False
        elif held.what != "frozen":
            return False
        if (await self._merges.hold(merge.survivor, merge.id)).what != "quiet":
            return False
        return held.what == "frozen" or await self._merges.freeze(merge.other, merge.id)

    async def _alias(self, merge: Merge) -> None:
        frozen = await self._merges.frozen(merge.other)
        await self._merges.alias(merge, frozen)

    async def _finish(self, merge: Merge) -> None:
        await self._alias(merge)
        await self._merges.repoint(merge.identities.split(), merge.other, merge.survivor)
        await self._end(merge, "adopted", "done", "customer.merged")

    async def _cannot_be(self, merge: Merge, gone: StoreError) -> None:
        """One of the two is not there any more. If they became part of somebody, then that one is meant."""
        now = await self._merges.get(merge.survivor, merge.id)
        if now is None or now.phase != "intent":
            return  # Another process went on meanwhile: that is where they have gone.
        await self._merges.thaw(merge.other, merge.id)
        await self._end(merge, "intent", "void", "merge.void")
        if not isinstance(gone, Moved):
            return
        try:
            await self._begin_instead(merge)
        except Busy:
            # Who took the other over is being joined with yet another: it takes a moment, and nobody else remembers.
            task = asyncio.create_task(self._instead(merge), name=f"merge instead of {merge.id}")
            self._driving.add(task)
            task.add_done_callback(self._driven)

    async def _instead(self, merge: Merge) -> Merge:
        deadline = time.monotonic() + SOON
        while time.monotonic() < deadline:
            await asyncio.sleep(_PAUSE * 5)
            try:
                await self._begin_instead(merge)
            except Busy:
                continue
            return merge
        log.warning("merge.not_begun_again", merge=merge.id, survivor=merge.survivor, other=merge.other)
        return merge

    async def _begin_instead(self, merge: Merge) -> None:
        """Raises `Busy`."""
        begun = await self.begin(
            str(uuid5(NAMESPACE_OID, merge.id)),
            maker=merge.maker,
            redeemer=merge.survivor if merge.maker == merge.other else merge.other,
            source=Identity.parse(merge.source),
            to=Identity.parse(merge.to),
            reason=merge.reason,
            arrive=merge.arrive,
        )
        if begun:
            self.soon(begun)

    async def _part(self, merge: Merge) -> bool:
        held = await self._merges.hold(merge.survivor, merge.id)
        if held.what != "quiet" or await self._merges.sending(merge.survivor):
            return False
        entry = Entry(kind="unmerged", author=_SYSTEM, identity=merge.to, reason=merge.id)
        return await self._merges.split(merge, entry) is not None

    async def _give_back(self, merge: Merge) -> None:
        last = int((await self._store.state(merge.other, "n")).get("n", 0))
        await self._merges.share_seen(merge.survivor, merge.other, last, behind=merge.seq)
        await self._merges.revive(merge, await self._merges.taken_out(merge))
        await self._merges.repoint(merge.left.split(), merge.survivor, merge.other)
        await self._end(merge, "split", "undone", "customer.unmerged")

    async def _end(self, merge: Merge, before: Phase, phase: Phase, event: str) -> None:
        await self._merges.end(merge, before, phase, event)
        metrics.MERGES.labels(phase).inc()
        log.info("merge.over", merge=merge.id, survivor=merge.survivor, other=merge.other, phase=phase)

    # ── sweeping ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def sweep(self) -> int:
        """Goes on with what nobody has gone on with for 5 s: how many are over now."""
        over = 0
        for customer, merge in await self._merges.due(range(SHARDS)):
            record = await self._merges.get(customer, merge)
            if record is None:
                continue
            try:
                over += (await self.drive(record, within=0)).is_over
            except StoreUnavailable:
                raise
            except StoreError as error:
                log.warning("merge.stuck", merge=merge, survivor=customer, error=str(error))
        return over
