"""`segue keys rotate`: a new key seals from now on, the one before it still opens, older ones are forgotten."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connectors.sealing import KEY_BYTES
from segue.installation import Installation
from segue.keys import load_keys
from segue.refusal import Refusal
from segue.settings import SettingsError

KEPT = 2


def rotate(installation: Installation) -> int:
    """Changes the file in one step. Refuses where there are no keys yet, or none that can be read."""
    path = installation.data / "keys.json"
    if not path.exists():
        raise Refusal(f"There are no keys in {installation.data}: `bin/segue up` makes them at its first start.")
    with _alone(installation.data):
        try:
            keys = load_keys(installation.data)
        except SettingsError as error:
            raise Refusal(str(error)) from error
        kept = [secrets.token_bytes(KEY_BYTES), *keys][:KEPT]
        _write(path, kept)
    print(
        f"A new key seals, {len(kept) - 1} older one still opens{', the oldest is gone' if len(keys) >= KEPT else ''}."
    )
    print("Routers read their keys when they start: start Segue again, all routers of it together.")
    return 0


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two at once would each forget the other's key."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(path: Path, keys: list[bytes]) -> None:
    old = json.loads(path.read_text(encoding="utf-8"))
    draft = path.with_name(f".keys-{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump({**old, "sealing": [b64encode(key).decode() for key in keys]}, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
