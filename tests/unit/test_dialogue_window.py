"""The dialogue's window as it is stored: small ones plain, large ones packed, and both read."""

from __future__ import annotations

import msgspec
import pytest

from router.bot import PACKED_FROM, PACKED_WINDOW, PLAIN_WINDOW, Answer, joined_window
from router.bot_workers import BotFailure


def answer(*events: str) -> Answer:
    return Answer(outcome="answered", events=msgspec.Raw(msgspec.json.encode(events)), responses=())


def test_a_small_window_is_kept_as_it_is_and_grows() -> None:
    first = joined_window(b"", answer("a"))
    assert first == PLAIN_WINDOW + b'["a"]'
    assert joined_window(first, answer("b")) == PLAIN_WINDOW + b'["a","b"]'


def test_a_window_that_has_grown_large_is_packed_and_loses_nothing() -> None:
    small = joined_window(b"", answer("a"))
    large = joined_window(small, answer("x" * PACKED_FROM))
    assert large[:1] == PACKED_WINDOW
    assert len(large) < PACKED_FROM / 4
    shortened = msgspec.structs.replace(answer("b"), window=msgspec.Raw(b'["b"]'))
    assert joined_window(large, shortened) == PLAIN_WINDOW + b'["b"]'


def test_a_window_of_another_version_is_no_dialogue_of_ours() -> None:
    with pytest.raises(BotFailure, match="window_format"):
        joined_window(b"\x09?", answer("a"))
