"""The whole as an operator starts it: `segue up`, from this checkout or from a copy with a planted fault."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.machine import answers, free_port, memory
from bench.processes import House
from bench.report import Broken
from bench.soak.planted import Fault
from segue.places import ROOT, DataFolder, home

READY_WITHIN = 300
"""Seconds: it may have to train first."""
ENDS_WITHIN = 20
NO_TIMERS = {"SEGUE_CONVERSATION__IDLE_HOURS": "0"}
"""An idle conversation's timer would wait for a day, and could not be told from one that is forgotten."""
PARTS = ("redis", "router", "actions", "bot")
"""Those that live as long as it does; training has ended by then."""


@dataclass(frozen=True)
class System:
    """A running installation."""

    port: int
    redis_url: str
    pids: Mapping[str, int]
    log: Path

    def processes(self) -> dict[str, int]:
        """Every process by a name that stays: the parts, and what the bot's parent has started."""
        found = dict(self.pids)
        for number, child in enumerate(_children(self.pids["bot"])):
            found[f"bot worker {number}"] = child
        return found

    def memory(self) -> dict[str, float]:
        """MB of RSS. Raises `Broken` when one is gone."""
        try:
            return {name: memory(pid)[0] for name, pid in self.processes().items()}
        except FileNotFoundError as error:
            raise Broken(f"a process has ended: {self.log.read_text(errors='replace')[-800:]}") from error

    def open_files(self) -> int:
        """Of the router."""
        return len(list(Path(f"/proc/{self.pids['router']}/fd").iterdir()))


@contextmanager
def running(folder: Path, fault: Fault | None = None) -> Iterator[System]:
    """Starts it with an empty data folder, and ends it."""
    checkout = ROOT if fault is None else _copy(folder / "checkout", fault)
    data, port, log = folder / "data", free_port(), folder / "up.log"
    environment = {
        **os.environ,
        "PYTHONPATH": str(checkout),
        "SEGUE_HOME": str(home()),
        "SEGUE_SERVER__TRUSTED_PROXIES": '["127.0.0.1"]',  # each widget names an address of its own
        **NO_TIMERS,
    }
    command = [sys.executable, "-P", "-m", "segue", "up", "--port", str(port), "--data-dir", str(data)]
    with log.open("ab") as out:
        launcher = subprocess.Popen(command, cwd=checkout, env=environment, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + READY_WITHIN
        while not answers(port, "/readyz"):
            if launcher.poll() is not None or time.monotonic() > deadline:
                raise Broken(f"`segue up` does not become ready: {log.read_text(errors='replace')[-800:]}")
            time.sleep(0.1)
        record = DataFolder(data).record()
        pids = {name: pid for name, (pid, _) in record["parts"].items() if name in PARTS}
        yield System(port, record["redis_url"], {"launcher": launcher.pid, **pids}, log)
    finally:
        launcher.terminate()
        try:
            launcher.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            launcher.kill()
            launcher.wait()


@contextmanager
def running_with_instant_bot() -> Iterator[System]:
    """Router and Redis alone, for a machine that has no core left for the assistant."""
    with House() as house:
        store, bot = house.redis(fsync="always"), house.bot(events=60)
        router = house.router(store, bot, settings={"SEGUE_SERVER__RATE_LIMITS": "true", **NO_TIMERS})
        pids = {"redis": store.pid, "router": router.pid, "bot": bot.pid}
        yield System(router.port, store.url, pids, router.log)


def _copy(folder: Path, fault: Fault) -> Path:
    """What git knows of this checkout, with the fault in it, and the models that are there."""
    listing = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    if (ROOT / "models").is_dir():
        shutil.copytree(ROOT / "models", folder / "models", dirs_exist_ok=True)
    fault.plant(folder)
    return folder


def _children(pid: int) -> list[int]:
    """Oldest first."""
    return sorted(int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
