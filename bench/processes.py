"""The processes of a bench: the real router, a bare echo, Redis, an instant bot; with their CPU time and memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self, TypeVar

import redis

from bench.driver import Driver
from bench.machine import OTHER_CORE, SERVER_CORE, answers, cpu_seconds, free_port, memory, short_folder
from bench.report import Broken
from segue import embedded
from segue.places import ROOT

SHARDS = 256

_Kept = TypeVar("_Kept", bound="Process")


class Process:
    """A child on its core. Leaving the block ends it."""

    def __init__(self, name: str, argv: Sequence[str], *, cores: Sequence[int], env: Mapping[str, str], log: Path):
        self.name = name
        self.log = log
        with log.open("ab") as out:
            self._child = subprocess.Popen(
                argv, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **env}, stdout=out, stderr=out
            )
        if cores:
            os.sched_setaffinity(self._child.pid, cores)

    @property
    def pid(self) -> int:
        return self._child.pid

    def cpu(self) -> float:
        """Seconds of CPU so far, of all its threads."""
        return cpu_seconds(self.pid)

    def memory(self) -> tuple[float, float]:
        """RSS and PSS in MB."""
        return memory(self.pid)

    def wait_until(self, ready: Callable[[], bool], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            if self._child.poll() is not None or time.monotonic() > deadline:
                self.end()  # nobody else knows of it yet
                tail = self.log.read_text(encoding="utf-8", errors="replace")[-800:]
                raise Broken(f"{self.name} does not become ready. Its last words:\n{tail}")
            time.sleep(0.01)

    def end(self) -> None:
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
            try:
                self._child.wait(8)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()


class RedisProcess(Process):
    """The Redis that `segue up` would start, with another promise about the disk where asked."""

    def __init__(self, folder: Path, name: str, *, fsync: str) -> None:
        data = folder / f"redis-{name}"
        data.mkdir()
        self.socket = folder / f"r-{name}.sock"
        argv = (*embedded.command(embedded.find_server(data), self.socket, data), "--appendfsync", fsync)
        super().__init__(f"redis ({name})", argv, cores=OTHER_CORE, env={}, log=folder / f"redis-{name}.log")
        self.client = redis.Redis(unix_socket_path=str(self.socket))

        def answers_ping() -> bool:
            with suppress(redis.RedisError):
                return bool(self.client.ping())
            return False

        self.wait_until(answers_ping)

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def commands(self) -> int:
        """So far, with those inside scripts."""
        return int(self.client.info("stats")["total_commands_processed"])

    def waiting(self) -> int:
        """Customers with work to do: 0 when everything that was accepted was answered."""
        pipeline = self.client.pipeline(transaction=False)
        for shard in range(SHARDS):
            pipeline.zcard(f"{{{shard}}}run")
        return sum(pipeline.execute())

    def drain(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while self.waiting():
            if time.monotonic() > deadline:
                raise Broken(f"{self.waiting()} customers still wait after {seconds:.0f} s")
            time.sleep(0.02)


class InstantBot(Process):
    """Answers every turn at once, and for the actions that they are well."""

    def __init__(self, folder: Path, name: str, events: int) -> None:
        self.socket = folder / f"b-{name}.sock"
        argv = (sys.executable, "-P", "-m", "bench.instant_bot", str(self.socket), str(events))
        super().__init__("instant bot", argv, cores=OTHER_CORE, env={}, log=folder / "bot.log")
        self.wait_until(self.socket.exists)


class Router(Process):
    """`segue serve`, as it runs in production; `events` puts a bot into its process (bench/in_process.py)."""

    def __init__(
        self,
        folder: Path,
        name: str,
        redis_url: str,
        bot: Path,
        *,
        burst_ms: int = 0,
        events: int | None = None,
        settings: Mapping[str, str] = MappingProxyType({}),
        role: str = "all",
    ) -> None:
        """`settings` as variables of the environment, beside those that every bench has."""
        self.port = free_port()
        env = {
            "SEGUE_DATA_DIR": str(folder / name),
            "SEGUE_SERVER__PORT": str(self.port),
            "SEGUE_REDIS__URL": redis_url,
            "SEGUE_BOT__SOCKET": str(bot),
            "SEGUE_ACTIONS__SOCKET": str(bot),
            "SEGUE_WIDGET__BURST_MS": str(burst_ms),
            "SEGUE_SERVER__RATE_LIMITS": "false",
            "SEGUE_SERVER__TRUSTED_PROXIES": '["127.0.0.1"]',  # benches name each visitor's address
            "SEGUE_CONFIG": "",
            **settings,
        }
        argv: tuple[str, ...] = (sys.executable, "-P", "-m", "segue", "serve", "--role", role)
        if events is not None:
            argv = (sys.executable, "-P", "-m", "bench.in_process", str(events))
        super().__init__(f"router ({name})", argv, cores=SERVER_CORE, env=env, log=folder / f"{name}.log")
        self.data = folder / name
        self.wait_until(lambda: answers(self.port, "/readyz"), 120)

    def turns(self) -> int:
        """Turns answered so far."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return sum(int(float(line.split()[1])) for line in lines if line.startswith("segue_turns_total{"))


class Echo(Process):
    """The limit: a bare aiohttp server that reads JSON and writes it back."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        argv = (sys.executable, "-P", "-m", "bench.echo", str(self.port))
        super().__init__("echo", argv, cores=SERVER_CORE, env={}, log=folder / "echo.log")
        self.wait_until(lambda: answers(self.port, "/"))


class BotApi(Process):
    """Telegram, which takes everything."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        argv = (sys.executable, "-P", "-m", "bench.bot_api", str(self.port))
        super().__init__("bot api", argv, cores=OTHER_CORE, env={}, log=folder / "bot-api.log")
        self.wait_until(lambda: answers(self.port, "/"))


class House:
    """One folder, and everything that was started in it; all of it ends with the block."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.folder = self._stack.enter_context(short_folder())

    def redis(self, name: str = "redis", *, fsync: str = "everysec") -> RedisProcess:
        return self._kept(RedisProcess(self.folder, name, fsync=fsync))

    def bot(self, name: str = "bot", *, events: int = 2) -> InstantBot:
        """`events`: how many the dialogue's window holds."""
        return self._kept(InstantBot(self.folder, name, events))

    def router(
        self,
        redis_process: RedisProcess,
        bot: InstantBot,
        name: str = "router",
        settings: Mapping[str, str] = MappingProxyType({}),
        events: int | None = None,
        role: str = "all",
    ) -> Router:
        """`events`: the bot is in the router's process, and keeps windows of so many; else it is asked over HTTP."""
        return self._kept(
            Router(self.folder, name, redis_process.url, bot.socket, events=events, settings=settings, role=role)
        )

    def echo(self) -> Echo:
        return self._kept(Echo(self.folder))

    def bot_api(self) -> BotApi:
        return self._kept(BotApi(self.folder))

    def driver(self) -> Driver:
        driver = Driver(self.folder / "driver.log")
        self._stack.callback(driver.end)
        return driver

    def _kept(self, process: _Kept) -> _Kept:
        self._stack.callback(process.end)
        return process

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()
