"""The routes under /v1/widget/."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from connectors.content import Choice, File, Image, Text
from connectors.contract import (
    CustomerId,
    Door,
    Feed,
    Generation,
    Identity,
    Inbound,
    Limits,
    Milliseconds,
    NotAuthentic,
    NotUnderstood,
)
from connectors.http import trace_of
from connectors.media import Media
from connectors.sealing import Seals
from connectors.webchat import bodies, transcript
from connectors.webchat.continuing import Continuing
from connectors.webchat.limits import Network, Turnstile, address_of
from connectors.webchat.ports import Brand, Links, Refused, Site, Visits
from connectors.webchat.signed import IdentityRefused, Person, verified
from connectors.webchat.streams import Streams
from connectors.webchat.uploads import LARGEST, MOST_FILES, SHOWN_TYPES, Uploads
from connectors.webchat.visitors import CHANNEL, TOKEN_LIFE, Gate, Token, Visitor, new_visitor, now


@dataclass(frozen=True, slots=True)
class Parts:
    """What the widget's API stands on. `proxies` are networks whose X-Forwarded-For is believed.

    Without `links` nothing can be continued elsewhere: none is offered, and the routes answer 404.
    """

    door: Door
    feed: Feed
    visits: Visits
    limits: Limits
    media: Media
    seals: Seals
    sites: Mapping[str, Site]
    brand: Brand
    proxies: Sequence[Network] = ()
    links: Links | None = None


class Webchat:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._gate = Gate(parts.seals, parts.visits, dict(parts.sites))
        self._turnstile = Turnstile(parts.limits, parts.brand.say)
        self._uploads = Uploads(parts.media, parts.seals, self._turnstile, parts.brand.say)
        self._streams = Streams(
            parts.door, parts.feed, self._gate, self._turnstile, self._uploads.shown, self._uploads.worked
        )
        self._continuing = Continuing(parts.links, parts.door, self._gate, self._turnstile, parts.brand.say)
        self._told: set[str] = set()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/widget/session", self.session),
            web.post("/v1/widget/messages", self.send),
            web.get("/v1/widget/messages", self.history),
            web.get("/v1/widget/stream", self.stream),
            web.post("/v1/widget/read", self.read),
            web.post("/v1/widget/typing", self.typing),
            web.post("/v1/widget/uploads", self.upload),
            web.get("/v1/widget/media/{id}", self.media),
            web.post("/v1/widget/transcript", self.transcript),
            web.post("/v1/widget/signout", self.signout),
            *self._continuing.routes(),
        ]

    async def close(self) -> None:
        await self._streams.close()

    # ── who ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def session(self, request: web.Request) -> web.Response:
        asked = await bodies.body(request, bodies.SessionBody)
        site = self._parts.sites.get(asked.site)
        if site is None:
            raise Refused(404, "no such site")
        locale = bodies.locale(asked.locale or site.locale)
        address = self._address(request)
        await self._turnstile.session(address, locale)
        about = bodies.answers(asked.answers, site.form)
        person = await self._person(asked, site, address, locale)
        if site.enforce and person is None and not asked.handle:
            raise NotAuthentic("this site talks to verified visitors only")
        visitor, new, restarted = await self._visitor(asked, person)
        if site.enforce and not visitor.person:
            raise NotAuthentic("this site talks to verified visitors only")
        if person:
            about |= person.told | {"verified": "site"}
        if about and not new and await self._parts.visits.tell(visitor.identity, visitor.known, about):
            about = {}
        token = Token(visitor, now() + TOKEN_LIFE * 1000, locale, bodies.origin(asked), about)
        return bodies.json(
            {
                **self._gate.sealed(visitor, token),
                "cursor": "0.0" if new else await self._parts.feed.cursor(visitor.identity, visitor.known),
                "locale": locale,
                "ready": await self._parts.door.ready(),
                "visitor": {"verified": bool(visitor.person), "name": visitor.name},
                "restarted": restarted,
                "config": {
                    **self._config(site, locale),
                    "unread": 0 if new else await self._parts.feed.unread(visitor.identity, visitor.known),
                },
            }
        )

    async def _person(self, asked: bodies.SessionBody, site: Site, address: str, locale: str) -> Person | None:
        """Whom the site vouches for. A wrong identity starts nothing."""
        if asked.identity is None:
            return None
        await self._turnstile.identity(address, locale)
        try:
            person = verified(asked.identity, site.identity_secrets, asked.site)
        except IdentityRefused as refused:
            await self._turnstile.identity_failed(address)
            raise NotAuthentic(str(refused)) from None
        left = max(1, person.exp - now() // 1000) + 120
        if not await self._parts.visits.once(f"jti {asked.site} {person.jti}", left):
            await self._turnstile.identity_failed(address)
            raise NotAuthentic("the identity was used before")
        return person

    async def _visitor(self, asked: bodies.SessionBody, person: Person | None) -> tuple[Visitor, bool, bool]:
        """Who it is, whether nobody has written as them yet for all we know, and whether the page shall start anew."""
        back = None
        if asked.handle:
            back = await self._gate.returning(asked.handle, asked.site, vouched=person is not None)
        restarted = bool(asked.handle) and back is None
        if person is None:
            return back or new_visitor(asked.site), back is None, restarted
        me = Identity(f"{CHANNEL}:{asked.site}", f"u:{person.sub}")
        if back and back.person and back.person != me.id:
            # Somebody else has signed in here. Two signed people are never joined, nor shown each other's words.
            back, restarted = None, True
        anonymous = back.identity if back and not back.person else None
        visitor = back or new_visitor(asked.site)
        customer, stays = await self._parts.visits.customer_of(me, anonymous, visitor.known)
        if not stays:
            visitor, restarted = new_visitor(asked.site), True
        visitor = msgspec.structs.replace(
            visitor,
            customer=customer or visitor.customer,
            person=me.id,
            verified=now(),
            name=person.told.get("name", ""),
        )
        return visitor, False, restarted

    def _config(self, site: Site, locale: str) -> dict[str, Any]:
        brand = self._parts.brand
        notice = None
        if site.notice:
            url = site.notice_url or brand.privacy_url
            notice = {"text": site.notice[locale], "url": url, "must_accept": site.must_accept}
        upload = {"most_bytes": LARGEST, "most_files": MOST_FILES, "types": list(SHOWN_TYPES)} if site.upload else None
        return {
            "brand": brand.name,
            "assistant": brand.assistant,
            "greeting": {"text": brand.say("greeting", locale)},
            "privacy_url": brand.privacy_url,
            "notice": notice,
            "form": [question.shown(locale) for question in site.form],
            "upload": upload,
            "color": site.color,
            "reply_time": site.reply_time.get(locale, ""),
            "links": self._continuing.offered(),
        }

    async def signout(self, request: web.Request) -> web.Response:
        holder = await self._gate.holder(request)
        await self._gate.sign_out(holder.visitor)
        await self._streams.end_of(holder.visitor.visitor)
        return web.Response(status=204)

    def _address(self, request: web.Request) -> str:
        return address_of(request, self._parts.proxies)

    # ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def send(self, request: web.Request) -> web.Response:
        holder = self._gate.opened(request)  # its generation is judged in the step in which the message is written
        key = bodies.idempotency_key(request)
        asked = await bodies.body(request, bodies.MessageBody)
        visitor = holder.visitor
        content: Text | Choice | Image | File
        if asked.upload is None:
            content = bodies.content(asked)
        elif asked.button is not None:
            raise NotUnderstood("button and upload exclude each other")
        else:
            content = await self._uploads.content(visitor, asked.upload, asked.text or "")
        await self._turnstile.message(visitor.visitor, self._address(request), holder.locale)
        inbound = Inbound(
            identity=visitor.identity,
            content=content,
            dedupe=key,
            at=Milliseconds(now()),
            locale=holder.locale,
            origin=holder.origin,
            customer=visitor.known,
            trace=trace_of(request),
            shown=Generation(visitor.visitor, visitor.generation),
        )
        try:
            accepted = await self._parts.door.accept(inbound)
        except NotAuthentic:
            self._gate.refuse(visitor)
            raise
        self._gate.remember(visitor, "ok")
        if holder.about:
            await self._tell(holder)
        answer = {"id": accepted.id, "seq": accepted.seq, "cursor": accepted.cursor}
        return bodies.json(answer, status=200 if accepted.repeated else 201)

    async def _tell(self, holder: Token) -> None:
        """What a form said, once there is a customer to keep it. A failure is repeated with the message."""
        visitor = holder.visitor
        if visitor.visitor not in self._told:
            await self._parts.visits.tell(visitor.identity, visitor.known, holder.about)
            if len(self._told) > 10_000:
                self._told.clear()
            self._told.add(visitor.visitor)

    async def history(self, request: web.Request) -> web.Response:
        holder = await self._gate.holder(request)
        after, before = request.query.get("after"), request.query.get("before")
        if after is not None and before is not None:
            raise NotUnderstood("after and before exclude each other")
        limit = bodies.limit(request.query.get("limit", "50"))
        await self._turnstile.history(holder.visitor.visitor, holder.locale)
        # First the cursor: what comes between the two is in the page, and once more in the stream behind the cursor.
        newest = after is None and before is None
        cursor = await self._parts.feed.cursor(*_who(holder)) if newest else None
        page = await self._parts.feed.page(*_who(holder), after=after, before=before, limit=limit)
        messages = [self._uploads.shown(message) for message in page.messages]
        return bodies.json({"messages": messages, "more": page.more, **({"cursor": cursor} if cursor else {})})

    async def read(self, request: web.Request) -> web.Response:
        holder = await self._gate.holder(request)
        asked = await bodies.body(request, bodies.ReadBody)
        await self._parts.feed.read(*_who(holder), asked.seq)
        return web.Response(status=204)

    async def typing(self, request: web.Request) -> web.Response:
        """Accepted and shown to nobody while no person has the conversation."""
        holder = await self._gate.holder(request)
        await bodies.body(request, bodies.TypingBody)
        await self._turnstile.typing(holder.visitor.visitor, holder.locale)
        return web.Response(status=204)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        holder = await self._gate.holder(request)
        wait = bodies.wait(request.query.get("wait"))
        cursor = request.headers.get("Last-Event-ID") or await self._parts.feed.cursor(*_who(holder))
        if wait is None:
            return await self._streams.events(request, holder, cursor, self._address(request))
        return await self._streams.poll(holder, cursor, self._address(request), wait)

    # ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def upload(self, request: web.Request) -> web.Response:
        holder = await self._gate.holder(request)
        if not self._parts.sites[holder.visitor.site].upload:
            raise Refused(403, "this site takes no files")
        return bodies.json(await self._uploads.take(request, holder), status=201)

    async def media(self, request: web.Request) -> web.StreamResponse:
        return await self._uploads.give(request)

    async def transcript(self, request: web.Request) -> web.Response:
        holder = await self._gate.holder(request)
        asked = await bodies.body(request, bodies.TranscriptBody)
        await self._turnstile.history(holder.visitor.visitor, holder.locale)
        messages = await transcript.everything(self._parts.feed, *_who(holder))
        return transcript.download(messages, asked.format, holder.locale, self._parts.brand)


def _who(holder: Token) -> tuple[Identity, CustomerId]:
    return holder.visitor.identity, holder.visitor.known
