"""Our own Redis on the files of an installation that does not run: for a backup at rest, and to try a restored copy."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segue import embedded
from segue.places import make_socket_folder
from segue.refusal import Refusal

LOADS_WITHIN = 300.0


@contextmanager
def resting_redis(files: Path) -> Iterator[str]:
    """The address of a server that has read these files; ended at the end. Refuses files that it cannot read."""
    server = embedded.find_server(files)
    sockets = make_socket_folder()
    socket = sockets / "redis.sock"
    process = subprocess.Popen(
        embedded.command(server, socket, files),
        cwd=files,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is ours alone
    )
    try:
        deadline = time.monotonic() + LOADS_WITHIN
        while not asyncio.run(embedded.answers(socket)):
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                if time.monotonic() < deadline:
                    continue
            version = ".".join(map(str, embedded.server_version(server) or ()))
            raise Refusal(
                f"Redis {version} ({server}) cannot read the data in {files}: "
                "install the version that wrote them, or a newer one."
            )
        yield f"unix://{socket}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(sockets, ignore_errors=True)
