"""Where things are: the checkout, the two environments, the data folder, and a socket folder with a short name."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from segue.refusal import Refusal

ROOT = Path(__file__).resolve().parent.parent
# Linux allows 107 bytes for a socket's path and macOS 103. Redis cuts a longer one silently and every client fails.
SOCKET_PATH_BYTES = 103
LONGEST_SOCKET_NAME = "bot/g999-63.sock"


def home() -> Path:
    """The folder of the environments; `bin/segue` says where it is."""
    return Path(os.environ.get("SEGUE_HOME") or ROOT / ".segue")


def app_python() -> str:
    return sys.executable


def bot_python() -> str:
    """The assistant's interpreter; refuses when it is not installed."""
    python = home() / "env-bot" / "bin" / "python"
    if not python.exists():
        raise Refusal("The assistant's environment is not installed: run `bin/segue install bot`.")
    return str(python)


def make_socket_folder() -> Path:
    """A new private folder (0700) whose sockets' paths are short enough, however long the data folder's own path is."""
    for base in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):  # noqa: S108 the folder in it is private
        if not base or len(os.fsencode(f"{base}/segue-12345678/{LONGEST_SOCKET_NAME}")) > SOCKET_PATH_BYTES:
            continue
        with suppress(OSError):
            return Path(tempfile.mkdtemp(prefix="segue-", dir=base))
    raise Refusal(
        "No short folder for sockets can be written: set TMPDIR to a writable folder whose path has under 80 letters."
    )


def process_identity(pid: int) -> str | None:
    """What tells this process from a later one with the same number: the time it was started; None when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
    else:
        fields = stat.rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]
    asked = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S607
    return asked.stdout.strip() or None


class DataFolder:
    """Everything one installation keeps. One launcher at a time owns it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record_file = path / "run.json"

    @classmethod
    def open(cls, path: Path) -> DataFolder:
        """Makes the folder where it is missing; refuses one that cannot be written."""
        try:
            for folder in (path, path / "log", path / "redis"):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            probe = path / ".writable"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise Refusal(
                f"The data folder {path} cannot be written ({error.strerror}): choose another one with --data-dir."
            ) from error
        return cls(path)

    def log(self, part: str) -> Path:
        return self.path / "log" / f"{part}.log"

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Holds the folder's lock, which ends with this process however that ends."""
        with (self.path / "lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                record = self.record()
                where = f" at {record['url']}" if "url" in record else ""
                who = f" (process {record['launcher']})" if "launcher" in record else ""
                raise Refusal(
                    f"Segue already runs on {self.path}{who}{where}: stop it, or choose another folder with --data-dir."
                ) from error
            yield

    def record(self) -> dict[str, Any]:
        """What the last launcher wrote about itself; empty when there is nothing readable."""
        try:
            record = json.loads(self.record_file.read_text())
        except (OSError, ValueError):
            return {}
        return record if isinstance(record, dict) else {}

    def write_record(self, record: dict[str, Any]) -> None:
        """Replaces the record in one step, readable by the owner only."""
        new = self.record_file.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(record, file)
        new.replace(self.record_file)

    def forget_record(self) -> None:
        record = self.record()
        with suppress(OSError):
            self.record_file.unlink()
        folder = Path(str(record.get("sockets", "")))
        # Only a folder of our own making is removed.
        if folder.name.startswith("segue-") and folder.is_absolute() and not folder.is_symlink():
            shutil.rmtree(folder, ignore_errors=True)
