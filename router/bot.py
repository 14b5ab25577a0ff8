"""The only door to Rasa. An answer, a silence and a failure are three different things.

The bot stores nothing, so a turn may be asked again: by a second try while its process restarts, or by another worker
after a crash.
"""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import aiohttp
import msgspec

WINDOW_FORMAT = b"\x01"


class Response(msgspec.Struct, frozen=True):
    """One utterance of the bot, in Rasa's shape."""

    text: str = ""
    buttons: tuple[dict[str, Any], ...] = ()
    image: str = ""
    custom: dict[str, Any] = {}


class Request(msgspec.Struct, frozen=True):
    kind: str
    reason: str = ""


class Language(msgspec.Struct, frozen=True):
    current: str | None = None
    votes: int = 0


class DialogueState(msgspec.Struct, frozen=True):
    slots: msgspec.Raw = msgspec.Raw(b"{}")
    form: str | None = None
    requested_slot: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """What one turn brought. `silent` is an answer too: the bot had nothing to say, and says so."""

    outcome: Literal["answered", "silent"]
    events: msgspec.Raw
    responses: tuple[Response, ...]
    window: msgspec.Raw = msgspec.Raw(b"")
    """Empty unless the bot shortened it."""
    nlu: msgspec.Raw = msgspec.Raw(b"{}")
    state: DialogueState = DialogueState()
    language: Language = Language()
    fallback: bool = False
    requests: tuple[Request, ...] = ()


class BotFailure(Exception):
    """The bot gave no answer; `kind` says why. Nothing of the turn happened."""

    def __init__(self, kind: str, where: str = "") -> None:
        super().__init__(f"{kind} {where}".strip())
        self.kind = kind
        self.where = where


@dataclass(frozen=True, slots=True)
class Question:
    """What the bot is asked in one turn."""

    turn_id: str
    text: str
    payload: str
    metadata: dict[str, str]
    language: str
    votes: int
    locale: str
    new_session: bool
    window: bytes


class Bot:
    """Asks the bot's process over its unix socket."""

    def __init__(self, socket: Path, *, deadline: float = 10.0) -> None:
        self._deadline = deadline
        self._http = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(path=str(socket), limit=64),
            # One clock alone, in `ask`: of two that strike together, the inner one would hide the outer.
            timeout=aiohttp.ClientTimeout(total=None),
        )
        self._read = msgspec.json.Decoder(Answer)

    async def close(self) -> None:
        await self._http.close()

    async def ready(self) -> bool:
        try:
            async with self._http.get("http://bot/health", timeout=aiohttp.ClientTimeout(total=1)) as response:
                return response.status == 200 and bool((await response.json()).get("ready"))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return False

    async def ask(self, question: Question) -> Answer:
        """One turn. Raises `BotFailure` when no answer came before the deadline."""
        try:
            async with asyncio.timeout(self._deadline):
                return await self._ask(_body(question))
        except TimeoutError as error:
            raise BotFailure("deadline", f"{self._deadline} s") from error

    async def _ask(self, body: bytes) -> Answer:
        while True:
            try:
                async with self._http.post(
                    "http://bot/turn", data=body, headers={"Content-Type": "application/json"}
                ) as response:
                    raw = await response.read()
                    if response.status == 200:
                        return self._read.decode(raw)
                    raise _failure(response.status, raw)
            except msgspec.DecodeError as error:
                raise BotFailure("bad_answer") from error
            except aiohttp.ClientConnectionError:
                # Its process is down or was replaced under us; the turn is pure, so ask again until the deadline.
                await asyncio.sleep(0.25)


def joined_window(before: bytes, answer: Answer) -> bytes:
    """The window to store after an answer: the shortened one, else the old one with the new events behind it."""
    shortened = bytes(answer.window)
    events = shortened if shortened not in (b"", b"null") else _joined(_window(before), bytes(answer.events))
    return WINDOW_FORMAT + zlib.compress(events, 1)


def _window(stored: bytes) -> bytes:
    if not stored:
        return b"[]"
    if stored[:1] != WINDOW_FORMAT:
        raise BotFailure("window_format", f"{stored[0]}: written by another version")
    return zlib.decompress(stored[1:])


def _joined(old: bytes, new: bytes) -> bytes:
    old, new = old.strip(), new.strip()
    if old == b"[]":
        return new
    return old if new == b"[]" else old[:-1] + b"," + new[1:]


def _body(question: Question) -> bytes:
    message: dict[str, Any] = {"id": question.turn_id, "metadata": question.metadata}
    if question.payload:
        message["payload"] = question.payload
    else:
        message["text"] = question.text
    return msgspec.json.encode(
        {
            "window": msgspec.Raw(_window(question.window)),
            "message": message,
            "slots": {},
            "said": [],
            "language": {"current": question.language or None, "votes": question.votes, "locale": question.locale},
            "new_session": question.new_session,
            "dry_run": False,
        }
    )


def _failure(status: int, raw: bytes) -> BotFailure:
    try:
        problem = msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.DecodeError:
        return BotFailure("status", str(status))
    return BotFailure(str(problem.get("type", "status")), str(problem.get("where", "")))
