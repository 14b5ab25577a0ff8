"""The journal as it grows: server-sent events, or one long-poll at a time for those behind a proxy that buffers."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
from aiohttp import web
from prometheus_client import Gauge

from connectors.content import Content
from connectors.contract import Created, Door, Feed, Frame, Message, Reset, TryAgain, Typing, Updated
from connectors.webchat.bodies import json
from connectors.webchat.limits import Turnstile
from connectors.webchat.visitors import Gate, Token, now

STREAMS = Gauge("segue_streams", "Open widget streams, long polls included")

HEARTBEAT = 15.0
DRAIN = 0.02
"""Seconds for which a long-poll waits for more behind its first frame."""
MOST_FRAMES = 200

Shown = Callable[[Message], Message]
"""A message as this visitor may see it: with addresses of files that work."""
Worked = Callable[[Content | None], Content | None]
"""The same for what a message says by now."""


@dataclass(slots=True)
class Streams:
    """All open streams of this process."""

    door: Door
    feed: Feed
    gate: Gate
    turnstile: Turnstile
    shown: Shown
    worked: Worked
    _tasks: dict[asyncio.Task[Any], str] = field(default_factory=dict)
    _of_visitor: Counter[str] = field(default_factory=Counter)
    _of_address: Counter[str] = field(default_factory=Counter)
    _closing: bool = False

    async def close(self) -> None:
        """Says goodbye to every stream, with a time to come back that spreads them."""
        self._closing = True
        await self._end(list(self._tasks))

    async def end_of(self, visitor: str) -> None:
        """Those of a visitor who signed out. Other processes end theirs before the next frame or heartbeat."""
        await self._end([task for task, of in self._tasks.items() if of == visitor])

    async def _end(self, tasks: list[asyncio.Task[Any]]) -> None:
        for task in tasks:
            task.cancel("ended")
        await asyncio.gather(*tasks, return_exceptions=True)

    @contextlib.contextmanager
    def _counted(self, holder: Token, address: str) -> Iterator[None]:
        if self._closing:
            raise TryAgain("shutting down", after=2)
        visitor = holder.visitor.visitor
        self.turnstile.stream(self._of_visitor[visitor], self._of_address[address], holder.locale)
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._tasks[task] = visitor
        counts = ((self._of_visitor, visitor), (self._of_address, address))
        for counter, name in counts:
            counter[name] += 1
        STREAMS.inc()
        try:
            yield
        finally:
            STREAMS.dec()
            del self._tasks[task]
            for counter, name in counts:
                counter[name] -= 1
                if not counter[name]:
                    del counter[name]

    # ── server-sent events ──────────────────────────────────────────────────────────────────────────────────────────

    async def events(self, request: web.Request, holder: Token, cursor: str, address: str) -> web.StreamResponse:
        with self._counted(holder, address):
            response = web.StreamResponse(
                headers={
                    "Content-Type": "text/event-stream",
                    "Cache-Control": "no-cache, no-transform",
                    "X-Accel-Buffering": "no",
                }
            )
            await response.prepare(request)
            try:
                await self._pour(response, holder, cursor)
            except (ConnectionError, TryAgain):
                pass  # the reader is gone, or comes back with its cursor
            except asyncio.CancelledError as error:
                if error.args != ("ended",):
                    raise
                with contextlib.suppress(ConnectionError):
                    retry = random.randint(1000, 10_000)  # noqa: S311  no secret
                    await response.write(_event("bye", {"retry_ms": retry}))
            return response

    async def _pour(self, response: web.StreamResponse, holder: Token, cursor: str) -> None:
        ready = await self.door.ready()
        hello = {
            "cursor": cursor,
            "heartbeat_ms": int(HEARTBEAT * 1000),
            "retry_ms": 1000,
            "server_time": now(),
            "ready": ready,
        }
        await response.write(_event("hello", hello))
        silent = 0.0
        frames = self.feed.follow(holder.visitor.identity, holder.visitor.known, cursor)
        async with _upcoming(frames) as upcoming:
            while True:
                pause = HEARTBEAT if ready else 1.0
                found, frame = await upcoming.within(pause)
                if await self.gate.verdict(holder.visitor) == "out":
                    return
                if not found:
                    silent += pause
                    if not ready and (ready := await self.door.ready()):
                        await response.write(_event("state", {"ready": True}))
                    if silent >= HEARTBEAT:
                        silent = 0.0
                        await response.write(b": heartbeat\n\n")
                    continue
                if frame is None:
                    return
                silent = 0.0
                await response.write(_event(*self._told(frame)))

    # ── long-poll ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def poll(self, holder: Token, cursor: str, address: str, seconds: int) -> web.Response:
        with self._counted(holder, address):
            frames: list[dict[str, Any]] = []
            try:
                cursor = await self._gather(frames, holder, cursor, seconds)
            except asyncio.CancelledError as error:
                if error.args != ("ended",):
                    raise
                frames.append({"event": "bye", "data": {"retry_ms": 1000}})
            return json({"frames": frames, "cursor": cursor})

    async def _gather(self, into: list[dict[str, Any]], holder: Token, cursor: str, seconds: int) -> str:
        """The cursor behind what was gathered."""
        ready = await self.door.ready()
        waited = 0.0
        following = self.feed.follow(holder.visitor.identity, holder.visitor.known, cursor)
        async with _upcoming(following) as upcoming:
            while len(into) < MOST_FRAMES:
                left = seconds - waited
                pause = DRAIN if into else left if ready else min(1.0, left)
                found, frame = await upcoming.within(max(pause, DRAIN))
                if not found:
                    waited += pause
                    if not ready and (ready := await self.door.ready()):
                        into.append({"event": "state", "data": {"ready": True}})
                    if into or waited >= seconds:
                        break
                    continue
                if frame is None or await self.gate.verdict(holder.visitor) == "out":
                    break
                event, data, at = self._told(frame)
                into.append({"event": event, **({"id": at} if at else {}), "data": data})
                cursor = at or cursor
        return cursor

    def _told(self, frame: Frame) -> tuple[str, dict[str, Any], str]:
        match frame:
            case Created(cursor, prev, message):
                return "message.created", {"prev": prev, "message": self.shown(message)}, cursor
            case Updated(cursor, prev, of, None, text, content):
                told = {"prev": prev, "of": of, "text": text, "content": self.worked(content)}
                return "message.updated", told, cursor
            case Updated(cursor, prev, of, status):
                return "message.updated", {"prev": prev, "of": of, "status": status}, cursor
            case Typing(on):
                return "typing", {"author": "bot", "on": on}, ""
            case Reset(reason):
                return "reset", {"reason": reason}, ""


class _Upcoming:
    """The next frame, waited for without being lost when the wait ends first."""

    def __init__(self, frames: AsyncIterator[Frame]) -> None:
        self._frames = frames
        self.next: asyncio.Future[Frame | None] = asyncio.ensure_future(anext(frames, None))

    async def within(self, seconds: float) -> tuple[bool, Frame | None]:
        """Whether something came; None is the end."""
        done, _ = await asyncio.wait((self.next,), timeout=seconds)
        if not done:
            return False, None
        frame = self.next.result()
        if frame is not None:
            self.next = asyncio.ensure_future(anext(self._frames, None))
        return True, frame


@contextlib.asynccontextmanager
async def _upcoming(frames: AsyncIterator[Frame]) -> AsyncIterator[_Upcoming]:
    upcoming = _Upcoming(frames)
    try:
        yield upcoming
    finally:
        upcoming.next.cancel()
        await asyncio.gather(upcoming.next, return_exceptions=True)


def _event(event: str, data: dict[str, Any], cursor: str = "") -> bytes:
    named = f"id: {cursor}\n" if cursor else ""
    return f"event: {event}\n{named}data: ".encode() + msgspec.json.encode(data) + b"\n\n"
