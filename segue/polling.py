"""Asks those platforms for messages that do not call us: each account in one process of all, under a lease."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Mapping

import structlog

from connectors.registry import Poller
from router.store import Store, StoreUnavailable

log = structlog.get_logger()

LEASE = 30.0
"""Seconds for which an account is ours; renewed three times as often."""


class Polling:
    """`pollers` by channel account."""

    def __init__(self, store: Store, pollers: Mapping[str, Poller], *, lease: float = LEASE) -> None:
        self._store = store
        self._pollers = pollers
        self._lease = lease
        self._me = secrets.token_hex(8)
        self._until: dict[str, float] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._keep(account, poller), name=f"polling {account}")
            for account, poller in self._pollers.items()
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, account: str, poller: Poller) -> None:
        """Polls whenever the lease is ours, and only then."""
        polling: asyncio.Task[None] | None = None
        try:
            while True:
                ours = await self._is_ours(account)
                if polling and not ours:
                    await _ended(polling)
                    polling = None
                if ours and polling is None:
                    polling = asyncio.create_task(poller.poll(), name=_name(account))
                pause = asyncio.create_task(asyncio.sleep(self._lease / 3))
                await asyncio.wait({pause, polling} if polling else {pause}, return_when=asyncio.FIRST_COMPLETED)
                if polling and polling.done():
                    if not (error := polling.exception()):
                        return
                    log.error("polling.crashed", account=account, exc_info=error)
                    polling = None
                    await pause
                pause.cancel()
        finally:
            if polling:
                await _ended(polling)
            with contextlib.suppress(StoreUnavailable):
                await self._store.upkeep.let_go(_name(account), self._me)

    async def _is_ours(self, account: str) -> bool:
        """While the store does not answer, what was ours stays so until shortly before another may take it."""
        now = asyncio.get_running_loop().time
        asked = now()
        try:
            held = await self._store.upkeep.hold(_name(account), self._me, int(self._lease * 1000))
            self._until[account] = asked + self._lease * 5 / 6 if held else 0.0
        except StoreUnavailable as error:
            log.warning("polling.store_unavailable", account=account, error=str(error))
        return now() < self._until.get(account, 0.0)


def _name(account: str) -> str:
    return f"poll {account}"


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
