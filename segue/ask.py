"""A question by HTTP/1.1, small enough for the launcher: one GET, one status, one JSON body, no library."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any


async def _get(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> tuple[int, dict[str, Any]]:
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: segue\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        try:
            answer = json.loads(body)
        except ValueError:
            answer = {}
        return status, answer if isinstance(answer, dict) else {}
    finally:
        writer.close()


async def ask_socket(socket_file: Path, path: str) -> tuple[int, dict[str, Any]]:
    """Status and JSON of a part on a unix socket; (0, {}) while it does not answer."""
    try:
        async with asyncio.timeout(2):
            return await _get(*await asyncio.open_unix_connection(str(socket_file)), path)
    except (OSError, TimeoutError, ValueError, IndexError):
        return 0, {}


async def ask_port(host: str, port: int, path: str) -> tuple[int, dict[str, Any]]:
    """The same of a part on a TCP port."""
    try:
        async with asyncio.timeout(2):
            return await _get(*await asyncio.open_connection(host, port), path)
    except (OSError, TimeoutError, ValueError, IndexError):
        return 0, {}
