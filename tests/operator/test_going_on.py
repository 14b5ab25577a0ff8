"""The whole system with the real assistant: saved while it runs, restored into an empty folder, the form goes on."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.operator import Operator

from segue.places import home

ROOT = Path(__file__).resolve().parents[2]
FIRST_START = 240.0  # trains the assistant when its data are new
ANSWERS_WITHIN = 30.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        not (home() / "env-bot").is_dir(), reason="the assistant is not installed: bin/segue install bot"
    ),
]


class Up:
    """`segue up` as a process of its own."""

    def __init__(self, data: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.log = data.parent / f"up-{port}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "segue", "up", "--port", str(port), "--data-dir", str(data)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
            )

    def until_ready(self) -> None:
        deadline = time.monotonic() + FIRST_START
        while time.monotonic() < deadline:
            try:
                # A quarter of a second between two questions; an end of the launcher is seen at once.
                self.process.wait(0.25)
            except subprocess.TimeoutExpired:
                try:
                    with urllib.request.urlopen(f"{self.url}/readyz", timeout=2):
                        return
                except (urllib.error.URLError, OSError):
                    continue
            break
        pytest.fail(f"`segue up` did not become ready:\n{self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(15)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def up() -> Iterator[Callable[[Path], Up]]:
    started: list[Up] = []

    def start(data: Path) -> Up:
        started.append(Up(data, free_port()))
        started[-1].until_ready()
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.stop()


def ask(url: str, body: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, content, {"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return dict(json.load(answer))


class Customer:
    """A browser that keeps its handle."""

    def __init__(self, url: str, handle: str | None = None) -> None:
        self.url = f"{url}/v1/widget"
        session = ask(f"{self.url}/session", {"site": "demo", "locale": "pt-BR", "handle": handle})
        self.handle, self.token = session["handle"], f"Bearer {session['token']}"

    def said_to_me(self) -> list[str]:
        messages = ask(f"{self.url}/messages?limit=50", Authorization=self.token)["messages"]
        return [message["text"] for message in messages if message["author"]["kind"] == "bot"]

    def say(self, text: str) -> str:
        """The texts of the history after the bot's next one arrived."""
        before = len(self.said_to_me())
        request = urllib.request.Request(f"{self.url}/stream", headers={"Authorization": self.token})
        with urllib.request.urlopen(request, timeout=ANSWERS_WITHIN) as stream:
            key = {"Idempotency-Key": str(uuid.uuid4()), "Authorization": self.token}
            ask(f"{self.url}/messages", {"text": text}, **key)
            while line := stream.readline():
                frame = json.loads(line[6:]) if line.startswith(b"data: ") else {}
                if frame.get("message", {}).get("author", {}).get("kind") == "bot":
                    return "\n".join(self.said_to_me()[before:])
        pytest.fail(f"no answer to {text!r}")


def test_a_half_filled_form_goes_on_from_a_backup(up: Callable[[Path], Up], tmp_path: Path) -> None:
    first = up(tmp_path / "first")
    ana = Customer(first.url)
    assert "número" in ana.say("onde está o meu pedido?")
    assert "e-mail" in ana.say("1001")
    Operator(tmp_path / "first").run("backup", str(tmp_path / "backup.tar.gz"))
    first.stop()

    Operator(tmp_path / "second").run("restore", str(tmp_path / "backup.tar.gz"))
    again = Customer(up(tmp_path / "second").url, ana.handle)
    assert len(again.said_to_me()) == 2, "the history is there"
    answer = again.say("ana@exemplo.com.br")
    assert "1001" in answer, answer
