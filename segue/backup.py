"""`segue backup`: everything an installation keeps, in one file, while it runs.

Redis is copied first, in one moment, and the SQL files after it. A turn that fell between the two has its effect in
the shop and is not yet in Redis: it is run again under the same turn id, and the effect is not done twice. The other
way round it would be lost.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import sqlite3
import stat
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

from router.store import StoreUnavailable
from router.store.server import Facts, copy, look
from segue.doctor import run
from segue.installation import Installation
from segue.places import DataFolder, bot_python
from segue.refusal import Refusal
from segue.resting import resting_redis

KIND = 1
"""Number of the backup file's own form."""

MANIFEST = "manifest.json"
NOT_KEPT = {"log", "redis", "run", "models", "lock", "run.json", "run.new", ".writable"}
"""In the data folder: what is made anew, or is copied by other means."""


def backup(installation: Installation, file: Path) -> int:
    """Writes the file in one step, readable by its owner only. Refuses to replace one."""
    file = file.expanduser().absolute()
    if file.exists():
        raise Refusal(f"{file} is there already: name another file, for example with the date in it.")
    if not file.parent.is_dir():
        raise Refusal(f"There is no folder {file.parent}: make it, or name another file.")
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix=".segue-backup-", dir=file.parent) as folder:
            staging = Path(folder)
            facts = _take_redis(installation, staging / "redis.rdb")
            draft = staging / "draft"
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
                files = _write(installation, facts, staging, target)
                target.flush()
                os.fsync(target.fileno())
            os.link(draft, file)  # never over a file that came meanwhile
            _sync_folder(file.parent)
    except OSError as error:
        raise Refusal(f"The backup {file} could not be written ({error.strerror or error}): see its folder.") from error
    print(f"{file}: {files} files, {file.stat().st_size / 1e6:.1f} MB in {time.monotonic() - began:.1f} s.")
    return 0


# ── Redis ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _take_redis(installation: Installation, to: Path) -> Facts:
    with _reachable(installation) as url:
        try:
            facts = asyncio.run(look(url))
            with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
                asyncio.run(copy(url, target))
        except StoreUnavailable as error:
            raise Refusal(f"Redis could not be copied ({error}): see `bin/segue doctor`, then try again.") from error
    if installation.own_redis:
        # The server wrote it for us beside its append-only file, which alone counts at a start.
        (installation.data / "redis" / "dump.rdb").unlink(missing_ok=True)
    return facts


@contextmanager
def _reachable(installation: Installation) -> Iterator[str]:
    """Redis' address; one that is ours and rests is started for as long as this takes."""
    if installation.redis_url is not None:
        yield installation.redis_url
        return
    files = installation.data / "redis"
    if not files.is_dir():
        raise Refusal(f"There is no installation in {installation.data}: name its folder with --data-dir.")
    with DataFolder(installation.data).owned(), resting_redis(files) as url:
        yield url


# ── the file ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _write(installation: Installation, facts: Facts, staging: Path, target: IO[bytes]) -> int:
    """How many files went in. The manifest is the last: without it, a backup is not whole."""
    sums: dict[str, dict[str, Any]] = {}
    with tarfile.open(fileobj=target, mode="w:gz", compresslevel=3) as archive:
        for name, path in _contents(installation, staging):
            sums[name] = _add(archive, name, path)
        manifest = {
            "segue_backup": KIND,
            "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "format": facts.format,
            "redis": facts.version,
            "files": sums,
        }
        text = json.dumps(manifest, indent=1).encode()
        archive.addfile(_member(MANIFEST, len(text)), io.BytesIO(text))
    return len(sums)


def _contents(installation: Installation, staging: Path) -> Iterator[tuple[str, Path]]:
    """Name in the backup, and where it is to be read."""
    yield "redis.rdb", staging / "redis.rdb"
    for path in _kept(installation.data):
        name = path.relative_to(installation.data).as_posix()
        if path.suffix == ".sqlite3":
            quiet = staging / "copy.sqlite3"
            _copy_database(path, quiet)
            yield f"data/{name}", quiet
            quiet.unlink()
        else:
            yield f"data/{name}", path
    if model := current_model(installation):
        yield f"models/{model.name}", model
    if installation.config:
        yield "settings/segue.toml", installation.config


def _kept(data: Path) -> Iterator[Path]:
    """Regular files of the data folder that are neither made anew nor parts of a database."""
    for entry in sorted(data.iterdir()):
        if entry.name in NOT_KEPT or entry.is_symlink():
            continue
        for path in sorted(entry.rglob("*")) if entry.is_dir() else [entry]:
            beside = path.name.endswith(("-wal", "-shm", "-journal", ".new")) or path.name.startswith(".")
            if stat.S_ISREG(path.lstat().st_mode) and not beside:
                yield path


def _copy_database(path: Path, to: Path) -> None:
    """SQLite's own copy of a file that others write to."""
    os.close(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with (
        closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=30)) as source,
        closing(sqlite3.connect(to)) as target,
    ):
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")  # one file, nothing beside it


def current_model(installation: Installation) -> Path | None:
    """The model that answers, else that of the present data, else the newest; None when none was ever trained."""
    try:
        named = Path(json.loads((installation.data / "model.json").read_text(encoding="utf-8"))["file"])
        if named.is_file():
            return named
    except (OSError, ValueError, KeyError, TypeError):
        pass
    try:
        code, said = run([bot_python(), "-m", "bot.train", "--models", str(installation.models), "--find"])
    except Refusal:
        code, said = 1, ""
    if code == 0 and said and Path(said.splitlines()[-1]).is_file():
        return Path(said.splitlines()[-1])
    return max(installation.models.glob("*.tar.gz"), key=lambda path: path.stat().st_mtime, default=None)


def _add(archive: tarfile.TarFile, name: str, path: Path) -> dict[str, Any]:
    """Its length and checksum, of the very bytes that went in."""
    with path.open("rb") as source:
        length = os.fstat(source.fileno()).st_size
        counted = _Counted(source)
        archive.addfile(_member(name, length), counted)
        return {"bytes": length, "sha256": counted.sum.hexdigest()}


class _Counted:
    """Reads on, and sums up what was read."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.sum = hashlib.sha256()

    def read(self, length: int = -1) -> bytes:
        piece = self._source.read(length)
        self.sum.update(piece)
        return piece


def _member(name: str, length: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = length
    member.mode = 0o600
    member.mtime = int(time.time())
    return member


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
