"""Several workers from one loaded model: a parent that loads everything once, forks, and watches.

The parent never takes a turn and opens no loop or connection; until the fork it is one thread. Each worker listens
on `<generation>-<number>.sock`. The file `current` names the generation that takes new turns; it is written in one
step, and only once every worker has answered.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

log = logging.getLogger("segue.bot.pool")

# What a worker does: listens on the socket, calls `beat` once it answers and each second from then on, and returns
# when it was told to end. The link becomes readable when the parent is gone.
Work = Callable[[Path, "Link"], None]

SIGNALS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
# A worker without a beat for so long hangs. Far more than a turn: those are awaited, not computed.
SILENT = 15.0
# The time of the first answer, with a slow machine in mind.
READY_WITHIN = 30.0
# A worker that lasts so long was no failure from the start.
STEADY = 10.0
SLOWEST = 5.0
GIVE_UP_AFTER = 10
# Turns under way have this long to finish, and the workers a little more to be gone.
DRAIN = 4.0


class PoolFailed(Exception):
    """One sentence: why there is no use in going on."""


class Link:
    """A worker's end of the line to its parent."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def fileno(self) -> int:
        """For a loop to watch: readable means that the parent is gone."""
        return self._line.fileno()

    def beat(self) -> None:
        """Says that this worker answers. A full line is no news; a cut one is seen by whoever watches it."""
        with suppress(OSError):
            self._line.send(b".")


@dataclass
class Worker:
    """A place in the pool, and the process that has it now; pid 0 while there is none."""

    number: int
    socket: Path
    pid: int = 0
    line: socket.socket | None = None
    ready: bool = False
    started: float = 0.0
    heard: float = 0.0
    failures: int = 0
    due: float = 0.0


class Pool:
    """The parent. `waits`: all workers are started, but another generation stays current until SIGUSR1."""

    def __init__(self, folder: Path, generation: str, count: int, work: Work, *, waits: bool = False) -> None:
        self._folder = folder
        self._current = folder / "current"
        self._generation = generation
        self._work = work
        self._waits = waits
        self._published = False
        self._stopping = False
        self._workers = [Worker(number, folder / f"{generation}-{number}.sock") for number in range(count)]

    def run(self) -> None:
        """Until SIGTERM or SIGINT. Raises PoolFailed when workers only ever die."""
        self._clear()
        if (threads := _threads()) > 1:
            log.warning(
                "%d threads run before the fork; a lock that one of them holds stays locked in workers", threads
            )
        gc.collect()
        gc.freeze()  # the collector would touch, and so copy, every page that is shared
        self._wake, self._awake = socket.socketpair()
        for end in (self._wake, self._awake):
            end.setblocking(False)
        before = {number: signal.signal(number, self._told) for number in SIGNALS}
        wakeup = signal.set_wakeup_fd(self._awake.fileno(), warn_on_full_buffer=False)
        try:
            while not self._stopping:
                self._look_after()
                self._sleep()
        finally:
            self._end_all()
            self._clear()
            signal.set_wakeup_fd(wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._wake.close()
            self._awake.close()

    # --- the parent's work

    def _look_after(self) -> None:
        self._reap()
        now = time.monotonic()
        for worker in self._workers:
            if worker.pid:
                patience = SILENT if worker.ready else READY_WITHIN
                if now - worker.heard > patience:
                    log.error("worker %d did not answer for %.0f s and is ended", worker.number, patience)
                    worker.heard = now
                    _send(worker.pid, signal.SIGKILL)
            elif now >= worker.due:
                self._fork(worker)
        if not self._published and not self._waits and all(worker.ready for worker in self._workers):
            self._publish()

    def _sleep(self) -> None:
        now = time.monotonic()
        due = [max(0.0, worker.due - now) for worker in self._workers if not worker.pid]
        lines = {worker.line: worker for worker in self._workers if worker.line is not None}
        readable, _, _ = select.select([self._wake, *lines], [], [], min([1.0, *due]))
        for line in readable:
            with suppress(BlockingIOError):
                heard = line.recv(4096)
                worker = lines.get(line)
                if worker is None:
                    continue
                if heard:
                    worker.heard = time.monotonic()
                    if not worker.ready:
                        worker.ready = True
                        log.info("worker %d (process %d) answers", worker.number, worker.pid)
                else:
                    self._hang_up(worker)

    def _reap(self) -> None:
        for worker in self._workers:
            if not worker.pid:
                continue
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                self._lost(worker, os.waitstatus_to_exitcode(status))

    def _lost(self, worker: Worker, code: int) -> None:
        now = time.monotonic()
        self._hang_up(worker)
        steady = worker.ready and now - worker.started > STEADY
        worker.failures = 1 if steady else worker.failures + 1
        worker.pid, worker.ready = 0, False
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        if self._stopping:
            return
        if worker.failures > GIVE_UP_AFTER:
            raise PoolFailed(f"worker {worker.number} {how}, {worker.failures} times in a row")
        delay = 0.0 if worker.failures == 1 else min(SLOWEST, 0.05 * 2.0**worker.failures)
        worker.due = now + delay
        if delay:
            worker.socket.unlink(missing_ok=True)
        log.warning("worker %d %s; started again %s", worker.number, how, f"in {delay:g} s" if delay else "at once")

    def _publish(self) -> None:
        new = self._folder / f".current-{self._generation}"
        new.write_text(self._generation, encoding="utf-8")
        new.replace(self._current)
        self._published = True
        log.info("ready: generation %s with %d workers takes new turns", self._generation, len(self._workers))

    def _told(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGUSR1:
            self._waits = False
        elif number in (signal.SIGTERM, signal.SIGINT):
            self._stopping = True

    def _end_all(self) -> None:
        self._stopping = True
        self._withdraw()
        for worker in self._workers:
            _send(worker.pid, signal.SIGTERM)
        deadline = time.monotonic() + DRAIN + 1
        while any(worker.pid for worker in self._workers) and time.monotonic() < deadline:
            self._sleep()
            self._reap()
        for worker in self._workers:
            if worker.pid:
                _send(worker.pid, signal.SIGKILL)
                os.waitpid(worker.pid, 0)
                worker.pid = 0

    def _clear(self) -> None:
        """Removes what this generation left in the folder, now or before it was killed."""
        self._withdraw()
        for left in self._folder.glob(f"{self._generation}-*.sock"):
            left.unlink(missing_ok=True)

    def _withdraw(self) -> None:
        with suppress(FileNotFoundError):
            if self._current.read_text(encoding="utf-8").strip() == self._generation:
                self._current.unlink()

    @staticmethod
    def _hang_up(worker: Worker) -> None:
        if worker.line is not None:
            worker.line.close()
            worker.line = None

    # --- the fork

    def _fork(self, worker: Worker) -> None:
        parent = os.getpid()
        ours, theirs = socket.socketpair()
        for line in (ours, theirs):
            line.setblocking(False)
        # A signal between the fork and the worker's own handlers waits until they are there.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        pid = os.fork()
        if pid:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            theirs.close()
            worker.pid, worker.line, worker.ready = pid, ours, False
            worker.started = worker.heard = time.monotonic()
            return
        code = 70
        try:
            ours.close()
            self._forget_parent(parent)
            self._work(worker.socket, Link(theirs))
            code = 0
        except BaseException as failure:  # noqa: BLE001 nothing of the parent's story may go on in a worker
            log.critical("worker %d cannot go on: %s", worker.number, _named(failure))
        finally:
            logging.shutdown()
            os._exit(code)

    def _forget_parent(self, parent: int) -> None:
        end_with(parent, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        self._wake.close()
        self._awake.close()
        # Held by a sister, a line would never tell a worker that the parent is gone.
        for sister in self._workers:
            self._hang_up(sister)


def end_with(parent: int, how: signal.Signals) -> None:
    """Asks Linux for this signal when the parent dies; elsewhere the line to it must do."""
    if sys.platform.startswith("linux"):
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(1, int(how), 0, 0, 0)
    # It may have died before we asked.
    if os.getppid() != parent:
        os.kill(os.getpid(), how)


def default_workers() -> int:
    """One less than the cores, for the router wants one too; at least two, so that a slow turn has a second to ask."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(2, cores - 1)


def _named(failure: BaseException) -> str:
    # An OSError names our own files; any other message may quote what a person wrote.
    return f"{type(failure).__name__} {failure}" if isinstance(failure, OSError) else type(failure).__name__


def _send(pid: int, number: signal.Signals) -> None:
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208 no paths are wanted
    except OSError:
        return 1
