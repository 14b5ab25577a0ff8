"""Calls to the Bot API: python-telegram-bot's methods over our own rules, and what went wrong as our errors.

The library brings the methods, their parameters and its errors by kind. The requests are ours: bounded, without
redirects, with a lost answer told apart from one that was never asked for, and nothing of an answer in any log.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable
from typing import Any, Literal, TypeVar

import aiohttp
import msgspec
from aiohttp import hdrs
from telegram import Bot
from telegram.error import BadRequest, ChatMigrated, Forbidden, InvalidToken, TelegramError
from telegram.request import BaseRequest, RequestData

from connectors import http
from connectors.contract import (
    ConnectorError,
    CredentialsRejected,
    RefusedForGood,
    TryAgain,
    Unknown,
    Unreachable,
)

_Result = TypeVar("_Result")

LONGEST_ANSWER = 8 * 1024 * 1024
"""Bytes: a hundred updates at once."""

Complaint = Literal["markup", "long", "other"]


class Taken(Exception):
    """The call was taken, and what it gave back cannot be read."""


class _Parameters(msgspec.Struct):
    retry_after: float = 0


class _Refusal(msgspec.Struct):
    parameters: _Parameters = msgspec.field(default_factory=_Parameters)


class _Answer(msgspec.Struct):
    result: msgspec.Raw = msgspec.Raw(b"")


class Requests(BaseRequest):
    """One HTTP session of an account, as python-telegram-bot wants it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.session: aiohttp.ClientSession | None = None

    @property
    def read_timeout(self) -> float:
        return self._seconds

    async def initialize(self) -> None:
        # Connections are kept for some seconds only, shorter than any platform keeps an idle one.
        self.session = http.opened_session()

    async def shutdown(self) -> None:
        if self.session:
            await self.session.close()
            self.session = None

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """Raises what the library has no word for as one of our errors; it wraps them, `called` finds them."""
        answer = await self.post_to(url, *_packed(request_data))
        if 200 <= answer.status < 300:
            if not _says_something(answer.body):
                raise Taken
            return answer.status, answer.body
        if not 400 <= answer.status < 500 or answer.status in (408, 425, 429):
            _refuse(answer)
        return answer.status, answer.body or b"{}"

    async def post_to(
        self, url: str, body: bytes | aiohttp.FormData, headers: dict[str, str], *, seconds: float = 0
    ) -> http.Answer:
        """Raises `TryAgain`, `http.AnswerLost`."""
        if self.session is None:
            raise TryAgain("the channel is not open", after=1)
        return await http.post(
            self.session, url, body, headers, seconds=seconds or self._seconds, longest=LONGEST_ANSWER
        )

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """The library's own would log what it cannot read."""
        try:
            read = msgspec.json.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise TelegramError("no JSON") from None
        if not isinstance(read, dict):
            raise TelegramError("no answer of the Bot API")
        parameters = read.get("parameters")
        moved = parameters.get("migrate_to_chat_id") if isinstance(parameters, dict) else None
        return {
            "result": read.get("result"),
            "description": str(read.get("description") or ""),
            "parameters": {"migrate_to_chat_id": moved} if isinstance(moved, int) else None,
        }


def _packed(data: RequestData | None) -> tuple[bytes | aiohttp.FormData, dict[str, str]]:
    if data is None:
        return b"", {}
    if not data.contains_files:
        try:
            return msgspec.json.encode(data.parameters), {hdrs.CONTENT_TYPE: "application/json"}
        except UnicodeEncodeError as error:
            raise RefusedForGood("the message holds half a character, which no JSON can carry") from error
    form = aiohttp.FormData()
    for name, value in data.json_parameters.items():
        form.add_field(name, value)
    for name, (filename, content, kind) in data.multipart_data.items():
        form.add_field(name, content, filename=filename, content_type=kind)
    return form, {}


def _says_something(body: bytes) -> bool:
    try:
        return bool(bytes(msgspec.json.decode(body, type=_Answer).result))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False


def _refuse(answer: http.Answer) -> None:
    """Raises for a status that means the same everywhere. Telegram tells its time in the body too."""
    try:
        http.refuse(answer)
    except TryAgain as error:
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            told = msgspec.json.decode(answer.body, type=_Refusal).parameters.retry_after
            error.after = error.after or min(max(told, 0), http.LONGEST_WAIT)
        raise


def bot(token: str, base_url: str, requests: Requests) -> Bot:
    """Neither of its requests is the library's own, so nothing of it has to be opened or closed."""
    return Bot(
        token,
        base_url=f"{base_url}/bot",
        base_file_url=f"{base_url}/file/bot",
        request=requests,
        get_updates_request=requests,
    )


async def called(call: Awaitable[_Result]) -> _Result | None:
    """What a call gave; None when it was taken and gave nothing that can be read.

    Raises our errors, and of the library's `BadRequest` and `ChatMigrated`, with which something can be done.
    """
    try:
        return await call
    except (BadRequest, ChatMigrated):
        raise
    except TelegramError as error:
        cause = error.__cause__
        if isinstance(cause, Taken):
            return None
        if isinstance(cause, ConnectorError):
            raise cause from None
        raise _ours(error, cause) from error
    except Exception as error:
        # Behind the answer or before it: nobody can say whether it was taken.
        raise Unknown(f"the call ended with a {type(error).__name__}") from error


def _ours(error: TelegramError, cause: BaseException | None) -> ConnectorError:
    """Telegram tells some refusals apart by words alone."""
    if isinstance(cause, http.AnswerLost):
        return Unknown(f"the answer was lost ({cause})")
    words = error.message.lower()
    match error:
        case Forbidden():
            return Unreachable("gone" if "deactivated" in words or "kicked" in words else "blocked")
        case InvalidToken():
            return CredentialsRejected("Telegram does not know this token")
        case _:
            return RefusedForGood("Telegram refused the message")


def refused(error: BadRequest) -> RefusedForGood:
    """A refusal with which nothing more can be done."""
    words = error.message.lower()
    if "chat not found" in words or "user not found" in words or "peer_id_invalid" in words:
        return Unreachable("gone")
    return RefusedForGood("Telegram refused the message")


def complaint(error: BadRequest) -> Complaint:
    """What could be mended about it."""
    words = error.message.lower()
    if "can't parse" in words or "entit" in words:
        return "markup"
    if "message is too long" in words or "caption is too long" in words:
        return "long"
    return "other"
