"""The only door to Rasa. An answer, a silence and a failure are three different things.

The bot stores nothing, so a turn may be asked again: by a second try while its process restarts, or by another worker
after a crash.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from pathlib import Path
from typing import Any, Literal

import msgspec

from router import metrics
from router.bot_workers import BotFailure, BotWorker, WorkerGone, sockets_in
from router.later import Later

PACKED_WINDOW = b"\x01"
PLAIN_WINDOW = b"\x02"
PACKED_FROM = 1024
"""Bytes from which a dialogue's window is compressed; below, it would cost more CPU than it saves memory."""

LOOK = 1.0
"""Seconds between two looks at the folder of workers."""


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


class Question(msgspec.Struct, frozen=True):
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
    """Asks the bot's processes. `path` is a unix socket, or a folder of them.

    A folder holds one socket a worker, `<generation>-<number>.sock`, and a file `current` that names the generation
    which takes new turns: so a new model starts beside the old one and loses no turn. At most `at_once` questions are
    under way; who comes later waits, and their deadline begins when they are asked: a bot with much to do is not slow.
    """

    def __init__(self, path: Path, *, deadline: float = 10.0, second_after: float = 4.0, at_once: int = 64) -> None:
        self._path = path
        self._deadline = deadline
        self._slow = Later(second_after)
        self._late = Later(deadline)
        self._room = asyncio.Semaphore(at_once)
        self._workers: dict[Path, BotWorker] = {}
        self._retired: list[BotWorker] = []
        self._looked = float("-inf")
        self._read = msgspec.json.Decoder(Answer)

    async def close(self) -> None:
        for worker in (*self._workers.values(), *self._retired):
            await worker.close()

    async def ready(self) -> bool:
        """Whether some worker answers."""
        await self._look()
        return any([await worker.ready() for worker in list(self._workers.values())])

    async def ask(self, question: Question) -> Answer:
        """One turn. Raises `BotFailure` when no answer came before the deadline.

        The turn is pure: a worker that is gone is replaced by another, a slow one gets a second one beside it.
        """
        body = _body(question)
        async with self._room:
            raw = await self._first_answer(body)
        try:
            return self._read.decode(raw)
        except msgspec.DecodeError as error:
            raise BotFailure("bad_answer") from error

    async def _first_answer(self, body: bytes) -> bytes:
        """The first answer of the first worker, or of a second one started when the first takes long.

        One future: asyncio's own `timeout`, `wait` and `gather` cost more than the question itself.
        """
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[asyncio.Task[bytes]] = loop.create_future()
        asking: list[asyncio.Task[bytes]] = []

        def ask(avoid: BotWorker | None) -> None:
            task = loop.create_task(self._answer(body, avoid=avoid))
            asking.append(task)
            task.add_done_callback(note)

        def note(task: asyncio.Task[bytes]) -> None:
            if not ended.done():
                ended.set_result(task)

        def ask_another() -> None:
            if not ended.done():
                metrics.BOT_SECOND.inc()
                ask(self._busiest())

        def give_up() -> None:
            if not ended.done():
                ended.set_exception(BotFailure("deadline", f"{self._deadline} s"))

        self._slow.call(ask_another)
        self._late.call(give_up)
        try:
            ask(None)
            return (await ended).result()
        finally:
            self._slow.cancel(ask_another)
            self._late.cancel(give_up)
            if len(asking) > 1 or not asking[0].done():
                for task in asking:
                    task.cancel()
                await asyncio.gather(*asking, return_exceptions=True)

    async def _answer(self, body: bytes, *, avoid: BotWorker | None) -> bytes:
        """Over dead and replaced workers, until somebody answers; the caller has the deadline."""
        while True:
            if not self._workers or time.monotonic() >= self._looked + LOOK:
                await self._look()
            worker = self._choose(avoid)
            if worker is not None:
                try:
                    return await worker.take(body)
                except WorkerGone:
                    metrics.BOT_GONE.inc()
                    avoid = worker
                    continue
            avoid = None
            await asyncio.sleep(0.1)

    def _choose(self, avoid: BotWorker | None) -> BotWorker | None:
        """The least busy worker whose breaker is closed; the one to avoid only when there is no other."""
        able = [worker for worker in self._workers.values() if worker.breaker.lets_through()]
        others = [worker for worker in able if worker is not avoid]
        return min(others or able, key=lambda worker: worker.under_way, default=None)

    def _busiest(self) -> BotWorker | None:
        return max(self._workers.values(), key=lambda worker: worker.under_way, default=None)

    async def _look(self) -> None:
        """Which workers there are: looked at once a second, and at once while there is none."""
        if time.monotonic() < self._looked + LOOK and self._workers:
            return
        self._looked = time.monotonic()
        sockets = await asyncio.to_thread(sockets_in, self._path)
        for path in sorted(sockets - self._workers.keys()):
            self._workers[path] = BotWorker(path)
        for path in self._workers.keys() - sockets:
            gone = self._workers.pop(path)
            gone.retire()
            self._retired = [*(worker for worker in self._retired if not worker.closed), gone]


def joined_window(before: bytes, answer: Answer) -> bytes:
    """The window to store after an answer: the shortened one, else the old one with the new events behind it."""
    shortened = bytes(answer.window)
    events = shortened if shortened not in (b"", b"null") else _joined(_window(before), bytes(answer.events))
    return PLAIN_WINDOW + events if len(events) < PACKED_FROM else PACKED_WINDOW + zlib.compress(events, 1)


def _window(stored: bytes) -> bytes:
    if not stored:
        return b"[]"
    if stored[:1] == PLAIN_WINDOW:
        return stored[1:]
    if stored[:1] != PACKED_WINDOW:
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
