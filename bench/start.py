"""From nothing to the first answer, training included; and a second start to ready."""

from __future__ import annotations

import http.client
import json
import os
import resource
import shutil
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.machine import answers, free_port, short_folder
from bench.report import Broken, Row, median
from segue.places import ROOT, home


@dataclass(frozen=True)
class _Start:
    ready: float
    answered: float
    cpu: float


def run(rounds: int = 3) -> list[Row]:
    """One first start, then as many second ones."""
    with short_folder() as folder:
        checkout = folder / "segue"
        # A copy without what git ignores: no model, no data folder.
        listing = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
        tracked = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
        for name in filter(None, tracked):
            if (ROOT / name).is_file():
                (checkout / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, checkout / name)
        first = _start(checkout, folder / "data")
        second = [_start(checkout, folder / "data") for _ in range(rounds)]
    ready = [start.ready for start in second]
    return [
        Row(what="nothing to the first answer, with training", unit="s", ours=first.answered, must=60, aim=30),
        Row(what="the same, CPU of all parts", unit="s", ours=first.cpu),
        Row(what="second start to ready", unit="s", ours=median(ready), runs=ready, must=8, aim=4),
        Row(what="second start to the first answer", unit="s", ours=median(start.answered for start in second)),
        Row(what="second start to the first answer, CPU of all parts", unit="s",
            ours=median(start.cpu for start in second)),
    ]  # fmt: skip


def _start(checkout: Path, data: Path) -> _Start:
    port = free_port()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    with (data.parent / "up.log").open("ab") as log:
        launcher = subprocess.Popen(
            [sys.executable, "-P", "-m", "segue", "up", "--port", str(port), "--data-dir", str(data)],
            cwd=checkout,
            env={**os.environ, "PYTHONPATH": str(checkout), "SEGUE_HOME": str(home())},
            stdout=log,
            stderr=log,
        )
    try:
        while not answers(port, "/readyz"):
            if launcher.poll() is not None or time.monotonic() > began + 300:
                raise Broken(f"it does not start: {(data.parent / 'up.log').read_text()[-800:]}")
            time.sleep(0.02)
        ready = time.monotonic() - began
        _wait_for_an_answer(port)
        answered = time.monotonic() - began
    finally:
        launcher.terminate()
        launcher.wait(20)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return _Start(ready, answered, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def _wait_for_an_answer(port: int) -> None:
    token = _ask(port, "POST", "/v1/widget/session", {"site": "demo"}, "")["token"]
    _ask(port, "POST", "/v1/widget/messages", {"text": "oi"}, token)
    for _ in range(1500):
        said = _ask(port, "GET", "/v1/widget/messages", None, token)["messages"]
        if any(message["author"]["kind"] == "bot" for message in said):
            return
        time.sleep(0.02)
    raise Broken("no answer came")


def _ask(port: int, method: str, path: str, body: dict[str, str] | None, token: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid.uuid4())}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, json.dumps(body) if body else None, headers)
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return answer
