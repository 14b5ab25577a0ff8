"""`/v1/customers/…`: what a shop's own server asks about a person, and does for one.

Behind a bearer token of the operator's. Ids, kinds and numbers only; no word that anybody wrote. Who is joined here was
joined by a person: the API decides nothing.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import msgspec
import uuid_utils
from aiohttp import hdrs, web

from connectors.contract import Author, CustomerId, Identity, NotAuthentic, NotUnderstood, TryAgain
from router.conversation import signed_logins
from router.invitations import Invitations, made_at
from router.merging import Merging
from router.store import Busy, ControlMoved, Entry, Erased, Merge, Moving, NotUndone, Store, StoreUnavailable
from router.store.kin import PATIENCE, at_home

_Body = TypeVar("_Body", bound=msgspec.Struct)


class _LinkBody(msgspec.Struct, forbid_unknown_fields=True):
    channel: str


class _KnownBody(msgspec.Struct, forbid_unknown_fields=True):
    identity: str


class _ControlBody(msgspec.Struct, forbid_unknown_fields=True):
    number: int | None = None
    """The control number that was seen: where it has moved since, nothing happens."""
    owner: Annotated[str, msgspec.Meta(max_length=100)] = ""


class _MergeBody(msgspec.Struct, forbid_unknown_fields=True):
    other: str


@dataclass(frozen=True, slots=True)
class Customers:
    """`tokens` are the operator's; without one there is no such API."""

    store: Store
    merging: Merging
    invitations: Invitations
    tokens: Sequence[str]

    def routes(self) -> list[web.RouteDef]:
        if not self.tokens:
            return []
        return [
            web.get("/v1/customers", self.find),
            web.post("/v1/customers", self.know),
            web.get("/v1/customers/{id}", self.show),
            web.post("/v1/customers/{id}/pause", self.pause),
            web.post("/v1/customers/{id}/resume", self.resume),
            web.post("/v1/customers/{id}/close", self.close),
            web.post("/v1/customers/{id}/links", self.link),
            web.delete("/v1/customers/{id}/identities/{identity}", self.unlink),
            web.post("/v1/customers/{id}/merges", self.merge),
            web.post("/v1/customers/{id}/merges/{merge}/undo", self.undo),
        ]

    async def find(self, request: web.Request) -> web.Response:
        """By an identity as it stands in events: `telegram:main/77`."""
        self._allowed(request)
        identity = _identity(request.query.get("identity", ""))
        try:
            found = await self.store.find_customer(identity)
        except (StoreUnavailable, Moving) as error:
            raise TryAgain("the store does not answer") from error
        if found is None:
            raise web.HTTPNotFound(reason="nobody has this identity")
        return _json(await self._shown(await self.store.kin.home(found)))

    async def show(self, request: web.Request) -> web.Response:
        """An id that was merged is answered with the one that it is now."""
        return _json(await self._shown(await self._customer(request)))

    # ── who has control ─────────────────────────────────────────────────────────────────────────────────────────────

    async def know(self, request: web.Request) -> web.Response:
        """Somebody who may never have written, so that their conversation can be paused before it begins."""
        self._allowed(request)
        asked = await _body(request, _KnownBody)
        identity = _identity(asked.identity)
        if identity.account not in self.invitations.offered() or not identity.id:
            raise NotUnderstood("only who has an account on a channel of ours can be known before they write")
        try:
            customer = await self.store.adopt_identity(identity, CustomerId(str(uuid_utils.uuid7())))
            made = await at_home(customer, lambda whose: self.store.upkeep.expect(whose, identity))
        except (StoreUnavailable, Moving) as error:
            raise TryAgain("the store does not answer") from error
        return _json(await self._shown(await self.store.kin.home(customer)), status=201 if made else 200)

    async def pause(self, request: web.Request) -> web.Response:
        """The bot is silent from now on, also with what it is just thinking of; what the customer says is kept."""
        return await self._control(
            request, lambda whose, why, asked: self.store.upkeep.assign(whose, asked.owner, why, seen=asked.number)
        )

    async def resume(self, request: web.Request) -> web.Response:
        """The bot answers what is said from now on."""
        return await self._control(
            request, lambda whose, why, asked: self.store.upkeep.release(whose, why, seen=asked.number)
        )

    async def close(self, request: web.Request) -> web.Response:
        """The conversation is over: what is said next begins another one, with the bot."""
        return await self._control(
            request, lambda whose, why, asked: self.store.upkeep.close(whose, why, seen=asked.number)
        )

    async def _control(
        self, request: web.Request, change: Callable[[CustomerId, Entry, _ControlBody], Awaitable[int]]
    ) -> web.Response:
        customer = await self._customer(request)
        asked = await _body(request, _ControlBody) if request.can_read_body else _ControlBody()
        what = request.path.rpartition("/")[2]
        why = Entry(kind="control", author=Author("system"), identity=await self._where(customer), reason=f"api {what}")
        deadline = time.monotonic() + PATIENCE
        try:
            while True:
                try:
                    await at_home(customer, lambda whose: change(whose, why, asked))
                    break
                except Busy as error:
                    if time.monotonic() > deadline:
                        raise TryAgain("a message of this customer is being answered", after=2) from error
                    await asyncio.sleep(0.05)
        except ControlMoved as moved:
            raise web.HTTPConflict(reason=f"control is with {moved.control}, its number {moved.number}") from moved
        except (StoreUnavailable, Moving) as error:
            raise TryAgain("the store does not answer") from error
        except Erased as error:
            raise web.HTTPNotFound(reason="there is no such customer") from error
        return _json(await self._shown(await self.store.kin.home(customer)))

    # ── channels ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def link(self, request: web.Request) -> web.Response:
        """A code to go on elsewhere, from where the customer wrote last. Show it to that customer alone."""
        customer = await self._customer(request)
        asked = await _body(request, _LinkBody)
        last = (await self.store.state(customer, "via")).get("via")
        if not last:
            raise NotUnderstood("this customer has no channel to come from")
        offered = self.invitations.addresses
        account = next((one for one in offered if asked.channel in (one, one.partition(":")[0])), asked.channel)
        made = await self.invitations.invite(Identity.parse(last), customer, account)
        return _json({"account": made.account, "url": made.url, "code": made.code, "expires_at": made.expires_at})

    async def unlink(self, request: web.Request) -> web.Response:
        customer = await self._customer(request)
        gone = Identity.parse(request.match_info["identity"])
        if not await self.invitations.leave(customer, gone):
            raise NotUnderstood("this identity is not one of this customer's, or the last")
        return web.Response(status=204)

    async def merge(self, request: web.Request) -> web.Response:
        """Two customers are one person, as somebody found out. The older id stays; it can be undone."""
        customer = await self._customer(request)
        asked = await _body(request, _MergeBody)
        other = await self._living(asked.other)
        try:
            begun = await self._joined(customer, other)
        except Busy as error:
            raise TryAgain("one of them is being joined with somebody else", after=5) from error
        if begun is None:
            raise NotUnderstood("that is the same customer already")
        self.merging.soon(begun)
        return _json({"customer": begun.survivor, "merge": begun.id}, status=202)

    async def undo(self, request: web.Request) -> web.Response:
        customer = await self._customer(request)
        try:
            self.merging.soon(await self.merging.undo(customer, request.match_info["merge"]))
        except NotUndone as error:
            raise NotUnderstood(str(error)) from error
        except Busy as error:
            raise TryAgain("this customer is being joined with somebody else", after=5) from error
        return _json({"customer": customer, "merge": request.match_info["merge"]}, status=202)

    async def _joined(self, customer: CustomerId, other: CustomerId) -> Merge | None:
        """The dialogue of the one who is named first goes on. Nobody is welcomed: nobody moved."""
        source, to = [Identity.parse(await self._where(one)) for one in (customer, other)]
        merge = str(uuid_utils.uuid7())
        return await self.merging.begin(
            merge, maker=customer, redeemer=other, source=source, to=to, reason="by hand", arrive=False
        )

    async def _where(self, customer: CustomerId) -> str:
        """The identity that was last used; of who has never written the one that they are known by."""
        try:
            via = (await self.store.state(customer, "via")).get("via")
            return via or str(next(iter(await self.store.links.identities(customer)), ""))
        except (StoreUnavailable, Moving) as error:
            raise TryAgain("the store does not answer") from error

    # ── shown ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _shown(self, customer: CustomerId) -> dict[str, Any]:
        try:
            state = await self.store.state(customer, "cid", "open", "ctl", "cn", "own", "lang", "via", "to")
            identities = await self.store.links.identities(customer)
            barred = await self.store.links.barred(customer, identities)
            suspected = await self.store.links.suspected(customer)
            records = await self.store.merges.all(customer)
        except (StoreUnavailable, Moving) as error:
            raise TryAgain("the store does not answer") from error
        signed = signed_logins(identities)
        return {
            "id": customer,
            "since": made_at(customer),
            "conversation": {"id": state.get("cid", ""), "open": state.get("open") == "1"},
            "control": {
                "by": state.get("ctl", "bot"),
                "number": int(state.get("cn", 0)),
                "owner": state.get("own", ""),
            },
            "language": state.get("lang", ""),
            "identities": [
                {
                    "identity": str(one),
                    "channel": one.channel,
                    "proof": "signed" if str(one) in signed else "channel",
                    "last_used": str(one) == state.get("via"),
                    "chosen": str(one) == state.get("to"),
                    "unreachable": barred.get(one, ""),
                }
                for one in identities
            ],
            "merges": [
                {"id": record.id, "other": record.other, "at": record.at, "phase": record.phase} for record in records
            ],
            "possible_same_person": [{"customer": other, "reason": why} for other, why in suspected.items()],
        }

    # ── who asks ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _allowed(self, request: web.Request) -> None:
        scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        offered = given.strip().encode("utf-8", "surrogateescape")
        holds = [hmac.compare_digest(token.encode(), offered) for token in self.tokens]
        if scheme.lower() != "bearer" or not any(holds):
            raise NotAuthentic("a token of [api] tokens is needed")

    async def _customer(self, request: web.Request) -> CustomerId:
        self._allowed(request)
        return await self._living(request.match_info["id"])

    async def _living(self, written: str) -> CustomerId:
        try:
            living = await self.store.kin.home(CustomerId(written))
            if not await self.store.state(living, "ctl"):
                raise web.HTTPNotFound(reason="there is no such customer")
        except (StoreUnavailable, Moving) as error:
            raise TryAgain("the store does not answer") from error
        return living


def _identity(written: str) -> Identity:
    if "/" not in written:
        raise NotUnderstood("identity is written like telegram:main/77")
    return Identity.parse(written)


async def _body(request: web.Request, kind: type[_Body]) -> _Body:
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except msgspec.ValidationError as error:
        raise NotUnderstood(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotUnderstood("the body is no JSON") from error


def _json(value: dict[str, Any], *, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")
