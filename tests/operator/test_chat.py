"""`segue chat` in a terminal of its own, against a real router whose bot answers by rule."""

from __future__ import annotations

import asyncio
import os
import pty
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.bot import FakeBot, says
from scenario.conftest import House, actions_socket, bot, files, house, settings

__all__ = ["actions_socket", "bot", "files", "house", "settings"]  # fixtures, used by name

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb"}


class Terminal:
    """A person at a terminal: sees what is printed, types, presses Ctrl-C."""

    def __init__(self, *words: str) -> None:
        self._screen, inner = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "segue", "chat", *words],
            cwd=ROOT,
            env=ENVIRONMENT,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
            preexec_fn=lambda: os.login_tty(os.dup(0)),  # the terminal whose Ctrl-C it hears
        )
        os.close(inner)
        self.seen = ""
        self._more = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._screen, self._read)

    def _read(self) -> None:
        try:
            piece = os.read(self._screen, 65536)
        except OSError:  # Linux' way to say that the other side is closed
            piece = b""
        if not piece:
            asyncio.get_running_loop().remove_reader(self._screen)
        self.seen += piece.decode().replace("\r\n", "\n").replace("\x1b[1m", "").replace("\x1b[0m", "")
        self._more.set()

    async def sees(self, words: str, seconds: float = 30) -> None:
        """Returns once these words were printed."""
        try:
            async with asyncio.timeout(seconds):
                while words not in self.seen:
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            pytest.fail(f"never saw {words!r}:\n{self.seen}")

    def type(self, text: str) -> None:
        os.write(self._screen, text.encode())

    async def end(self) -> int:
        return await asyncio.to_thread(self.process.wait, 15)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        asyncio.get_running_loop().remove_reader(self._screen)
        os.close(self._screen)


@pytest.fixture
async def terminal() -> AsyncIterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def open_(*words: str) -> Terminal:
        opened.append(Terminal(*words))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


def shop(asked: dict[str, Any]) -> dict[str, Any]:
    """Offers two buttons to a greeting, and tells which payload it got."""
    message = asked["message"]
    if message.get("payload"):
        return says(f"chosen: {message['payload']}")
    if message["text"] != "oi":
        return says(f"heard: {message['text']}")
    offered = [{"title": "Sim", "payload": "/affirm"}, {"title": "Não", "payload": "/deny"}]
    answer = says("")
    answer["responses"] = [{"text": "Posso ajudar?", "buttons": offered}]
    return answer


async def test_a_buttons_number_presses_it_while_it_is_the_last_question(
    house: House, bot: FakeBot, terminal: Callable[..., Terminal]
) -> None:
    bot.rule = shop
    screen = terminal("--url", house.url)
    await screen.sees("Ctrl-C encerra.")
    assert "Aurora: " in screen.seen
    screen.type("oi\n")
    await screen.sees("Posso ajudar?")
    await screen.sees("1. Sim")
    await screen.sees("2. Não")
    screen.type("2\n")
    await screen.sees("chosen: /deny")
    screen.type("2\n")
    await screen.sees("heard: 2")
    screen.type("\x03")
    await screen.sees("Até logo.")
    assert await screen.end() == 0
    assert "Traceback" not in screen.seen


async def test_it_speaks_english_when_asked(house: House, terminal: Callable[..., Terminal]) -> None:
    screen = terminal("--url", house.url, "--lang", "en")
    await screen.sees("Write and press Enter. Ctrl-C ends.")
    screen.type("hello\n")
    await screen.sees("echo: hello")
    screen.type("\x04")  # the end of what is typed
    await screen.sees("Goodbye.")
    assert await screen.end() == 0


async def test_a_restarted_router_loses_nothing_of_it(house: House, terminal: Callable[..., Terminal]) -> None:
    screen = terminal("--url", house.url)
    await screen.sees("Ctrl-C encerra.")
    screen.type("um\n")
    await screen.sees("echo: um")
    port = house.server.port if house.server else 0
    await house.stop()
    screen.type("dois\n")
    await screen.sees("sem conexão")
    await start_at(house, port)
    await screen.sees("echo: dois")


async def start_at(house: House, port: int | None) -> None:
    """As `House.start`, where it was before."""
    from aiohttp.test_utils import TestServer

    from segue.serve import router

    app = await house._stack.enter_async_context(router(house.settings, house.files, house.role))
    house.server = TestServer(app, port=port, handler_cancellation=True)
    await house.server.start_server()


async def test_control_characters_of_an_answer_do_not_reach_the_terminal(
    house: House, bot: FakeBot, terminal: Callable[..., Terminal]
) -> None:
    bot.rule = lambda asked: says("antes\x1b]0;title\x07depois\x1b[2J")
    screen = terminal("--url", house.url)
    await screen.sees("Ctrl-C encerra.")
    screen.type("oi\n")
    await screen.sees("depois")
    assert "\x1b]0" not in screen.seen
    assert "\x1b[2J" not in screen.seen


async def test_what_is_piped_in_is_said_and_answered(house: House) -> None:
    def piped() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "segue", "chat", "--url", house.url],
            cwd=ROOT, env=ENVIRONMENT, input="oi\n", capture_output=True, text=True, timeout=40, check=True,
        )  # fmt: skip

    said = (await asyncio.to_thread(piped)).stdout
    assert "echo: oi" in said
    assert "\x1b" not in said


@pytest.fixture
def closed_port() -> Iterator[int]:
    import socket

    with socket.socket() as taken:  # bound and not listening: nobody else gets it meanwhile
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_where_nothing_answers_it_says_so(closed_port: int) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "segue", "chat", "--url", f"http://127.0.0.1:{closed_port}"],
        cwd=ROOT, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=40, check=False,
    )  # fmt: skip
    assert (done.returncode, "start it with `bin/segue up`, or name it with --url." in done.stderr) == (1, True)
