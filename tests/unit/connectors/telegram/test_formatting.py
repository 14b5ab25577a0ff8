"""Our Markdown as Telegram's HTML: what people read is the same, and nothing of theirs becomes a tag."""

from __future__ import annotations

import pytest
from fakes.telegram_methods import words_of
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.cutting import plain
from connectors.telegram.formatting import html

MADE = {
    "a < b & c > d": "a &lt; b &amp; c &gt; d",
    "**forte** e *leve*": "<b>forte</b> e <i>leve</i>",
    "`<b>`": "<code>&lt;b&gt;</code>",
    "**um *dois* três**": "**um <i>dois</i> três**",
    "[loja](https://l.example/?a=1&b=2)": '<a href="https://l.example/?a=1&amp;b=2">loja</a>',
    '[x](https://l.example/"onclick="a)': '<a href="https://l.example/&quot;onclick=&quot;a">x</a>',
    "[x](javascript:alert)": "x (javascript:alert)",
    "veja https://l.example/a_b_c": "veja https://l.example/a_b_c",
    "* um\n* dois": "• um\n• dois",
    "2 * 3 * 4": "2 * 3 * 4",
}


@pytest.mark.parametrize("text", MADE)
def test_marks_become_tags_and_the_rest_is_escaped(text: str) -> None:
    assert html(text) == MADE[text]


@given(st.text(st.sampled_from("ab <>&\"'*_`[]()\n:/.h!👍"), max_size=60))
@example("**a [b](https://x.y) `c`**")
@example("[**a**](https://x.y)")
def test_whatever_is_written_telegram_can_read_it_and_it_is_not_longer(text: str) -> None:
    shown = words_of(html(text))
    assert len(shown) <= len(text)
    if not any(mark in text for mark in "*_`[]"):
        assert shown == text == plain(text)
