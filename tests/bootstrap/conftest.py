"""A checkout with fake interpreters, in which `bin/segue` does all of its own work and nothing is fetched."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REAL = f"{sys.version_info.major}.{sys.version_info.minor}"
TOOLS = ("sh", "readlink", "cksum", "grep", "mkdir", "rm", "mv", "df", "awk", "tr", "cat", "sed")

# Behaves like Python VERSION by answering bin/segue's question about REAL's version. Pip and the last exec are played.
PYTHON = """#!/bin/sh
case "$*" in
"-P -m segue"*) printf 'pid %s\\n' "$$"; env >"{log}.env"; shift 3; printf 'ran:%s\\n' " $*"; exit 0 ;;
*"-m pip --version"*) exit {pip} ;;
*"-m pip install"*)
    printf 'pip %s\\n' "$*" >>"{log}"
    while [ "$1" != --target ]; do shift; done
    mkdir -p "$2/bin" && cp "{uv}" "$2/bin/uv" ; exit $? ;;
*"-m venv"*) exit 1 ;;
*install.py*) printf 'shim\\n' >>"{log}"; exit 0 ;;
esac
code=$(printf '%s' "$3" | sed "s/'{version_pattern}'/'{real_version}'/; t; s/!= '[0-9.]*'/!= 'another'/")
exec "{real}" -I -c "$code"
"""
UV = """#!/bin/sh
log={log}
[ "$1" != --no-progress ] || shift
case "$1 ${{2-}}" in
"--version ") echo 'uv {version} (played)' ;;
"venv "*)
    while [ $# -gt 1 ]; do [ "$1" != --python ] || python=$2; shift; done
    printf 'venv %s\\n' "${{1##*/}}" >>"$log"
    mkdir -p "$1/bin" && cp "$python" "$1/bin/python" ;;
"pip sync")
    for lock in "$@"; do :; done
    printf 'sync %s\\n' "$lock" >>"$log"
    [ ! -e "$log.fail" ] ;;
*) printf 'uv %s\\n' "$*" >>"$log"; exit 1 ;;
esac
"""


def write_program(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)
    return file


@dataclass
class Checkout:
    """A copy of bin/segue with small locks, a home and a PATH of its own."""

    root: Path
    around: Path
    log: Path
    variables: dict[str, str] = field(default_factory=dict)
    path: list[Path] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.root / ".segue"

    def python(self, folder: Path, version: str, *, pip: bool = True, name: str | None = None) -> Path:
        """A Python that is whole."""
        text = PYTHON.format(
            log=self.log,
            pip=0 if pip else 1,
            uv=self.around / "uv-from-index",
            version_pattern=re.escape(version),
            real_version=REAL,
            real=sys.executable,
        )
        return write_program(folder / (name or f"python{version}"), text)

    def uv(self, folder: Path, version: str = "0.13.9") -> Path:
        return write_program(folder / "uv", UV.format(log=f"'{self.log}'", version=version))

    def command(self, *words: str) -> list[str]:
        return [str(self.root / "bin" / "segue"), *words]

    def environment(self) -> dict[str, str]:
        path = os.pathsep.join(map(str, [*self.path, self.around / "tools"]))
        return {"PATH": path, "HOME": str(self.around / "home"), "LC_ALL": "C.UTF-8", **self.variables}

    def run(self, *words: str, program: str | None = None, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        argv = [program or self.command()[0], *words]
        return subprocess.run(
            argv,
            env=self.environment(),
            cwd=cwd or self.around,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )

    def calls(self) -> list[str]:
        """What was asked of uv and pip so far."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    def forget_calls(self) -> None:
        self.log.unlink(missing_ok=True)


@pytest.fixture
def bare(tmp_path: Path) -> Checkout:
    """Without any Python and without uv, in a folder whose name has blanks and accents."""
    root = tmp_path / "uma loja é cá"
    (root / "bin").mkdir(parents=True)
    program = (ROOT / "bin" / "segue").read_text()
    program, emptied = re.subn(r"(?m)^system_folders='.*'$", "system_folders=''", program)
    assert emptied == 1, "the system's own Pythons must stay out of these tests"
    write_program(root / "bin" / "segue", program)
    (root / "locks").mkdir()
    for lock in ("app", "dev", "bot", "uv"):
        (root / "locks" / f"{lock}.txt").write_text(f"{lock}==1\n")
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in (*TOOLS, "cp", "env"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    (tmp_path / "home").mkdir()
    checkout = Checkout(root=root, around=tmp_path, log=tmp_path / "calls")
    write_program(tmp_path / "uv-from-index", UV.format(log=f"'{checkout.log}'", version="0.13.9"))
    return checkout


@pytest.fixture
def checkout(bare: Checkout) -> Checkout:
    """With both Pythons and uv on PATH."""
    folder = bare.around / "bin"
    bare.python(folder, "3.12")
    bare.python(folder, "3.10")
    bare.uv(folder)
    bare.path.append(folder)
    return bare
