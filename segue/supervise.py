"""One part is one child process: started, asked whether it is ready, started again when it ends, and ended.

Every child leads a process group of its own, so that Ctrl-C in a terminal reaches the launcher alone, which ends the
parts in order. On Linux the kernel ends a child whose launcher was killed.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1
LOG_BYTES = 10_000_000
TAIL_LINES = 12
GIVE_UP_AFTER = 8
STEADY_AFTER = 60.0
ASK_EVERY = 0.05

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True, kw_only=True)
class Part:
    """What to start, and how to tell that it serves. `ready` asks once and never raises."""

    name: str
    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], Awaitable[bool]]
    ready_within: float = 60.0
    niceness: int = 0
    when_orphaned: signal.Signals = signal.SIGKILL


class PartFailed(Exception):
    """A part did not start, or ended too often. Carries the last lines of its log."""

    def __init__(self, name: str, what: str, tail: list[str]) -> None:
        super().__init__(f"{name} {what}")
        self.tail = tail


def describe_end(code: int | None) -> str:
    """How a process ended, for people."""
    if code is None:
        return "is not answering"
    if code < 0:
        with suppress(ValueError):
            return f"was ended by {signal.Signals(-code).name}"
    return f"ended with code {code}"


def _in_child(part: Part, launcher: int) -> Callable[[], None]:
    def prepare() -> None:
        # Started with & from a script, SIGINT is inherited as ignored; the parts must hear it.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if part.niceness:
            os.nice(part.niceness)
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, int(part.when_orphaned))
            if os.getppid() != launcher:  # it died before the line above
                os._exit(1)

    return prepare


class Running:
    """A part and its present process."""

    def __init__(
        self, part: Part, *, log: Path, say: Callable[[str], None], started: Callable[[str, int], None]
    ) -> None:
        self.part = part
        self._log = log
        self._say = say
        self._started = started
        self._process: asyncio.subprocess.Process | None = None
        self._log_start = 0
        self._ready_at = 0.0
        self._group_ended = False

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def _spawn(self, *, listen: bool = False) -> asyncio.subprocess.Process:
        """Starts the process. Its words go to its log file; with `listen` its standard output comes here instead."""
        keep_small(self._log)
        with os.fdopen(os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
            self._log_start = log.seek(0, os.SEEK_END)
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *self.part.argv,
                    cwd=self.part.cwd,
                    env={**os.environ, **self.part.env},
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE if listen else log,
                    stderr=log,
                    start_new_session=True,
                    preexec_fn=_in_child(self.part, os.getpid()),
                )
            except OSError as error:
                raise PartFailed(self.part.name, f"could not be started ({error.strerror})", []) from error
        self._group_ended = False
        self._started(self.part.name, self._process.pid)
        return self._process

    async def start(self) -> None:
        """Returns when the part is ready; raises PartFailed when it ends before that or takes too long."""
        process = await self._spawn()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.part.ready_within
        while not await self.part.ready():
            if process.returncode is not None:
                self._end_group(process)
                raise PartFailed(self.part.name, describe_end(process.returncode), self.tail())
            if loop.time() > deadline:
                await self.stop(0)
                raise PartFailed(self.part.name, f"was not ready after {self.part.ready_within:g} s", self.tail())
            await asyncio.sleep(ASK_EVERY)
        self._ready_at = loop.time()

    async def run_once(self, show: Callable[[str], None] | None = None) -> tuple[int, list[str]]:
        """For a part that does one thing: its exit code and the lines it printed; all but the last are shown."""
        process = await self._spawn(listen=True)
        words: list[str] = []
        while process.stdout is not None and (line := await process.stdout.readline()):
            if words and show is not None:
                show(words[-1])
            words.append(line.decode("utf-8", "replace").rstrip())
        code = await process.wait()
        self._end_group(process)
        return code, words

    async def keep(self) -> None:
        """Starts the part again whenever it ends, more slowly each time; raises PartFailed when that is of no use."""
        loop = asyncio.get_running_loop()
        failures = 0
        process = self._process
        while process is not None:
            code = await process.wait()
            self._end_group(process)
            if loop.time() - self._ready_at > STEADY_AFTER:
                failures = 0
            failures += 1
            if failures > GIVE_UP_AFTER:
                raise PartFailed(self.part.name, f"{describe_end(code)}, {failures} times in a row", self.tail())
            delay = min(30.0, 0.25 * 2**failures)
            self._say(f"{self.part.name} {describe_end(code)}; starting it again in {delay:g} s (log: {self._log})")
            await asyncio.sleep(delay)
            with suppress(PartFailed):
                await self.start()
            process = self._process

    def send(self, number: signal.Signals) -> None:
        """Tells the process something, if it is there."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def stop(self, within: float) -> None:
        """Asks the part to end, and after `within` seconds ends it with everything it started."""
        process = self._process
        if process is None:
            return
        if process.returncode is None and within > 0:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await process.wait()
        self._end_group(process)
        await process.wait()

    def _end_group(self, process: asyncio.subprocess.Process) -> None:
        """Ends what the part itself started; once only, because the number may be another process' later."""
        if not self._group_ended:
            self._group_ended = True
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)

    def tail(self) -> list[str]:
        """The last lines this process wrote."""
        try:
            with self._log.open("rb") as log:
                end = log.seek(0, os.SEEK_END)
                start = self._log_start if self._log_start <= end else 0
                log.seek(max(start, end - 8000))
                words = log.read().decode("utf-8", "replace")
        except OSError:
            return []
        return words.splitlines()[-TAIL_LINES:]


def keep_small(log: Path) -> None:
    """Moves a large log's content aside. The writers append, so that cutting the file under them is safe."""
    with suppress(OSError):
        if log.stat().st_size > LOG_BYTES:
            aside = os.open(log.with_suffix(".log.1"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with log.open("rb") as written, os.fdopen(aside, "wb") as kept:
                shutil.copyfileobj(written, kept)
            os.truncate(log, 0)
