"""`segue restore`: a backup into an empty data folder, or nothing at all.

Everything is unpacked beside its place, compared with the manifest and tried: our own Redis reads the copy. Only then
it is moved to where it belongs.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from shlex import quote
from typing import Any

from router.store.keys import FORMAT
from router.store.server import look
from segue.backup import KIND, MANIFEST
from segue.installation import Installation
from segue.refusal import Refusal
from segue.resting import resting_redis

PLACES = ("data", "models", "settings")
STAGING = ".restoring"
PIECE = 1 << 20


def restore(installation: Installation, file: Path) -> int:
    """Refuses a folder that is not empty, a file that is not whole, and a format that this version cannot read."""
    file = file.expanduser().absolute()
    data = installation.data
    if not file.is_file():
        raise Refusal(f"There is no file {file}: name the one that `bin/segue backup` wrote.")
    made = not data.exists()
    if not made and any(data.iterdir()):
        raise Refusal(f"{data} is not empty: move it away, or restore into another folder with --data-dir.")
    staging = data / STAGING
    try:
        staging.mkdir(mode=0o700, parents=True)
        data.chmod(0o700)
        manifest = _unpack(file, staging)
        for folder in (path for path in staging.rglob("*") if path.is_dir()):
            folder.chmod(0o700)
        if installation.own_redis:
            _try_redis(staging, manifest)
        _move(installation, staging)
    except OSError as error:
        raise Refusal(
            f"The backup could not be restored into {data} ({error.strerror or error}): see the disk."
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if made and data.exists() and not any(data.iterdir()):
            data.rmdir()
    _say_what_next(installation, manifest)
    return 0


# ── what is in the file ─────────────────────────────────────────────────────────────────────────────────────────────


def _unpack(file: Path, staging: Path) -> dict[str, Any]:
    """The manifest, to which every file in `staging` agrees."""
    broken = f"{file} is damaged or no backup of Segue"
    sums: dict[str, dict[str, Any]] = {}
    text = b""
    try:
        with tarfile.open(file, "r:gz") as archive:
            for member in archive:
                source = archive.extractfile(member) if member.isreg() else None
                if source is None or not _is_ours(member.name):
                    raise Refusal(f"{broken} (it holds {member.name!r}): take another one.")
                if member.name == MANIFEST:
                    text = source.read()
                else:
                    sums[member.name] = _write_out(source, staging / member.name)
        manifest = json.loads(text)
        if not isinstance(manifest, dict) or not isinstance(manifest.get("segue_backup"), int):
            raise Refusal(f"{broken}: take another one.")
    except (tarfile.TarError, EOFError, zlib.error, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise Refusal(f"{broken} ({error or 'it ends too early'}): take another one.") from error
    if manifest["segue_backup"] > KIND or (manifest.get("format") or 0) > FORMAT:
        raise Refusal(
            f"{file} was made by a newer version (format {manifest.get('format')}, this one reads {FORMAT}): "
            "restore it with that version."
        )
    if sums != manifest.get("files"):
        wrong = sorted(name for name in {*sums, *manifest["files"]} if sums.get(name) != manifest["files"].get(name))
        raise Refusal(f"{broken}: {', '.join(wrong[:3])} is not what was saved; take another one.")
    return manifest


def _is_ours(name: str) -> bool:
    path = PurePosixPath(name)
    inside = not path.is_absolute() and ".." not in path.parts
    return name in (MANIFEST, "redis.rdb") or (inside and len(path.parts) > 1 and path.parts[0] in PLACES)


def _write_out(source: Any, path: Path) -> dict[str, Any]:
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, length = hashlib.sha256(), 0
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
        while piece := source.read(PIECE):
            digest.update(piece)
            length += len(piece)
            target.write(piece)
        target.flush()
        os.fsync(target.fileno())
    return {"bytes": length, "sha256": digest.hexdigest()}


# ── putting it in place ─────────────────────────────────────────────────────────────────────────────────────────────


def _try_redis(staging: Path, manifest: dict[str, Any]) -> None:
    """Lets our Redis read the copy and write it down as its own append-only file."""
    files = staging / "data" / "redis"
    files.mkdir(mode=0o700, parents=True, exist_ok=True)
    # An append-only file may begin with a snapshot, and one of the older form is taken over by every version.
    (staging / "redis.rdb").rename(files / "appendonly.aof")
    with resting_redis(files) as url:
        facts = asyncio.run(look(url))
    if facts.format != manifest.get("format"):
        raise Refusal(f"Redis read format {facts.format}, {manifest.get('format')} was saved: take another backup.")


def _move(installation: Installation, staging: Path) -> None:
    data = installation.data
    installation.models.mkdir(parents=True, exist_ok=True)
    named = None
    for model in sorted((staging / "models").glob("*")):
        named = installation.models / model.name
        if not named.exists():
            # The folder may be on another disk, and whoever looks there sees no model or the whole one.
            draft = installation.models / f".{model.name}.restoring"
            shutil.copyfile(model, draft)
            draft.replace(named)
    choice = staging / "data" / "model.json"
    if choice.exists() and named:
        told = json.loads(choice.read_text(encoding="utf-8"))
        choice.write_text(json.dumps({**told, "file": str(named), "previous": ""}), encoding="utf-8")
    if (staging / "redis.rdb").exists():
        (staging / "redis.rdb").rename(data / "redis.rdb")
    for folder in (staging / "settings", staging / "data"):
        for entry in sorted(folder.glob("*")):
            entry.rename(data / entry.name)


def _say_what_next(installation: Installation, manifest: dict[str, Any]) -> None:
    data = installation.data
    print(f"Restored into {data}: {len(manifest['files'])} files, saved {manifest.get('made')}.")
    words = f"bin/segue up --data-dir {quote(str(data))}"
    if (data / "segue.toml").exists():
        words += f" --config {quote(str(data / 'segue.toml'))}"
    if (data / "redis.rdb").exists():
        print(f"[redis] url names your own Redis: load {data / 'redis.rdb'} into it first (docs/operations.md).")
    print(f"Go on with: {words}")
