"""Logs: one JSON object a line, ids and kinds and lengths, never what a person wrote."""

from __future__ import annotations

import asyncio
import atexit
import json
import logging
import sys
import traceback
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, BinaryIO

import msgspec
import structlog

_encoded = msgspec.json.Encoder(enc_hook=repr).encode


def configure_logging() -> None:
    """Everything to standard error, structlog and the libraries' own loggers alike."""
    output = Output(sys.stderr.buffer)
    atexit.register(output.flush)
    structlog.configure(
        processors=[],
        logger_factory=lambda *_: output,
        wrapper_class=Lines,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processor=structlog.processors.JSONRenderer(ensure_ascii=False),
            foreign_pre_chain=[structlog.processors.add_log_level, _stamp, show_exception],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


class Output:
    """What one turn of the loop says is one write: under load a write for each line was a third of all system calls.

    A process that is killed takes the lines of that one turn with it; warnings and errors are written at once.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._waiting: list[bytes] = []

    def write(self, line: bytes, *, at_once: bool) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # another thread, or there is no loop yet
            self._put(line + b"\n")
            return
        if not self._waiting:
            loop.call_soon(self.flush)
        self._waiting.append(line)
        if at_once:
            self.flush()

    def flush(self) -> None:
        """In the loop's thread."""
        if self._waiting:
            lines, self._waiting = self._waiting, []
            self._put(b"\n".join(lines) + b"\n")

    def _put(self, lines: bytes) -> None:
        self._stream.write(lines)
        self._stream.flush()


class Lines(structlog.BoundLoggerBase):
    """What structlog's loggers do here, without its chain of processors: every message writes a line."""

    _logger: Output

    def debug(self, event: str, **entry: Any) -> None:
        """Not written."""

    def info(self, event: str, **entry: Any) -> None:
        self._logger.write(line("info", event, entry), at_once=False)

    def warning(self, event: str, **entry: Any) -> None:
        self._logger.write(line("warning", event, entry), at_once=True)

    def error(self, event: str, **entry: Any) -> None:
        self._logger.write(line("error", event, entry), at_once=True)

    def exception(self, event: str, **entry: Any) -> None:
        """Inside an `except`."""
        self._logger.write(line("error", event, {"exc_info": True, **entry}), at_once=True)


def line(level: str, event: str, entry: MutableMapping[str, Any]) -> bytes:
    entry["event"] = event
    entry["level"] = level
    if "exc_info" in entry:
        show_exception(None, level, entry)
    entry["timestamp"] = datetime.now(UTC)
    try:
        return _encoded(entry)
    except UnicodeEncodeError:
        # Slower, and takes what is no Unicode: names of files, for example.
        return json.dumps(entry, ensure_ascii=False, default=_plain).encode("utf-8", "backslashreplace")


def _stamp(_: object, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    entry["timestamp"] = _plain(datetime.now(UTC))
    return entry


def _plain(value: object) -> str:
    """As msgspec writes a time, and what JSON does not know as Python does."""
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else repr(value)


def show_exception(_: object, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """An exception as its type and where it was raised. Its text and the local values may quote a person: left out."""
    told = entry.pop("exc_info", None)
    if not told:
        return entry
    error = sys.exc_info()[1] if told is True else told[1] if isinstance(told, tuple) else told
    if isinstance(error, BaseException):
        frames = traceback.extract_tb(error.__traceback__)
        entry["error"] = type(error).__name__
        entry["at"] = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames[-8:]]
    return entry
