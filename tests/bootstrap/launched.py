"""A launcher under test: what it said, what runs for it, and an end that leaves nothing behind."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from segue.places import DataFolder

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_gone(pid: int, within: float = 5) -> None:
    """Returns when the process has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    with os.fdopen(descriptor, "rb", buffering=0):
        assert select.select([descriptor], [], [], within)[0], f"process {pid} is still there"


class Up:
    """A launcher under test, and what it has said so far."""

    def __init__(
        self,
        data: Path,
        *words: str,
        port: int | None = None,
        before: Callable[[], None] | None = None,
        stdin: int = subprocess.DEVNULL,
    ) -> None:
        self.data = data
        self.port = port or free_port()
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "fake_up.py"), str(self.port), str(data), *words],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=before,
        )
        self.said = ""

    def wait_for(self, words: str, within: float = 15) -> str:
        """What was said up to and with these words."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + within
        while words not in self.said:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            piece = os.read(self.process.stdout.fileno(), 65536).decode() if ready else ""
            assert piece, f"never said {words!r}:\n{self.said}"
            self.said += piece
        return self.said

    def end(self, within: float = 10) -> int:
        """Everything it still says, and its exit code."""
        out, _ = self.process.communicate(timeout=within)
        self.said += out.decode()
        return self.process.returncode

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.end()

    def record(self) -> dict[str, object]:
        record: dict[str, object] = json.loads((self.data / "run.json").read_text())
        return record

    def pids(self) -> dict[str, int]:
        parts = self.record()["parts"]
        assert isinstance(parts, dict)
        return {name: pid for name, (pid, _) in parts.items() if alive(pid)}

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(str(self.record()["redis_url"]))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """Starts launchers and leaves nothing behind, whatever the test does."""
    started: list[Up] = []

    def start(*words: str, data: Path | None = None, **more: object) -> Up:
        started.append(Up(data or tmp_path / "var", *words, **more))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for up in started:
        pids = up.pids() if (up.data / "run.json").exists() else {}
        up.process.kill()
        up.process.communicate()
        for pid in pids.values():
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        DataFolder(up.data).forget_record()
