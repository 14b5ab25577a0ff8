"""A bot that answers by a rule of the test, on a unix socket, in the shapes of docs/decisions/0001."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

Rule = Callable[[dict[str, Any]], Awaitable[dict[str, Any]] | dict[str, Any]]


def says(*texts: str, **more: Any) -> dict[str, Any]:
    """An answer with these texts."""
    return {
        "outcome": "answered" if texts else "silent",
        "events": [{"event": "user"}, {"event": "action", "name": "action_listen"}],
        "responses": [{"text": text} for text in texts],
        "language": {"current": "pt-BR", "votes": 0},
        **more,
    }


def echo(asked: dict[str, Any]) -> dict[str, Any]:
    message = asked["message"]
    return says(f"echo: {message.get('text') or message.get('payload')}")


class FakeBot:
    """`asked` holds every turn's request; `rule` makes the answer, or an HTTP response of its own."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.rule: Rule | Callable[[dict[str, Any]], web.Response] = echo
        self.is_ready = True
        self.socket = Path(tempfile.mkdtemp(prefix="segue-bot-")) / "b.sock"
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_post("/turn", self._turn)
        app.router.add_get("/health", self._health)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self.socket)).start()

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()
            self._runner = None
        self.socket.unlink(missing_ok=True)

    async def close(self) -> None:
        """Leaves nothing behind."""
        await self.stop()
        with contextlib.suppress(OSError):
            self.socket.parent.rmdir()

    async def _turn(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self.asked.append(asked)
        answer: Any = self.rule(asked)
        if asyncio.iscoroutine(answer):
            answer = await answer
        return answer if isinstance(answer, web.Response) else web.json_response(answer)

    async def _health(self, request: web.Request) -> web.Response:
        return web.json_response({"ready": self.is_ready, "model": "fake", "fingerprint": "0"})
