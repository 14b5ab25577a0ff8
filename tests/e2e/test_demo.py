"""`segue demo continuity` as somebody runs it who has just cloned the repository."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from e2e.conftest import ROOT
from e2e.shop import Shop
from playwright.sync_api import Browser, expect

Start = Callable[..., "subprocess.Popen[str]"]
STORY_WITHIN = 600
"""Seconds, for a machine that is busy; the first start trains the assistant."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(STORY_WITHIN + 60)]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts it with temporary files of its own."""
    started: list[subprocess.Popen[str]] = []

    def run(*words: str, **variables: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-P", "-m", "segue", "demo", "continuity", *words]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path), **variables}
        environment.pop("XDG_RUNTIME_DIR", None)
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_the_story_is_told_in_both_voices_and_nothing_is_left(start: Start, tmp_path: Path) -> None:
    told, _ = start("--once", LC_ALL="pt_BR.UTF-8", SEGUE_CHANNELS__TELEGRAM__MAIN__TOKEN="a real one").communicate(
        timeout=STORY_WITHIN
    )
    assert "Ana      Onde está o meu pedido?" in told
    assert told.count("Qual é o número do pedido?") == 3  # asked, said again on Telegram, and that seen on the page
    assert "Só a pergunta pendente foi repetida" in told
    assert "O pedido 1001 está a caminho" in told
    assert told.rstrip().endswith("Nada foi perguntado duas vezes.")
    assert list(tmp_path.iterdir()) == []


def test_one_looks_on_and_goes_on_until_ctrl_c(start: Start, browser: Browser, tmp_path: Path) -> None:
    process = start("--lang", "en")
    assert process.stdout is not None
    url = next(found[0] for line in process.stdout if (found := re.search(r"http://127\.0\.0\.1:\d+$", line.strip())))
    context = browser.new_context(locale="en-US", viewport={"width": 1100, "height": 760})
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(url)
    telegram = page.get_by_role("log", name="Telegram")
    expect(telegram).to_contain_text("What is your order number?")
    expect(page.locator("segue-chat")).to_be_attached()
    frame = next(one for one in page.frames if "/embed/demo" in one.url) if len(page.frames) > 1 else None
    frame = frame or page.wait_for_event("framenavigated", lambda one: "/embed/demo" in one.url)
    expect(frame.locator(".in .bubble").last).to_contain_text("Order 1001 is on its way")
    expect(frame.locator("li.out").filter(has_text="1001")).to_contain_text("Telegram")
    page.get_by_label("Write on Telegram").fill("What are your opening hours?")
    page.keyboard.press("Enter")
    expect(frame.locator(".out .bubble").last).to_contain_text("opening hours")
    expect(telegram).to_contain_text("10 am to 10 pm")
    # And back again, into another browser, by the link that Telegram is given.
    page.get_by_label("Write on Telegram").fill("Can I continue this chat on the website?")
    page.keyboard.press("Enter")
    link = telegram.get_by_role("link", name=re.compile("#segue=")).last.get_attribute("href")
    assert link is not None
    elsewhere = browser.new_context(locale="en-US", viewport={"width": 1100, "height": 760})
    other = Shop(elsewhere.new_page(), link).enter("")
    chat = other.chat()
    chat.button("Continue here").click()
    expect(chat.frame.locator(".system").filter(has_text="We go on here.")).to_be_visible(timeout=15_000)
    expect(frame.locator(".system").filter(has_text="was opened on our website")).to_be_visible()
    assert complaints + other.violations() == []
    elsewhere.close()
    context.close()
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in rest) == (0, False)
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_in_the_middle_ends_it_without_a_word(start: Start, tmp_path: Path) -> None:
    process = start("--lang", "en")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("Starting")
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=30)
    assert (process.returncode, rest.strip()) == (0, "")
    assert list(tmp_path.iterdir()) == []
