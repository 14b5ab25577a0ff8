"""The page on which one looks on: Ana's Telegram beside the shop's own chat, in which one goes on as she did."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from segue.demo.people import Phone
from segue.places import ROOT

PAGES = ROOT / "web" / "pages"
POLICY = (
    "default-src 'none'; script-src 'self' {shop}; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src {shop}; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


class Window:
    """Serves the page on a port of its own, with the widget of the shop at `shop`."""

    def __init__(self, shop: str, language: str, phone: Phone) -> None:
        self.handle = ""
        """Of the browser in which the conversation began; empty until the story is over."""
        self.url = ""
        self._shop = shop
        self._language = language
        self._phone = phone
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/assets/{name}", self._asset),
                web.get("/telegram", self._screen),
                web.post("/telegram", self._written),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _page(self, request: web.Request) -> web.Response:
        config = {"shop": self._shop, "handle": self.handle, "language": self._language}
        page = (PAGES / "continuity.html").read_text("utf-8").replace("{{config}}", json.dumps(config))
        headers = {"Content-Security-Policy": POLICY.format(shop=self._shop), "Cache-Control": "no-store"}
        return web.Response(text=page, content_type="text/html", headers=headers)

    async def _asset(self, request: web.Request) -> web.StreamResponse:
        path = PAGES / "assets" / request.match_info["name"]
        if path.parent != PAGES / "assets" or not path.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(path, headers={"Cache-Control": "no-store"})

    async def _screen(self, request: web.Request) -> web.Response:
        return web.json_response(self._phone.screen())

    async def _written(self, request: web.Request) -> web.Response:
        """What one writes or taps in Ana's Telegram."""
        # A page of another site cannot send this header without asking first, and is never allowed to.
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType
        asked: dict[str, Any] = await request.json()
        if title := asked.get("tap"):
            self._phone.taps(str(title))
        elif text := str(asked.get("text", "")).strip():
            self._phone.says(text[:4000])
        return web.Response(status=204)
