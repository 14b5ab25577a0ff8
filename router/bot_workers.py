"""The bot's processes, one by one: their sockets, how busy they are, whether they are to be left alone for a while."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec

from router.unix_http import TooLarge, UnixHttp

LARGEST_ANSWER = 4 * 1024 * 1024
"""Bytes of one answer as it comes, uncompressed; a commit has its own, smaller bound."""

_KINDS = frozenset(
    "action_status action_unreachable action_invalid action_timeout action_error action_limit "
    "response_missing no_listen error bad_request".split()
)
"""Why a turn fails in the bot (docs/decisions/0001)."""

_NAME = re.compile(r"(action|validate|utter)_[a-z0-9_]{1,60}|[a-z]{1,20}")


class BotFailure(Exception):
    """The bot gave no answer; `kind` says why. Nothing of the turn happened."""

    def __init__(self, kind: str, where: str = "") -> None:
        super().__init__(f"{kind} {where}".strip())
        self.kind = kind
        self.where = where


class WorkerGone(Exception):
    """The worker's process is down, or went away before its answer was whole."""


class BotWorker:
    """One bot process."""

    def __init__(self, socket: Path) -> None:
        self.under_way = 0
        self.breaker = Breaker()
        self._closing: asyncio.Task[None] | None = None
        self._http = UnixHttp(socket, most=LARGEST_ANSWER)

    async def take(self, body: bytes) -> bytes:
        """The answer's bytes. Raises `BotFailure` for a refusal, `WorkerGone`."""
        self.under_way += 1
        try:
            # Without a clock of its own: of two that strike together, the inner one would hide `Bot.ask`'s.
            status, raw = await self._http.ask("POST", "/turn", body)
        except TooLarge as error:
            raise BotFailure("too_large", str(error)) from error
        except ConnectionError as error:
            self.breaker.failed()
            raise WorkerGone from error
        finally:
            self.under_way -= 1
        self.breaker.worked()
        if status != 200:
            raise _failure(status, raw)
        return raw

    async def ready(self) -> bool:
        try:
            async with asyncio.timeout(1):
                status, body = await self._http.ask("GET", "/health")
            ready = status == 200 and bool(msgspec.json.decode(body, type=dict[str, Any]).get("ready"))
        except (ConnectionError, TooLarge, TimeoutError, ValueError):
            return False
        if ready:
            self.breaker.worked()
        return ready

    @property
    def closed(self) -> bool:
        return self._http.closed

    def retire(self) -> None:
        """Closes once its turns are done: an old generation finishes what it was given."""
        self._closing = asyncio.create_task(self._close_when_idle(), name="bot worker retires")

    async def _close_when_idle(self) -> None:
        while self.under_way:  # noqa: ASYNC110  it ends within one deadline; an event for it would outlive its use
            await asyncio.sleep(0.1)
        self._http.close()

    async def close(self) -> None:
        if self._closing:
            self._closing.cancel()
            await asyncio.gather(self._closing, return_exceptions=True)
        self._http.close()


class Breaker:
    """After three lost connections in a row a worker is left alone, for half a second, then one, at most two."""

    def __init__(self) -> None:
        self._failures = 0
        self._open_until = 0.0

    def lets_through(self) -> bool:
        return monotonic() >= self._open_until

    def failed(self) -> None:
        self._failures += 1
        if self._failures >= 3:
            self._open_until = monotonic() + min(2.0, 0.5 * 2.0 ** (self._failures - 3))

    def worked(self) -> None:
        self._failures = 0
        self._open_until = 0.0


def sockets_in(path: Path) -> set[Path]:
    if not path.is_dir():
        return {path}
    try:
        generation = (path / "current").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return set()
    return set(path.glob(f"{generation}-*.sock"))


def _failure(status: int, raw: bytes) -> BotFailure:
    try:
        problem = msgspec.json.decode(raw, type=dict[str, Any])
    except msgspec.DecodeError:
        return BotFailure("status", str(status))
    kind, where = str(problem.get("type")), str(problem.get("where"))
    # Both go to the log: only names of ours pass, never words that a broken bot gives back.
    return BotFailure(kind if kind in _KINDS else "status", where if _NAME.fullmatch(where) else "")
