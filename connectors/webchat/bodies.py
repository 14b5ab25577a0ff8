"""What a request may hold: bodies, headers and queries, read strictly. Everything wrong is `NotUnderstood`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, TypeVar
from uuid import UUID

import msgspec
from aiohttp import hdrs, web
from multidict import CIMultiDict, istr

from connectors.content import Choice, Text
from connectors.contract import NotUnderstood
from connectors.webchat.ports import FormField

_Body = TypeVar("_Body", bound=msgspec.Struct)

LONGEST_ANSWER = 200
LONGEST_WAIT = 25
_JSON = CIMultiDict(
    {
        hdrs.CONTENT_TYPE: "application/json",
        hdrs.CACHE_CONTROL: "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
    }
)
_IDEMPOTENCY_KEY = istr("Idempotency-Key")
_ORIGIN_KEYS = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""As `str(UUID(…))` writes it."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")
_CODE = re.compile(r"[ABCDEFGHJKMNPQRSTVWXYZ23456789]{8}")
_TEL = re.compile(r"[+()\d .-]{5,30}")


class SessionBody(msgspec.Struct, forbid_unknown_fields=False):
    site: str
    handle: str | None = None
    identity: str | None = None
    locale: str | None = None
    page: str | None = None
    referrer: str | None = None
    answers: dict[str, str] | None = None


class MessageBody(msgspec.Struct, forbid_unknown_fields=True):
    text: str | None = None
    button: str | None = None
    upload: str | None = None


class ReadBody(msgspec.Struct, forbid_unknown_fields=True):
    seq: int


class TypingBody(msgspec.Struct, forbid_unknown_fields=True):
    on: bool = True


class TranscriptBody(msgspec.Struct, forbid_unknown_fields=True):
    format: Literal["text", "html"] = "text"


class LinkBody(msgspec.Struct, forbid_unknown_fields=True):
    channel: str


class RedeemBody(msgspec.Struct, forbid_unknown_fields=True):
    token: str | None = None
    code: str | None = None


class IdentityBody(msgspec.Struct, forbid_unknown_fields=True):
    id: str


async def body(request: web.Request, kind: type[_Body]) -> _Body:
    # What came whole, as nearly all do, is taken at once: `read` waits for an end that is known.
    came = request.content
    whole = came.is_eof() and came.total_bytes <= request.client_max_size
    try:
        return msgspec.json.decode(came.read_nowait() if whole else await request.read(), type=kind)
    except msgspec.ValidationError as error:
        raise NotUnderstood(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotUnderstood("the body is no JSON") from error


def content(asked: MessageBody) -> Text | Choice:
    """Of a message without a file."""
    if asked.button is not None:
        return Choice(text=asked.text or "", button=asked.button)
    if asked.text is None:
        raise NotUnderstood("text or button is needed")
    return Text(asked.text)


def link(asked: RedeemBody) -> str:
    """The link code of a magic link, or one that was typed, as ABCD-EFGH; empty when it can be neither."""
    if (asked.token is None) == (asked.code is None):
        raise NotUnderstood("token or code is needed, and one of them alone")
    if asked.token is not None:
        return asked.token if _TOKEN.fullmatch(asked.token) else ""
    # People copy it with spaces, or write the dash as another one.
    letters = "".join(letter for letter in (asked.code or "")[:40].upper() if letter.isalnum())
    return f"{letters[:4]}-{letters[4:]}" if _CODE.fullmatch(letters) else ""


def locale(wanted: str) -> str:
    return "en" if wanted.lower().startswith("en") else "pt-BR"


def origin(asked: SessionBody) -> dict[str, str]:
    """Page and referrer without their query, and of the query the utm_* alone: the rest may hold personal data."""
    page, _, query = (asked.page or "").partition("#")[0].partition("?")
    pairs = dict(part.partition("=")[::2] for part in query.split("&") if part)
    referrer = (asked.referrer or "").partition("#")[0].partition("?")[0]
    found = {"page": page, "referrer": referrer} | {key: pairs[key] for key in _ORIGIN_KEYS if key in pairs}
    return {key: value[:200] for key, value in found.items() if value}


def answers(given: Mapping[str, str] | None, form: tuple[FormField, ...]) -> dict[str, str]:
    """The pre-chat form's answers, by key; none at all is no form sent."""
    if not given:
        return {}
    known = {question.key: question for question in form}
    if unknown := given.keys() - known.keys():
        raise NotUnderstood(f"the form does not ask for {', '.join(sorted(unknown))[:100]!r}")
    found = {key: text.strip() for key, text in given.items() if text.strip()}
    for question in form:
        if question.required and question.key not in found:
            raise NotUnderstood(f"the form needs {question.key!r}")
    for key, text in found.items():
        if not _fits(text, known[key]):
            raise NotUnderstood(f"{key!r} is no {known[key].type} of at most {LONGEST_ANSWER} characters")
    return found


def _fits(text: str, question: FormField) -> bool:
    if len(text) > LONGEST_ANSWER or not text.isprintable():
        return False
    match question.type:
        case "email":
            return _EMAIL.fullmatch(text) is not None
        case "tel":
            return _TEL.fullmatch(text) is not None
        case "choice":
            return text in question.options
        case "text":
            return True


def idempotency_key(request: web.Request) -> str:
    key = request.headers.get(_IDEMPOTENCY_KEY, "")
    if _UUID.fullmatch(key):
        return key
    try:
        return str(UUID(key))
    except ValueError as error:
        raise NotUnderstood("the header Idempotency-Key must be a UUID") from error


def limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 3 or not 1 <= int(text) <= 100:
        raise NotUnderstood("limit is a number from 1 to 100")
    return int(text)


def wait(text: str | None) -> int | None:
    """Seconds of a long-poll; None asks for a stream."""
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 2 or int(text) > LONGEST_WAIT:
        raise NotUnderstood(f"wait is a number of seconds up to {LONGEST_WAIT}")
    return int(text)


def json(value: Any, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value),
        status=status,
        headers=_JSON,
    )
