"""The demo shop as somebody with a browser uses it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from playwright.sync_api import Frame, Locator, Page, expect

ANSWERS_WITHIN = 15_000
RETURNS_WITHIN = 40_000
FRAME = re.compile(r"/embed/demo$")


@dataclass
class Shop:
    page: Page
    url: str
    _said_by_browser: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda message: self._said_by_browser.append(message.text))
        self.page.on("pageerror", lambda error: self._said_by_browser.append(f"uncaught: {error}"))

    def enter(self, path: str = "/") -> Shop:
        self.page.goto(self.url + path)
        return self

    def open_chat(self) -> Chat:
        """As a shop's own "talk to us" link does."""
        self.page.locator("segue-chat").wait_for(state="attached")
        self.page.locator("segue-chat").evaluate("element => element.open()")
        return self.chat()

    def chat(self) -> Chat:
        """The frame, once it is there. The launcher's shadow root is closed, so no locator reaches through it."""
        found = [frame for frame in self.page.frames if FRAME.search(frame.url)]
        frame = (
            found[0]
            if found
            else self.page.wait_for_event("framenavigated", lambda it: FRAME.search(it.url) is not None)
        )
        return Chat(self.page, frame)

    def launcher_name(self) -> str:
        """What a screen reader says for the launcher. The accessibility tree sees into a closed shadow root."""
        session = self.page.context.new_cdp_session(self.page)
        nodes = session.send("Accessibility.getFullAXTree")["nodes"]
        session.detach()
        names = [node["name"]["value"] for node in nodes if node.get("role", {}).get("value") == "button"]
        return str(next(name for name in names if name.startswith(("Abrir conversa", "Fechar conversa"))))

    def forgive(self, words: str) -> None:
        """A report that the test has asked for itself."""
        self._said_by_browser = [line for line in self._said_by_browser if words not in line]

    def violations(self) -> list[str]:
        words = ("Content Security Policy", "Trusted Type", "uncaught:")
        return [line for line in self._said_by_browser if any(word in line for word in words)]


@dataclass
class Chat:
    page: Page
    frame: Frame

    @property
    def composer(self) -> Locator:
        return self.frame.locator("#text")

    @property
    def log(self) -> Locator:
        return self.frame.get_by_role("region")

    def own(self, text: str) -> Locator:
        return self.frame.locator(".out .bubble").filter(has_text=text)

    @property
    def heard(self) -> Locator:
        """What the shop's side said, the greeting included."""
        return self.frame.locator(".in .bubble")

    def button(self, name: str) -> Locator:
        return self.frame.get_by_role("button", name=name, exact=True)

    def say(self, text: str) -> Chat:
        self.composer.fill(text)
        self.composer.press("Enter")
        expect(self.own(text).last).to_be_visible()
        return self

    def knows_elsewhere(self) -> Chat:
        """The session has told of other channels: a menu that was opened before keeps its focus where it was."""
        self.button("Mais opções").click()
        expect(self.button("Continuar em outro canal")).to_be_visible()
        self.page.keyboard.press("Escape")
        expect(self.button("Mais opções")).to_be_focused()
        return self

    def hears(self, text: str | re.Pattern[str], within: float = ANSWERS_WITHIN) -> Chat:
        """The last thing said to us holds this."""
        expect(self.heard.last).to_contain_text(text, timeout=within)
        return self
