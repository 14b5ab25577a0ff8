"""What is to happen after one and the same delay, unless it is called off: one timer for all of it.

A timer of the loop for each question costs more than the rest of asking it, and nearly all of them are called off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Later:
    """Used within one loop."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: dict[Callable[[], None], float] = {}
        """Each with the time when it is due: in order, as all of them wait equally long."""
        self._timer: asyncio.TimerHandle | None = None

    def call(self, what: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self._waiting[what] = due = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(due, self._look)

    def cancel(self, what: Callable[[], None]) -> None:
        """Also what has happened already."""
        self._waiting.pop(what, None)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        while self._waiting:
            what, due = next(iter(self._waiting.items()))
            if due > loop.time():
                self._timer = loop.call_at(due, self._look)
                return
            del self._waiting[what]
            what()
