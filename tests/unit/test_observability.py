"""The log says what failed and where, never what a person wrote."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from segue.observability import line, show_exception

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


def test_a_line_is_json_with_its_level_and_time_whatever_it_is_given() -> None:
    written = line("warning", "x.y", {"name": "Conceição", "path": Path("/a"), "broken": "\udce9"})
    entry = json.loads(written)
    assert (entry["event"], entry["level"], entry["path"]) == ("x.y", "warning", "PosixPath('/a')")
    assert entry["timestamp"].endswith("Z")
    assert "Conceição" in written.decode()


def test_a_line_of_an_exception_holds_no_words() -> None:
    try:
        int(SECRET)
    except ValueError:
        written = line("error", "x", {"exc_info": True})
    assert json.loads(written)["error"] == "ValueError"
    assert SECRET not in written.decode()
