"""`segue demo NAME`: a story played to the real system, on this machine and a temporary data folder.

__init__.py   starts and ends it           people.py       who acts: a browser, a telephone
continuity.py   the story                  window.py       the page on which one looks on, and takes over

What stands at the other end is the tests' own: a small Bot API server on loopback that checks each call.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from segue.ask import ask_port
from segue.demo.continuity import SENTENCES, Story, tell
from segue.demo.people import Browser, Phone
from segue.demo.window import Window
from segue.places import ROOT, app_python
from segue.refusal import Refusal
from segue.supervise import Part, PartFailed, Running

if TYPE_CHECKING:
    from fakes.telegram_api import TelegramApi

FIRST_START = 900.0
"""Seconds; the assistant may have to be trained, on a machine that has other things to do."""

STOPS_WITHIN = 10.0
SETTINGS = """\
[server]
port = {port}
rate_limits = false

[sites.demo]
origins = ["http://127.0.0.1:{port}", "http://localhost:{port}", "{window}"]
locale = "{language}"

[channels.telegram.main]
token = "{token}"
base_url = "{telegram}"
receive = "polling"
"""


def continuity(language: str, *, once: bool, port: int | None) -> int:
    """Plays the story and, unless `once`, leaves everything open until Ctrl-C. Refuses when something did not come."""
    # The settings of the shop on this machine are none of the demo's business.
    for name in [name for name in os.environ if name.startswith("SEGUE_") and name != "SEGUE_HOME"]:
        del os.environ[name]
    folder = Path(tempfile.mkdtemp(prefix="segue-demo-"))
    try:
        asyncio.run(_continuity(folder, language, once=once, port=port or _free_port()))
    except PartFailed as failure:
        for line in failure.tail:
            print(f"    {line}", file=sys.stderr)
        raise Refusal(f"The demo could not be started: {failure}. Its logs are in {folder}.") from failure
    except Refusal as refusal:
        raise Refusal(f"{refusal} Its logs are in {folder}.") from refusal
    shutil.rmtree(folder, ignore_errors=True)
    return 0


async def _continuity(folder: Path, language: str, *, once: bool, port: int) -> None:
    stopped = asyncio.create_task(_told_to_stop())
    played = asyncio.create_task(_played(folder, language, once=once, port=port))
    await asyncio.wait({played, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if not played.done():
        played.cancel()
        await asyncio.gather(played, return_exceptions=True)
        return
    stopped.cancel()
    await played


async def _played(folder: Path, language: str, *, once: bool, port: int) -> None:
    """Starts everything, tells the story and, unless `once`, stays open; ends everything however it ends."""
    words = SENTENCES[language]
    shop = f"http://127.0.0.1:{port}"
    async with contextlib.AsyncExitStack() as house:
        print(words["starting"], flush=True)
        phone = Phone(_telegram())
        await phone.api.start()
        house.push_async_callback(phone.api.stop)
        window = Window(shop, language, phone)
        await window.start()
        house.push_async_callback(window.stop)
        settings = folder / "segue.toml"
        facts = {"port": port, "window": window.url, "language": language}
        settings.write_text(SETTINGS.format(**facts, token=phone.api.token, telegram=phone.api.url), encoding="utf-8")
        await house.enter_async_context(_running(folder, settings, port))
        http = await house.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)))
        browser = Browser(http, shop, language)
        await tell(Story(browser, phone, words))
        if not once:
            window.handle = browser.handle
            print(words["look"].format(url=window.url), flush=True)
            await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def _running(folder: Path, settings: Path, port: int) -> AsyncIterator[None]:
    """`segue up` as anybody would start it, until it is ready; ended with it."""
    up = Running(
        Part(
            name="up",
            argv=(
                *(app_python(), "-P", "-m", "segue", "up", "--port", str(port)),
                *("--data-dir", str(folder / "data"), "--config", str(settings)),
            ),
            cwd=ROOT,
            ready=_answers(port),
            ready_within=FIRST_START,
            when_orphaned=signal.SIGTERM,
        ),
        log=folder / "up.log",
        say=print,
        started=lambda name, number: None,
    )
    try:
        await up.start()
        yield
    finally:
        await up.stop(STOPS_WITHIN)


def _answers(port: int) -> Callable[[], Awaitable[bool]]:
    async def asked() -> bool:
        status, _ = await ask_port("127.0.0.1", port, "/readyz")
        return status == 200

    return asked


def _telegram() -> TelegramApi:
    """The tests' own Telegram. Refuses where there are no tests."""
    sys.path.insert(0, str(ROOT / "tests"))
    try:
        from fakes.telegram_api import TelegramApi
    except ImportError as error:
        raise Refusal("The demo needs the whole checkout, its tests folder included: clone the repository.") from error
    return TelegramApi()


async def _told_to_stop() -> None:
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    await told.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
