"""`segue up` as its operator meets it: a real launcher and a real Redis, tiny stand-ins for the slow parts."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bootstrap.launched import Up, alive, start, wait_gone

__all__ = ["start"]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these tests watch processes by Linux means")


def test_it_says_where_to_look_trains_once_and_is_ready(start: Callable[..., Up]) -> None:
    up = start()
    said = up.wait_for("Ready in")
    assert f"Shop         http://127.0.0.1:{up.port}/" in said
    assert f"Data folder  {up.data}" in said
    assert f"To stop      kill {up.process.pid}" in said
    assert "  reading the data\n  fitting the classifier\n" in said
    assert {"redis", "router", "actions", "bot"} == set(up.pids())
    assert up.stop() == 0
    again = start()
    assert "Training" not in again.wait_for("Ready in")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_within_five_seconds(start: Callable[..., Up], number: signal.Signals) -> None:
    up = start()
    up.wait_for("Ready in")
    pids = up.pids()
    began = time.monotonic()
    assert up.stop(number) == 0
    assert time.monotonic() - began < 5
    assert [pid for pid in pids.values() if alive(pid)] == []
    assert not (up.data / "run.json").exists()


def test_ctrl_c_in_a_terminal_ends_everything_in_order(start: Callable[..., Up], tmp_path: Path) -> None:
    keyboard, terminal = os.openpty()

    def take_terminal() -> None:
        os.setsid()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

    up = start(before=take_terminal, stdin=terminal)
    assert "To stop      Ctrl-C" in up.wait_for("Ready in")
    pids = up.pids()
    os.write(keyboard, b"\x03")
    assert up.end() == 0
    assert [pid for pid in pids.values() if alive(pid)] == []
    heard = [log.name for log in (up.data / "log").glob("*.log") if "KeyboardInterrupt" in log.read_text()]
    assert heard == [], "the key reaches the launcher alone, which ends the parts in order"
    os.close(keyboard)
    os.close(terminal)


def test_an_inherited_ignored_interrupt_still_ends_it(start: Callable[..., Up]) -> None:
    up = start(before=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    up.wait_for("Ready in")
    assert up.stop(signal.SIGINT) == 0


def test_a_signal_while_it_is_still_starting_ends_everything(start: Callable[..., Up]) -> None:
    up = start("router=stubborn")
    up.wait_for("To stop")
    assert up.stop() == 0


def test_parts_that_do_not_listen_and_their_children_are_ended_too(start: Callable[..., Up], tmp_path: Path) -> None:
    up = start("router=stubborn", f"bot=stubborn child {tmp_path / 'child'}", "actions=stubborn")
    up.wait_for("Ready in")
    child = int((tmp_path / "child").read_text())
    pids = [child, *up.pids().values()]
    began = time.monotonic()
    assert up.stop() == 0
    assert time.monotonic() - began < 5
    for pid in pids:
        wait_gone(pid, 1)


def test_a_killed_launcher_takes_its_parts_with_it(start: Callable[..., Up]) -> None:
    up = start("bot=stubborn")
    up.wait_for("Ready in")
    pids = up.pids()
    up.process.kill()
    for pid in pids.values():
        wait_gone(pid)


def test_data_survive_a_stop_and_a_kill(start: Callable[..., Up]) -> None:
    up = start()
    up.wait_for("Ready in")
    up.redis().set("first", "kept")
    up.stop()
    up = start()
    up.wait_for("Ready in")
    up.redis().set("second", "kept too")
    server = up.pids()["redis"]
    os.kill(server, signal.SIGKILL)
    up.process.kill()
    wait_gone(server)
    up.process.wait()
    up = start()
    up.wait_for("Ready in")
    assert up.redis().mget("first", "second") == [b"kept", b"kept too"]


def test_redis_keeps_the_promises_that_the_store_relies_on(start: Callable[..., Up]) -> None:
    up = start()
    up.wait_for("Ready in")
    settings = up.redis().config_get("*")
    expected = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "port": "0", "save": ""}
    assert expected.items() <= settings.items()
    assert int(settings["maxmemory"]) > 0
    sockets = Path(str(up.record()["sockets"]))
    assert sockets.stat().st_mode & 0o777 == 0o700
    assert (sockets / "redis.sock").stat().st_mode & 0o777 == 0o600


def test_a_data_folder_of_200_letters_works(start: Callable[..., Up], tmp_path: Path) -> None:
    data = tmp_path / ("x" * 120) / ("y" * 80) / "loja é cá"
    up = start(data=data)
    up.wait_for("Ready in")
    assert up.redis().ping()


def test_a_second_start_on_the_same_folder_is_one_sentence(start: Callable[..., Up]) -> None:
    first = start()
    first.wait_for("Ready in")
    second = start()
    assert second.end() == 1
    where = f"(process {first.process.pid}) at http://127.0.0.1:{first.port}/"
    remedy = "stop it, or choose another folder with --data-dir."
    assert second.said == f"segue: Segue already runs on {first.data} {where}: {remedy}\n"
    assert first.redis().ping()


def test_a_taken_port_is_one_sentence_that_names_a_free_one(start: Callable[..., Up]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        up = start(port=taken.getsockname()[1])
        assert up.end() == 1
    assert f"Port {up.port} is taken" in up.said
    assert "--port" in up.said
    assert len(up.said.splitlines()) == 1


def test_a_part_that_ends_is_started_again_with_one_line(start: Callable[..., Up]) -> None:
    up = start()
    up.wait_for("Ready in")
    before = up.pids()["bot"]
    os.kill(before, signal.SIGKILL)
    said = up.wait_for("starting it again")
    assert "bot was ended by SIGKILL" in said
    deadline = time.monotonic() + 10
    while up.pids().get("bot", before) == before:
        assert time.monotonic() < deadline
        select.select([], [], [], 0.02)
    assert said.count("starting it again") == 1


def test_a_part_that_cannot_start_shows_its_last_lines_and_ends_everything(start: Callable[..., Up]) -> None:
    up = start("actions=broken")
    assert up.end() == 1
    assert "    the part says why it cannot start" in up.said
    assert "segue: actions ended with code 3, so everything was stopped" in up.said
    assert not (up.data / "run.json").exists()


def test_a_failed_training_shows_its_last_lines(start: Callable[..., Up]) -> None:
    up = start("train=broken")
    assert up.end() == 1
    assert "    intent greet has no examples" in up.said
    assert "segue: train ended with code 2" in up.said


def test_without_training_and_without_a_model_one_sentence_says_so(start: Callable[..., Up]) -> None:
    up = start("--no-train")
    assert up.end() == 1
    assert up.said.splitlines()[-1].startswith("segue: There is no trained model in")


def test_logs_are_private(start: Callable[..., Up]) -> None:
    up = start()
    up.wait_for("Ready in")
    logs = list((up.data / "log").glob("*.log"))
    assert {"redis.log", "router.log", "bot.log", "actions.log"} <= {log.name for log in logs}
    assert {log.stat().st_mode & 0o777 for log in logs} == {0o600}
