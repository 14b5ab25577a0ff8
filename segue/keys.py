"""Signing and sealing keys: made at the first start, in a file that only we can read. Two may live, for rotation."""

from __future__ import annotations

import json
import os
import secrets
from base64 import b64decode, b64encode
from pathlib import Path

from connectors.sealing import KEY_BYTES
from segue.settings import SettingsError


def load_keys(data_dir: Path) -> list[bytes]:
    """The newest first. Raises `SettingsError` when the file is there and cannot be read."""
    path = data_dir / "keys.json"
    if not path.exists():
        _make(path)
    try:
        keys = [b64decode(key, validate=True) for key in json.loads(path.read_text(encoding="utf-8"))["sealing"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{path} cannot be read: restore it from a backup, or move it away to sign everybody out."
        ) from error
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise SettingsError(f"{path} holds no key of {KEY_BYTES} bytes: restore it from a backup.")
    return keys


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".keys-{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump({"sealing": [b64encode(secrets.token_bytes(KEY_BYTES)).decode()]}, file)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # the first of several starting processes wins
    except FileExistsError:
        pass
    finally:
        draft.unlink()
