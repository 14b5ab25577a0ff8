"""`segue backup` and `segue restore`: what was kept is there again, exactly; what is not whole leaves nothing."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from contract.test_store import write
from fakes.redis_server import RedisServer
from redis import Redis

from router.store import Store, connect
from segue.backup import backup
from segue.installation import Installation
from segue.places import DataFolder
from segue.refusal import Refusal
from segue.resting import resting_redis
from segue.restore import restore


@pytest.fixture(autouse=True)
def blocked_loop_is_an_error() -> None:
    """It is none here: a command's loop serves nobody else, and writes down what comes."""


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of models of our own, and no settings but those of the test."""
    for name in [name for name in os.environ if name.startswith("SEGUE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)  # put back afterwards
    (tmp_path / "segue.toml").write_text('[brand]\npath = "brand.toml"\n')
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "segue-1234.tar.gz").write_bytes(b"a model")
    monkeypatch.setattr(Installation, "models", folder)
    return folder


def at(data: Path) -> Installation:
    return Installation.find(data, data.parent / "segue.toml")


@pytest.fixture
def running(redis_server: RedisServer, tmp_path: Path) -> Path:
    """The data folder of a system that runs: this process is its launcher."""
    folder = DataFolder.open(tmp_path / "var")
    folder.write_record({"launcher": os.getpid(), "redis_url": redis_server.url, "parts": {}})
    data = folder.path
    (data / "keys.json").write_text('{"sealing": ["a"]}')
    (data / "media" / "ab").mkdir(parents=True)
    (data / "media" / "ab" / "photo.png").write_bytes(bytes(range(256)))
    (data / "log" / "router.log").write_text("not kept")

    async def talk() -> None:
        store = Store(connect(redis_server.url))
        await store.check_format()
        await write(store, "oi")
        await store.close()

    asyncio.run(talk())
    return data


@pytest.fixture
def saved(running: Path, tmp_path: Path) -> Path:
    file = tmp_path / "backup.tar.gz"
    backup(at(running), file)
    return file


def held(client: Redis) -> dict[bytes, bytes]:
    """Every key, as Redis itself would carry it elsewhere."""
    return {key: client.dump(key) for key in client.scan_iter()}  # type: ignore[misc]  # it answers at once


def rewritten(file: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """The same backup with its members changed or left out."""
    other = file.with_name("other.tar.gz")
    with tarfile.open(file) as source, tarfile.open(other, "w:gz") as target:
        for member in source:
            content = change(member.name, source.extractfile(member).read())  # type: ignore[union-attr]  # all are files
            if content is not None:
                member.size = len(content)
                target.addfile(member, io.BytesIO(content))
    return other


def refused(file: Path, into: Path) -> str:
    """Why, and that nothing is left behind."""
    with pytest.raises(Refusal) as refusal:
        restore(at(into), file)
    assert not into.exists()
    return str(refusal.value)


# ── there and back ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_everything_comes_back_exactly(saved: Path, running: Path, redis_server: RedisServer, tmp_path: Path) -> None:
    with closing(Redis(unix_socket_path=str(redis_server.socket))) as client:
        before = held(client)
    assert len(before) >= 4
    new = tmp_path / "neu e é"
    restore(at(new), saved)
    assert (new / "keys.json").read_bytes() == (running / "keys.json").read_bytes()
    assert (new / "media" / "ab" / "photo.png").read_bytes() == bytes(range(256))
    assert (new / "segue.toml").read_text() == '[brand]\npath = "brand.toml"\n'
    assert not (new / "log").exists()
    with resting_redis(new / "redis") as url, closing(Redis.from_url(url)) as client:
        assert held(client) == before
    modes = {oct(path.stat().st_mode & 0o077) for path in (new, new / "keys.json", new / "media", new / "redis")}
    assert modes == {"0o0"}


def test_it_is_for_its_owner_alone_and_leaves_nothing_beside_it(saved: Path) -> None:
    assert saved.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in saved.parent.iterdir() if path.name.startswith(".")] == []


def test_a_database_is_copied_while_somebody_writes_to_it(running: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(running / "shop.sqlite3", isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        writer.execute("CREATE TABLE orders (number)")
        writer.execute("INSERT INTO orders VALUES (1001)")  # stands in the -wal file alone
        writer.execute("BEGIN")
        writer.execute("INSERT INTO orders VALUES (1002)")
        backup(at(running), tmp_path / "b.tar.gz")
        writer.execute("ROLLBACK")
    restore(at(tmp_path / "new"), tmp_path / "b.tar.gz")
    with closing(sqlite3.connect(tmp_path / "new" / "shop.sqlite3")) as database:
        assert database.execute("SELECT number FROM orders").fetchall() == [(1001,)]


def test_the_model_comes_along_and_the_choice_of_it_is_kept(
    running: Path, models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (models / "segue-0999.tar.gz").write_bytes(b"the older one, chosen by hand")
    choice = {"file": str(models / "segue-0999.tar.gz"), "previous": "x", "by_hand": True}
    (running / "model.json").write_text(json.dumps(choice))
    backup(at(running), tmp_path / "b.tar.gz")
    elsewhere = tmp_path / "other machine"
    monkeypatch.setattr(Installation, "models", elsewhere)
    restore(at(tmp_path / "new"), tmp_path / "b.tar.gz")
    model = elsewhere / "segue-0999.tar.gz"
    assert model.read_bytes() == b"the older one, chosen by hand"
    assert [path.name for path in elsewhere.iterdir()] == ["segue-0999.tar.gz"]
    assert json.loads((tmp_path / "new" / "model.json").read_text()) == {**choice, "file": str(model), "previous": ""}


def test_a_system_at_rest_is_saved_too(saved: Path, tmp_path: Path) -> None:
    resting = tmp_path / "resting"
    restore(at(resting), saved)
    backup(at(resting), tmp_path / "second.tar.gz")
    restore(at(tmp_path / "third"), tmp_path / "second.tar.gz")
    with resting_redis(tmp_path / "third" / "redis") as url, closing(Redis.from_url(url)) as client:
        assert client.hget("segue:format", "format") == b"1"
    assert not (resting / "redis" / "dump.rdb").exists()


def test_for_a_redis_of_ones_own_the_copy_is_laid_ready(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_REDIS__URL", "redis://redis.example/0")
    restore(at(tmp_path / "new"), saved)
    assert (tmp_path / "new" / "redis.rdb").read_bytes().startswith(b"REDIS")
    assert "load" in capsys.readouterr().out


# ── refusals ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_backup_is_replaced(saved: Path, running: Path) -> None:
    before = saved.read_bytes()
    with pytest.raises(Refusal, match="is there already"):
        backup(at(running), saved)
    assert saved.read_bytes() == before


def test_without_an_installation_there_is_nothing_to_save(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="There is no installation in"):
        backup(at(tmp_path / "nothing"), tmp_path / "b.tar.gz")
    assert not (tmp_path / "b.tar.gz").exists()
    assert not (tmp_path / "nothing").exists()


def test_a_folder_with_something_in_it_is_left_alone(saved: Path, running: Path) -> None:
    before = sorted(running.rglob("*"))
    with pytest.raises(Refusal, match="is not empty: move it away"):
        restore(at(running), saved)
    assert sorted(running.rglob("*")) == before


def test_data_of_a_newer_format_are_refused(saved: Path, tmp_path: Path) -> None:
    def newer(name: str, content: bytes) -> bytes:
        return content.replace(b'"format": 1', b'"format": 2') if name == "manifest.json" else content

    assert "made by a newer version (format 2, this one reads 1)" in refused(rewritten(saved, newer), tmp_path / "new")


def test_one_changed_byte_is_found(saved: Path, tmp_path: Path) -> None:
    def flipped(name: str, content: bytes) -> bytes:
        return content[:-1] + bytes([content[-1] ^ 1]) if name == "data/media/ab/photo.png" else content

    said = refused(rewritten(saved, flipped), tmp_path / "new")
    assert "data/media/ab/photo.png is not what was saved" in said


@pytest.mark.parametrize("missing", ["redis.rdb", "data/keys.json", "manifest.json"])
def test_a_missing_file_is_found(saved: Path, tmp_path: Path, missing: str) -> None:
    file = rewritten(saved, lambda name, content: None if name == missing else content)
    assert "is damaged or no backup of Segue" in refused(file, tmp_path / "new")


def test_a_file_that_was_cut_off_or_is_something_else_is_refused(saved: Path, tmp_path: Path) -> None:
    whole = saved.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 200):
        cut = tmp_path / "cut.tar.gz"
        cut.write_bytes(whole[:length])
        assert "is damaged or no backup of Segue" in refused(cut, tmp_path / "new")
    (tmp_path / "text").write_text("no backup")
    assert "is damaged or no backup of Segue" in refused(tmp_path / "text", tmp_path / "new")


@pytest.mark.parametrize("name", ["data/../../outside", "/etc/outside", "elsewhere/file", "data"])
def test_no_file_is_written_outside_its_place(saved: Path, tmp_path: Path, name: str) -> None:
    file = tmp_path / "bad.tar.gz"
    with tarfile.open(file, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO(b""))
    assert f"it holds {name!r}" in refused(file, tmp_path / "new")


def test_a_link_in_a_backup_is_refused(saved: Path, tmp_path: Path) -> None:
    file = tmp_path / "bad.tar.gz"
    with tarfile.open(file, "w:gz") as archive:
        link = tarfile.TarInfo("data/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert "it holds 'data/link'" in refused(file, tmp_path / "new")


def test_a_redis_too_old_for_the_copy_says_so(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in: a server that ends at once, as one does that cannot read its file."""
    fake = tmp_path / "path" / "redis-server"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\n[ \"$1\" = --version ] && echo 'Redis server v=6.2.0 sha=0' && exit 0\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    assert "Redis 6.2" in refused(saved, tmp_path / "new")
