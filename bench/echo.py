"""`python -m bench.echo PORT`: what any aiohttp server must do for a POST with JSON, and nothing else."""

from __future__ import annotations

import sys

import msgspec
import uvloop
from aiohttp import web


async def echo(request: web.Request) -> web.Response:
    body = msgspec.json.encode(msgspec.json.decode(await request.read()))
    return web.Response(body=body, status=201, content_type="application/json")


async def alive(_: web.Request) -> web.Response:
    return web.Response()


def main() -> None:
    uvloop.install()
    app = web.Application()
    app.add_routes([web.get("/", alive), web.post("/{path:.*}", echo)])
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)


if __name__ == "__main__":
    main()
