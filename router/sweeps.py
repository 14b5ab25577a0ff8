"""What only one process of all may do: fire timers, go on with merges, trim events. Each job is held under a lease."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable

import structlog

from connectors.contract import Author
from router.merging import Merging
from router.store import Entry, Store, StoreUnavailable
from router.store.keys import SHARDS

log = structlog.get_logger()

LEASE = 15_000


class Sweeps:
    def __init__(self, store: Store, merging: Merging) -> None:
        self._store = store
        self._merging = merging
        self._me = secrets.token_hex(8)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._each(1.0, "timers", self._fire_timers), name="timers"),
            asyncio.create_task(self._each(1.0, "merges", self._merging.sweep), name="merges"),
            asyncio.create_task(self._each(10.0, "trim", self._store.upkeep.trim_events), name="trim"),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _each(self, seconds: float, name: str, job: Callable[[], Awaitable[int]]) -> None:
        while True:
            try:
                if await self._store.upkeep.hold(name, self._me, LEASE) and (done := await job()):
                    log.info("sweep.done", job=name, number=done)
            except StoreUnavailable as error:
                log.warning("sweep.store_unavailable", job=name, error=str(error))
            except Exception:
                log.exception("sweep.crashed", job=name)
            await asyncio.sleep(seconds)

    async def _fire_timers(self) -> int:
        """How many did something."""
        fired = 0
        for customer, kind in await self._store.upkeep.due(range(SHARDS)):
            entry = Entry(kind="control", author=Author("system"), reason=kind)
            fired += await self._store.upkeep.fire(customer, kind, entry)
        return fired
