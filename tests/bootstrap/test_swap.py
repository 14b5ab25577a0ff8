"""Another model while customers talk: a real launcher and the real command, with tiny pools of bot workers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bootstrap.launched import ROOT, Up, alive, start, wait_gone

from segue import models
from segue.control import ask_launcher
from segue.models import Choice
from segue.refusal import Refusal

__all__ = ["start"]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these tests watch processes by Linux means")


def swap(up: Up, wanted: str) -> tuple[int, str]:
    """What `segue model swap` says, and its exit code."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "segue", "model", "swap", wanted, "--data-dir", str(up.data)],
        cwd=up.data,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def model(up: Up, name: str) -> Path:
    up.data.joinpath("models").mkdir(parents=True, exist_ok=True)
    path = up.data / "models" / f"{name}.tar.gz"
    path.touch()
    return path


def current(up: Up) -> str:
    return (Path(str(up.record()["sockets"])) / "bot" / "current").read_text()


@pytest.fixture
def up(start: Callable[..., Up], request: pytest.FixtureRequest) -> Up:
    """Ready, with the words of the test's own parts."""
    started: Up = start(*getattr(request, "param", ()))
    started.wait_for("Ready in")
    return started


def test_a_new_model_takes_over_and_the_old_generation_goes(up: Up) -> None:
    new = model(up, "second")
    old = up.pids()["bot"]
    assert current(up) == "g1"
    code, said = swap(up, "second")
    assert code == 0, said
    assert said.splitlines() == [
        "Starting second.tar.gz beside the model that answers …",
        "2 golden dialogues passed.",
        "second.tar.gz takes all new turns.",
    ]
    assert current(up) == "g2"
    wait_gone(old)
    assert alive(up.pids()["bot-2"])
    choice = Choice.read(up.data)
    assert choice == Choice(str(new), str(up.data / "models" / "abc.tar.gz"), by_hand=True)
    assert up.stop() == 0


def test_previous_goes_back_and_a_choice_outlives_a_restart(up: Up, start: Callable[..., Up]) -> None:
    model(up, "second")
    assert swap(up, "second")[0] == 0
    code, said = swap(up, "previous")
    assert (code, said.splitlines()[-1]) == (0, "abc.tar.gz takes all new turns.")
    assert current(up) == "g3"
    assert swap(up, "previous")[0] == 0
    up.stop()
    again = start()
    assert "second.tar.gz, chosen by hand" in again.wait_for("Ready in")
    code, said = swap(again, "latest")
    assert (code, said.splitlines()[-1]) == (0, "abc.tar.gz takes all new turns.")
    again.stop()
    third = start()
    assert "chosen by hand" not in third.wait_for("Ready in")


def test_a_choice_whose_model_is_gone_is_said_and_the_present_data_answer(up: Up, start: Callable[..., Up]) -> None:
    second = model(up, "second")
    assert swap(up, "second")[0] == 0
    up.stop()
    second.unlink()
    again = start()
    assert f"The model chosen by hand is gone ({second})" in again.wait_for("Ready in")
    assert Choice.read(up.data).file.endswith("abc.tar.gz")


def test_a_launcher_that_does_not_know_a_request_says_so(up: Up) -> None:
    said: list[str] = []
    sockets = Path(str(up.record()["sockets"]))
    for request in ({"dance": 1}, {"swap": 1}):
        assert asyncio.run(ask_launcher(sockets, request, said.append)) is False
    assert said == ["The launcher that runs does not know this request: it is of another version."] * 2
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(5)
        asking.connect(str(sockets / "launch.sock"))
        asking.sendall(b"[no request\n")
        assert asking.recv(100) == b""


@pytest.mark.parametrize(
    ("up", "sentence"),
    [
        (["golden=differs"], "The model does not take over: 1 of 2 golden dialogues differ."),
        (
            ["bot-2=broken"],
            "second.tar.gz does not take over: bot-2 ended with code 3 (the part says why it cannot start).",
        ),
    ],
    indirect=["up"],
)
def test_a_model_that_fails_leaves_the_old_one_at_work(up: Up, sentence: str) -> None:
    model(up, "second")
    old = up.pids()["bot"]
    code, said = swap(up, "second")
    assert (code, said.splitlines()[-1]) == (1, sentence)
    assert current(up) == "g1"
    assert alive(old)
    assert "bot-2" not in up.pids()
    assert Choice.read(up.data) == Choice(str(up.data / "models" / "abc.tar.gz"))
    assert up.stop() == 0


@pytest.mark.parametrize("up", [["golden=differs"]], indirect=True)
def test_going_back_is_not_held_up_by_golden_dialogues(up: Up) -> None:
    second = model(up, "second")
    Choice(Choice.read(up.data).file, str(second)).write(up.data)
    code, said = swap(up, "previous")
    assert code == 0, said
    assert "1 of 2 golden dialogues differ.\n" in said
    assert current(up) == "g2"


def test_a_new_generation_that_is_killed_is_started_again(up: Up) -> None:
    model(up, "second")
    assert swap(up, "second")[0] == 0
    os.kill(up.pids()["bot-2"], signal.SIGKILL)
    up.wait_for("bot-2 was ended by SIGKILL; starting it again")


def test_what_cannot_be_meant_is_one_sentence(up: Up) -> None:
    for name in ("same1", "same2"):
        model(up, name)
    unknown = "No model begins with 'nowhere': `bin/segue model list` shows those there are.\n"
    assert swap(up, "nowhere") == (1, unknown)
    assert swap(up, "same")[1].startswith("2 models begin with 'same'")
    assert swap(up, "previous")[1].startswith("There is no previous model to go back to")
    assert swap(up, "latest") == (0, "abc.tar.gz answers already.\n")
    up.stop()
    code, said = swap(up, "latest")
    assert code == 1
    assert said == f"segue: Segue does not run on {up.data} (or was stopped just now): start it with `bin/segue up`.\n"


def test_the_newest_five_and_the_models_in_use_are_kept(tmp_path: Path) -> None:
    paths = [tmp_path / f"segue-{number}.tar.gz" for number in range(9)]
    for number, path in enumerate(paths):
        path.touch()
        os.utime(path, (number, number))
    held = models.hold(paths[1])
    removed = models.prune(tmp_path, keep={str(paths[0])})
    assert set(removed) == {paths[2], paths[3]}
    os.close(held)
    assert models.prune(tmp_path, keep={str(paths[0])}) == [paths[1]]
    assert {path.name for path in tmp_path.iterdir()} == {paths[number].name for number in (0, 4, 5, 6, 7, 8)}


def test_the_list_says_which_model_answers(tmp_path: Path) -> None:
    for number, name in enumerate(("abc", "def", "0123")):
        path = tmp_path / f"segue-{name}.tar.gz"
        path.write_bytes(b"x" * 1_200_000)
        os.utime(path, (number * 86400, number * 86400))
    choice = Choice(str(tmp_path / "segue-def.tar.gz"), str(tmp_path / "segue-abc.tar.gz"), by_hand=True)
    latest, now, before = models.described(tmp_path, choice, "0123")
    assert latest.startswith("  0123 ")
    assert latest.endswith("1.2 MB  of the present data")
    assert now.startswith("* def ")
    assert now.endswith("current, chosen by hand")
    assert before.endswith("previous")


def test_a_choice_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    for content in ("", "[]", json.dumps({"file": "x"})):
        (tmp_path / "model.json").write_text(content)
        assert Choice.read(tmp_path) == Choice()
    with pytest.raises(Refusal):
        models.find_model(tmp_path, "x")
