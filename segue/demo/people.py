"""Who acts in a demo: a customer's browser at the shop's page, by the public API alone, and her telephone."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import aiohttp

from segue.refusal import Refusal

if TYPE_CHECKING:
    from fakes.telegram_api import TelegramApi

T = TypeVar("T")
PATIENCE = 30.0
QUIET = 0.6
"""Seconds without a further message after which an answer is held to be whole."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message as somebody sees it: whose (`customer`, `bot`, `system`), where, its words and what can be tapped."""

    author: str
    channel: str
    text: str
    titles: tuple[str, ...] = ()


Whole = Callable[[list[Said]], bool]
"""Whether all that is waited for is among what came; a busy machine brings it in pieces."""


async def until(found: Callable[[], Awaitable[T | None]], what: str, seconds: float = PATIENCE) -> T:
    """What it finds, once it finds something. Refuses when that takes too long."""
    ends = time.monotonic() + seconds
    while True:
        if (result := await found()) is not None:
            return result
        if time.monotonic() > ends:
            raise Refusal(f"The demo waited {seconds:.0f} s for {what}, which did not come.")
        await asyncio.sleep(0.1)


@dataclass
class Browser:
    """A visitor of the widget."""

    http: aiohttp.ClientSession
    url: str
    language: str
    handle: str = ""
    _token: str = ""
    _shown: int = 0
    """How many of the conversation's messages were looked at."""

    async def arrive(self) -> str:
        """A new visitor; the greeting."""
        body = {"site": "demo", "locale": self.language}
        async with self.http.post(f"{self.url}/v1/widget/session", json=body) as response:
            session = await response.json()
        self._token, self.handle = session["token"], session["handle"]
        return str(session["config"]["greeting"]["text"])

    async def says(self, text: str) -> None:
        await self._call("POST", "messages", {"text": text})
        self._shown += 1

    async def invited(self, channel: str) -> dict[str, Any]:
        """A link code to go on there."""
        return await self._call("POST", "links", {"channel": channel})

    async def sees(self, what: str, whole: Whole = bool) -> list[Said]:
        """What is new on the screen, once it is whole and nothing more comes."""

        async def found() -> list[Said] | None:
            new = await self._new()
            if not whole(new):
                return None
            await asyncio.sleep(QUIET)
            return new if len(await self._new()) == len(new) else None

        new = await until(found, what)
        self._shown += len(new)
        return new

    async def _new(self) -> list[Said]:
        page = await self._call("GET", "messages?limit=100")
        return [_said(message) for message in page["messages"][self._shown :]]

    async def _call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": str(uuid.uuid4())}
        url = f"{self.url}/v1/widget/{path}"
        async with self.http.request(method, url, json=body, headers=headers) as response:
            answer: dict[str, Any] = await response.json()
            if response.status not in (200, 201):
                raise Refusal(f"The demo's {path} was answered {response.status}: {answer.get('detail', '')}")
        return answer


@dataclass
class Phone:
    """One person's Telegram. `api` is the platform; what she writes goes to whoever asks it for updates."""

    api: TelegramApi
    chat: int = 20_261_126
    own: list[tuple[int, str]] = field(default_factory=list)
    """Number and words of what she wrote."""
    heard_at: float = 0
    """When the newest message came, by the clock of `time.monotonic`."""
    _seen: int = 0

    def opens(self, link: str) -> str:
        """A link to the bot, and there the button that Telegram shows for it: what is written then."""
        [start] = parse_qs(urlsplit(link).query)["start"]
        self.says(f"/start {start}", shown="/start")
        return "/start"

    def says(self, text: str, *, shown: str = "") -> None:
        update = self.api.says(self.chat, text)
        self.own.append((update["message"]["message_id"], shown or text))

    def taps(self, title: str) -> None:
        self.api.tap(self.chat, title)

    async def sees(self, what: str, whole: Whole = bool) -> list[Said]:
        """What is new on the screen, once it is whole and nothing more comes."""

        async def found() -> list[Said] | None:
            new = self._heard()[self._seen :]
            if not whole(new):
                return None
            self.heard_at = time.monotonic()
            await asyncio.sleep(QUIET)
            return new if len(self._heard()) == self._seen + len(new) else None

        new = await until(found, what)
        self._seen += len(new)
        return new

    def _heard(self) -> list[Said]:
        mine = (shown for shown in self.api.shown if shown.chat == self.chat)
        return [Said("bot", "telegram", shown.text, tuple(chain(*shown.titles))) for shown in mine]

    def screen(self) -> list[dict[str, Any]]:
        """All that stands in the chat, in order: `own`, `text`, and the titles that can be tapped."""
        theirs = [
            (shown.message_id, {"own": False, "text": shown.text, "buttons": list(chain(*shown.titles))})
            for shown in self.api.shown
            if shown.chat == self.chat
        ]
        mine: list[tuple[int, dict[str, Any]]] = [
            (number, {"own": True, "text": text, "buttons": []}) for number, text in self.own
        ]
        return [message for _, message in sorted([*theirs, *mine], key=lambda pair: pair[0])]


def _said(message: dict[str, Any]) -> Said:
    content = message["content"] or {}
    titles = tuple(str(button["title"]) for button in content.get("buttons", ()))
    return Said(message["author"]["kind"], message["channel"], message["text"], titles)
