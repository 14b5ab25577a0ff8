"""What stands in a transcript for what words cannot show."""

from __future__ import annotations

import pytest

from connectors.content import Audio, Content, File, Image, Location, Placeholder, Video
from connectors.contract import Author, Message, Milliseconds
from connectors.webchat.transcript import _words


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "oi"),
        (Image("media:1", "Um tênis", "oi"), "[Um tênis]\noi"),
        (File("media:1", "nota.pdf"), "[nota.pdf]"),
        (Audio("media:1"), "[…]"),
        (Video("media:1", "oi"), "[…]\noi"),
        (Location(1, 2), "[…]"),
        (Placeholder("sticker"), "[…]"),
    ],
)
def test_what_cannot_be_read_is_told_to_have_been_there(content: Content | None, words: str) -> None:
    text = content.text if content else "oi"
    message = Message("m", 1, "j.1", Author("customer"), "telegram", text, content, Milliseconds(0), "sent")
    assert _words(message) == words
