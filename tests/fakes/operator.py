"""The commands as an operator calls them: a process, its words, its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Operator:
    """`bin/segue` without its bootstrap."""

    data: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(
        self, *words: str, code: int = 0, within: float = 30, more: Mapping[str, str] | None = None
    ) -> tuple[str, str]:
        """What it printed, and what it complained of."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("SEGUE_")}
        kept = {name: os.environ[name] for name in ("SEGUE_HOME",) if name in os.environ}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "segue", *words],
            cwd=ROOT,
            env={
                **ours,
                **kept,
                "PYTHONPATH": str(ROOT),
                "SEGUE_DATA_DIR": str(self.data),
                **self.environment,
                **(more or {}),
            },
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )
        assert code == done.returncode, f"{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout, done.stderr
