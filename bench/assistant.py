"""The real assistant for a bench: its newest model, its actions and the demo shop, each in its own process."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.machine import OTHER_CORE, SERVER_CORE
from bench.processes import Process
from bench.report import Broken
from segue.places import ROOT, bot_python


def model() -> Path:
    """The model of the training data as they are; trained when there is none."""
    run = subprocess.run(
        [bot_python(), "-m", "bot.train", "--models", str(ROOT / "models")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = run.stdout.strip().splitlines()
    if run.returncode or not lines or not Path(lines[-1]).is_file():
        raise Broken(f"there is no model: {(run.stderr or run.stdout)[-500:]}")
    return Path(lines[-1])


class Assistant:
    """A bot worker and an action server."""

    def __init__(self, folder: Path) -> None:
        file = model()
        actions, bot = folder / "actions.sock", folder / "bot.sock"
        data = folder / "shop"
        data.mkdir()
        self.actions = Process(
            "actions",
            (sys.executable, "-P", "-m", "actions.serve", "--socket", str(actions), "--data-dir", str(data)),
            cores=OTHER_CORE, env={}, log=folder / "actions.log",
        )  # fmt: skip
        self.actions.wait_until(lambda: _healthy(actions))
        self.bot = Process(
            "bot",
            (bot_python(), "-m", "bot.serve", "--socket", str(bot), "--model", str(file),
             "--actions-socket", str(actions), "--brand", str(ROOT / "brand.toml")),
            cores=SERVER_CORE, env={}, log=folder / "bot-worker.log",
        )  # fmt: skip
        self.bot.wait_until(lambda: _healthy(bot), 60)
        self._http = UnixConnection(bot)

    def ask(self, body: dict[str, Any]) -> dict[str, Any]:
        self._http.request("POST", "/turn", json.dumps(body), {"Content-Type": "application/json"})
        response = self._http.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
        if response.status != 200:
            raise Broken(f"the bot fails: {answer}")
        return answer

    def dialogue(self) -> Dialogue:
        return Dialogue(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()
        self.bot.end()
        self.actions.end()


@dataclass
class Dialogue:
    """One customer's dialogue, its window kept as the router would."""

    assistant: Assistant
    customer: str = field(default_factory=lambda: str(uuid.uuid4()))
    window: list[dict[str, Any]] = field(default_factory=list)
    language: dict[str, Any] = field(default_factory=lambda: {"current": "pt-BR", "votes": 0, "locale": "pt-BR"})
    turns: int = 0
    events: int = 0

    def body(self, text: str) -> dict[str, Any]:
        return {
            "window": self.window,
            "message": {
                "id": f"{self.customer}.{self.turns}",
                "text": text,
                "metadata": {"channel": "webchat", "locale": "pt-BR"},
            },
            "slots": {}, "said": [], "language": self.language, "new_session": False, "dry_run": False,
        }  # fmt: skip

    def say(self, text: str) -> dict[str, Any]:
        answer = self.assistant.ask(self.body(text))
        self.window = answer.get("window") or [*self.window, *answer["events"]]
        self.language = {**self.language, **answer["language"]}
        self.turns += 1
        self.events += len(answer["events"])
        return answer


class UnixConnection(http.client.HTTPConnection):
    """http.client over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _healthy(path: Path) -> bool:
    try:
        connection = UnixConnection(path)
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
