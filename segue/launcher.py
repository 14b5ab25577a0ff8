"""`segue up`: every part on one machine. Redis and the router come first, so that the page is there early.

Order of the story: look (folder, disk, port), start, watch, stop. Nothing outlives the launcher.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from segue.ask import ask_port
from segue.checks import check_disk, check_port
from segue.control import Control
from segue.generations import Generations
from segue.options import Options
from segue.parts import Parts
from segue.places import DataFolder, make_socket_folder, process_identity
from segue.refusal import Refusal
from segue.supervise import Part, PartFailed, Running, keep_small

# All of it is over within five seconds of Ctrl-C: the router may finish its turns, then the others go, Redis last.
STOP_ORDER = (({"router"}, 3.6), ({"bot", "bot-2", "golden", "actions", "train"}, 0.5), ({"redis"}, 0.5))
READY_WITHIN = 60.0


def up(options: Options, make_parts: type[Parts] = Parts) -> int:
    """Runs until it is told to stop; 0 after a wanted end. Refuses when something cannot be started or kept alive."""
    folder = DataFolder.open(options.data_dir)
    with folder.owned():
        end_orphans(folder)
        check_disk(folder.path)
        check_port(options.host, options.port)
        sockets = make_socket_folder()
        return asyncio.run(Launcher(make_parts(options, folder, sockets), sockets).run())


def say(line: str) -> None:
    """One line for the operator, at once also into a pipe; a closed pipe is no reason to stop."""
    with suppress(OSError, ValueError):
        print(line, flush=True)


def end_orphans(folder: DataFolder) -> None:
    """Ends what a killed launcher left behind. Only a process with the recorded number *and* start time is touched."""
    parts: dict[str, list[object]] = folder.record().get("parts", {})
    orphans: dict[int, object] = {}
    for name, (pid, identity) in parts.items():
        if isinstance(pid, int) and identity and process_identity(pid) == identity:
            say(f"Ending {name} (process {pid}), left behind by an earlier start.")
            orphans[pid] = identity
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 3
    while orphans and time.monotonic() < deadline:
        orphans = {pid: identity for pid, identity in orphans.items() if process_identity(pid) == identity}
        time.sleep(0.05)
    for pid in orphans:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    folder.forget_record()


class Launcher:
    """One run of `segue up`."""

    def __init__(self, parts: Parts, sockets: Path) -> None:
        self.parts = parts
        self.options = parts.options
        self.folder = parts.folder
        self._sockets = sockets
        self._running: list[Running] = []
        self._watchers: dict[Running, asyncio.Task[None]] = {}
        self._failed: asyncio.Queue[PartFailed] = asyncio.Queue()
        self._pids: dict[str, tuple[int, str | None]] = {}
        self._generations = Generations(parts, self, self._trained)
        self._control = Control(sockets, self._asked)

    # --- the story

    async def run(self) -> int:
        """Starts everything, waits for a signal or a failure, and ends everything."""
        told = self._hear_signals()
        self._write_record()
        self._greet()
        bring_up = asyncio.create_task(self._bring_up())
        failure = asyncio.create_task(self._failed.get())
        stop = asyncio.create_task(told.wait())
        tasks = [bring_up, failure, stop, asyncio.create_task(self._keep_logs_small())]
        try:
            await asyncio.wait([bring_up, failure, stop], return_when=asyncio.FIRST_COMPLETED)
            if not told.is_set() and bring_up.done() and bring_up.exception() is None:
                await asyncio.wait([failure, stop], return_when=asyncio.FIRST_COMPLETED)
            if told.is_set():
                say("Stopping …")
                return 0
            raise self._explained(failure.result() if failure.done() else bring_up.exception())
        finally:
            await self._control.stop()
            ending = (*tasks, *self._watchers.values())
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)
            await self._stop()
            self.folder.forget_record()

    async def _bring_up(self) -> None:
        began = time.monotonic()
        await self._control.start()
        if self.options.redis_url is None:
            await self._start(self.parts.redis())
        await asyncio.gather(self._start(self.parts.router()), self._start(self.parts.actions()), self._bring_up_bot())
        await self._ready_to_answer()
        say(f"Ready in {time.monotonic() - began:.1f} s.")

    async def _bring_up_bot(self) -> None:
        chosen = self._generations.chosen(say)
        await self._generations.start(chosen or await self._model(), by_hand=chosen is not None)

    async def _model(self) -> Path:
        if self.options.train:
            return await self._trained(None)
        found = await self._train(only_find=True)
        if found is None:
            kept = sorted(self.parts.models.glob("*.tar.gz"), key=lambda file: file.stat().st_mtime)
            if not kept:
                raise Refusal(f"There is no trained model in {self.parts.models}: leave --no-train out.")
            found = kept[-1]
            say(f"The training data have changed since {found.name} was trained; it is used as it is (--no-train).")
        return found

    async def _trained(self, tell: Callable[[str], None] | None) -> Path:
        """The model of the present data, found or made. Raises PartFailed."""
        tell = tell or say
        found = await self._train(only_find=True)
        if found is None:
            tell("Training the assistant (only when its data have changed) …")
            found = await self._train(only_find=False, tell=tell)
        if found is None:
            raise PartFailed("train", "named no model", [])
        return found

    async def _asked(self, request: dict[str, Any], tell: Callable[[str], None]) -> bool:
        """What a command asks of the launcher that runs."""
        wanted = request.get("swap")
        if not isinstance(wanted, str):
            tell("The launcher that runs does not know this request: it is of another version.")
            return False

        def both(line: str) -> None:
            say(line)
            tell(line)

        return await self._generations.swap(wanted, both)

    async def _train(self, *, only_find: bool, tell: Callable[[str], None] = say) -> Path | None:
        trainer = self.new(self.parts.trainer(only_find=only_find))
        code, words = await trainer.run_once(None if only_find else lambda line: tell(f"  {line}"))
        named = next((Path(line.strip()) for line in reversed(words) if line.strip()), None)
        if code == 0 and named is not None and named.is_file():
            return named
        if only_find:
            return None
        what = f"ended with code {code}" if code else "named no model"
        raise PartFailed("train", what, [*words[-3:], *trainer.tail()])

    async def _ready_to_answer(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while True:
            status, answer = await ask_port(self.options.near_host, self.options.port, "/readyz")
            if status == 200:
                return
            if time.monotonic() > deadline:
                raise PartFailed("router", f"does not become ready (/readyz: {status or 'no answer'}, {answer})", [])
            await asyncio.sleep(0.05)

    async def _stop(self) -> None:
        for names, within in STOP_ORDER:
            await asyncio.gather(*(running.stop(within) for running in self._running if running.part.name in names))

    # --- keeping them

    def new(self, part: Part) -> Running:
        running = Running(part, log=self.folder.log(part.name), say=say, started=self._note)
        self._running.append(running)
        return running

    async def _start(self, part: Part) -> None:
        running = self.new(part)
        await running.start()
        self.watch(running)

    def watch(self, running: Running) -> None:
        """Starts it again whenever it ends; everything is stopped when that is of no use."""

        async def watch() -> None:
            try:
                await running.keep()
            except PartFailed as failure:
                self._failed.put_nowait(failure)

        self._watchers[running] = asyncio.create_task(watch())

    def unwatch(self, running: Running) -> None:
        if running in self._watchers:
            self._watchers.pop(running).cancel()

    async def end(self, running: Running, within: float) -> None:
        self.unwatch(running)
        await running.stop(within)
        self._running.remove(running)

    async def _keep_logs_small(self) -> None:
        while True:
            await asyncio.sleep(60)
            for running in self._running:
                keep_small(self.folder.log(running.part.name))

    def _hear_signals(self) -> asyncio.Event:
        told = asyncio.Event()
        loop = asyncio.get_running_loop()
        # Started with & from a script, SIGINT is inherited as ignored: asking for it here undoes that.
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, told.set)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup asked for it to be ignored
            loop.add_signal_handler(signal.SIGHUP, told.set)
        return told

    # --- words

    def _greet(self) -> None:
        say(f"Shop         {self.options.url}")
        say(f"Data folder  {self.folder.path}")
        say(
            "To stop      Ctrl-C"
            if sys.stdin is not None and sys.stdin.isatty()
            else f"To stop      kill {os.getpid()}"
        )

    def _explained(self, failure: BaseException | None) -> BaseException:
        if not isinstance(failure, PartFailed):
            return failure or RuntimeError("stopped without a reason")
        for line in failure.tail:
            say(f"    {line}")
        return Refusal(f"{failure}, so everything was stopped: look at the log in {self.folder.path / 'log'}.")

    def _note(self, name: str, pid: int) -> None:
        self._pids[name] = (pid, process_identity(pid))
        self._write_record()

    def _write_record(self) -> None:
        self.folder.write_record(
            {
                "launcher": os.getpid(),
                "url": self.options.url,
                "redis_url": self.parts.redis_url,
                "sockets": str(self._sockets),
                "parts": self._pids,
            }
        )
