"""`segue test`: the stages from quick to slow, each with its time against a budget, and one closing line.

A stage that has nothing to check yet says so. With CI=true a skipped browser or bot test is a failure: there nothing
may be left out quietly.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segue.places import ROOT, bot_python

OURS = (
    *("segue", "router", "connectors", "actions", "records", "desk", "studio", "insights", "integrations"),
    *("bench", "tools"),
)
FAST_TESTS = ("tests/unit", "tests/contract", "tests/scenario", "tests/bootstrap")
PROJECTS = (
    ("pyproject.toml", None, "locks/app.txt"),
    ("pyproject.toml", "dev", "locks/dev.txt"),
    ("bot/pyproject.toml", "dev", "locks/bot.txt"),
)
# The share of held-out sentences that must be understood.
UNDERSTOOD = 0.9
# Pytest's own word for "nothing was collected".
NO_TESTS = 5


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One thing to run. `check` returns an exit code and, when there was nothing to do, why."""

    name: str
    budget: float
    check: Callable[[], tuple[int, str]]
    fast: bool = True


def run_gates(paths: Sequence[str], *, fast: bool) -> int:
    """0 when everything that ran passed."""
    began = time.monotonic()
    stages = path_stages(paths) if paths else [stage for stage in all_stages() if stage.fast or not fast]
    failed: list[str] = []
    for stage in stages:
        say(f"── {stage.name}")
        started = time.monotonic()
        code, note = stage.check()
        took = time.monotonic() - started
        verdict = "FAILED" if code else "skipped" if note else "ok"
        late = "  (over budget)" if took > stage.budget else ""
        say(f"   {stage.name}: {verdict} in {took:.1f} of {stage.budget:g} s{late}{f' – {note}' if note else ''}")
        if code:
            failed.append(stage.name)
    total = f"{len(stages)} stage{'s' if len(stages) != 1 else ''} in {time.monotonic() - began:.0f} s"
    say(f"FAILED: {', '.join(failed)} ({total})" if failed else f"All green ({total})")
    return 1 if failed else 0


def all_stages() -> list[Stage]:
    """Everything, in order of speed."""
    python = sys.executable
    ours = [folder for folder in OURS if any((ROOT / folder).glob("**/*.py"))]
    tests = [path for path in FAST_TESTS if (ROOT / path).is_dir()]
    others = sorted(
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").iterdir()
        if path.is_dir()
        and any(path.glob("**/test_*.py"))
        and str(path.relative_to(ROOT)) not in (*FAST_TESTS, "tests/bot", "tests/e2e")
    )
    return [
        Stage(
            name="format",
            budget=10,
            check=command(python, "-m", "ruff", "format", "--check", "--output-format", "concise", "."),
        ),
        Stage(name="lint", budget=10, check=command(python, "-m", "ruff", "check", "--output-format", "concise", ".")),
        Stage(name="types", budget=120, check=command(python, "-m", "mypy", *ours)),
        Stage(
            name="imports",
            budget=20,
            check=command(python, "-P", "-c", "from importlinter.cli import lint_imports_command as c; c()"),
        ),
        Stage(name="javascript", budget=60, check=if_there("tools/check_js.py", python, "-P", "-m", "tools.check_js")),
        Stage(name="locks", budget=5, check=check_locks),
        # Trained once here: whoever starts the whole system later finds a model and is not timed by its training.
        Stage(name="bot model", budget=120, check=bot_model, fast=False),
        Stage(name="tests", budget=240, check=app_tests([*tests, *others], "-m", "not slow")),
        Stage(name="slow tests", budget=180, check=app_tests([*tests, *others], "-m", "slow"), fast=False),
        Stage(name="bot tests", budget=180, check=bot_tests(["tests/bot"]), fast=False),
        Stage(name="bot data", budget=60, check=bot_data, fast=False),
        Stage(name="bot stories", budget=120, check=bot_stories, fast=False),
        Stage(name="bot language", budget=120, check=bot_language, fast=False),
        Stage(name="browser tests", budget=480, check=app_tests(["tests/e2e"]), fast=False),
    ]


def path_stages(paths: Sequence[str]) -> list[Stage]:
    """The given paths, each in the environment it belongs to."""
    found = [str((ROOT / path).resolve().relative_to(ROOT)) if not Path(path).is_absolute() else path for path in paths]
    for_bot = [path for path in found if is_for_bot(path)]
    for_app = [path for path in found if not is_for_bot(path)]
    stages = []
    if for_app:
        stages.append(Stage(name="tests", budget=240, check=app_tests(for_app)))
    if for_bot:
        stages.append(Stage(name="bot tests", budget=180, check=bot_tests(for_bot)))
    return stages


def is_for_bot(path: str) -> bool:
    """Whether a test path runs in the assistant's environment."""
    return Path(path.split("::")[0]).is_relative_to("tests/bot") or Path(path).is_relative_to(ROOT / "tests/bot")


def command(*argv: str) -> Callable[[], tuple[int, str]]:
    """A stage that is one program, run from the root of the checkout."""
    return lambda: (run(argv), "")


def if_there(needed: str, *argv: str) -> Callable[[], tuple[int, str]]:
    """The same, once the file exists."""
    return lambda: (run(argv), "") if (ROOT / needed).exists() else (0, f"there is no {needed}")


def bot_model() -> tuple[int, str]:
    """The assistant of this checkout, trained unless it is there."""
    return run([bot_python(), "-m", "bot.train"]), ""


def bot_data() -> tuple[int, str]:
    """`rasa data validate`: intents, responses and rules fit together."""
    if not (ROOT / "domain.yml").exists():
        return 0, "there is no domain.yml"
    return rasa("data", "validate"), ""


def bot_stories() -> tuple[int, str]:
    """`rasa test core`: every test story goes as written."""
    if not (ROOT / "tests/stories").is_dir():
        return 0, "there are no stories"
    with tempfile.TemporaryDirectory() as out:
        return rasa("test", "core", "--stories", "tests/stories", "--fail-on-prediction-errors", "--out", out), ""


def bot_language() -> tuple[int, str]:
    """`rasa test nlu` on sentences that the model has never seen."""
    if not (ROOT / "tests/nlu").is_dir():
        return 0, "there are no held-out sentences"
    with tempfile.TemporaryDirectory() as out:
        if code := rasa("test", "nlu", "--nlu", "tests/nlu", "--out", out):
            return code, ""
        return understood(json.loads((Path(out) / "intent_report.json").read_text())), ""


def understood(report: dict[str, Any]) -> int:
    """1 when too few of the held-out sentences were understood; either way the share is shown."""
    share = float(report["accuracy"])
    say(f"   {share:.1%} of the held-out sentences are understood; at least {UNDERSTOOD:.0%} must be")
    return int(share < UNDERSTOOD)


def rasa(*words: str) -> int:
    """One of Rasa's own commands in its environment. It says much: its last lines are shown when it fails."""
    done = subprocess.run(
        [bot_python(), "-m", "bot.command", *words],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        say("\n".join(done.stdout.splitlines()[-40:]))
    return done.returncode


def app_tests(paths: Sequence[str], *options: str) -> Callable[[], tuple[int, str]]:
    return lambda: pytest(
        [sys.executable, "-P"], paths, options, needed=("tests.e2e", "e2e", "tests.operator.test_going_on")
    )


def bot_tests(paths: Sequence[str]) -> Callable[[], tuple[int, str]]:
    """The assistant's environment has a pytest of its own, so its tests have settings of their own."""
    return lambda: pytest([bot_python()], paths, ["-c", "tests/bot/pytest.ini", "--rootdir", "."], needed=("",))


def pytest(
    python: Sequence[str], paths: Sequence[str], options: Sequence[str], *, needed: tuple[str, ...]
) -> tuple[int, str]:
    """Runs tests; without any, says so. With CI=true a skipped test whose name begins as `needed` counts as failed."""
    paths = [path for path in paths if (ROOT / path.split("::")[0]).exists()]
    if not paths:
        return 0, "there are none"
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        code = run([*python, "-m", "pytest", "-q", *options, f"--junitxml={report}", *paths])
        if code == NO_TESTS:
            return 0, "there are none"
        skipped = needed_but_skipped(report, needed) if os.environ.get("CI") == "true" else []
    for name in skipped:
        say(f"   skipped, which CI=true does not allow: {name}")
    return code or bool(skipped), ""


def needed_but_skipped(report: Path, needed: tuple[str, ...]) -> list[str]:
    """Those tests that a report calls skipped."""
    cases = ET.parse(report).iter("testcase")  # noqa: S314 our own pytest wrote it
    return [
        f"{case.get('classname')}.{case.get('name')}"
        for case in cases
        if case.find("skipped") is not None and str(case.get("classname")).startswith(needed)
    ]


def check_locks() -> tuple[int, str]:
    """No lock names an address, so that a mirror is respected; all is hashed; nothing named is missing."""
    wrong = [problem for lock in sorted((ROOT / "locks").glob("*.txt")) for problem in lock_problems(lock.read_text())]
    for project, group, lock in PROJECTS:
        wrong += [f"{name}, which {project} names, is not in it" for name in missing_from_lock(project, group, lock)]
    for problem in wrong:
        say(f"   {problem}: compile it again as CONTRIBUTING.md says")
    return int(bool(wrong)), ""


def lock_problems(lock: str) -> list[str]:
    """What is wrong with the text of one lock."""
    wrong = ["a lock names an address"] if "://" in lock else []
    requirements = re.split(r"(?m)^(?=[a-zA-Z0-9])", f"\n{lock}")[1:]
    wrong += [f"{one.split('==')[0]} has no hash" for one in requirements if "--hash=sha256:" not in one]
    return wrong


def missing_from_lock(project: str, group: str | None, lock: str) -> list[str]:
    """Dependencies that were named after the lock was compiled."""
    written = tomllib.loads((ROOT / project).read_text("utf-8"))
    named = [*written["project"]["dependencies"], *(written["dependency-groups"][group] if group else ())]
    locked = {name.lower() for name in re.findall(r"(?m)^([A-Za-z0-9._-]+)==", (ROOT / lock).read_text())}
    names = (re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower() for requirement in named)
    return [name for name in names if name not in locked]


def run(argv: Sequence[str]) -> int:
    """One program in the root of the checkout, its words shown as they come."""
    sys.stdout.flush()
    return subprocess.run(argv, cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, check=False).returncode


def environment() -> dict[str, str]:
    """Nothing is fetched while testing."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}


def say(line: str) -> None:
    print(line, flush=True)
