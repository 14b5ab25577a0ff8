"""What `segue up` starts: each part's command, its variables, and how it says that it is ready."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from segue import embedded
from segue.ask import ask_port, ask_socket
from segue.options import Options
from segue.places import ROOT, DataFolder, app_python, bot_python, home
from segue.supervise import Part


class Parts:
    """The parts of one installation, each with a socket in the private folder `sockets`."""

    def __init__(self, options: Options, folder: DataFolder, sockets: Path) -> None:
        self.options = options
        self.folder = folder
        self.redis_socket = sockets / "redis.sock"
        self.actions_socket = sockets / "actions.sock"
        self.bot_folder = sockets / "bot"
        self.redis_url = options.redis_url or f"unix://{self.redis_socket}"
        self.bot_workers = options.bot_workers or default_workers()
        self.models = models_folder(folder.path)

    def redis(self) -> Part:
        """Our own Redis. A long append-only file takes its time to load."""
        data = self.folder.path / "redis"
        return Part(
            name="redis",
            argv=embedded.command(embedded.find_server(data), self.redis_socket, data),
            cwd=data,
            ready=lambda: embedded.answers(self.redis_socket),
            ready_within=300,
            when_orphaned=signal.SIGTERM,
        )

    def router(self) -> Part:
        """The door to the world, and the workers."""
        return Part(
            name="router",
            argv=(app_python(), "-P", "-m", "segue", "serve", "--role", "all"),
            cwd=ROOT,
            env=self._environment(),
            ready=answers_on_port(self.options.near_host, self.options.port, "/healthz"),
        )

    def actions(self) -> Part:
        """The action server."""
        return Part(
            name="actions",
            argv=(
                *(app_python(), "-P", "-m", "actions.serve"),
                *("--socket", str(self.actions_socket), "--data-dir", str(self.folder.path)),
            ),
            cwd=ROOT,
            env=self._environment(),
            ready=answers_on_socket(self.actions_socket),
        )

    def bot(self, model: Path, number: int = 1, *, waits: bool = False) -> Part:
        """A generation of bot workers with its model. One that waits leaves new turns to the generation before it."""
        generation = f"g{number}"
        return Part(
            # Two at most run at a time, each with a log of its own.
            name="bot" if number % 2 else "bot-2",
            argv=(
                *(bot_python(), "-m", "bot.serve", "--folder", str(self.bot_folder), "--generation", generation),
                *("--workers", str(self.bot_workers), "--model", str(model), *(("--wait",) if waits else ())),
                *("--actions-socket", str(self.actions_socket), "--brand", str(self.options.brand)),
            ),
            cwd=ROOT,
            env=self._environment(),
            ready=pool_answers(self.bot_folder, generation, self.bot_workers, current=not waits),
            ready_within=120,
        )

    def golden(self, number: int) -> Part:
        """Plays the golden dialogues to one worker of a generation; its last line says how it went."""
        return Part(
            name="golden",
            argv=(
                *(bot_python(), "-m", "bot.golden", "--socket", str(self.bot_folder / f"g{number}-0.sock")),
                *("--stories", str(ROOT / "tests" / "stories")),
            ),
            cwd=ROOT,
            env=self._environment(),
            ready=_never,
        )

    def trainer(self, *, only_find: bool) -> Part:
        """Trains politely beside the running router, or only looks for a model; its last line names the file."""
        return Part(
            name="train",
            argv=(bot_python(), "-m", "bot.train", "--models", str(self.models), *(("--find",) if only_find else ())),
            cwd=ROOT,
            env=self._environment(),
            ready=_never,
            niceness=0 if only_find else 10,
        )

    def _environment(self) -> dict[str, str]:
        return {
            **self.options.environment(),
            "SEGUE_REDIS__URL": self.redis_url,
            "SEGUE_BOT__SOCKET": str(self.bot_folder),
            "SEGUE_ACTIONS__SOCKET": str(self.actions_socket),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            # Compiled once and kept with our own environments, also where the machine asks Python to write nothing.
            "PYTHONPYCACHEPREFIX": str(home() / "bytecode"),
            "PYTHONDONTWRITEBYTECODE": "",
            "HF_HUB_OFFLINE": "1",  # nothing is fetched at run time
        }


def answers_on_port(host: str, port: int, path: str) -> Callable[[], Awaitable[bool]]:
    """A question for `Part.ready`: does it answer 200 there?"""

    async def asked() -> bool:
        status, _ = await ask_port(host, port, path)
        return status == 200

    return asked


def answers_on_socket(socket_file: Path) -> Callable[[], Awaitable[bool]]:
    """A question for `Part.ready`: does it say there that it is ready?"""

    async def asked() -> bool:
        status, answer = await ask_socket(socket_file, "/health")
        return status == 200 and answer.get("ready") is True

    return asked


def pool_answers(folder: Path, generation: str, workers: int, *, current: bool) -> Callable[[], Awaitable[bool]]:
    """A question for `Part.ready`: does every worker of this generation answer, and (if asked) take new turns?"""
    questions = [answers_on_socket(folder / f"{generation}-{number}.sock") for number in range(workers)]

    async def asked() -> bool:
        if current:
            try:
                if (folder / "current").read_text(encoding="utf-8") != generation:
                    return False
            except FileNotFoundError:
                return False
        for question in questions:
            if not await question():
                return False
        return True

    return asked


def models_folder(data: Path) -> Path:
    """Rasa's own folder, so that `train`, `rasa shell` and every data folder share one training."""
    return ROOT / "models" if os.access(ROOT, os.W_OK) else data / "models"


def default_workers() -> int:
    """One less than the cores, for the router wants one too; at least two, so that a slow turn has a second to ask."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(2, cores - 1)


async def _never() -> bool:
    return False
