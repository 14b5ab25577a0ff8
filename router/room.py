"""Whether there is room for more: new messages are turned away early, so that the commits of the others always fit."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import structlog

from router.store import Store, StoreUnavailable

log = structlog.get_logger()

MOST_MEMORY = 0.8
"""Part of Redis' maxmemory from which messages are turned away."""

LEAST_DISK = 500 * 1024 * 1024
"""Free bytes on the disk of the data folder below which messages are turned away."""


class Room:
    """Looks once a second; `refusal` says why messages are turned away now, or is empty."""

    def __init__(self, store: Store, folder: Path, *, least_disk: int = LEAST_DISK) -> None:
        self._store = store
        self._folder = folder
        self._least_disk = least_disk
        self._task: asyncio.Task[None] | None = None
        self.refusal = ""

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="room")

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except (StoreUnavailable, OSError) as error:
                log.warning("room.unknown", error=type(error).__name__)
            await asyncio.sleep(1)

    async def look(self) -> None:
        memory = await self._store.upkeep.room()
        free = (await asyncio.to_thread(shutil.disk_usage, self._folder)).free
        refusal = ""
        if memory.most and memory.used >= MOST_MEMORY * memory.most:
            refusal = "memory"
        elif free < self._least_disk:
            refusal = "disk"
        if refusal != self.refusal:
            log.error("room.changed", refusing=refusal or "nothing", used=memory.used, most=memory.most, free=free)
        self.refusal = refusal
