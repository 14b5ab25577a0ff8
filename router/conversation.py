"""What may happen now. Pure rules: facts in, decision out, no I/O."""

from __future__ import annotations

from typing import Literal

import msgspec

from connectors.content import Content, Text

Control = Literal["bot", "queued", "human"]
"""Who may speak."""

Answerer = Literal["bot", "people", "nobody"]

MOST_ATTEMPTS = 5
"""Claims of one batch without a commit, before it is given up: each of them is a worker that died."""

LONGEST_TEXT = 4096
"""Characters that a customer may write at once: what Telegram lets them."""


class Facts(msgspec.Struct, frozen=True):
    """What a turn is decided on."""

    control: Control
    attempts: int


def who_answers(facts: Facts) -> Answerer:
    """The bot speaks only while it has control. A batch that kills workers gets an apology instead of a sixth try."""
    if facts.control != "bot":
        return "people"
    return "nobody" if facts.attempts > MOST_ATTEMPTS else "bot"


def joins_burst(content: Content) -> bool:
    """Quick texts are one turn; a tap on a button or a file stands alone and is never delayed."""
    return isinstance(content, Text)


def wordless(batch: tuple[Content, ...]) -> bool:
    """Files without a word beside them: there is nothing to ask the bot."""
    return not any(content.text.strip() for content in batch)


class Asked(msgspec.Struct, frozen=True):
    """What the bot is given: the words of a batch, or the meaning of a button."""

    text: str = ""
    payload: str = ""


def chosen(text: str, numbered: tuple[str, ...]) -> str | None:
    """The button that a typed number means: only while those numbers are the last thing that was asked."""
    number = text.strip().rstrip(".)")
    if number.isascii() and number.isdigit() and 1 <= int(number) <= len(numbered):
        return numbered[int(number) - 1]
    return None


def asked(batch: tuple[Content, ...], payload: str | None) -> Asked:
    """The texts of a burst joined by newlines; a known button by its payload, an unknown one by its visible title."""
    if payload is not None:
        return Asked(payload=payload)
    return Asked(text="\n".join(content.text for content in batch if content.text))
