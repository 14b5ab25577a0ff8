"""What every HTTP connector needs on both sides: raw bytes at the door, and one careful POST to a platform.

The rules are the same for all platforms, so they stand here once: bytes are read before anything is believed of them,
no redirect is followed, no answer is read without end, and a lost answer is never taken for one.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from pathlib import Path

import aiohttp
from aiohttp import hdrs, web
from multidict import istr
from prometheus_client import Counter

from connectors.contract import CredentialsRejected, RefusedForGood, TryAgain, Unknown

UNSUPPORTED = Counter("segue_unsupported_total", "Authentic events that a connector has no use for", ["channel"])
FORGED = Counter("segue_forged_total", "Requests whose signature did not hold", ["channel"])
PARKED = Counter(
    "segue_parked_total",
    "Authentic events that were acknowledged and left, by why: not_understood, fault",
    ["channel", "why"],
)

CONNECT_SECONDS = 5.0
"""To reach a platform, pool and TLS included."""

LONGEST_ANSWER = 64 * 1024
"""Bytes of a platform's answer that are read; what follows is left on the wire."""

LONGEST_WAIT = 24 * 3600.0
"""Seconds of a Retry-After that we believe."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a platform said. `body` is empty where it could not be read: the status alone is known then."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class AnswerLost(Exception):
    """The request was written, or may have been, and nothing came back."""


# ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def raw_body(request: web.Request, longest: int) -> bytes:
    """The bytes as they were signed. Raises `web.HTTPException` for a body that is too large or was packed."""
    if hdrs.CONTENT_ENCODING in request.headers:
        # Unpacking would change the bytes that were signed, and a small body could become a huge one.
        raise web.HTTPUnsupportedMediaType(reason="send the body unpacked")
    body = bytearray()
    async for chunk in request.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > longest:
            raise web.HTTPRequestEntityTooLarge(max_size=longest, actual_size=len(body))
    return bytes(body)


# ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def opened_session(*, fresh: bool = False) -> aiohttp.ClientSession:
    """A session for one channel account: no cookies, no unpacking.

    `fresh` opens a connection for each request. A platform may close an idle connection in the moment in which we
    write to it; where a request must not be repeated, that would be one more answer that nobody knows.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=50, force_close=fresh),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS, sock_connect=CONNECT_SECONDS),
        headers={hdrs.USER_AGENT: "segue", hdrs.ACCEPT_ENCODING: "identity"},
        auto_decompress=False,
        trust_env=False,
    )


async def post(
    session: aiohttp.ClientSession,
    url: str,
    body: bytes | aiohttp.FormData,
    headers: Mapping[str, str],
    *,
    seconds: float,
    longest: int = LONGEST_ANSWER,
) -> Answer:
    """One POST, at most `seconds` from first to last byte; of the answer at most `longest` bytes.

    Raises `TryAgain` when nothing was sent, `AnswerLost` when it may have been.
    """
    try:
        async with (
            asyncio.timeout(CONNECT_SECONDS + seconds),
            session.post(
                url,
                data=body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=None, connect=CONNECT_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=seconds
                ),
            ) as response,
        ):
            return Answer(response.status, dict(response.headers), await _some(response, longest))
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
        raise TryAgain(f"the platform cannot be reached ({type(error).__name__})", after=0) from error
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise AnswerLost(type(error).__name__) from error


async def download(session: aiohttp.ClientSession, url: str, into: Path, *, most_bytes: int, seconds: float) -> None:
    """Writes what stands at an address into a file, from that very address: no redirect is followed.

    Raises `TryAgain`, `RefusedForGood`: `gone`, `too_large`.
    """
    timeout = aiohttp.ClientTimeout(total=seconds, connect=CONNECT_SECONDS, sock_connect=CONNECT_SECONDS)
    try:
        async with session.get(url, allow_redirects=False, timeout=timeout) as response:
            if response.status in (404, 410):
                raise RefusedForGood("gone")
            refuse(Answer(response.status, dict(response.headers), b""))
            if (response.content_length or 0) > most_bytes:
                raise RefusedForGood("too_large")
            await _written(response, into, most_bytes)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise TryAgain(f"the file did not come whole ({type(error).__name__})", after=0) from error


async def _written(response: aiohttp.ClientResponse, into: Path, most_bytes: int) -> None:
    with await asyncio.to_thread(into.open, "wb") as file:
        size = 0
        async for chunk in response.content.iter_chunked(256 * 1024):
            size += len(chunk)
            if size > most_bytes:
                raise RefusedForGood("too_large")
            await asyncio.to_thread(file.write, chunk)


async def _some(response: aiohttp.ClientResponse, longest: int) -> bytes:
    """The answer's body, empty where it is too large or breaks off: the platform has decided by then."""
    body = bytearray()
    try:
        async for chunk in response.content.iter_chunked(16 * 1024):
            body += chunk
            if len(body) > longest:
                response.close()
                return b""
    except (aiohttp.ClientError, OSError, TimeoutError):
        return b""
    return bytes(body)


def refuse(answer: Answer) -> None:
    """Returns for a 2xx. Raises what any other status means everywhere; a reason never quotes the body."""
    match answer.status:
        case status if 200 <= status < 300:
            return
        case 408 | 425 | 429:
            raise TryAgain(f"the platform answered {answer.status}", after=retry_after(answer.headers))
        case status if status >= 500:
            raise TryAgain(f"the platform answered {status}", after=retry_after(answer.headers))
        case 401 | 403:
            raise CredentialsRejected(f"the platform answered {answer.status}")
        case 410:
            raise RefusedForGood("the receiver is gone (410)")
        case status if status < 400:
            raise RefusedForGood(f"the address answers with a redirect ({status}), which is not followed")
        case status:
            raise RefusedForGood(f"the platform refused the message ({status})")


def lost(*, idempotent: bool, error: AnswerLost) -> TryAgain | Unknown:
    """What a lost answer means: again where the platform drops repeats, else nobody can say."""
    if idempotent:
        return TryAgain(f"the answer was lost ({error})", after=0)
    return Unknown(f"the answer was lost ({error})")


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float:
    """Seconds of a Retry-After, given as seconds or as a date; 0 where there is none that makes sense."""
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", value):
        return min(float(value), LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError, IndexError, TypeError):
        return 0.0
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return min(max(0.0, (at - (now or datetime.now(UTC))).total_seconds()), LONGEST_WAIT)


def is_near(host: str) -> bool:
    """A name without a dot, a loopback or a private address: what may be spoken to without https."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".internal", ".local"))


_TRACE = istr("traceparent")
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def trace_of(request: web.Request) -> str:
    """The trace id of a caller that has one (https://www.w3.org/TR/trace-context/), else empty: the door makes one."""
    given = request.headers.get(_TRACE)
    found = _TRACEPARENT.fullmatch(given) if given else None
    return found[1] if found and found[1] != "0" * 32 else ""
