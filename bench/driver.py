"""Starts the process that sends (bench/load.py), tells it what, and checks that everything was accepted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.machine import OTHER_CORE
from bench.report import Broken
from segue.places import ROOT


class Driver:
    """The process that sends: its own CPU is on the other core, and never counted."""

    def __init__(self, log: Path) -> None:
        with log.open("ab") as errors:
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-m", "bench.load"],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        os.sched_setaffinity(self._child.pid, OTHER_CORE)
        self._log = log

    def send(
        self,
        port: int,
        requests: Path,
        *,
        first: int,
        count: int,
        connections: int = 64,
        rate: float = 0,
        seconds: float = 60,
        shards: Sequence[int] = (),
        redis: Path | None = None,
        accepted: int = 201,
    ) -> dict[str, Any]:
        """Sends these requests and gives back what was seen. Every message must have been accepted."""
        plan = {
            "port": port, "requests": str(requests), "first": first, "count": count, "connections": connections,
            "rate": rate, "seconds": seconds, "shards": list(shards), "redis": str(redis),
        }  # fmt: skip
        to, back = self._child.stdin, self._child.stdout
        if not to or not back:
            raise Broken("the driver has no pipes")
        to.write(json.dumps(plan) + "\n")
        to.flush()
        line = back.readline()
        if not line.endswith("\n"):  # also in the middle of its answer
            raise Broken(f"the driver ended ({self._child.wait(10)}): {self._log.read_text()[-500:]}")
        seen: dict[str, Any] = json.loads(line)
        if seen["statuses"] != {str(accepted): count}:
            raise Broken(f"not every message was accepted: {seen['statuses']} of {count}")
        return seen

    def end(self) -> None:
        self._child.kill()
        self._child.communicate()
