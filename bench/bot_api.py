"""`python -m bench.bot_api PORT`: Telegram's side of a bench. It takes every call at once: only we are measured."""

from __future__ import annotations

import itertools
import sys
import time

import msgspec
import uvloop
from aiohttp import web

_numbers = itertools.count(1)


class _Call(msgspec.Struct):
    chat_id: int = 0


async def take(request: web.Request) -> web.Response:
    body = await request.read()
    chat = msgspec.json.decode(body, type=_Call).chat_id if body else 0
    result = {"message_id": next(_numbers), "date": int(time.time()), "chat": {"id": chat, "type": "private"}}
    told = {"ok": True, "result": {**result, "id": 1, "is_bot": True, "first_name": "b", "username": "b_bot"}}
    return web.Response(body=msgspec.json.encode(told), content_type="application/json")


async def alive(_: web.Request) -> web.Response:
    return web.Response()


def main() -> None:
    uvloop.install()
    app = web.Application()
    app.add_routes([web.get("/", alive), web.post("/{path:.*}", take)])
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)


if __name__ == "__main__":
    main()
