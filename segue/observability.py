"""Logs: one JSON object a line, ids and kinds and lengths, never what a person wrote."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

import structlog

_encoded = json.JSONEncoder(ensure_ascii=False, default=repr).encode
"""Kept: `json.dumps` with options of its own would build an encoder for each line."""


def configure_logging() -> None:
    """Everything to standard error, structlog and the libraries' own loggers alike."""
    structlog.configure(
        processors=[line],
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
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


def line(_: object, level: str, entry: MutableMapping[str, Any]) -> bytes:
    """One step in place of structlog's chain of them: every message writes a line."""
    entry["level"] = level
    show_exception(_, level, _stamp(_, level, entry))
    return _encoded(entry).encode("utf-8", "backslashreplace")


def _stamp(_: object, __: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    entry["timestamp"] = f"{datetime.now(UTC).isoformat()[:-6]}Z"
    return entry


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
