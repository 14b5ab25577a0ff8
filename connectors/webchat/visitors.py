"""Who asks: the visitor in a sealed handle, the token that a session gives, and which generation of both is good."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import msgspec
import uuid_utils
from aiohttp import hdrs, web

from connectors.contract import CustomerId, Identity, NotAuthentic
from connectors.sealing import SealBroken, Seals
from connectors.webchat.ports import Site, Verdict, Visits

CHANNEL = "webchat"
TOKEN_LIFE = 24 * 3600
VERIFIED_LIFE = 24 * 3600
"""Seconds after which a verified visitor needs a new signed identity."""

REMEMBERED = 3.0
"""Seconds for which a process believes its last answer on a token; so long a signed-out one may live elsewhere."""

REFUSED = 60.0
"""Seconds for which a process does not ask again about a token with which a message was refused."""

_MOST_REMEMBERED = 20_000
PASSED_OVER = "the token was replaced or signed out"


def now() -> int:
    return int(time.time() * 1000)


class Visitor(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who holds the token or handle: a visitor of a site, and the customer id that its first message will make.

    `person` is the id of a verified person, `u:<sub>`, `verified` the time of the site's last word on it.
    """

    site: str
    visitor: str
    customer: str
    made: int
    generation: int = 1
    person: str = ""
    verified: int = 0
    name: str = ""

    @property
    def identity(self) -> Identity:
        return _identity(self.site, self.person or self.visitor)

    @property
    def known(self) -> CustomerId:
        return CustomerId(self.customer)


class Token(msgspec.Struct, frozen=True, omit_defaults=True):
    """`about` is what a form or the site said of the customer, until there is a customer to keep it."""

    visitor: Visitor
    exp: int
    locale: str
    origin: dict[str, str]
    about: dict[str, str] = {}


@lru_cache(maxsize=4096)
def _identity(site: str, person: str) -> Identity:
    return Identity(f"{CHANNEL}:{site}", person)


def new_visitor(site: str) -> Visitor:
    return Visitor(site=site, visitor=str(uuid_utils.uuid7()), customer=str(uuid_utils.uuid7()), made=now())


@dataclass(slots=True)
class Gate:
    """Opens handles and tokens. A token's generation is looked up at most once in `REMEMBERED` seconds."""

    seals: Seals
    visits: Visits
    sites: dict[str, Site]
    _seen: dict[str, tuple[int, Verdict, float]] = field(default_factory=dict)
    _refused: dict[tuple[str, int], float] = field(default_factory=dict)

    async def returning(self, handle: str, site: str, *, vouched: bool) -> Visitor | None:
        """The next generation of a handle's visitor. None for a handle that is good no more: never an error.

        A verified visitor whom the site has not vouched for in a day is nobody, unless it does so now.
        """
        try:
            visitor = self.seals.unseal("handle", handle, Visitor)
        except SealBroken:
            return None
        if visitor.site != site:
            return None
        if visitor.person and not vouched and visitor.verified + VERIFIED_LIFE * 1000 < now():
            return None
        verdict = await self.visits.follow_up(visitor.identity, visitor.known, visitor.visitor, visitor.generation)
        if verdict != "ok":
            return None
        return msgspec.structs.replace(visitor, generation=visitor.generation + 1)

    async def holder(self, request: web.Request) -> Token:
        """Whose token it is, and it is good now. Raises `NotAuthentic`."""
        token = self.opened(request)
        if await self.verdict(token.visitor) != "ok":
            raise NotAuthentic(PASSED_OVER)
        return token

    def opened(self, request: web.Request) -> Token:
        """Whose token it is; whether its generation is good is left to who writes. Raises `NotAuthentic`."""
        scheme, _, sealed = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() != "bearer":
            raise NotAuthentic("a token is needed")
        try:
            token = self.seals.unseal("token", sealed.strip(), Token)
        except SealBroken as error:
            raise NotAuthentic("the token is not ours") from error
        site = self.sites.get(token.visitor.site)
        if token.exp < now() or site is None:
            raise NotAuthentic("the token has expired")
        if site.enforce and not token.visitor.person:
            raise NotAuthentic("this site talks to verified visitors only")
        if self._refused and self._refused.get((token.visitor.visitor, token.visitor.generation), 0) > time.monotonic():
            raise NotAuthentic(PASSED_OVER)
        return token

    async def verdict(self, visitor: Visitor) -> Verdict:
        seen = self._seen.get(visitor.visitor)
        if seen and seen[0] == visitor.generation and seen[2] > time.monotonic():
            return seen[1]
        verdict = await self.visits.admit(visitor.identity, visitor.known, visitor.visitor, visitor.generation)
        self.remember(visitor, verdict)
        return verdict

    async def sign_out(self, visitor: Visitor) -> None:
        await self.visits.sign_out(visitor.identity, visitor.known, visitor.visitor)
        self._seen.pop(visitor.visitor, None)

    def remember(self, visitor: Visitor, verdict: Verdict) -> None:
        known = self._seen.get(visitor.visitor)
        if known and known[0] > visitor.generation:
            return
        if len(self._seen) >= _MOST_REMEMBERED:
            self._seen.clear()
        self._seen[visitor.visitor] = (visitor.generation, verdict, time.monotonic() + REMEMBERED)

    def refuse(self, visitor: Visitor) -> None:
        """It was written for and refused: not let through again for a while, so that it counts towards no limit."""
        if len(self._refused) >= _MOST_REMEMBERED:
            self._refused.clear()
        self._refused[(visitor.visitor, visitor.generation)] = time.monotonic() + REFUSED

    def sealed(self, visitor: Visitor, token: Token) -> dict[str, Any]:
        return {
            "token": self.seals.seal("token", token),
            "exp": token.exp,
            "handle": self.seals.seal("handle", visitor),
        }
