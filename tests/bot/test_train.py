"""A model is named by what it is made of, trained once, and there whole or not at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bot import train as training
from bot.command import app_python, prepare

ROOT = Path(__file__).parents[2]
ASSISTANT = Path(__file__).parent / "assistant"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project with blanks"
    (folder / "data").mkdir(parents=True)
    for name, target in (("config", ""), ("domain", ""), ("nlu", "data/"), ("rules", "data/")):
        shutil.copy(ASSISTANT / f"{name}.yml", folder / f"{target}{name}.yml")
    return folder


def mark(project: Path) -> str:
    return training.fingerprint(config=project / "config.yml", domain=project / "domain.yml", data=project / "data")


def run(project: Path, *words: str, module: str = "bot.train") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["config.yml", "domain.yml", "data/nlu.yml", "data/rules.yml"])
def test_a_changed_file_changes_the_fingerprint(project, name):
    before = mark(project)
    with (project / name).open("a") as file:
        file.write("\n# changed\n")
    assert before != mark(project)


def test_a_renamed_file_changes_the_fingerprint(project):
    before = mark(project)
    (project / "data/nlu.yml").rename(project / "data/other.yml")
    assert before != mark(project)


def test_brand_and_other_files_do_not_change_the_fingerprint(project):
    before = mark(project)
    (project / "brand.toml").write_text("name = 'x'")
    (project / "data/readme.md").write_text("x")
    assert before == mark(project)


def test_changed_sources_change_the_fingerprint(project, tmp_path, monkeypatch):
    sources = tmp_path / "bot"
    shutil.copytree(ROOT / "bot", sources)
    monkeypatch.setattr(training, "SOURCES", sources)
    before = mark(project)
    with (sources / "components/hybrid_intents.py").open("a") as file:
        file.write("# changed\n")
    assert before != mark(project)


def test_training_twice_trains_once(project):
    missing = run(project, "--find")
    assert (1, "") == (missing.returncode, missing.stdout)

    first = run(project)
    assert 0 == first.returncode, first.stderr
    lines = first.stdout.splitlines()
    assert "Training RulePolicy …" in lines
    model = project / lines[-1]
    assert f"segue-{mark(project)}.tar.gz" == model.name
    assert [model] == list((project / "models").iterdir())

    made = model.stat().st_mtime_ns
    second = run(project)
    assert [lines[-1]] == second.stdout.splitlines()
    assert lines[-1] == run(project, "--find").stdout.strip()
    assert made == model.stat().st_mtime_ns


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("domain.yml", "intents: [", "Training failed:"),
        ("domain.yml", "", "The domain is empty or cannot be read"),
        ("data/rules.yml", "rules:\n  - rule: x\n    steps:\n    - nothing: x\n", "Training failed:"),
        ("config.yml", "recipe: default.v1\npipeline: [{name: DIETClassifier}]\n", "DIETClassifier needs tensorflow"),
    ],
)
def test_what_is_wrong_with_the_data_is_one_sentence_and_leaves_no_model(project, name, content, sentence):
    (project / name).write_text(content)
    done = run(project)
    assert 1 == done.returncode
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert [] == list((project / "models").iterdir())


def test_a_domain_without_a_last_resort_is_noted(project):
    domain = project / "domain.yml"
    domain.write_text("\n".join(line for line in domain.read_text().splitlines() if "utter_default" not in line))
    assert "Note: There is no utter_default" in run(project).stdout


def test_a_last_resort_among_the_data_counts(project):
    domain, gone = project / "domain.yml", "utter_default"
    domain.write_text("\n".join(line for line in domain.read_text().splitlines() if gone not in line))
    responses = 'version: "3.1"\nresponses:\n  utter_default:\n  - text: Como?\n'
    (project / "data" / "responses.yml").write_text(responses, encoding="utf-8")
    done = run(project)
    assert done.returncode == 0
    assert "Note" not in done.stdout


def test_rasas_test_draws_no_plots_unless_asked(monkeypatch):
    monkeypatch.setattr("bot.command._current_model", lambda: Path("models/m.tar.gz"))
    assert ["test", "nlu", "--no-plot", "--model", "models/m.tar.gz"] == prepare(["test", "nlu"])
    assert ["test", "--no-plot", "-m", "x"] == sorted(
        prepare(["test", "-m", "x", "--no-plot"]), key=["test", "--no-plot", "-m", "x"].index
    )
    assert ["data", "validate"] == prepare(["data", "validate"])
    assert ["shell", "--model", "models/m.tar.gz"] == prepare(["shell"])
    assert ["shell", "--help"] == prepare(["shell", "--help"])
    assert [] == prepare([])


def test_the_actions_interpreter_can_be_named(monkeypatch):
    monkeypatch.setenv("SEGUE_APP_PYTHON", "/somewhere/python")
    assert Path("/somewhere/python") == app_python()
    monkeypatch.delenv("SEGUE_APP_PYTHON")
    assert Path(sys.prefix).parent / "env-app/bin/python" == app_python()


def test_rasas_own_command_line_runs(project):
    done = run(project, "--version", module="bot.command")
    assert 0 == done.returncode, done.stderr
    assert "3.6.21" in done.stdout
