"""docs/continuity.md is honest: every promise has a row, and every test that a row names exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "continuity.md").read_text("utf-8")
PROMISED = [*range(1, 28), 38, 42, 44, 45]


def rows() -> dict[int, str]:
    found = re.findall(r"^\| (\d+) \| .+? \| (.+) \|$", PAGE, re.MULTILINE)
    return {int(number): shown for number, shown in found}


def existing() -> set[str]:
    files = (path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    return {name for text in files for name in re.findall(r"def (test_\w+)\(", text)}


def missing(shown: str, there: set[str]) -> list[str]:
    return [name for name in re.findall(r"`(test_\w+)`", shown) if name not in there]


def test_every_promise_has_a_row() -> None:
    assert list(rows()) == PROMISED


def test_every_row_names_a_test_or_says_not_yet() -> None:
    assert [number for number, shown in rows().items() if "`test_" not in shown and "Not yet:" not in shown] == []


def test_every_named_test_exists() -> None:
    there = existing()
    assert {number: gone for number, shown in rows().items() if (gone := missing(shown, there))} == {}


def test_a_name_of_no_test_is_noticed() -> None:
    assert missing("`test_that_never_was`, `test_every_promise_has_a_row`", existing()) == ["test_that_never_was"]
