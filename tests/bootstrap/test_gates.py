"""`segue test` itself: a gate that cannot fail is no gate."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from segue import gates
from segue.gates import Stage

HASHED = "aiohttp==3.14.5 \\\n    --hash=sha256:abc\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(gates, "ROOT", tmp_path)
    monkeypatch.delenv("CI", raising=False)
    return tmp_path


def test_one_failing_stage_fails_the_whole_and_the_others_still_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []

    def stage(name: str, code: int) -> Stage:
        return Stage(name=name, budget=1, check=lambda: (ran.append(name), (code, ""))[1])

    monkeypatch.setattr(gates, "all_stages", lambda: [stage("lint", 1), stage("types", 0)])
    assert gates.run_gates([], fast=False) == 1
    assert ran == ["lint", "types"]
    assert capsys.readouterr().out.splitlines()[-1] == "FAILED: lint (2 stages in 0 s)"


def test_fast_leaves_the_slow_stages_out(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    slow = Stage(name="browser tests", budget=1, check=lambda: (1, ""), fast=False)
    quick = Stage(name="lint", budget=1, check=lambda: (0, ""))
    monkeypatch.setattr(gates, "all_stages", lambda: [quick, slow])
    assert gates.run_gates([], fast=True) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "All green (1 stage in 0 s)"


@pytest.mark.parametrize(
    ("path", "for_bot"),
    [
        ("tests/bot/test_turns.py", True),
        ("tests/bot/test_turns.py::test_x", True),
        ("tests/bot", True),
        ("tests/bootstrap", False),
        ("tests/unit/test_text.py::test_y", False),
    ],
)
def test_a_path_runs_in_the_environment_it_belongs_to(path: str, for_bot: bool) -> None:
    assert [stage.name for stage in gates.path_stages([path])] == ["bot tests" if for_bot else "tests"]


def run_tests(root: Path, body: str) -> int:
    (root / "test_it.py").write_text(body)
    code, _ = gates.pytest([sys.executable, "-P"], ["test_it.py"], ["-p", "no:randomly"], needed=("test_it",))
    return code


def test_a_skipped_test_that_is_needed_fails_on_ci_only(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    body = "import pytest\n\ndef test_page():\n    pytest.skip('no browser')\n"
    assert run_tests(root, body) == 0
    monkeypatch.setenv("CI", "true")
    assert run_tests(root, body) == 1
    assert "test_it.test_page" in capsys.readouterr().out


def test_a_failing_test_fails_the_stage(root: Path) -> None:
    assert run_tests(root, "def test_page():\n    assert False\n") == 1


def test_a_stage_without_tests_says_so(root: Path) -> None:
    (root / "empty").mkdir()
    assert gates.pytest([sys.executable, "-P"], ["empty", "gone"], [], needed=()) == (0, "there are none")


@pytest.mark.parametrize(
    ("lock", "problems"),
    [
        (HASHED, []),
        (f"--index-url https://mirror.example/simple\n{HASHED}", ["a lock names an address"]),
        (f"{HASHED}redis==8.1.0\n", ["redis has no hash"]),
    ],
)
def test_a_lock_without_hashes_or_with_an_address_is_refused(lock: str, problems: list[str]) -> None:
    assert problems == gates.lock_problems(lock)


def test_a_dependency_that_no_lock_holds_is_noticed(root: Path) -> None:
    (root / "pyproject.toml").write_text("[project]\ndependencies = ['aiohttp>=3', 'newcomer[extra]>=1; x']\n")
    (root / "app.txt").write_text(HASHED)
    assert gates.missing_from_lock("pyproject.toml", None, "app.txt") == ["newcomer"]


def test_our_own_locks_pass() -> None:
    assert gates.check_locks() == (0, "")


@pytest.mark.parametrize(("share", "code"), [(0.95, 0), (0.89, 1)])
def test_a_model_that_understands_too_little_fails(share: float, code: int) -> None:
    assert gates.understood({"accuracy": share}) == code
