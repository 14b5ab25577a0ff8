"""How a command asks the launcher that runs: one JSON line on a unix socket, lines of words back, then how it went."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

SOCKET = "launch.sock"
LONGEST_REQUEST = 64 * 1024

Do = Callable[[dict[str, Any], Callable[[str], None]], Awaitable[bool]]
"""Does what is asked, says how it goes, and gives whether it was done."""


class Control:
    """The launcher's end. The socket lies in its private folder: who may open it may also stop the launcher."""

    def __init__(self, folder: Path, do: Do) -> None:
        self._path = folder / SOCKET
        self._do = do
        self._asking: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._hear, str(self._path), limit=LONGEST_REQUEST)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 for the type checker
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

        def answer(line: dict[str, Any]) -> None:
            # Who asked may have gone; what was asked for goes on.
            if not writer.is_closing():
                writer.write(json.dumps(line).encode() + b"\n")

        try:
            asked = json.loads(await reader.readline())
            if isinstance(asked, dict):
                done = await self._do(asked, lambda words: answer({"say": words}))
                answer({"done": done})
        except (OSError, ValueError):
            pass
        finally:
            with suppress(OSError):
                writer.close()
                await writer.wait_closed()


async def ask_launcher(sockets: Path, request: dict[str, Any], say: Callable[[str], None]) -> bool | None:
    """Whether it was done; None when there is no launcher to ask, or it went away meanwhile."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(sockets / SOCKET), limit=LONGEST_REQUEST)
    except OSError:
        return None
    try:
        writer.write(json.dumps(request).encode() + b"\n")
        while line := await reader.readline():
            answer = json.loads(line)
            if "done" in answer:
                return bool(answer["done"])
            say(str(answer["say"]))
    except (OSError, ValueError):
        pass
    finally:
        writer.close()
    return None
