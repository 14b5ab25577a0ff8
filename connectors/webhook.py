"""The generic channel: signed webhooks in both directions, as https://www.standardwebhooks.com describes them.

In: `POST /channels/webhook/<account>`, a message or what became of one of ours. Out: a POST to the account's `url`.
docs/channels/webhook.md has the payloads.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Annotated, Any, Literal, Self, TypeVar, cast
from urllib.parse import urlsplit

import aiohttp
import msgspec
from aiohttp import hdrs, web
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from connectors import http
from connectors.content import Choice, ContentKind, Text
from connectors.contract import (
    Capabilities,
    DeliveryState,
    Door,
    Identity,
    Inbound,
    Limit,
    Milliseconds,
    NotAuthentic,
    NotSupported,
    NotUnderstood,
    Outbound,
    Ports,
    Receipt,
    RefusedForGood,
    StatusReport,
)
from connectors.phone import NotANumber, canonical

_Kind = TypeVar("_Kind", bound=msgspec.Struct)

CHANNEL = "webhook"
TOLERANCE = 300
"""Seconds by which a time stamp may differ from our clock."""
LONGEST_BODY = 64 * 1024
_LOCALE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")
_ORIGIN_KEYS = ("page", "referrer", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
_EVERY_KIND: frozenset[ContentKind] = frozenset(
    ("text", "buttons", "image", "file", "audio", "video", "location", "list", "carousel", "template", "survey")
)


class Settings(BaseModel):
    """[channels.webhook.<account>]"""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    secret: SecretStr
    """`whsec_<base64>`. While it is changed: the new one, a blank, the old one."""
    url: str
    """Where our messages are posted."""
    idempotent: bool = True
    """The receiver drops a repeat of a `webhook-id`. If it cannot, a lost answer makes the message `unknown`."""
    per_second: Annotated[float, Field(ge=0)] = 0
    burst: Annotated[int, Field(ge=1)] = 1
    timeout_seconds: Annotated[float, Field(gt=0, le=20)] = 10.0
    shows: frozenset[ContentKind] = _EVERY_KIND
    longest_text: Annotated[int, Field(ge=20)] = 4000
    most_buttons: Annotated[int, Field(ge=0)] = 10
    longest_button: Annotated[int, Field(ge=1)] = 75
    most_rows: Annotated[int, Field(ge=0)] = 10
    most_cards: Annotated[int, Field(ge=0)] = 10
    markdown: bool = True
    people: Literal["opaque", "phone"] = "opaque"
    """What the ids of people are. As telephone numbers, those with and without Brazil's ninth digit are one person."""
    introduce: bool = True
    """On first contact we say that an assistant answers, and whose. Switch it off if your own system does."""

    @field_validator("secret")
    @classmethod
    def _can_sign(cls, secret: SecretStr) -> SecretStr:
        signing_keys(secret)
        return secret

    @field_validator("url")
    @classmethod
    def _is_safe(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise ValueError("write an address like https://shop.example/segue, without a name or password in it")
        if parts.scheme == "http" and not http.is_near(parts.hostname):
            raise ValueError("what customers write travels by https; http is for receivers in your own network")
        return url

    @field_validator("shows", mode="before")
    @classmethod
    def _words(cls, shows: Any) -> Any:
        """A variable of the environment is one text: "buttons image"."""
        return shows.replace(",", " ").split() if isinstance(shows, str) else shows

    @field_validator("shows")
    @classmethod
    def _shows_text(cls, shows: frozenset[ContentKind]) -> frozenset[ContentKind]:
        return shows | {"text"}


def signing_keys(secret: SecretStr) -> list[bytes]:
    """The keys in a secret, the newest first. Raises `ValueError` with a sentence that does not hold it."""
    keys = []
    for one in secret.get_secret_value().split():
        try:
            key = base64.b64decode(one.removeprefix("whsec_"), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not one.startswith("whsec_") or not 24 <= len(key) <= 64:
            raise ValueError("a secret is whsec_ and the base64 of 24 to 64 random bytes")
        keys.append(key)
    if not 1 <= len(keys) <= 3:
        raise ValueError("give one secret, or while it is changed the new one, a blank and the old one")
    return keys


# ── what comes in ───────────────────────────────────────────────────────────────────────────────────────────────────

_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class _Person(msgspec.Struct, frozen=True):
    id: _Id


class _Event(msgspec.Struct, frozen=True):
    type: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class _Message(msgspec.Struct, frozen=True):
    id: _Id
    sender: _Person = msgspec.field(name="from")
    text: str | None = None
    button: _Id | None = None
    at: Annotated[int, msgspec.Meta(ge=0)] | None = None
    locale: Annotated[str, msgspec.Meta(max_length=40)] = ""
    origin: dict[str, str] = {}


class _Status(msgspec.Struct, frozen=True):
    message: _Id
    to: _Person
    status: Literal["delivered", "read", "failed"]
    reason: Annotated[str, msgspec.Meta(max_length=1000)] = ""


class _Taken(msgspec.Struct, frozen=True):
    """A receiver's answer; anything else in it is its own business."""

    id: str | int = ""


class Webhook:
    """One account."""

    def __init__(self, account: str, settings: Settings, door: Door, *, clock: Callable[[], float] = time.time) -> None:
        self._name = account
        self._settings = settings
        self._door = door
        self._clock = clock
        self._keys = signing_keys(settings.secret)
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = http.opened_session(fresh=not self._settings.idempotent)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http:
            await self._http.close()

    @property
    def account(self) -> str:
        return f"{CHANNEL}:{self._name}"

    # ── in ──

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.post(f"/channels/{CHANNEL}/{self._name}", self.receive)]

    async def receive(self, request: web.Request) -> web.Response:
        body = await http.raw_body(request, LONGEST_BODY)
        try:
            self.verify(request.headers, body)
            return _json(await self._take(body, http.trace_of(request)))
        except NotAuthentic:
            http.FORGED.labels(CHANNEL).inc()
            raise
        except NotSupported:
            http.UNSUPPORTED.labels(CHANNEL).inc()
            return _json({"supported": False})

    async def _take(self, body: bytes, trace: str) -> dict[str, Any]:
        match parsed(body, self.account, Milliseconds(int(self._clock() * 1000))):
            case Inbound() as inbound:
                known = replace(inbound, identity=self._one_person(inbound.identity), trace=trace)
                accepted = await self._door.accept(known)
                return {"id": accepted.id, "seq": accepted.seq, "repeated": accepted.repeated}
            case StatusReport() as report:
                await self._door.report(replace(report, identity=self._one_person(report.identity)))
                return {}

    def _one_person(self, identity: Identity) -> Identity:
        """Raises `NotUnderstood`."""
        if self._settings.people == "opaque":
            return identity
        try:
            return Identity(identity.account, canonical(identity.id))
        except NotANumber as error:
            raise NotUnderstood("the id of a person is no telephone number") from error

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        """Raises `NotAuthentic`. The signature is looked at before the time, and every one that was given."""
        message, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        given = [_bytes(one) for one in headers.get("webhook-signature", "").split()[:10]]
        expected = [_bytes(signature(key, message, stamp, body)) for key in self._keys]
        holds = [hmac.compare_digest(ours, theirs) for ours in expected for theirs in given]
        if not message or not any(holds):
            raise NotAuthentic("the signature does not hold")
        if not re.fullmatch(r"[0-9]{1,12}", stamp) or abs(self._clock() - int(stamp)) > TOLERANCE:
            raise NotAuthentic("the time stamp is more than 5 minutes from our clock")

    # ── out ──

    @property
    def capabilities(self) -> Capabilities:
        given = self._settings
        return Capabilities(
            shows=given.shows,
            longest_text=given.longest_text,
            most_buttons=given.most_buttons,
            longest_button=given.longest_button,
            most_rows=given.most_rows,
            most_cards=given.most_cards,
            markdown=given.markdown,
            idempotent=given.idempotent,
            introduces=given.introduce,
            receipts=frozenset[DeliveryState](("delivered", "read", "failed")),
        )

    @property
    def account_limit(self) -> Limit:
        return Limit(self._settings.per_second, self._settings.burst)

    @property
    def person_limit(self) -> Limit:
        return Limit()

    async def send(self, outbound: Outbound) -> Receipt:
        try:
            body = msgspec.json.encode(
                {
                    "type": "message",
                    "id": outbound.id,
                    "to": {"id": outbound.to.id},
                    "author": outbound.author,
                    "parts": outbound.parts,
                }
            )
        except UnicodeEncodeError as error:
            raise RefusedForGood("the message holds half a character, which no JSON can carry") from error
        session = cast("aiohttp.ClientSession", self._http)
        headers = self._signed(outbound.id, body)
        try:
            answer = await http.post(session, self._settings.url, body, headers, seconds=self._settings.timeout_seconds)
        except http.AnswerLost as error:
            raise http.lost(idempotent=self._settings.idempotent, error=error) from error
        http.refuse(answer)
        return Receipt(_vendor_id(answer.body) or outbound.id)

    def _signed(self, message: str, body: bytes) -> dict[str, str]:
        """With every key, so that a receiver may change its secret before or after us."""
        stamp = str(int(self._clock()))
        return {
            hdrs.CONTENT_TYPE: "application/json",
            "webhook-id": message,
            "webhook-timestamp": stamp,
            "webhook-signature": " ".join(signature(key, message, stamp, body) for key in self._keys),
        }


def connector(account: str, settings: Settings, ports: Ports) -> Webhook:
    return Webhook(account, settings, ports.door)


# ── pure parts ──────────────────────────────────────────────────────────────────────────────────────────────────────


def signature(key: bytes, message: str, stamp: str, body: bytes) -> str:
    """`v1,<base64>` over id, time stamp and the very bytes of the body."""
    signed = b".".join((_bytes(message), _bytes(stamp), body))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def parsed(body: bytes, account: str, now: Milliseconds) -> Inbound | StatusReport:
    """Raises `NotUnderstood`, or `NotSupported` for a type that we do not know."""
    kind = _decoded(body, _Event).type
    if kind == "message":
        return _inbound(_decoded(body, _Message), account, now)
    if kind == "status":
        told = _decoded(body, _Status)
        reason = " ".join(told.reason.split())[:200]
        return StatusReport(Identity(account, told.to.id), told.message, told.status, reason)
    raise NotSupported("an event of another type")


def _inbound(message: _Message, account: str, now: Milliseconds) -> Inbound:
    if message.button is not None:
        content: Text | Choice = Choice(text=message.text or "", button=message.button)
    elif message.text is not None:
        content = Text(message.text)
    else:
        raise NotUnderstood("text or button is needed")
    if message.locale and not _LOCALE.fullmatch(message.locale):
        raise NotUnderstood("locale is written like pt-BR")
    return Inbound(
        identity=Identity(account, message.sender.id),
        content=content,
        dedupe=message.id,
        at=Milliseconds(min(message.at or now, now)),
        locale=message.locale,
        origin=_origin(message.origin),
    )


def _origin(given: Mapping[str, str]) -> dict[str, str]:
    """Page and referrer without their query, and the utm_* alone: the rest may hold personal data."""
    found = {key: given[key] for key in _ORIGIN_KEYS if given.get(key)}
    for key in {"page", "referrer"} & found.keys():
        found[key] = found[key].partition("#")[0].partition("?")[0]
    return {key: value[:200] for key, value in found.items()}


def _decoded(body: bytes, kind: type[_Kind]) -> _Kind:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        # Names the field and what it should be; a value is never quoted, but a key of the sender's may be.
        raise NotUnderstood(str(error)[:200]) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotUnderstood("the body is no JSON") from error


def _vendor_id(body: bytes) -> str:
    """The receiver's own id of the message; empty where it gave none that could be used."""
    try:
        given = str(msgspec.json.decode(body, type=_Taken).id)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return given if len(given) <= 200 else ""


def _bytes(text: str) -> bytes:
    """As it came over the wire: headers may hold bytes that are no UTF-8."""
    return text.encode("utf-8", "surrogateescape")


def _json(value: dict[str, Any]) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
