"""wrk on one server: as many messages as it can take from 64 connections, each with a key of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import msgspec

from bench.machine import OTHER_CORE
from bench.report import Broken

CONNECTIONS = 64
_SCRIPT = Path(__file__).with_name("wrk.lua")


class Seen(msgspec.Struct, frozen=True):
    """What wrk saw; `p50` and `p99` in ms."""

    requests: int
    refused: int
    lost: int
    seconds: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


class Wrk:
    """Every run has a number, from which its keys are made: no two runs send the same message."""

    def __init__(self, tokens: Path) -> None:
        self._tokens = tokens
        self._runs = 0
        found = shutil.which("wrk")
        if found is None:
            raise Broken("the load comes from wrk, which is not here: apt install wrk")
        self._wrk = found

    def send(self, port: int, seconds: int) -> Seen:
        """Raises `Broken` when anything but 201 came back."""
        self._runs += 1
        first = self._runs * 331  # nobody speaks first in every run
        argv = (self._wrk, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(_SCRIPT), f"http://127.0.0.1:{port}",
                "--", str(self._tokens), str(self._runs), str(first))  # fmt: skip
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            os.sched_setaffinity(child.pid, OTHER_CORE)
            out, errors = child.communicate(timeout=seconds + 30)
        line = next((line for line in out.splitlines() if line.startswith("wrk {")), None)
        if line is None:
            raise Broken(f"wrk said: {out[-300:]}{errors[-300:]}")
        seen = msgspec.json.decode(line.removeprefix("wrk "), type=Seen)
        if seen.refused or seen.lost or not seen.requests:
            raise Broken(f"of {seen.requests} messages {seen.refused} were refused and {seen.lost} lost")
        return seen
