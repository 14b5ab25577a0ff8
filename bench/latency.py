"""What an open loop of 200 messages a second waits: for the acknowledgement, and until the answer is committed."""

from __future__ import annotations

import contextlib
import socket
import statistics
from dataclasses import dataclass, field
from pathlib import Path

from bench.driver import Driver
from bench.processes import House, RedisProcess, Router
from bench.report import Broken, Row, median
from bench.visitors import Holder, arrive, write_requests
from router.store.keys import HINTS

RATE = 200
SECONDS = 4
ARRIVALS = 600


@dataclass
class _Seen:
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    commit50: list[float] = field(default_factory=list)
    commit99: list[float] = field(default_factory=list)


@dataclass
class _Setup:
    router: Router
    store: RedisProcess
    speakers: list[Holder]
    seen: _Seen = field(default_factory=_Seen)


def run(rounds: int = 5) -> list[Row]:
    """Rounds alternate between the echo and a router for each promise about the disk."""
    count = RATE * SECONDS
    with House() as house, contextlib.ExitStack() as listening:
        bot, echo, driver, limit = house.bot(), house.echo(), house.driver(), _Seen()
        setups: dict[str, _Setup] = {}
        for fsync in ("everysec", "always"):
            store = house.redis(fsync, fsync=fsync)
            router = house.router(store, bot, fsync)
            # One a shard: the store's hints tell shards, so that a commit is told from its neighbours'.
            speakers = list({holder.shard: holder for holder in arrive(router, ARRIVALS)}.values())
            listening.enter_context(_listener(store))
            setups[fsync] = _Setup(router, store, [speakers[i % len(speakers)] for i in range(count)])
        for number in range(rounds + 1):
            for fsync, setup in setups.items():
                requests = write_requests(house.folder / f"requests-{fsync}-{number}", setup.speakers)
                if fsync == "everysec":
                    acks = driver.send(echo.port, requests, first=0, count=count, rate=RATE)["acks"]
                    _note(limit.p50, limit.p99, acks, number)
                _measure(driver, setup, requests, number)
        return _rows(limit, {fsync: setup.seen for fsync, setup in setups.items()})


def _listener(store: RedisProcess) -> socket.socket:
    """A second process that listens: a router that knows of none keeps its hints, by which commits are seen, to itself.

    It looks for others as seldom as at all shards, so one stays through all rounds; the first of them is not counted.
    """
    line = socket.socket(socket.AF_UNIX)
    line.connect(str(store.socket))
    line.sendall(f"SUBSCRIBE {HINTS}\r\n".encode())
    return line


def _measure(driver: Driver, setup: _Setup, requests: Path, number: int) -> None:
    seen = driver.send(
        setup.router.port,
        requests,
        first=0,
        count=len(setup.speakers),
        rate=RATE,
        shards=[speaker.shard for speaker in setup.speakers],
        redis=setup.store.socket,
    )
    if len(seen["commits"]) < len(setup.speakers):
        raise Broken(f"only {len(seen['commits'])} of {len(setup.speakers)} commits were seen")
    _note(setup.seen.p50, setup.seen.p99, seen["acks"], number)
    _note(setup.seen.commit50, setup.seen.commit99, seen["commits"], number)


def _note(p50: list[float], p99: list[float], values: list[float], number: int) -> None:
    if number == 0:
        return  # it made the customers and loaded the scripts
    cuts = statistics.quantiles(values, n=100)
    p50.append(cuts[49])
    p99.append(cuts[98])


def _rows(limit: _Seen, seen: dict[str, _Seen]) -> list[Row]:
    rows = []
    for fsync, ours in seen.items():
        must, aim = (0.5, 0.2) if fsync == "everysec" else (None, None)
        added = [own - bare for own, bare in zip(ours.p50, limit.p50, strict=True)]
        rows += [
            Row(what=f"ack added over the echo, p50, {fsync}", unit="ms", limit=median(limit.p50), ours=median(added),
                runs=added, must=must, aim=aim),
            Row(what=f"ack p50, {fsync}", unit="ms", limit=median(limit.p50), ours=median(ours.p50), runs=ours.p50),
            Row(what=f"ack p99, {fsync}", unit="ms", limit=median(limit.p99), ours=median(ours.p99), runs=ours.p99),
            Row(what=f"send to commit p50, {fsync}", unit="ms", ours=median(ours.commit50), runs=ours.commit50),
            Row(what=f"send to commit p99, {fsync}", unit="ms", ours=median(ours.commit99), runs=ours.commit99),
        ]  # fmt: skip
    return rows
