"""Claims customers and runs their turns: many customers at once, one turn at a time for each."""

from __future__ import annotations

import asyncio
import contextlib
import time

import structlog

from connectors.contract import CustomerId
from router import metrics
from router.fetching import Fetching
from router.loop import ReadyLoop, backoff
from router.store import Busy, Claim, Commit, Committed, LeaseLost, Store, StoreUnavailable
from router.store.hints import Hints
from router.turn import Turns

log = structlog.get_logger()

COMMIT_PAUSES = (0.1, 0.3, 1.0, 2.0)
"""Seconds between tries of one commit; after them the lease runs out and the turn is run again."""


MERGE_PAUSE = 300
"""Milliseconds until a turn that begins a merge is run again while another merge is under way."""


class Worker:
    """Runs until stopped; `stop` finishes what is under way and gives the rest back.

    At most `at_once` customers are held, more than the bot is asked about at once: a claim that can be held comes with
    its message and costs no script of its own. So many wait for a lease to end (15 s) when the process is killed.
    """

    def __init__(self, store: Store, turns: Turns, fetching: Fetching, hints: Hints, *, at_once: int = 256) -> None:
        self._store = store
        self._turns = turns
        self._fetching = fetching
        self._given: dict[CustomerId, Claim] = {}
        """Claims that came with a message and are not begun yet."""
        self._claims: dict[CustomerId, Claim] = {}
        self._lost: set[CustomerId] = set()
        self._renewing: asyncio.Task[None] | None = None
        self._log = log.bind()
        """Looked up once: structlog's own does so for every line."""
        self._loop = ReadyLoop("worker", store.ready, self._work_on, at_once=at_once)
        hints.on_ready.append(self._loop.named)
        hints.on_claimed.append(self._take)
        hints.stands_by = self._loop.has_room

    def start(self) -> None:
        self._loop.start()
        self._renewing = asyncio.create_task(self._keep_leases(), name="leases")

    async def stop(self, *, within: float = 4.0) -> None:
        """Claim nothing more, finish what is under way, give back what does not end in time."""
        for customer in await self._loop.stop(within=within):
            if claim := self._claims.pop(customer, None):
                await self._give_back(claim)
        for claim in self._given.values():
            await self._give_back(claim)
        if self._renewing:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)

    def _take(self, claim: Claim) -> None:
        self._given[claim.customer] = claim
        self._loop.begin(claim.customer)

    async def _give_back(self, claim: Claim) -> None:
        with contextlib.suppress(LeaseLost, StoreUnavailable):
            await self._store.retry(claim, delay=0, counts=False)

    async def _work_on(self, customer: CustomerId) -> None:
        """Turn after turn, until nothing waits that may start now."""
        try:
            while not self._loop.stopping:
                # Come with its message, or by itself.
                claim = self._given.pop(customer, None) or await self._store.claim(customer)
                if claim is None:
                    return
                self._claims[customer] = claim
                waiting = await self._one_turn(claim)
                self._claims.pop(customer, None)
                if not waiting:
                    return
        except LeaseLost:
            metrics.LEASES_LOST.inc()
            log.warning("turn.lease_lost", customer=customer)
        except StoreUnavailable as error:
            # The lease runs out by itself and the batch is claimed again: nothing is lost.
            log.warning("turn.store_unavailable", customer=customer, error=str(error))
        except asyncio.CancelledError:
            if customer not in self._lost:
                raise  # `stop` gives the batch back
            metrics.LEASES_LOST.inc()
            log.warning("turn.lease_lost", customer=customer)
        except Busy:
            # One of the two who are to be one is being joined with somebody else: a moment later they are not.
            # That merge may wait for this very turn to end, so nothing stays frozen; the bot was not asked.
            log.info("turn.waits_for_merge", customer=customer)
            with contextlib.suppress(LeaseLost, StoreUnavailable):
                if claim := self._claims.get(customer):
                    await self._store.retry(claim, delay=MERGE_PAUSE, counts=False, thaws=True)
        except Exception:
            # Whatever it is, the claim was counted; after five of them the turn is given up with an apology.
            log.exception("turn.crashed", customer=customer)
            with contextlib.suppress(LeaseLost, StoreUnavailable):
                if claim := self._claims.get(customer):
                    await self._store.retry(claim, delay=backoff(claim.attempts), counts=True)
        self._claims.pop(customer, None)
        self._lost.discard(customer)

    async def _one_turn(self, claim: Claim) -> int:
        """How many messages wait behind this turn."""
        began = time.monotonic()
        if files := self._fetching.wanted(claim):
            async with self._fetching.beside(claim, files):
                commit = await self._turns.run(claim)
        else:
            commit = await self._turns.run(claim)
        try:
            committed = await self._store.commit(claim, commit)
        except StoreUnavailable:
            committed = await self._commit_again(claim, commit)
        metrics.TURN_SECONDS.observe(time.monotonic() - began)
        self._log.info("turn.done", turn=claim.turn_id, trace=claim.trace, seqs=committed.seqs, batch=len(claim.batch))
        return committed.waiting

    async def _commit_again(self, claim: Claim, commit: Commit) -> Committed:
        """Over a lost connection: if the first try was written, its repeat gets the first answer."""
        for pause in COMMIT_PAUSES[:-1]:
            await asyncio.sleep(pause)
            with contextlib.suppress(StoreUnavailable):
                return await self._store.commit(claim, commit)
        await asyncio.sleep(COMMIT_PAUSES[-1])
        return await self._store.commit(claim, commit)

    async def _keep_leases(self) -> None:
        """Renews what is held, all of it in one write; a turn whose lease is lost ends."""
        while True:
            await asyncio.sleep(self._store.lease / 3000)
            await asyncio.gather(*(self._renew(claim) for claim in list(self._claims.values())))

    async def _renew(self, claim: Claim) -> None:
        try:
            await self._store.renew(claim)
        except StoreUnavailable as error:
            # The next renewal tells, or the commit.
            log.warning("turn.store_unavailable", customer=claim.customer, error=str(error))
        except LeaseLost:
            # Unless it was committed meanwhile.
            if self._claims.get(claim.customer) is claim:
                self._lost.add(claim.customer)
                self._loop.cut(claim.customer)
        except Exception:
            # The other leases must be renewed all the same.
            log.exception("turn.renewal_crashed", customer=claim.customer)
