"""What is looked at before anything starts: the port, the disk. Each refusal is a sentence with its remedy."""

from __future__ import annotations

import errno
import shutil
import socket
from pathlib import Path

from segue.refusal import Refusal

# The edge answers 503 below 500 MB, so a start with less than this would take no message.
FREE_DISK_MB = 700


def _bind(host: str, port: int) -> OSError | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error
    return None


def check_port(host: str, port: int) -> None:
    """Refuses a port that cannot be listened on, and names one that can when it is only taken."""
    error = _bind(host, port)
    if error is None:
        return
    if error.errno == errno.EADDRINUSE:
        free = next((p for p in range(port + 1, min(port + 50, 65536)) if _bind(host, p) is None), None)
        other = f"for example --port {free}" if free else "with --port"
        raise Refusal(f"Port {port} is taken by another program: stop that one, or choose another port, {other}.")
    if error.errno == errno.EACCES:
        raise Refusal(
            f"Port {port} is reserved for the system's own services: choose one above 1023, for example --port 8080."
        )
    raise Refusal(f"Nothing can listen on {host}, port {port} ({error.strerror}): correct [server] host or --port.")


def check_disk(folder: Path) -> None:
    """Refuses a disk that is nearly full, because the first messages would be refused."""
    free = shutil.disk_usage(folder).free // 1_000_000
    if free < FREE_DISK_MB:
        raise Refusal(
            f"Only {free} MB are free on the disk of {folder} and Segue needs {FREE_DISK_MB} MB: "
            "make room, or choose a folder on another disk with --data-dir."
        )
