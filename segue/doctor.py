"""`segue doctor`: everything an operator would look at, one line each, with what to do where it is not well.

It changes nothing, and works while the system is down: then the parts that are not there are told as such.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from segue.installation import Installation
from segue.places import ROOT
from segue.refusal import Refusal
from segue.settings import Settings

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `remedy` is one sentence, and empty where all is well."""

    part: str
    level: Level
    says: str
    remedy: str = ""


Check = Callable[[Installation], Iterator[Finding]]


def doctor(data_dir: Path | None, config: Path | None, *, as_json: bool) -> int:
    """Prints what was found: 1 when something has to be done, else 0."""
    findings = list(examine(data_dir, config))
    well = all(finding.level != "fail" for finding in findings)
    if as_json:
        shown = {"ok": well, "findings": [asdict(finding) for finding in findings]}
        print(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        for finding in findings:
            print(line(finding))
        print(summary(findings))
    return 0 if well else 1


def examine(data_dir: Path | None, config: Path | None) -> Iterator[Finding]:
    """All findings, in the order in which one would mend them."""
    from segue import doctor_files, doctor_parts

    checks: list[Check] = [doctor_files.pythons]
    try:
        installation = Installation.find(data_dir, config)
    except Refusal as refusal:
        yield Finding("settings", "fail", "cannot be used", str(refusal))
        # What does not depend on them is looked at all the same.
        installation = _without_settings(data_dir)
    else:
        checks += [doctor_files.settings, doctor_files.address, doctor_files.channels]
    checks += [doctor_files.modes, doctor_files.room, doctor_parts.model, doctor_parts.redis, doctor_parts.router]
    for check in checks:
        yield from _safely(check, installation)


def _safely(check: Check, installation: Installation) -> Iterator[Finding]:
    try:
        yield from check(installation)
    except Refusal as refusal:
        yield Finding(check.__name__, "fail", "is not usable", str(refusal))
    except (OSError, ValueError) as error:
        yield Finding(
            check.__name__,
            "fail",
            f"could not be looked at ({type(error).__name__}: {error})",
            "See that this person may read the checkout and the data folder.",
        )


def _without_settings(data_dir: Path | None) -> Installation:
    given = data_dir.expanduser().absolute() if data_dir else ROOT / "var"
    return Installation(settings=Settings.model_construct(), config=None, data=given, record={})


def line(finding: Finding) -> str:
    """`warn  redis: … – remedy`, in colour on a terminal."""
    colour = {"ok": "32", "warn": "33", "fail": "31"}[finding.level]
    level = f"\x1b[{colour}m{finding.level:<4}\x1b[0m" if sys.stdout.isatty() else f"{finding.level:<4}"
    remedy = f" – {finding.remedy}" if finding.remedy else ""
    return f"{level}  {finding.part}: {finding.says}{remedy}"


def summary(findings: list[Finding]) -> str:
    failed = sum(finding.level == "fail" for finding in findings)
    warned = sum(finding.level == "warn" for finding in findings)
    if not failed and not warned:
        return "All is well."
    return f"{failed} to mend, {warned} to know, {len(findings) - failed - warned} well."


def run(program: list[str], within: float = 20) -> tuple[int, str]:
    """Exit code and output of a program that is asked something; -1 when it does not run."""
    import os
    import subprocess

    try:
        done = subprocess.run(
            program,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return -1, ""
    return done.returncode, done.stdout.strip()


def ask(host: str, port: int, path: str) -> tuple[int, dict[str, object]]:
    """Status and JSON of our own web address; (0, {}) while nothing answers."""
    from segue.ask import ask_port

    return asyncio.run(ask_port(host, port, path))
