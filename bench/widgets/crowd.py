"""The process that holds the streams open, and the bare server they are compared with."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.machine import OTHER_CORE, SERVER_CORE, answers, free_port
from bench.processes import Process
from bench.report import Broken
from segue.places import ROOT


class Crowd:
    """Open widgets: `bench/widgets/readers.py` in a process of its own, whose CPU is on the other core."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "readers.log"
        with self._log.open("ab") as errors:
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-m", "bench.widgets.readers"],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        os.sched_setaffinity(self._child.pid, OTHER_CORE)

    def open(self, port: int, tokens: Sequence[str]) -> None:
        """Comes back when each stream was greeted. Raises `Broken`."""
        seen = self._ask({"open": {"port": port, "tokens": list(tokens)}})
        if seen["greeted"] < len(tokens) or seen["lost"]:
            raise Broken(f"of {len(tokens)} streams {seen['greeted']} were greeted and {seen['lost']} ended")

    def hear(self, messages: int, seconds: float = 60) -> int:
        """Waits for so many messages on all streams; says how many frames came. Raises `Broken`."""
        seen = self._ask({"messages": messages, "seconds": seconds})
        if seen["messages"] < messages or seen["lost"]:
            raise Broken(f"of {messages} messages the streams showed {seen['messages']}; {seen['lost']} streams ended")
        return seen["frames"]

    def close(self) -> None:
        self._ask({"close": True})

    def _ask(self, order: dict[str, object]) -> dict[str, int]:
        to, back = self._child.stdin, self._child.stdout
        if not to or not back:
            raise Broken("the streams' process has no pipes")
        to.write(json.dumps(order) + "\n")
        to.flush()
        line = back.readline()
        if not line:
            raise Broken(f"the streams' process ended: {self._log.read_text()[-500:]}")
        answer: dict[str, int] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._child.kill()
        self._child.communicate()


class Floor(Process):
    """The limit: bench/widgets/floor.py on the core that the router has."""

    def __init__(self, folder: Path, name: str = "floor") -> None:
        self.port = free_port()
        argv = (sys.executable, "-P", "-m", "bench.widgets.floor", str(self.port))
        super().__init__("floor", argv, cores=SERVER_CORE, env={}, log=folder / f"{name}.log")
        self.wait_until(lambda: answers(self.port, "/healthz"))

    def tell(self) -> None:
        """One frame to every open stream."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("POST", "/tell")
        connection.getresponse().read()
        connection.close()
