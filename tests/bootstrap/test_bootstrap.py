"""`bin/segue` before Python: what it finds, what it installs, what it says when it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bootstrap.conftest import Checkout, write_program

FIRST = ["venv env-app", "sync locks/app.txt", "venv env-bot", "sync locks/bot.txt"]


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The refusal: the last line, and no traceback before it."""
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("segue: ")]
    assert len(said) == 1, done.stderr
    return said[0]


def test_the_first_start_installs_and_the_second_needs_nothing(checkout: Checkout) -> None:
    first = checkout.run("up", "--port", "1")
    assert first.returncode == 0, first.stderr
    assert "ran: up --port 1" in first.stdout
    assert checkout.calls() == FIRST
    checkout.forget_calls()
    began = time.monotonic()
    again = checkout.run("up")
    assert time.monotonic() - began < 0.5
    assert again.stderr == ""
    assert checkout.calls() == []


def test_a_command_that_needs_no_assistant_installs_none(checkout: Checkout) -> None:
    checkout.run("serve")
    assert checkout.calls() == ["venv env-app", "sync locks/app.txt"]


@pytest.mark.parametrize("words", [("test",), ("install", "dev")])
def test_development_tools_come_with_the_tests(checkout: Checkout, words: tuple[str, ...]) -> None:
    checkout.run(*words)
    assert checkout.calls() == ["venv env-app", "sync locks/dev.txt", "venv env-bot", "sync locks/bot.txt"]


def test_a_superset_that_is_there_counts_as_installed_and_is_kept(checkout: Checkout) -> None:
    checkout.run("test")
    checkout.forget_calls()
    checkout.run("up")
    assert checkout.calls() == []
    (checkout.root / "locks" / "app.txt").write_text("app==2\n")
    checkout.run("up")
    assert checkout.calls() == ["sync locks/dev.txt"]


def test_a_changed_lock_is_installed_once(checkout: Checkout) -> None:
    checkout.run("up")
    checkout.forget_calls()
    (checkout.root / "locks" / "bot.txt").write_text("bot==2\n")
    checkout.run("up")
    checkout.run("up")
    assert checkout.calls() == ["sync locks/bot.txt"]


def test_an_installation_cut_short_is_taken_up_again(checkout: Checkout) -> None:
    cut = Path(f"{checkout.log}.fail")
    cut.touch()
    assert "network" in sentence(checkout.run("up"))
    cut.unlink()
    checkout.forget_calls()
    assert checkout.run("up").returncode == 0
    assert checkout.calls() == ["sync locks/app.txt", "venv env-bot", "sync locks/bot.txt"]


def test_a_moved_checkout_is_installed_anew(checkout: Checkout) -> None:
    checkout.run("serve")
    checkout.forget_calls()
    checkout.root = checkout.root.rename(checkout.around / "elsewhere")
    assert checkout.run("serve").returncode == 0
    assert checkout.calls() == ["sync locks/app.txt"]


def test_the_shim_is_put_in_after_the_assistant_and_again_when_it_changes(checkout: Checkout) -> None:
    shim = checkout.root / "bot" / "shim" / "install.py"
    shim.parent.mkdir(parents=True)
    shim.write_text("1")
    checkout.run("up")
    assert checkout.calls() == [*FIRST, "shim"]
    shim.write_text("2")
    checkout.run("up")
    assert checkout.calls() == [*FIRST, "shim", "shim"]


def test_it_works_from_any_folder_through_symbolic_links(checkout: Checkout) -> None:
    inner = checkout.around / "links"
    inner.mkdir()
    (inner / "one").symlink_to(f"../{checkout.root.name}/bin/segue")
    (inner / "two").symlink_to("one")
    done = checkout.run("serve", program=str(inner / "two"), cwd=checkout.around / "home")
    assert done.returncode == 0, done.stderr
    assert (checkout.home / "env-app").is_dir()
    checkout.path.append(inner)
    assert checkout.run("serve", program="two").returncode == 0


def test_the_shell_is_gone_when_the_application_runs(checkout: Checkout) -> None:
    with subprocess.Popen(
        checkout.command("serve"),
        env=checkout.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        said, _ = process.communicate(timeout=20)
    assert f"pid {process.pid}" in said


def test_a_shim_that_exits_127_is_passed_over_for_the_version_beside_it(bare: Checkout) -> None:
    pyenv = bare.around / "pyenv"
    write_program(pyenv / "shims" / "python3.12", "#!/bin/sh\nexit 127\n")
    bare.python(pyenv / "versions" / "3.12.1" / "bin", "3.12")
    bare.uv(bare.around / "bin")
    bare.path += [pyenv / "shims", bare.around / "bin"]
    done = bare.run("serve")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("variable", "folder"),
    [
        ("PYENV_ROOT", "versions/3.12.1/bin"),
        ("ASDF_DATA_DIR", "installs/python/3.12.1/bin"),
        ("MISE_DATA_DIR", "installs/python/3.12/bin"),
        ("UV_PYTHON_INSTALL_DIR", "cpython-3.12.9-linux-x86_64-gnu/bin"),
    ],
)
def test_a_python_is_found_where_version_managers_keep_it(bare: Checkout, variable: str, folder: str) -> None:
    kept = bare.around / "kept here"
    bare.python(kept / folder, "3.12")
    bare.variables[variable] = str(kept)
    bare.uv(bare.around / "bin")
    bare.path.append(bare.around / "bin")
    assert bare.run("serve").returncode == 0


def test_a_half_built_python_is_passed_over(bare: Checkout) -> None:
    half, whole = bare.around / "half", bare.around / "whole"
    write_program(
        half / "python3.12",
        '#!/bin/sh\ncase "$*" in *lzma*) echo "No module named _lzma" >&2; exit 1 ;; esac\nexit 0\n',
    )
    bare.python(whole, "3.12")
    bare.uv(whole)
    bare.path += [half, whole]
    done = bare.run("serve")
    assert done.returncode == 0, done.stderr
    assert "ran: serve" in done.stdout


@pytest.mark.parametrize(
    ("there", "taken"), [({"3.13", "3.12", "3.11"}, "3.12"), ({"3.13", "3.11"}, "3.11"), ({"3.13"}, "3.13")]
)
def test_the_application_prefers_3_12_then_3_11_then_3_13(bare: Checkout, there: set[str], taken: str) -> None:
    folder = bare.around / "bin"
    for version in there:
        bare.python(folder, version)
    bare.uv(folder)
    bare.path.append(folder)
    assert bare.run("serve").returncode == 0
    assert (folder / f"python{taken}").read_bytes() == (bare.home / "env-app" / "bin" / "python").read_bytes()


def test_without_python_3_10_one_sentence_says_what_to_do(checkout: Checkout) -> None:
    (checkout.around / "bin" / "python3.10").unlink()
    said = sentence(checkout.run("up"))
    assert "3.10" in said
    assert "SEGUE_BOT_PYTHON" in said
    assert any(call.startswith("uv python install") for call in checkout.calls())


def test_a_chosen_python_is_used_and_a_wrong_choice_is_refused(checkout: Checkout) -> None:
    chosen = checkout.python(checkout.around / "mine", "3.11", name="python")
    checkout.variables["SEGUE_PYTHON"] = str(chosen)
    assert checkout.run("serve").returncode == 0
    assert chosen.read_bytes() == (checkout.home / "env-app" / "bin" / "python").read_bytes()
    checkout.variables["SEGUE_BOT_PYTHON"] = str(chosen)
    assert "SEGUE_BOT_PYTHON" in sentence(checkout.run("up"))


def test_without_any_python_one_sentence_says_so(bare: Checkout) -> None:
    assert "Python 3.9 or newer" in sentence(bare.run("up"))


@pytest.mark.parametrize("version", ["0.4.30", None])
def test_an_old_or_missing_uv_is_replaced_by_our_own(checkout: Checkout, version: str | None) -> None:
    if version is None:
        (checkout.around / "bin" / "uv").unlink()
    else:
        checkout.uv(checkout.around / "bin", version)
    done = checkout.run("serve")
    assert done.returncode == 0, done.stderr
    assert (checkout.home / "uv" / "bin" / "uv").is_file()
    assert "--require-hashes" in checkout.calls()[0]


def test_a_python_without_pip_and_venv_is_told_which_package_to_install(bare: Checkout) -> None:
    folder = bare.around / "bin"
    bare.python(folder, "3.12", pip=False)
    bare.path.append(folder)
    assert "python3-venv" in sentence(bare.run("up"))


def test_uv_that_cannot_be_fetched_is_one_sentence_about_the_network(bare: Checkout) -> None:
    folder = bare.around / "bin"
    bare.python(folder, "3.12")
    (bare.around / "uv-from-index").unlink()
    bare.path.append(folder)
    said = sentence(bare.run("up"))
    assert "network" in said
    assert "proxy" in said


def test_a_checkout_that_cannot_be_written_is_told_about_segue_home(checkout: Checkout) -> None:
    checkout.home.write_text("a file where the folder would be")  # also root is stopped by this
    assert "SEGUE_HOME" in sentence(checkout.run("up"))
    elsewhere = checkout.around / "kept elsewhere"
    checkout.variables["SEGUE_HOME"] = str(elsewhere)
    assert checkout.run("up").returncode == 0
    assert (elsewhere / "env-bot").is_dir()


def test_a_relative_segue_home_is_the_callers(checkout: Checkout) -> None:
    checkout.variables["SEGUE_HOME"] = "here"
    assert checkout.run("serve").returncode == 0
    assert (checkout.around / "here" / "env-app").is_dir()


def test_the_callers_python_settings_do_not_leak_in_and_its_index_does(checkout: Checkout) -> None:
    for name in (
        "PYTHONHOME",
        "PYTHONPATH",
        "VIRTUAL_ENV",
        "UV_PYTHON",
        "PIP_TARGET",
        "PIP_USER",
        "PIP_REQUIRE_VIRTUALENV",
    ):
        checkout.variables[name] = "/nonsense"
    kept = {"PIP_INDEX_URL": "file:///mirror", "HTTPS_PROXY": "http://proxy", "SSL_CERT_FILE": "/certificates"}
    checkout.variables |= kept
    done = checkout.run("serve")
    assert done.returncode == 0, done.stderr
    seen = dict(line.split("=", 1) for line in Path(f"{checkout.log}.env").read_text().splitlines() if "=" in line)
    assert seen["PYTHONPATH"] == str(checkout.root)
    assert "/nonsense" not in seen.values()
    assert kept.items() <= seen.items()


def test_starts_at_the_same_time_install_once(checkout: Checkout) -> None:
    starts = [
        subprocess.Popen(
            checkout.command("up"), env=checkout.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for _ in range(3)
    ]
    ends = [start.communicate(timeout=30)[1] or start.returncode for start in starts]
    assert [start.returncode for start in starts] == [0, 0, 0], ends
    assert checkout.calls() == FIRST


def test_install_refuses_a_word_it_does_not_know(checkout: Checkout) -> None:
    assert "frontend" in sentence(checkout.run("install", "frontend"))


def test_the_script_is_plain_posix_shell() -> None:
    program = Path(__file__).resolve().parents[2] / "bin" / "segue"
    assert os.access(program, os.X_OK)
    assert program.read_text().startswith("#!/bin/sh\n")
    assert program.read_text().rstrip().splitlines()[-1].startswith("exec ")
    assert subprocess.run(["sh", "-n", str(program)], check=False).returncode == 0
    assert sys.platform != "win32"
