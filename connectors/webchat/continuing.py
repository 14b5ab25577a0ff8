"""The conversation goes on elsewhere, and comes back: link codes, the identities of a customer, where replies go.

A code is shown to the one who asked and to nobody else; redeeming one is a message like any other, so that it is safe
before it is answered, and has one effect however often it is sent.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from typing import Any

import segno
from aiohttp import web

from connectors.content import Command
from connectors.contract import Connected, CustomerId, Door, Identity, Inbound, Milliseconds
from connectors.http import trace_of
from connectors.webchat import bodies
from connectors.webchat.limits import Turnstile
from connectors.webchat.ports import Links, Refused
from connectors.webchat.visitors import Gate, Token, now


class Continuing:
    """`say` gives a sentence by key and language."""

    def __init__(
        self, links: Links | None, door: Door, gate: Gate, turnstile: Turnstile, say: Callable[[str, str], str]
    ) -> None:
        self._links = links
        self._door = door
        self._gate = gate
        self._turnstile = turnstile
        self._say = say

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/widget/links", self.invite),
            web.post("/v1/widget/links/redeem", self.redeem),
            web.get("/v1/widget/identities", self.identities),
            web.post("/v1/widget/identities/unlink", self.unlink),
            web.post("/v1/widget/identities/choose", self.choose),
        ]

    def offered(self) -> list[dict[str, str]]:
        accounts = self._links.offered() if self._links else ()
        return [{"channel": _channel(account), "account": account} for account in accounts]

    # ── there ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def invite(self, request: web.Request) -> web.Response:
        links, holder = await self._opened(request)
        asked = await bodies.body(request, bodies.LinkBody)
        account = _named(asked.channel, links.offered())
        await self._turnstile.link(holder.visitor.visitor, holder.locale)
        invitation = await links.invite(*_who(holder), account)
        shown = invitation.url or f"{self._say('link_typed', holder.locale)} {invitation.code}"
        return bodies.json(
            {
                "account": invitation.account,
                "url": invitation.url,
                "qr_svg": await asyncio.to_thread(qr_code, shown),
                "code": invitation.code,
                "expires_at": invitation.expires_at,
            }
        )

    # ── and back ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def redeem(self, request: web.Request) -> web.Response:
        """What becomes of a code that is ours in form is said in the conversation, to this identity alone."""
        _, holder = await self._opened(request)
        key = bodies.idempotency_key(request)
        link = bodies.link(await bodies.body(request, bodies.RedeemBody))
        await self._turnstile.redeem(holder.visitor.visitor, holder.locale)
        if not link:
            raise Refused(422, self._say("link_shape", holder.locale))
        accepted = await self._door.accept(
            Inbound(
                identity=holder.visitor.identity,
                content=Command(text=self._say("continue_here", holder.locale), name="start"),
                dedupe=key,
                at=Milliseconds(now()),
                locale=holder.locale,
                origin=holder.origin,
                customer=holder.visitor.known,
                trace=trace_of(request),
                link=link,
            )
        )
        answer = {"id": accepted.id, "seq": accepted.seq, "cursor": accepted.cursor}
        return bodies.json(answer, status=200 if accepted.repeated else 201)

    # ── who one is, and where replies go ────────────────────────────────────────────────────────────────────────────

    async def identities(self, request: web.Request) -> web.Response:
        links, holder = await self._opened(request)
        await self._turnstile.history(holder.visitor.visitor, holder.locale)
        return bodies.json({"identities": [_shown(one) for one in await links.connected(*_who(holder))]})

    async def unlink(self, request: web.Request) -> web.Response:
        links, holder = await self._opened(request)
        asked = await bodies.body(request, bodies.IdentityBody)
        await self._turnstile.change(holder.visitor.visitor, holder.locale)
        if not await links.unlink(*_who(holder), asked.id):
            raise Refused(404, self._say("link_unknown_identity", holder.locale))
        return web.Response(status=204)

    async def choose(self, request: web.Request) -> web.Response:
        links, holder = await self._opened(request)
        asked = await bodies.body(request, bodies.IdentityBody)
        await self._turnstile.change(holder.visitor.visitor, holder.locale)
        await links.choose(*_who(holder), asked.id)
        return web.Response(status=204)

    async def _opened(self, request: web.Request) -> tuple[Links, Token]:
        holder = await self._gate.holder(request)
        if self._links is None:
            raise Refused(404, "no conversation can be continued here")
        return self._links, holder


def qr_code(text: str) -> str:
    """An SVG picture, dark on light with its quiet zone whatever stands around it, as large as its frame."""
    picture = io.BytesIO()
    code = segno.make_qr(text, error="m")
    code.save(picture, kind="svg", xmldecl=False, nl=False, border=4, dark="#101412", light="#ffffff", omitsize=True)
    return picture.getvalue().decode()


def _channel(account: str) -> str:
    return account.partition(":")[0]


def _named(channel: str, offered: tuple[str, ...]) -> str:
    """The first account of a channel that is named without one. What is not offered is refused by the router."""
    return next((account for account in offered if _channel(account) == channel), channel)


def _shown(one: Connected) -> dict[str, Any]:
    return {
        "id": one.id,
        "channel": _channel(one.account),
        "account": one.account,
        "here": one.here,
        "chosen": one.chosen,
        "since": one.since,
    }


def _who(holder: Token) -> tuple[Identity, CustomerId]:
    return holder.visitor.identity, holder.visitor.known
