"""`python -m bench.chaos.bot SOCKET LOG`: a bot that says what it was asked; it can be slow, fail, or lie.

`POST /mode {"mode": …}` changes how it answers. LOG gets one line of JSON for each turn that it was asked.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path
from typing import Any

import uvloop
from aiohttp import web

MODES = ("fast", "slow", "failing", "lying", "hanging")


class Bot:
    def __init__(self, log: Path) -> None:
        self._log = log.open("a", buffering=1, encoding="utf-8")
        self._mode = "fast"

    async def turn(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        turn, text = asked["message"]["id"], asked["message"].get("text", "")
        self._log.write(json.dumps({"turn": turn, "text": text}) + "\n")
        match self._mode:
            case "slow":
                await asyncio.sleep(random.uniform(0, 3))  # noqa: S311  no secret
            case "failing":
                return web.json_response({"type": "error"}, status=500 + random.randrange(4))  # noqa: S311
            case "hanging":
                await asyncio.sleep(60)
            case "lying":
                return await self._lie(request, turn)
            case _:
                pass
        return web.json_response(answer(turn, text))

    async def _lie(self, request: web.Request, turn: str) -> web.StreamResponse:
        """No JSON, half of it, or far too much: none of it may count as an answer."""
        whole = json.dumps(answer(turn, "a lie")).encode()
        match random.randrange(3):  # noqa: S311
            case 0:
                return web.Response(body=whole[: len(whole) // 2], content_type="application/json")
            case 1:
                response = web.StreamResponse(headers={"Content-Length": str(len(whole))})
                await response.prepare(request)
                await response.write(whole[:20])
                if request.transport:
                    request.transport.abort()
                return response
            case _:
                return web.json_response({**answer(turn, "a lie"), "nlu": {"filler": "x" * 5_000_000}})

    async def mode(self, request: web.Request) -> web.Response:
        self._mode = (await request.json())["mode"]
        return web.Response(status=204)


def answer(turn: str, text: str) -> dict[str, Any]:
    """The turn's number stands in the words and in the dialogue's window, so that each tells of the other."""
    return {
        "outcome": "answered",
        "events": [{"event": "user", "message_id": turn}],
        "responses": [{"text": json.dumps({"turn": turn, "text": text})}],
        "language": {"current": "pt-BR", "votes": 0},
    }


async def health(request: web.Request) -> web.Response:
    return web.json_response({"ready": True, "model": "chaos", "fingerprint": "0"})


async def serve(socket: str, log: Path) -> None:
    bot = Bot(log)
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_post("/turn", bot.turn)
    app.router.add_post("/mode", bot.mode)
    app.router.add_get("/health", health)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    Path(socket).unlink(missing_ok=True)  # noqa: ASYNC240  before anybody is served
    await web.UnixSite(runner, socket).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], Path(sys.argv[2])))
