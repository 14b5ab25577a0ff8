"""A real chromium in front of the chat: how long until one can write, and how a long conversation scrolls."""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.report import Broken, Row, median
from bench.widgets.long_log import LONG, Talk

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Frame, Page

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update"]  # fmt: skip
WATCH = """
const now = () => performance.timeOrigin + performance.now();
addEventListener("focusin", ({target}) => { if (target.id === "text") window.focusedAt ??= now(); });
new MutationObserver((_, self) => {
    if (!document.querySelector("li.row")) return;
    window.shownAt = now();
    self.disconnect();
}).observe(document, {childList: true, subtree: true});
"""
OPEN = """
// The chat is asked for in the moment in which the page can: nothing is fetched ahead.
let chat;
if (top === window) Object.defineProperty(window, "Segue", {
    get: () => chat,
    set(value) {
        chat = value;
        setTimeout(() => { window.openedAt = now(); chat.open(); });
    },
});
"""
FORGET = "localStorage.clear()"
KEPT = "localStorage['segue:demo:handle'] ??= '%s'; localStorage['segue:demo'] ??= '{}';"
EARLIER = """async () => {
    const log = document.querySelector(".log"), button = () => document.querySelector(".earlier");
    const until = async (true_) => {
        const began = performance.now();
        while (!true_()) {
            if (performance.now() > began + 10000) throw new Error("no earlier page comes");
            await new Promise(requestAnimationFrame);
        }
    };
    // As a person does: up to the top, where the button is; rows that are known already come first.
    await until(() => (log.scrollTop = 0) || button());
    const first = () => document.querySelector("li.row").parentElement.childElementCount;
    const before = first(), began = performance.now();
    button().click();
    await until(() => first() !== before);
    return performance.now() - began;
}"""
SCROLL = """async () => {
    const log = document.querySelector(".log"), between = [];
    log.scrollTop = log.scrollHeight;
    let before = await new Promise(requestAnimationFrame);
    for (let n = 0; n < 300; n++) {
        log.scrollTop -= 120;
        const now = await new Promise(requestAnimationFrame);
        between.push(now - before);
        before = now;
    }
    return between;
}"""
PAGES = 20
"""Of history that somebody asks for, one behind the other."""
WITHIN = 30.0


@dataclass
class _Seen:
    """Milliseconds of single visits; `nodes` of the document after scrolling back."""

    cold: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    handle: str = ""
    """Of who comes back: each visit gets the next one."""
    shown: list[float] = field(default_factory=list)
    earlier: list[float] = field(default_factory=list)
    frames: list[float] = field(default_factory=list)
    nodes: float = 0


def rows(long: Talk, floor: int, rounds: int) -> list[Row]:
    """`floor` is the port of a page that opens a frame with nothing but a text field. Visits take turns."""
    bare, new, back = _Seen(), _Seen(), _Seen(handle=long.holder.handle)
    shop = f"http://127.0.0.1:{long.router.port}/"
    for _ in range(rounds):
        _visit(f"http://127.0.0.1:{floor}/", "/frame", bare)
        _visit(shop, "/embed/demo", new)
        _visit(shop, "/embed/demo", back)
    slow = sum(frame > 50 for frame in back.frames) / len(back.frames) * 100
    return [
        Row(what="asked to composer, browser just started", unit="ms", limit=median(bare.cold), ours=median(new.cold),
            runs=new.cold, must=600, aim=400),
        Row(what="asked to composer, files in the browser's cache", unit="ms", limit=median(bare.warm),
            ours=median(new.warm), runs=new.warm, must=250, aim=120),
        Row(what=f"{LONG:,} messages: to composer, browser just started", unit="ms", limit=median(new.cold),
            ours=median(back.cold), runs=back.cold, must=600, aim=400),
        Row(what="  files in its cache", unit="ms", limit=median(new.warm), ours=median(back.warm), runs=back.warm,
            must=250, aim=120),
        Row(what="  until its newest messages are drawn", unit="ms", ours=median(back.shown), runs=back.shown),
        Row(what="  an earlier page, asked for to drawn", unit="ms", ours=median(back.earlier)),
        Row(what=f"  a frame while {PAGES} pages scroll, p95", unit="ms",
            ours=statistics.quantiles(back.frames, n=20)[18], must=20),
        Row(what="  frames over 50 ms meanwhile", unit="%", ours=slow, must=1),
        Row(what="  nodes in the document then", unit="", ours=back.nodes, must=6000),
    ]  # fmt: skip


def _visit(url: str, inner: str, seen: _Seen) -> None:
    """One browser that was never there: its first page, and the same page again. With a handle somebody comes back."""
    with _chromium() as browser:
        context = browser.new_context(locale="pt-BR", viewport={"width": 1100, "height": 800})
        context.add_init_script((KEPT % seen.handle if seen.handle else "") + WATCH + OPEN)
        page = context.new_page()
        seen.cold.append(_to_the_composer(page, url, inner))
        _wait(page, lambda: not seen.handle or _frame(page, inner).evaluate("window.shownAt"), "the history")
        if not seen.handle:
            page.evaluate(FORGET)
        seen.warm.append(_to_the_composer(page, url, inner))
        if seen.handle:
            frame = _frame(page, inner)
            _wait(page, lambda: frame.evaluate("window.shownAt"), "the history")
            seen.shown.append(frame.evaluate("shownAt") - page.evaluate("openedAt"))
            seen.earlier += [frame.evaluate(EARLIER) for _ in range(PAGES)]
            seen.frames += frame.evaluate(SCROLL)
            seen.handle = frame.evaluate("localStorage['segue:demo:handle']")
            seen.nodes = frame.evaluate("document.querySelectorAll('*').length")


def _to_the_composer(page: Page, url: str, inner: str) -> float:
    """Milliseconds from the page's asking for the chat to the focus in the field. Both clocks are the browser's."""
    page.goto(url)
    _wait(page, lambda: page.evaluate("window.openedAt"), "the page's script")
    _wait(page, lambda: any(inner in frame.url for frame in page.frames), "the chat's frame")
    frame = _frame(page, inner)
    _wait(page, lambda: frame.evaluate("window.focusedAt"), "the composer")
    taken: float = frame.evaluate("focusedAt") - page.evaluate("openedAt")
    return taken


def _frame(page: Page, inner: str) -> Frame:
    return next(frame for frame in page.frames if inner in frame.url)


def _wait(page: Page, there: Callable[[], object], what: str) -> None:
    """The pages' policy forbids what Playwright waits with by itself."""
    deadline = time.monotonic() + WITHIN
    while not there():
        if time.monotonic() > deadline:
            raise Broken(f"{what} does not come within {WITHIN:.0f} s")
        page.wait_for_timeout(10)  # reads what the browser tells meanwhile


@contextmanager
def _chromium() -> Iterator[Browser]:
    """A fresh one. Raises `Broken` where there is none."""
    found = os.environ.get("SEGUE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise Broken("the browser is driven by the development tools: run `bin/segue install dev`.") from error
    if not found:
        raise Broken("no chromium was found: install Debian's chromium, or name one in SEGUE_CHROMIUM.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()
