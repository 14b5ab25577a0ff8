"""The stage's part for conversations that go on elsewhere: codes, identities, where replies go."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from connectors.webchat.continuing import qr_code

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
TOKEN = "abcdefghij0123456789_-"
LINKS = [{"channel": "telegram", "account": "telegram:main"}, {"channel": "slack", "account": "slack:main"}]


def _identity(name: str, account: str, day: int) -> dict[str, Any]:
    channel = account.partition(":")[0]
    since = 1_790_000_000_000 + day * 86_400_000
    return {"id": name, "channel": channel, "account": account, "here": name == "w", "chosen": False, "since": since}


IDENTITIES = [_identity("w", "webchat:demo", 0), _identity("t", "telegram:main", 1), _identity("v", "webchat:demo", 2)]


class Onward:
    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.identities: list[dict[str, Any]] = []
        self.invited: list[str] = []
        self.redeemed: list[tuple[str, dict[str, Any]]] = []
        self.life = 600.0
        """Seconds for which the next code is good."""
        self.status = 200
        """What the next calls are answered with, when it is no success."""

    def routes(self, guard: Callable[[str, Handler], Handler]) -> list[web.RouteDef]:
        posts = {
            "links": self._invite,
            "links/redeem": self._redeem,
            "identities/unlink": self._unlink,
            "identities/choose": self._choose,
        }
        routes = [web.post(f"/v1/widget/{name}", guard(name, self._planted(handle))) for name, handle in posts.items()]
        return [*routes, web.get("/v1/widget/identities", guard("identities", self._planted(self._list)))]

    def _planted(self, handle: Handler) -> Handler:
        async def answered(request: web.Request) -> web.StreamResponse:
            return await handle(request) if self.status == 200 else web.json_response({}, status=self.status)

        return answered

    async def _invite(self, request: web.Request) -> web.Response:
        account = (await request.json())["channel"]
        self.invited.append(account)
        url = f"https://t.me/segue_bot?start={TOKEN}" if account.startswith("telegram") else ""
        code = f"ABCD-{2344 + len(self.invited)}"
        answer = {"account": account, "url": url, "qr_svg": qr_code(url or code), "code": code}
        return web.json_response({**answer, "expires_at": int((time.time() + self.life) * 1000)})

    async def _redeem(self, request: web.Request) -> web.Response:
        self.redeemed.append((request.headers["Idempotency-Key"], await request.json()))
        return web.json_response({"id": "r", "seq": 0, "cursor": "0.0"}, status=201)

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response({"identities": self.identities})

    async def _unlink(self, request: web.Request) -> web.Response:
        gone = (await request.json())["id"]
        self.identities = [one for one in self.identities if one["id"] != gone]
        return web.Response(status=204)

    async def _choose(self, request: web.Request) -> web.Response:
        chosen = (await request.json())["id"]
        self.identities = [{**one, "chosen": one["id"] == chosen} for one in self.identities]
        return web.Response(status=204)
