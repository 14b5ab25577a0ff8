"""`segue chat`: a visitor of the widget in a terminal, to try a running system. It knows the public HTTP API alone."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec

from connectors.content import Content, Text, choices
from connectors.contract import Capabilities
from connectors.fallback import numbered, rendered
from segue.refusal import Refusal

TERMINAL = Capabilities()
"""Shows text alone, so that buttons become numbers."""

LONGEST_WAIT = 30.0
SENTENCES = {
    "pt-BR": {
        "hint": "Escreva e tecle Enter. Ctrl-C encerra.",
        "waiting": "sem conexão; tentando de novo …",
        "refused": "a mensagem não foi aceita",
        "restarted": "Uma nova conversa começou.",
        "bye": "Até logo.",
    },
    "en": {
        "hint": "Write and press Enter. Ctrl-C ends.",
        "waiting": "no connection; trying again …",
        "refused": "the message was not accepted",
        "restarted": "A new conversation has begun.",
        "bye": "Goodbye.",
    },
}


def chat(url: str, site: str, language: str) -> int:
    """Until Ctrl-C or the end of what is typed. Refuses when nothing answers at that address."""
    with suppress(KeyboardInterrupt):
        asyncio.run(_chat(Visit(url.rstrip("/"), site, language)))
    print(f"\n{SENTENCES[language]['bye']}")
    return 0


async def _chat(visit: Visit) -> None:
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=60)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        visit.http = http
        try:
            config = await visit.begin()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Refusal(
                f"Nothing answers at {visit.url}: start it with `bin/segue up`, or name it with --url."
            ) from error
        visit.show(config["assistant"], config["greeting"]["text"])
        print(visit.words["hint"], flush=True)
        hearing = asyncio.create_task(visit.hear())
        try:
            async for line in typed_lines():
                await visit.say(line)
            await visit.answered()
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)


@dataclass
class Visit:
    """One visitor, whose handle lives as long as this process."""

    url: str
    site: str
    language: str
    http: aiohttp.ClientSession = field(init=False)
    write: Callable[[str], None] = field(default=lambda line: print(line, flush=True))
    _token: str = ""
    _handle: str | None = None
    _cursor: str = "0.0"
    _assistant: str = ""
    _options: dict[str, tuple[str, str]] = field(default_factory=dict)
    """What can be typed instead of tapped: number → button, title. Only of the last thing that was asked."""
    _waiting: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while the last word is not ours."""

    @property
    def words(self) -> dict[str, str]:
        return SENTENCES[self.language]

    async def begin(self) -> dict[str, Any]:
        """A session, new or of the handle we have: what the site shows of itself."""
        body = {"site": self.site, "locale": self.language, "handle": self._handle}
        async with self.http.post(f"{self.url}/v1/widget/session", json=body) as response:
            answer = await _json(response)
            if response.status != 200:
                told = str(answer.get("detail") or response.status)
                raise Refusal(
                    f"{self.url} does not take us as a visitor of {self.site!r} ({told}): name another --site."
                )
        if self._handle and answer.get("restarted"):
            self._cursor = "0.0"
            self.write(self.words["restarted"])
        self._token, self._handle = answer["token"], answer["handle"]
        self._assistant = answer["config"]["assistant"]
        return dict(answer["config"])

    # ── saying ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def say(self, line: str) -> None:
        """Sends it until it is taken or refused: the same message, so that it is never there twice."""
        line = line.strip()
        if not line:
            return
        chosen = self._options.get(line)
        body = {"button": chosen[0], "text": chosen[1]} if chosen else {"text": line}
        key = str(uuid.uuid4())
        self._waiting.clear()
        self._options = {}
        for again in range(1_000_000):
            pause = min(LONGEST_WAIT, 0.5 * 2 ** min(again, 6))
            try:
                headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": key}
                async with self.http.post(f"{self.url}/v1/widget/messages", json=body, headers=headers) as response:
                    answer = await _json(response)
                if response.status in (200, 201):
                    return
                if response.status == 401:
                    await self.begin()
                elif response.status in (429, 503):
                    pause = float(response.headers.get("Retry-After", pause))
                    self.write(f"  ({answer.get('detail') or response.status}; {pause:g} s)")
                else:
                    self._waiting.set()
                    self.write(f"  ({self.words['refused']}: {answer.get('detail') or response.status})")
                    return
            except (aiohttp.ClientError, TimeoutError, OSError):
                self.write(f"  ({self.words['waiting']})")
            await asyncio.sleep(pause)

    async def answered(self) -> None:
        """Returns when something was said to us after our last word, or nothing came for long enough."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_WAIT):
                await self._waiting.wait()

    # ── hearing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def hear(self) -> None:
        """Reads the stream for ever, each time from where it was left."""
        pause = 1.0
        while True:
            try:
                headers = {"Authorization": f"Bearer {self._token}", "Last-Event-ID": self._cursor}
                async with self.http.get(f"{self.url}/v1/widget/stream", headers=headers) as response:
                    if response.status == 401:
                        await self.begin()
                    elif response.status == 200:
                        async for event, frame, cursor in _frames(response.content):
                            pause = 1.0
                            self._heard(event, frame, cursor)
            except (aiohttp.ClientError, TimeoutError, OSError, Refusal):
                pause = min(LONGEST_WAIT, pause * 1.5)
            await asyncio.sleep(pause)

    def _heard(self, event: str, frame: dict[str, Any], cursor: str) -> None:
        self._cursor = cursor or self._cursor
        if event == "reset":
            self._cursor = "0.0"
        message = frame.get("message")
        if event != "message.created" or not isinstance(message, dict):
            return
        author = message["author"]
        if author["kind"] == "customer":
            return
        content = _content(message)
        self._options = _options(content)
        text = "\n".join(_readable(part) for part in rendered(content, TERMINAL, self.language))
        self.show(author.get("name") or self._assistant, text)
        self._waiting.set()

    def show(self, who: str, text: str) -> None:
        first, *rest = text.splitlines() or [""]
        name = f"\x1b[1m{who}\x1b[0m" if sys.stdout.isatty() else who
        self.write("\n".join([f"{name}: {first}", *(f"  {line}".rstrip() for line in rest)]))


def _content(message: dict[str, Any]) -> Content:
    """A content of a later version shows its text."""
    try:
        return msgspec.convert(message["content"], Content) if message.get("content") else Text(message["text"])
    except msgspec.ValidationError:
        return Text(str(message.get("text", "")))


def _options(content: Content) -> dict[str, tuple[str, str]]:
    titles = {button.id: button.title for button in choices(content)}
    return {str(number): (button, titles[button]) for number, button in enumerate(numbered(content, TERMINAL), 1)}


def _readable(part: Content) -> str:
    """What a terminal may show: no control characters, which could move the cursor or change its title."""
    text = part.text if isinstance(part, Text) else str(getattr(part, "text", ""))
    return "".join(character for character in text if character == "\n" or character.isprintable())


async def _json(response: aiohttp.ClientResponse) -> dict[str, Any]:
    try:
        answer = json.loads(await response.read())
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


async def _frames(content: aiohttp.StreamReader) -> AsyncIterator[tuple[str, dict[str, Any], str]]:
    """Event, data and cursor of each frame."""
    fields: dict[str, str] = {}
    async for raw in content:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if line.startswith(":"):
            continue
        if not line:
            with suppress(ValueError):
                yield fields.get("event", ""), json.loads(fields.get("data", "{}")), fields.get("id", "")
            fields = {}
            continue
        name, _, value = line.partition(":")
        fields[name] = value.removeprefix(" ")


async def typed_lines() -> AsyncIterator[str]:
    """What is typed or piped in, line by line, without a thread that Ctrl-C would have to wait for."""
    loop = asyncio.get_running_loop()
    descriptor = sys.stdin.fileno()
    pieces: asyncio.Queue[bytes] = asyncio.Queue()
    try:
        loop.add_reader(descriptor, lambda: pieces.put_nowait(os.read(descriptor, 65536)))
    except PermissionError:  # a plain file is always ready
        for line in sys.stdin:
            yield line
        return
    rest = b""
    try:
        while piece := await pieces.get():
            *lines, rest = (rest + piece).split(b"\n")
            for whole in lines:
                yield whole.decode("utf-8", "replace")
        if rest:
            yield rest.decode("utf-8", "replace")
    finally:
        loop.remove_reader(descriptor)
