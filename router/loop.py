"""Finds what is ready in all shards and works on it: many at once, one task for each.

Hints say where to look at once; a look at all shards, four times a second, is the truth.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable
from functools import partial
from typing import Any, Generic, TypeVar

import structlog

from router.store import StoreUnavailable
from router.store.keys import SHARDS

log = structlog.get_logger()

POLL = 0.25
"""Seconds between two looks at all shards."""

_Ready = TypeVar("_Ready", bound=Hashable)


class ReadyLoop(Generic[_Ready]):
    """`look` names what is ready in some shards; `work` does it, as far as it can, and raises nothing."""

    def __init__(
        self,
        name: str,
        look: Callable[[Iterable[int]], Awaitable[list[_Ready]]],
        work: Callable[[_Ready], Coroutine[Any, Any, None]],
        *,
        at_once: int = 64,
    ) -> None:
        self._name = name
        self._look = look
        self._work = work
        self._at_once = at_once
        self._running: dict[_Ready, asyncio.Task[None]] = {}
        self._again: set[_Ready] = set()
        self._hinted: set[int] = set()
        self._wake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self.stopping = False

    def start(self) -> None:
        self._loop = asyncio.create_task(self._run(), name=self._name)

    def has_room(self) -> bool:
        """Whether what is named now begins at once."""
        return self._loop is not None and not self.stopping and len(self._running) < self._at_once

    def named(self, ready: _Ready, delay: int) -> None:
        """This one will be ready in so many milliseconds: worked on without a look."""
        if self._loop is None or self.stopping:
            return
        if delay > 0:
            # A millisecond late rather than early: what comes too early is refused, and waits for the next look.
            asyncio.get_running_loop().call_later((delay + 1) / 1000, self.named, ready, 0)
            return
        # Behind what the same wake brought: an acknowledgement goes out before the work that it promises begins.
        asyncio.get_running_loop().call_soon(self._begin, ready)

    def hint(self, shard: int, delay: int) -> None:
        """Something will be ready there in so many milliseconds."""
        if self._loop is None or self.stopping:
            return
        if delay > 0:
            asyncio.get_running_loop().call_later(delay / 1000, self.hint, shard, 0)
            return
        self._hinted.add(shard)
        self._wake.set()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        looked = 0.0
        while not self.stopping:
            tick = loop.call_later(max(0.0, looked + POLL - time.monotonic()), self._wake.set)
            await self._wake.wait()
            tick.cancel()
            self._wake.clear()
            shards: Iterable[int] = self._hinted
            self._hinted = set()
            if time.monotonic() >= looked + POLL:
                # From a random shard, so that several processes do not queue up at the same ones.
                start = random.randrange(SHARDS)  # noqa: S311  no secret
                shards = [(start + i) % SHARDS for i in range(SHARDS)]
                looked = time.monotonic()
            try:
                for ready in await self._look(shards):
                    self._begin(ready)
            except StoreUnavailable as error:
                log.warning("loop.store_unavailable", loop=self._name, error=str(error))
                await asyncio.sleep(POLL)

    def _begin(self, ready: _Ready) -> None:
        if ready in self._running or len(self._running) < self._at_once:
            self.begin(ready)

    def begin(self, ready: _Ready) -> None:
        """At once, or when the work on it that is under way has ended; also beside too many."""
        if ready in self._running:
            self._again.add(ready)
        elif not self.stopping:
            task = begun(self._work(ready))
            self._running[ready] = task
            task.add_done_callback(partial(self._ended, ready))

    def cut(self, ready: _Ready) -> None:
        """Ends the work on it, which may have ended by itself."""
        if task := self._running.get(ready):
            task.cancel()

    def _ended(self, ready: _Ready, _: asyncio.Task[None]) -> None:
        self._running.pop(ready, None)
        if ready in self._again:
            self._again.discard(ready)
            self.begin(ready)

    async def stop(self, *, within: float) -> list[_Ready]:
        """Start nothing more, wait so many seconds, end the rest: what was ended."""
        self.stopping = True
        self._wake.set()
        if self._loop:
            await self._loop
        if self._running:
            await asyncio.wait(self._running.values(), timeout=within)
        cut = dict(self._running)
        for task in cut.values():
            task.cancel()
        await asyncio.gather(*cut.values(), return_exceptions=True)
        return list(cut)


def begun(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A task that has run up to its first wait, where Python can do that: a turn of the loop less."""
    loop = asyncio.get_running_loop()
    if sys.version_info >= (3, 12):
        return asyncio.Task(work, loop=loop, eager_start=True)
    return loop.create_task(work)


def backoff(tries: int, *, longest: float = 30.0) -> int:
    """Milliseconds before the next try: growing, with jitter."""
    most = min(longest, 0.5 * 2**tries) * 1000
    return random.randint(int(most / 2), int(most))  # noqa: S311  no secret
