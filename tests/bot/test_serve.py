"""The turn server as a process: its socket, its answers, its end, and its silence about what people write."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import async_timeout
import pytest
import pytest_asyncio
from dialogue import Dialogue

ROOT = Path(__file__).parents[2]
SECRET = "segredo7319"


class Server:
    """A running `python -m bot.serve` and a session to it."""

    def __init__(self, folder: str, model: Path, brand: Path, actions: str) -> None:
        self.socket = f"{folder}/b.sock"
        self.command = [
            *(sys.executable, "-m", "bot.serve", "--socket", self.socket, "--model", str(model)),
            *("--actions-socket", actions, "--brand", str(brand)),
        ]
        self.log = Path(folder) / "log"
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> Server:
        with self.log.open("wb") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=log, stderr=log
            )
        await until(lambda: self.is_there() or self.process.returncode is not None, 60)
        assert self.process.returncode is None, self.log.read_text()
        return self

    def is_there(self) -> bool:
        return Path(self.socket).exists()

    def mode(self) -> int:
        return stat.S_IMODE(Path(self.socket).stat().st_mode)

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        connector = aiohttp.UnixConnector(self.socket)
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.request(method, f"http://bot{path}", **options) as response,
        ):
            return response.status, await response.json()


async def until(condition: Callable[[], bool], seconds: float) -> None:
    """Looks every few milliseconds; fails when it takes too long."""
    async with async_timeout.timeout(seconds):
        while not condition():
            await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=0.02)


@pytest_asyncio.fixture
async def server(model, brand, actions):
    with tempfile.TemporaryDirectory(prefix="sb") as folder:
        running = await Server(folder, model, brand, actions.path).start()
        yield running
        if running.process.returncode is None:
            running.process.kill()
            await running.process.wait()


def body(text: str) -> dict[str, Any]:
    return Dialogue(None).body(text)


async def test_the_server_answers_and_tells_nobody_what_was_said(server, actions):
    assert 0o600 == server.mode()
    status, health = await server.ask("GET", "/health")
    assert (200, True, "pocket.tar.gz") == (status, health["ready"], health["model"])

    status, answer = await server.ask("POST", "/turn", json=body(f"bom dia {SECRET}"))
    assert (200, "answered") == (status, answer["outcome"])
    actions.fault = "status"
    status, problem = await server.ask("POST", "/turn", json=body(f"zzbroken please {SECRET}"))
    assert (502, "action_status", "action_broken") == (status, problem["type"], problem["where"])
    assert "events" not in problem
    status, problem = await server.ask("POST", "/turn", json={"window": [{"event": "export", "path": SECRET}]})
    assert (400, "bad_request", "window") == (status, problem["type"], problem["where"])
    for data in (b"{", b"[]", b'{"message": {"id": "c.1", "text": 1}}', b"\xff"):
        assert 400 == (await server.ask("POST", "/turn", data=data))[0]
    assert 400 == (await server.ask("POST", "/turn", data=b" " * 5_000_000))[0]

    server.process.send_signal(signal.SIGTERM)
    assert 0 == await asyncio.wait_for(server.process.wait(), 15)
    assert not server.is_there()
    log = server.log.read_text()
    assert SECRET not in log
    assert "failed: action_status at action_broken" in log


async def test_the_server_ends_on_an_interrupt(server):
    server.process.send_signal(signal.SIGINT)
    assert 0 == await asyncio.wait_for(server.process.wait(), 15)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a child")
async def test_the_server_ends_with_its_parent(model, brand, actions):
    with tempfile.TemporaryDirectory(prefix="sb") as folder:
        server = Server(folder, model, brand, actions.path)
        code = (
            "import subprocess, sys, json, time, os\n"
            "child = subprocess.Popen(json.loads(sys.argv[1]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
            "print(child.pid, flush=True)\n"
            "sys.stdin.read()\n"
        )
        parent = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", code, json.dumps(server.command)),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        child = int(await parent.stdout.readline())
        await until(lambda: server.is_there() or not _alive(child), 60)
        assert _alive(child)
        parent.kill()
        await parent.wait()
        await until(lambda: not _alive(child), 15)
        assert not server.is_there()


def _alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"--model": "nowhere.tar.gz"}, "There is no model at nowhere.tar.gz"),
        ({"--socket": "/tmp/" + "x" * 120}, "longer than 107 bytes"),
        ({"--brand": "nowhere.toml"}, "The bot cannot start: nowhere.toml cannot be read"),
    ],
)
def test_what_is_wrong_with_the_options_is_one_sentence(model, brand, change, sentence):
    options = {"--socket": "/tmp/never.sock", "--model": str(model), "--brand": str(brand), **change}
    done = subprocess.run(
        [sys.executable, "-m", "bot.serve", *(word for pair in options.items() for word in pair)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 != done.returncode
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
