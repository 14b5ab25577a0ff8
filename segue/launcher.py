"""`segue up`: every part on one machine. Redis and the router come first, so that the page is there early.

Order of the story: look (folder, disk, port), start, watch, stop. Nothing outlives the launcher.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path

from segue import embedded, model
from segue.ask import ask_port, ask_socket
from segue.checks import check_disk, check_port
from segue.options import Options
from segue.places import ROOT, DataFolder, app_python, bot_python, make_socket_folder, process_identity
from segue.refusal import Refusal
from segue.supervise import Part, PartFailed, Running, keep_small

# All of it is over within five seconds of Ctrl-C: the router may finish its turns, then the others go, Redis last.
STOP_ORDER = (({"router"}, 3.8), ({"bot", "actions", "train"}, 0.4), ({"redis"}, 0.5))


def up(options: Options) -> int:
    """Runs until it is told to stop; 0 after a wanted end, 1 after a part could not be kept alive."""
    folder = DataFolder.open(options.data_dir)
    with folder.owned():
        end_orphans(folder)
        check_disk(folder.path)
        check_port(options.host, options.port)
        return asyncio.run(Launcher(options, folder).run())


def say(line: str) -> None:
    """One line for the operator, at once also into a pipe; a closed pipe is no reason to stop."""
    with suppress(OSError, ValueError):
        print(line, flush=True)


def end_orphans(folder: DataFolder) -> None:
    """Ends what a killed launcher left behind. Only a process with the recorded number *and* start time is touched."""
    parts: dict[str, list[object]] = folder.record().get("parts", {})
    orphans = {}
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

    def __init__(self, options: Options, folder: DataFolder) -> None:
        self.options = options
        self.folder = folder
        self.sockets = make_socket_folder()
        self.redis_url = options.redis_url or f"unix://{self.sockets / 'redis.sock'}"
        self._running: list[Running] = []
        self._watchers: list[asyncio.Task[None]] = []
        self._failed: asyncio.Queue[BaseException] = asyncio.Queue()
        self._record: dict[str, object] = {
            "launcher": os.getpid(),
            "url": options.url,
            "redis_url": self.redis_url,
            "sockets": str(self.sockets),
        }
        self._pids: dict[str, tuple[int, str | None]] = {}

    # --- the story

    async def run(self) -> int:
        told = self._hear_signals()
        self._write_record()
        self._greet()
        began = time.monotonic()
        bring_up = asyncio.create_task(self._bring_up(began))
        failure = asyncio.create_task(self._failed.get())
        others = [asyncio.create_task(told.wait()), asyncio.create_task(self._keep_logs_small())]
        try:
            await asyncio.wait([bring_up, failure, others[0]], return_when=asyncio.FIRST_COMPLETED)
            if not told.is_set() and bring_up.done() and bring_up.exception() is None:
                await asyncio.wait([failure, others[0]], return_when=asyncio.FIRST_COMPLETED)
            if told.is_set():
                say("Stopping …")
                return 0
            return self._explain(failure.result() if failure.done() else bring_up.exception())
        finally:
            for task in (tasks := [bring_up, failure, *others, *self._watchers]):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._stop()
            self.folder.forget_record()

    async def _bring_up(self, began: float) -> None:
        if self.options.redis_url is None:
            await self._start(self._redis())
        await asyncio.gather(self._start(self._router()), self._start(self._actions()), self._bring_up_bot())
        await self._ready_to_answer()
        say(f"Ready in {time.monotonic() - began:.1f} s.")

    async def _bring_up_bot(self) -> None:
        await self._start(self._bot(await self._model()))

    async def _model(self) -> Path:
        models = self.folder.path / "models"
        found = await model.find_model(models, self._new)
        if found is not None:
            return found
        if not self.options.train:
            newest = model.newest_model(models)
            say(f"The training data have changed since {newest.name} was trained; it is used as it is (--no-train).")
            return newest
        say("Training the assistant (only when its data have changed) …")
        return await model.train(models, self._new, show=lambda line: say(f"  {line}"))

    async def _ready_to_answer(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            status, answer = await ask_port(self.options.near_host, self.options.port, "/readyz")
            if status == 200:
                return
            if time.monotonic() > deadline:
                raise PartFailed(
                    "router", f"does not become ready (/readyz answers {status or 'nothing'}: {answer})", []
                )
            await asyncio.sleep(0.05)

    async def _stop(self) -> None:
        for names, within in STOP_ORDER:
            await asyncio.gather(*(running.stop(within) for running in self._running if running.part.name in names))

    # --- the parts

    def _environment(self) -> dict[str, str]:
        return {
            **self.options.environment(),
            "SEGUE_REDIS__URL": self.redis_url,
            "SEGUE_BOT__SOCKET": str(self.sockets / "bot.sock"),
            "SEGUE_ACTIONS__SOCKET": str(self.sockets / "actions.sock"),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        }

    def _redis(self) -> Part:
        data, socket_file = self.folder.path / "redis", self.sockets / "redis.sock"
        return Part(
            name="redis",
            argv=embedded.command(embedded.find_server(data), socket_file, data),
            cwd=data,
            ready=lambda: embedded.answers(socket_file),
            ready_within=300,
            when_orphaned=signal.SIGTERM,
        )

    def _router(self) -> Part:
        return Part(
            name="router",
            argv=(app_python(), "-P", "-m", "segue", "serve", "--role", "all"),
            cwd=ROOT,
            env=self._environment(),
            ready=self._answers_on_port("/healthz"),
        )

    def _actions(self) -> Part:
        socket_file = self.sockets / "actions.sock"
        return Part(
            name="actions",
            argv=(
                app_python(),
                "-P",
                "-m",
                "actions.serve",
                "--socket",
                str(socket_file),
                "--data-dir",
                str(self.folder.path),
            ),
            cwd=ROOT,
            env=self._environment(),
            ready=answers_on_socket(socket_file),
        )

    def _bot(self, trained: Path) -> Part:
        socket_file, actions = self.sockets / "bot.sock", self.sockets / "actions.sock"
        words = {
            "--socket": socket_file,
            "--model": trained,
            "--actions-socket": actions,
            "--brand": self.options.brand,
        }
        return Part(
            name="bot",
            argv=(bot_python(), "-m", "bot.serve", *(str(word) for pair in words.items() for word in pair)),
            cwd=ROOT,
            # Nothing is fetched at run time.
            env={**self._environment(), "HF_HUB_OFFLINE": "1"},
            ready=answers_on_socket(socket_file),
            ready_within=120,
        )

    def _answers_on_port(self, path: str) -> Callable[[], Awaitable[bool]]:
        async def asked() -> bool:
            status, _ = await ask_port(self.options.near_host, self.options.port, path)
            return status == 200

        return asked

    # --- keeping them

    def _new(self, part: Part) -> Running:
        running = Running(part, log=self.folder.log(part.name), say=say, started=self._note)
        self._running.append(running)
        return running

    async def _start(self, part: Part) -> None:
        running = self._new(part)
        await running.start()
        self._watch(running.keep())

    def _watch(self, keep: Coroutine[object, object, None]) -> None:
        async def watch() -> None:
            try:
                await keep
            except PartFailed as failure:
                self._failed.put_nowait(failure)

        self._watchers.append(asyncio.create_task(watch()))

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
        say("To stop      Ctrl-C" if sys.stdin.isatty() else f"To stop      kill {os.getpid()}")

    def _explain(self, failure: BaseException | None) -> int:
        if isinstance(failure, Refusal):
            raise failure
        if not isinstance(failure, PartFailed):
            raise failure or RuntimeError("stopped without a reason")
        for line in failure.tail:
            say(f"    {line}")
        raise Refusal(f"{failure}: everything was stopped; its log is in {self.folder.path / 'log'}.")

    def _note(self, name: str, pid: int) -> None:
        self._pids[name] = (pid, process_identity(pid))
        self._write_record()

    def _write_record(self) -> None:
        self.folder.write_record({**self._record, "parts": self._pids})


def answers_on_socket(socket_file: Path) -> Callable[[], Awaitable[bool]]:
    """A question for `Part.ready`: does this part say that it is ready?"""

    async def asked() -> bool:
        status, answer = await ask_socket(socket_file, "/health")
        return status == 200 and answer.get("ready") is True

    return asked
