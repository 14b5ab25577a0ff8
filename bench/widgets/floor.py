"""`python -m bench.widgets.floor PORT`: what aiohttp needs for open streams, and a browser to open a bare frame.

The same bytes as ours, and nothing else behind them: a stream that is greeted and stays open, one frame to all of them
for each `POST /tell`, and a page whose button opens a frame.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop
from aiohttp import web

GREETING = b'event: hello\ndata: {"cursor":"0.0","heartbeat_ms":15000,"retry_ms":1000,"server_time":0,"ready":true}\n\n'
FRAME = (
    b'event: message.created\nid: abcdef0123456789.17\ndata: {"prev":16,"message":{"id":"0199aa00-0000-7000-8000-00000'
    b'0000000","seq":17,"cursor":"abcdef0123456789.17","author":{"kind":"bot","name":"Aurora"},"channel":"webchat",'
    b'"text":"O pedido 1001 est\xc3\xa1 a caminho e chega amanh\xc3\xa3.","content":null,"at":1790000000123,'
    b'"status":"sent"}}\n\n'
)
PAGE = """<!doctype html><title>a page</title><body><h1>A page</h1><script>
window.Segue = {open() {
  const frame = document.createElement("iframe");
  frame.src = "/frame";
  frame.width = 400; frame.height = 640;
  document.body.append(frame);
  frame.focus();
}};
</script></body>"""
INNER = """<!doctype html><title>a frame</title><body><textarea id="text"></textarea>
<script>document.getElementById("text").focus()</script></body>"""


class Floor:
    def __init__(self) -> None:
        self._open: set[web.StreamResponse] = set()

    async def stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await response.prepare(request)
        await response.write(GREETING)
        self._open.add(response)
        try:
            await asyncio.Event().wait()
        finally:
            self._open.discard(response)
        return response

    async def tell(self, request: web.Request) -> web.Response:
        for response in self._open:
            await response.write(FRAME)
        return web.Response()


async def alive(_: web.Request) -> web.Response:
    return web.Response()


async def page(_: web.Request) -> web.Response:
    return web.Response(text=PAGE, content_type="text/html")


async def inner(_: web.Request) -> web.Response:
    return web.Response(text=INNER, content_type="text/html")


def main() -> None:
    uvloop.install()
    floor, app = Floor(), web.Application()
    app.add_routes([web.get("/v1/widget/stream", floor.stream), web.post("/tell", floor.tell)])
    app.add_routes([web.get("/healthz", alive), web.get("/", page), web.get("/frame", inner)])
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None, handler_cancellation=True)


if __name__ == "__main__":
    main()
