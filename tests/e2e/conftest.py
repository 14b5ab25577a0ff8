"""A real browser in front of the whole system: Redis, actions, the assistant with its trained model, the router."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from e2e.shop import Shop
from e2e.stage import Stage
from playwright.sync_api import Browser, Playwright, ViewportSize, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FIRST_START = 240.0  # trains the assistant when its data are new
STOPS_WITHIN = 15.0


class System:
    """`segue up` on a free port with a data folder of its own; it can be stopped and started again."""

    def __init__(self, folder: Path, settings: Mapping[str, str] = MappingProxyType({})) -> None:
        """`settings` as variables of the environment."""
        self._settings = settings
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.folder = folder
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start every part and come back when a message can be answered."""
        self.launch()
        self.until("/readyz")

    def launch(self) -> None:
        """Start every part and come back at once."""
        command = [sys.executable, "-P", "-m", "segue", "up", "--port", str(self.port), "--data-dir", str(self.folder)]
        # One address plays everybody here.
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "SEGUE_SERVER__RATE_LIMITS": "false"}
        environment |= self._settings
        with (self.folder.parent / "up.log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def until(self, path: str) -> None:
        """Ask until it answers 200; the launcher's end is a failure with its own words."""
        assert self._process is not None
        for _ in range(int(FIRST_START * 4)):
            try:
                # 0.25 s between two questions, and an end of the launcher is seen at once.
                code = self._process.wait(0.25)
            except subprocess.TimeoutExpired:
                if self._answers(path):
                    return
            else:
                pytest.fail(f"`segue up` ended with code {code}:\n{self.said()}")
        pytest.fail(f"`segue up` did not answer {path} within {FIRST_START:.0f} s:\n{self.said()}")

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            pytest.fail(f"`segue up` did not stop within {STOPS_WITHIN:.0f} s:\n{self.said()}")
        finally:
            self._process = None

    def said(self) -> str:
        return (self.folder.parent / "up.log").read_text("utf-8", errors="replace")[-3000:]

    def _answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("system") / "data")
    system.start()
    yield system
    system.stop()


@pytest.fixture(scope="session")
def chromium() -> str:
    found = os.environ.get("SEGUE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        sentence = "no chromium was found: install Debian's chromium, or name one in SEGUE_CHROMIUM"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    return found


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
    yield browser
    browser.close()


@pytest.fixture
def visit(browser: Browser, system: System) -> Iterator[Callable[..., Shop]]:
    """Visits the shop with a browser that was never there; at the end nothing may have broken the pages' policy."""
    shops: list[Shop] = []

    def arrive(locale: str = "pt-BR", host: str = "127.0.0.1", bypass_csp: bool = False) -> Shop:
        size: ViewportSize = {"width": 1100, "height": 800}
        context = browser.new_context(locale=locale, viewport=size, bypass_csp=bypass_csp)
        shops.append(Shop(context.new_page(), f"http://{host}:{system.port}"))
        return shops[-1]

    yield arrive
    for shop in shops:
        shop.page.context.close()
    assert [line for shop in shops for line in shop.violations()] == []


@pytest.fixture(scope="session")
def _stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


@pytest.fixture
def stage(_stage: Stage) -> Stage:
    """A stand-in for the router that says what the test wants said."""
    _stage.reset()
    return _stage


@pytest.fixture
def browse(browser: Browser, stage: Stage) -> Iterator[Callable[..., Shop]]:
    """Visits a bare page with the chat on it, whose other side is the stage. Options are those of a browser context."""
    shops: list[Shop] = []

    def arrive(**options: Any) -> Shop:
        wanted = {"locale": "pt-BR", "viewport": {"width": 1100, "height": 800}, **options}
        shops.append(Shop(browser.new_context(**wanted).new_page(), stage.url))
        return shops[-1].enter("/shop")

    yield arrive
    for shop in shops:
        shop.page.context.close()
    assert [line for shop in shops for line in shop.violations()] == []
