"""How often: numbers of decision 0003, and the address that they count by."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from aiohttp import hdrs, web
from prometheus_client import Counter

from connectors.contract import Limit, Limits
from connectors.webchat.ports import Refused

REFUSED = Counter("segue_rate_limited_total", "Calls of the widget refused by number", ["what"])

Network = IPv4Network | IPv6Network


def _each(count: int, seconds: float, burst: int | None = None) -> Limit:
    return Limit(per_second=count / seconds, burst=burst or count)


SESSIONS = (_each(10, 60), _each(60, 3600))
MESSAGES = _each(20, 60, burst=5)
MESSAGES_OF_ADDRESS = _each(120, 60)
TYPING = _each(1, 3)
UPLOADS = _each(10, 3600)
UPLOADED_BYTES = Limit(per_second=50 * 1024 * 1024 / 86_400, burst=50 * 1024 * 1024)
HISTORY = _each(30, 60)
LINKS = _each(10, 3600)
REDEEMED = _each(5, 600)
CHANGES = _each(10, 60)
IDENTITY_FAILURES = _each(5, 60, burst=4)
"""The fifth in a minute finds no room, and shuts the door."""
IDENTITY_BLOCK = Limit(per_second=1 / 900, burst=1)
STREAMS_OF_VISITOR = 4
STREAMS_OF_ADDRESS = 50


@dataclass(frozen=True, slots=True)
class Turnstile:
    """Refuses with a sentence in the visitor's language. `say` gives it by key and language."""

    limits: Limits
    say: Callable[[str, str], str]

    async def session(self, address: str, locale: str) -> None:
        minute, hour = SESSIONS
        await self._both(("session0", address, minute), ("session1", address, hour), "limit_session", locale)

    def message(self, visitor: str, address: str, locale: str) -> Awaitable[None]:
        own, of_address = ("message", visitor, MESSAGES), ("messages", address, MESSAGES_OF_ADDRESS)
        return self._both(own, of_address, "limit_messages", locale)

    async def typing(self, visitor: str, locale: str) -> None:
        await self._take("typing", visitor, TYPING, "limit_other", locale)

    async def history(self, visitor: str, locale: str) -> None:
        await self._take("history", visitor, HISTORY, "limit_other", locale)

    async def upload(self, visitor: str, locale: str) -> None:
        await self._take("upload", visitor, UPLOADS, "limit_uploads", locale)

    async def uploaded(self, visitor: str, size: int, locale: str) -> None:
        await self._take("bytes", visitor, UPLOADED_BYTES, "limit_uploads", locale, cost=size)

    async def link(self, visitor: str, locale: str) -> None:
        await self._take("links", visitor, LINKS, "limit_links", locale)

    async def redeem(self, visitor: str, locale: str) -> None:
        """Guessing a code of eight letters is hopeless at five tries in ten minutes."""
        await self._take("redeem", visitor, REDEEMED, "limit_codes", locale)

    async def change(self, visitor: str, locale: str) -> None:
        await self._take("change", visitor, CHANGES, "limit_other", locale)

    async def identity(self, address: str, locale: str) -> None:
        """Before a signed identity is looked at: five wrong ones in a minute shut the door for fifteen."""
        wait = await self.limits.take("blocked", address, IDENTITY_BLOCK, cost=0)
        if wait:
            self._refuse("identity", "limit_session", locale, wait)

    async def identity_failed(self, address: str) -> None:
        if await self.limits.take("failed", address, IDENTITY_FAILURES):
            await self.limits.take("blocked", address, IDENTITY_BLOCK)

    def stream(self, of_visitor: int, of_address: int, locale: str) -> None:
        """Counted in this process, the new one not included."""
        if of_visitor >= STREAMS_OF_VISITOR or of_address >= STREAMS_OF_ADDRESS:
            self._refuse("stream", "limit_streams", locale, 15)

    async def _take(self, what: str, who: str, limit: Limit, key: str, locale: str, *, cost: int = 1) -> None:
        wait = await self.limits.take(what, who, limit, cost=cost)
        if wait:
            self._refuse(what, key, locale, wait)

    async def _both(self, one: tuple[str, str, Limit], other: tuple[str, str, Limit], key: str, locale: str) -> None:
        """At the same time: a message waits for one answer of the store, not for two."""
        waits = await self.limits.take_each(one, other)
        if any(waits):
            self._refuse(one[0] if waits[0] else other[0], key, locale, max(waits))

    def _refuse(self, what: str, key: str, locale: str, wait: float) -> None:
        REFUSED.labels(what).inc()
        raise Refused(429, self.say(key, locale), retry_after=wait)


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    return tuple(ip_network(text, strict=False) for text in texts)


def address_of(request: web.Request, proxies: Sequence[Network]) -> str:
    """Who is at the other end: the connection's address or, said by our proxies, the last one that is none of them."""
    peer = request.remote or "local"
    if hdrs.X_FORWARDED_FOR not in request.headers:
        return _alone(peer)
    hops = [hop.strip() for value in request.headers.getall(hdrs.X_FORWARDED_FOR) for hop in value.split(",")]
    return counted(peer, hops[-20:], proxies)


@lru_cache(maxsize=1024)
def _alone(peer: str) -> str:
    return counted(peer, (), ())


def counted(peer: str, hops: Sequence[str], proxies: Sequence[Network]) -> str:
    """As it is counted: IPv6 by /64. What cannot be read ends the walk: nobody chooses their own address."""
    found = peer
    for hop in reversed(hops):
        if not _is_ours(found, proxies):
            break
        named = _plain(hop)
        if named is None:
            break
        found = named
    try:
        address = ip_address(found)
    except ValueError:
        return found
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Network((address, 64), strict=False))
    return str(address)


def _is_ours(text: str, proxies: Sequence[Network]) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    plain = address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
    return any(plain in proxy for proxy in proxies)


def _plain(hop: str) -> str | None:
    """An address as proxies write it: 192.0.2.1, 192.0.2.1:4711, 2001:db8::1, [2001:db8::1]:4711."""
    text = hop.partition("]")[0].removeprefix("[")
    if text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text.partition("%")[0]))
    except ValueError:
        return None
