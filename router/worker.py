"""Claims customers and runs their turns: many customers at once, one turn at a time for each."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Iterable

import structlog

from connectors.contract import CustomerId
from router import metrics
from router.store import Claim, Commit, Committed, LeaseLost, Store, StoreUnavailable
from router.store.hints import Hints
from router.store.keys import SHARDS
from router.turn import Turns

log = structlog.get_logger()

POLL = 0.25
"""Seconds between two looks at all shards. Hints are faster; this is the truth."""

COMMIT_PAUSES = (0.1, 0.3, 1.0, 2.0)
"""Seconds between tries of one commit; after them the lease runs out and the turn is run again."""


class Worker:
    """Runs until stopped; `stop` finishes what is under way and gives the rest back."""

    def __init__(self, store: Store, turns: Turns, hints: Hints, *, at_once: int = 64) -> None:
        self._store = store
        self._turns = turns
        self._at_once = at_once
        self._running: dict[CustomerId, asyncio.Task[None]] = {}
        self._claims: dict[CustomerId, Claim] = {}
        self._again: set[CustomerId] = set()
        self._look_at: set[int] = set()
        self._wake = asyncio.Event()
        self._stopping = False
        self._loop: asyncio.Task[None] | None = None
        hints.on_ready.append(self._hinted)

    def start(self) -> None:
        self._loop = asyncio.create_task(self._run(), name="worker")

    def _hinted(self, shard: int, delay: int) -> None:
        if delay > 0:
            asyncio.get_running_loop().call_later(delay / 1000, self._hinted, shard, 0)
            return
        self._look_at.add(shard)
        self._wake.set()

    async def _run(self) -> None:
        last_full_look = 0.0
        while not self._stopping:
            pause = max(0.0, last_full_look + POLL - time.monotonic())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            self._wake.clear()
            shards: Iterable[int] = self._look_at
            if time.monotonic() >= last_full_look + POLL:
                # From a random shard, so that several workers do not queue up at the same customers.
                start = random.randrange(SHARDS)  # noqa: S311  no secret
                shards = [(start + i) % SHARDS for i in range(SHARDS)]
                last_full_look = time.monotonic()
            self._look_at = set()
            try:
                for customer in await self._store.ready(shards):
                    self._start_turns(customer)
            except StoreUnavailable as error:
                log.warning("worker.store_unavailable", error=str(error))
                await asyncio.sleep(POLL)

    def _start_turns(self, customer: CustomerId) -> None:
        if customer in self._running:
            self._again.add(customer)
        elif len(self._running) < self._at_once:
            task = asyncio.create_task(self._work_on(customer), name=f"customer {customer}")
            self._running[customer] = task
            task.add_done_callback(lambda _: self._done(customer))

    def _done(self, customer: CustomerId) -> None:
        self._running.pop(customer, None)
        if customer in self._again and not self._stopping:
            self._again.discard(customer)
            self._start_turns(customer)

    async def _work_on(self, customer: CustomerId) -> None:
        """Turn after turn, until nothing waits that may start now."""
        try:
            while not self._stopping and (claim := await self._store.claim(customer)):
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
        except Exception:
            # Whatever it is, the claim was counted; after five of them the turn is given up with an apology.
            log.exception("turn.crashed", customer=customer)
            with contextlib.suppress(LeaseLost, StoreUnavailable):
                if claim := self._claims.get(customer):
                    await self._store.retry(claim, delay=_backoff(claim.attempts), counts=True)
        finally:
            self._claims.pop(customer, None)

    async def _one_turn(self, claim: Claim) -> int:
        """How many messages wait behind this turn. The lease is renewed while it lasts; losing it ends the turn."""
        began = time.monotonic()
        turn = asyncio.create_task(self._turns.run(claim), name=f"turn {claim.turn_id}")
        renewing = asyncio.create_task(self._keep_lease(claim), name=f"lease {claim.turn_id}")
        try:
            await asyncio.wait((turn, renewing), return_when=asyncio.FIRST_COMPLETED)
            if not turn.done():
                renewing.result()  # raises what ended it
            commit = await turn
        finally:
            for task in (turn, renewing):
                task.cancel()
            await asyncio.gather(turn, renewing, return_exceptions=True)
        committed = await self._commit(claim, commit)
        metrics.TURN_SECONDS.observe(time.monotonic() - began)
        log.info("turn.done", turn=claim.turn_id, seqs=committed.seqs, batch=len(claim.batch))
        return committed.waiting

    async def _commit(self, claim: Claim, commit: Commit) -> Committed:
        """Over a lost connection the same commit is run again: its repeat gets the first answer."""
        for pause in COMMIT_PAUSES:
            try:
                return await self._store.commit(claim, commit)
            except StoreUnavailable:
                await asyncio.sleep(pause)
        return await self._store.commit(claim, commit)

    async def _keep_lease(self, claim: Claim) -> None:
        while True:
            await asyncio.sleep(self._store.lease / 3000)
            await self._store.renew(claim)

    async def stop(self, *, within: float = 4.0) -> None:
        """Claim nothing more, finish what is under way, give back what does not end in time."""
        self._stopping = True
        self._wake.set()
        if self._loop:
            await self._loop
        if self._running:
            await asyncio.wait(self._running.values(), timeout=within)
        for customer, task in list(self._running.items()):
            claim = self._claims.get(customer)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if claim:
                with contextlib.suppress(LeaseLost, StoreUnavailable):
                    await self._store.retry(claim, delay=0, counts=False)


def _backoff(attempts: int) -> int:
    """Milliseconds, growing, with jitter."""
    longest = min(30_000, 500 * 2**attempts)
    return random.randint(longest // 2, longest)  # noqa: S311  no secret
