"""What `segue up` starts: each part's command, its variables, and how it says that it is ready."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from segue import embedded
from segue.ask import ask_port, ask_socket
from segue.options import Options
from segue.places import ROOT, DataFolder, app_python, bot_python
from segue.supervise import Part


class Parts:
    """The parts of one installation, each with a socket in the private folder `sockets`."""

    def __init__(self, options: Options, folder: DataFolder, sockets: Path) -> None:
        self.options = options
        self.folder = folder
        self.redis_socket = sockets / "redis.sock"
        self.actions_socket = sockets / "actions.sock"
        self.bot_socket = sockets / "bot.sock"
        self.redis_url = options.redis_url or f"unix://{self.redis_socket}"
        # Rasa's own folder, so that `train`, `rasa shell` and every data folder share one training.
        self.models = ROOT / "models" if os.access(ROOT, os.W_OK) else folder.path / "models"

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

    def bot(self, model: Path) -> Part:
        """A bot worker with its model."""
        return Part(
            name="bot",
            argv=(
                *(bot_python(), "-m", "bot.serve", "--socket", str(self.bot_socket), "--model", str(model)),
                *("--actions-socket", str(self.actions_socket), "--brand", str(self.options.brand)),
            ),
            cwd=ROOT,
            env=self._environment(),
            ready=answers_on_socket(self.bot_socket),
            ready_within=120,
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
            "SEGUE_BOT__SOCKET": str(self.bot_socket),
            "SEGUE_ACTIONS__SOCKET": str(self.actions_socket),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
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


async def _never() -> bool:
    return False
