"""The log says what failed and where, never what a person wrote."""

from __future__ import annotations

import sys

from segue.observability import show_exception

SECRET = "meu cpf é 529.982.247-25"


def test_an_exception_is_logged_without_its_text_and_values() -> None:
    try:
        int(SECRET)
    except ValueError:
        entry = show_exception(None, "error", {"event": "turn.crashed", "exc_info": sys.exc_info()})
    assert entry["error"] == "ValueError"
    assert entry["at"][0].startswith("test_observability.py:")
    assert SECRET not in str(entry)


def test_an_entry_without_an_exception_is_left_alone() -> None:
    assert show_exception(None, "info", {"event": "x", "exc_info": None}) == {"event": "x"}
