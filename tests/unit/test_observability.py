"""The log says what failed and where, never what a person wrote."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from pathlib import Path
from threading import Thread

from segue.observability import Lines, Output, line, show_exception

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


class Stream(io.BytesIO):
    """Counts its writes."""

    writes = 0

    def write(self, lines: bytes, /) -> int:  # type: ignore[override]
        self.writes += 1
        return super().write(lines)

    def events(self) -> list[str]:
        return [json.loads(written)["event"] for written in self.getvalue().splitlines()]


async def test_what_one_turn_of_the_loop_says_is_one_write() -> None:
    stream = Stream()
    log = Lines(Output(stream), [], {})
    log.info("a")
    log.info("b")
    assert not stream.writes
    await asyncio.sleep(0)
    assert (stream.writes, stream.events()) == (1, ["a", "b"])


async def test_a_warning_is_written_at_once_behind_what_came_before_it() -> None:
    stream = Stream()
    log = Lines(Output(stream), [], {})
    log.info("a")
    log.warning("b")
    assert stream.events() == ["a", "b"]
    await asyncio.sleep(0)
    assert stream.events() == ["a", "b"]


async def test_a_thread_writes_its_own_line_and_leaves_those_of_the_loop() -> None:
    stream = Stream()
    log = Lines(Output(stream), [], {})
    log.info("a")
    thread = Thread(target=log.warning, args=("b",))
    thread.start()
    thread.join()
    assert stream.events() == ["b"]
    await asyncio.sleep(0)
    assert stream.events() == ["b", "a"]


def test_a_line_without_a_loop_is_written_at_once() -> None:
    stream = Stream()
    Lines(Output(stream), [], {}).info("a")
    assert stream.events() == ["a"]
