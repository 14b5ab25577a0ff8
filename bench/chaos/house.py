"""The processes under test: Redis, two routers, a bot; how each is killed, stopped, ended and started again."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import aiohttp
import redis.asyncio
from redis.exceptions import RedisError

from bench.chaos.merger import HOOKED, TAKES
from bench.chaos.planted import Fault, broken
from bench.chaos.proxy import Proxy
from bench.chaos.shop import SAFE, SECRET, UNSAFE, Receiver
from bench.machine import free_port
from bench.report import Broken
from router.store.runner import SCRIPT_TEXTS
from segue import embedded
from segue.places import ROOT

LEASE = 1.5
DEADLINE = 4.0
"""Seconds: of a turn's lease, and of the bot."""


QUICK: dict[str, Sequence[tuple[str, str]]] = {
    "outbox.py": (("LONGEST_SEND = 30.0", "LONGEST_SEND = 1.5"), ("(LONGEST_SEND + 15)", "(LONGEST_SEND + 1)")),
    **HOOKED,
}
"""A delivery whose worker died is looked at again after 2.5 s, not 45: only these numbers differ from the product."""
TINY_DISK = {"room.py": (("LEAST_DISK = 500 * 1024 * 1024", "LEAST_DISK = 1 << 62"),)}


class Part:
    """One process; `start` may be called again after it ended."""

    def __init__(self, name: str, argv: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._argv = argv
        self.env = dict(env)
        self._child: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self.log.open("ab") as out:
            self._child = await asyncio.create_subprocess_exec(
                *self._argv, cwd=self.log.parent, env={**os.environ, **self.env}, stdout=out, stderr=out
            )

    @property
    def child(self) -> asyncio.subprocess.Process:
        if self._child is None:
            raise Broken(f"{self.name} was never started")
        return self._child

    @property
    def runs(self) -> bool:
        return self._child is not None and self._child.returncode is None

    async def kill(self) -> None:
        self.child.kill()
        await self.child.wait()

    async def end(self, seconds: float = 12) -> int:
        """Asked to end: its exit code. Killed when it does not."""
        if self.runs:
            with suppress(ProcessLookupError):
                self.child.send_signal(signal.SIGCONT)
                self.child.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(seconds):
                    await self.child.wait()
            except TimeoutError:
                await self.kill()
        return self.child.returncode or 0

    async def pause(self, seconds: float) -> None:
        """Stopped as if its machine slept, then woken."""
        self.child.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            with suppress(ProcessLookupError):
                self.child.send_signal(signal.SIGCONT)


class House:
    """Everything in one folder. `fault` breaks the scripts of the routers, in a copy first on their path."""

    def __init__(self, folder: Path, fault: Fault | None = None) -> None:
        self.folder = folder
        self.socket = folder / "r.sock"
        self.bot_socket = folder / "b.sock"
        self.asked = folder / "asked.jsonl"
        self.ports = [free_port(), free_port()]
        self.fronts: list[Proxy] = []
        self.steady: list[Proxy] = []
        self.wire: Proxy | None = None
        self.receiver = Receiver(random.Random(1))  # noqa: S311  no secret
        self.receiver_ports = {account: free_port() for account in ("receiver", SAFE, UNSAFE)}
        (folder / "segue.toml").write_text(
            "".join(
                f'[channels.webhook.{account}]\nsecret = "{SECRET}"\nintroduce = false\n'
                f"idempotent = {str(account == SAFE).lower()}\n"
                f'url = "http://127.0.0.1:{self.receiver_ports[account]}/{account}"\ntimeout_seconds = 1\n'
                for account in (SAFE, UNSAFE)
            ),
            "utf-8",
        )
        self.path = os.pathsep.join((str(_copy(folder / "ours", fault, QUICK)), str(ROOT)))
        self.tiny_disk = os.pathsep.join((str(_copy(folder / "tiny", fault, {**QUICK, **TINY_DISK})), str(ROOT)))
        (folder / "redis").mkdir()
        server = (*embedded.command(embedded.find_server(folder), self.socket, folder / "redis"),)
        self.redis = Part("redis", server, {}, folder / "redis.log")
        python = (sys.executable, "-P", "-m")
        self.bot = Part(
            "bot",
            (*python, "bench.chaos.bot", str(self.bot_socket), str(self.asked)),
            {"PYTHONPATH": str(ROOT)},
            folder / "bot.log",
        )
        self.far_ports = [free_port(), free_port()]
        self.routers = [
            Part(
                f"router {n}",
                (*python, "segue", "serve", "--role", "all"),
                self._settings(n),
                folder / f"router{n}.log",
            )
            for n in range(2)
        ]

    def _settings(self, number: int) -> dict[str, str]:
        return {
            "PYTHONPATH": self.path,
            "SEGUE_DATA_DIR": str(self.folder / "data"),
            "SEGUE_SERVER__PORT": str(self.far_ports[number]),
            "SEGUE_REDIS__URL": f"unix://{self.folder / 'w.sock'}",
            "SEGUE_REDIS__LEASE_SECONDS": str(LEASE),
            "SEGUE_BOT__SOCKET": str(self.bot_socket),
            "SEGUE_BOT__DEADLINE_SECONDS": str(DEADLINE),
            "SEGUE_ACTIONS__SOCKET": str(self.bot_socket),
            "SEGUE_SERVER__RATE_LIMITS": "false",
            # What webhooks bring one router claims with the message, the other when a burst has ended.
            "SEGUE_WIDGET__BURST_MS": "100",
            "SEGUE_CONVERSATION__BURST_MS": "100" if number else "0",
            "SEGUE_CONVERSATION__IDLE_HOURS": "0",
            "SEGUE_CONFIG": str(self.folder / "segue.toml"),
        }

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self.close()
            raise
        return self

    async def _open(self) -> None:
        self.wire = await Proxy.before_socket(self.folder / "w.sock", self.socket)
        self.fronts = [await Proxy.before_port(self.ports[n], self.far_ports[n]) for n in range(2)]
        await self.receiver.start(self.receiver_ports["receiver"])
        for account in (SAFE, UNSAFE):
            # Only where a repeat is safe may an answer be lost on purpose.
            proxy = await Proxy.before_port(self.receiver_ports[account], self.receiver_ports["receiver"])
            (self.fronts if account == SAFE else self.steady).append(proxy)
        self.client = redis.asyncio.Redis(unix_socket_path=str(self.socket))
        await self.start_redis()
        await self.bot.start()
        self.http = aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=str(self.bot_socket)))
        await self.start_router(0)  # makes the keys that both share
        await self.start_router(1)

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        for part in (*self.routers, self.bot, self.redis):
            if part.runs:
                await part.end()
        for proxy in (*self.fronts, *self.steady, *([self.wire] if self.wire else [])):
            await proxy.close()
        await self.receiver.close()
        for what in ("http", "client"):
            if hasattr(self, what):
                await (self.http.close() if what == "http" else self.client.aclose())

    async def start_redis(self) -> None:
        await self.redis.start()

        async def answers() -> bool:
            with suppress(RedisError, OSError):
                return bool(await self.client.ping())
            return False

        await until(answers, "redis", self.redis)

    async def start_router(self, number: int) -> None:
        part = self.routers[number]
        await part.start()
        url = f"http://127.0.0.1:{self.far_ports[number]}/healthz"

        async def listens() -> bool:
            with suppress(aiohttp.ClientError, OSError, TimeoutError):
                async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1)) as http, http.get(url) as got:
                    return got.status == 200
            return False

        await until(listens, part.name, part)

    async def set_bot(self, mode: str) -> None:
        with suppress(aiohttp.ClientError, OSError):
            async with self.http.post("http://bot/mode", json={"mode": mode}):
                pass


async def until(true: object, what: str, part: Part | None = None, seconds: float = 40) -> None:
    """Looks until it is true. Raises `Broken`."""
    assert callable(true)  # noqa: S101
    deadline = asyncio.get_running_loop().time() + seconds
    while not await true():
        gone = part is not None and not part.runs
        if gone or asyncio.get_running_loop().time() > deadline:
            tail = part.log.read_text(encoding="utf-8", errors="replace")[-1500:] if part else ""
            raise Broken(f"{what} does not become ready. {tail}")
        await asyncio.sleep(0.02)


def _copy(folder: Path, fault: Fault | None, numbers: Mapping[str, Sequence[tuple[str, str]]]) -> Path:
    """A copy of `router/` with a fault in its scripts, and with other numbers in some of its files."""
    shutil.copytree(ROOT / "router", folder / "router", ignore=shutil.ignore_patterns("__pycache__"))
    if fault:
        texts = broken(SCRIPT_TEXTS, fault)
        shared = (folder / "router/store/scripts/_shared.lua").read_text("utf-8")
        for name in {change.script for change in fault.changes}:
            whole = texts[name]
            if not whole.startswith(shared):
                raise Broken(f"{fault.name} changes the shared part")
            (folder / f"router/store/scripts/{name}.lua").write_text(whole[len(shared) :], "utf-8")
    (folder / "router" / "chaos_takes.py").write_text(TAKES, "utf-8")
    for name, changes in numbers.items():
        text = (folder / "router" / name).read_text("utf-8")
        for before, after in changes:
            if before not in text:
                raise Broken(f"{name} no longer holds {before!r}")
            text = text.replace(before, after)
        (folder / "router" / name).write_text(text, "utf-8")
    return folder
