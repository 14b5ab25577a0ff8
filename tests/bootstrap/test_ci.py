"""`.ci/run` on machines with and without apt; nothing is installed here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from bootstrap.conftest import ROOT, write_program


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A checkout whose `bin/segue` only tells how it was called, and a PATH with the least of tools."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    write_program(tmp_path / "bin" / "segue", '#!/bin/sh\nread -r line || line=none\necho "CI=$CI stdin=$line: $*"\n')
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("bash", "sh", "dirname", "env"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    write_program(tools / "id", "#!/bin/sh\necho 0\n")
    # Root's own files stay as they are.
    for tool in ("tee", "chmod", "rm"):
        write_program(tools / tool, "#!/bin/sh\nexit 0\n")
    return tmp_path


def put(machine: Path, *programs: str) -> None:
    for program in programs:
        write_program(machine / "tools" / program, "#!/bin/sh\nexit 0\n")


def put_apt(machine: Path, code: int = 0) -> None:
    words = f'#!/bin/sh\necho "$DEBIAN_FRONTEND $*" >>"{machine}/apt"\nexit {code}\n'
    write_program(machine / "tools" / "apt-get", words)


def run(machine: Path, *words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(machine / ".ci" / "run"), *words],
        env={"PATH": str(machine / "tools")},
        cwd="/",
        input="a line",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_where_nothing_is_missing_apt_is_not_asked(machine: Path) -> None:
    put(machine, "chromium", "redis-server", "python3")
    put_apt(machine)
    assert run(machine, "--fast").stdout == "CI=true stdin=none: test --fast\n"
    assert not (machine / "apt").exists()


def test_what_is_missing_is_installed_after_an_update(machine: Path) -> None:
    put(machine, "valkey-server", "python3")
    put_apt(machine)
    assert "CI=true" in run(machine).stdout
    update, install = (machine / "apt").read_text().splitlines()
    assert update.startswith("noninteractive update")
    assert install.startswith("noninteractive install")
    assert install.endswith(" chromium")


def test_without_apt_it_goes_on_and_says_what_is_missing(machine: Path) -> None:
    put(machine, "python3")
    done = run(machine)
    assert "CI=true" in done.stdout
    assert "chromium redis-server" in done.stderr


def test_an_apt_that_fails_does_not_stop_it(machine: Path) -> None:
    put(machine, "python3", "redis-server")
    put_apt(machine, 100)
    done = run(machine)
    assert "CI=true" in done.stdout
    assert "could not install chromium" in done.stderr
