"""Router CPU per message, door to commit, against a bare echo of the same bytes on the same core.

wrk sends from 64 connections for some seconds, as in the prototype behind the target: both servers have as much to do
as they can take. `bursts` is the way of before, 600 messages a run from a driver in Python, kept to be compared with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.processes import Echo, House, RedisProcess, Router
from bench.report import Broken, Row, median
from bench.saturation import CONNECTIONS, Wrk
from bench.visitors import arrive, spread, write_requests, write_tokens

VISITORS = 1000
SECONDS = 2
"""Of one run of one server; the runs of all servers take turns, so that a noisy neighbour meets them all."""
MESSAGES = 600
"""Of one run of `bursts`."""

WINDOW = 60
"""Events of the dialogue's window in the row that shows what a long one costs."""


_Send = Callable[[int], tuple[int, float]]
"""Sends to a port: how many messages, in how many seconds."""


@dataclass
class _Runs:
    """What the runs of one server cost per message."""

    cpu: list[float] = field(default_factory=list)
    redis: list[float] = field(default_factory=list)
    commands: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    full: list[float] = field(default_factory=list)
    """CPU seconds in a second of load: 1 is a core without a pause."""


@dataclass
class _Setup:
    """A router with a store of its own."""

    router: Router
    store: RedisProcess
    runs: _Runs = field(default_factory=_Runs)

    def measure(self, send: _Send) -> None:
        """Counts until everything is committed, not only accepted; `send` answers how many in how many seconds."""
        turns = self.router.turns()
        cpu, redis, commands = self.router.cpu(), self.store.cpu(), self.store.commands()
        count, seconds = send(self.router.port)
        under_load = self.router.cpu() - cpu
        self.store.drain()
        self.runs.cpu.append((self.router.cpu() - cpu) / count * 1e6)
        self.runs.redis.append((self.store.cpu() - redis) / count * 1e6)
        self.runs.commands.append((self.store.commands() - commands) / count)
        self.runs.rate.append(count / seconds)
        self.runs.full.append(under_load / seconds)
        if not count <= self.router.turns() - turns <= count + CONNECTIONS:  # wrk leaves in the middle of its last ones
            raise Broken(f"{count} messages were acknowledged, and {self.router.turns() - turns} turns committed")


def run(rounds: int = 10) -> list[Row]:
    """Rounds alternate between the limit and every setup."""
    with House() as house:
        setups = {
            "everysec": _setup(house, "everysec", events=2),
            "always": _setup(house, "always", events=2),
            "window": _setup(house, "window", events=WINDOW),
            "http": _setup(house, "http"),
        }
        bursts = _setup(house, "bursts")
        loads = {name: Wrk(_tokens(house, name, setup)) for name, setup in setups.items()}
        echo, driver, limit, burst_limit = house.echo(), house.driver(), _Runs(), _Runs()
        speakers = spread(arrive(bursts.router, VISITORS), VISITORS + MESSAGES * rounds)
        requests = write_requests(house.folder / "requests", speakers)

        def burst(first: int, count: int = MESSAGES) -> _Send:
            return lambda port: (count, float(driver.send(port, requests, first=first, count=count)["seconds"]))

        for name, setup in setups.items():
            setup.measure(_saturated(loads[name]))  # makes the customers, meets scripts and code paths
            setup.runs = _Runs()
        bursts.measure(burst(0, VISITORS))
        bursts.runs = _Runs()
        for number in range(rounds):
            _measure_echo(limit, echo, _saturated(loads["everysec"]))
            for name, setup in setups.items():
                setup.measure(_saturated(loads[name]))
            first = VISITORS + number * MESSAGES
            _measure_echo(burst_limit, echo, burst(first))
            bursts.measure(burst(first))
        return [
            *_rows(limit, {name: setup.runs for name, setup in setups.items()}),
            _ratio("bursts of 600 by the driver in Python, bot over HTTP", burst_limit, bursts.runs),
        ]


def _setup(house: House, name: str, *, events: int | None = None) -> _Setup:
    store = house.redis(name, fsync="always" if name == "always" else "everysec")
    return _Setup(house.router(store, house.bot(name), name, events=events), store)


def _tokens(house: House, name: str, setup: _Setup) -> Path:
    return write_tokens(house.folder / f"tokens-{name}", arrive(setup.router, VISITORS))


def _saturated(wrk: Wrk) -> _Send:
    def send(port: int) -> tuple[int, float]:
        seen = wrk.send(port, SECONDS)
        return seen.requests, seen.seconds

    return send


def _measure_echo(runs: _Runs, echo: Echo, send: _Send) -> None:
    cpu = echo.cpu()
    count, seconds = send(echo.port)
    runs.cpu.append((echo.cpu() - cpu) / count * 1e6)
    runs.full.append((echo.cpu() - cpu) / seconds)
    runs.rate.append(count / seconds)


def _ratio(what: str, limit: _Runs, ours: _Runs, must: float | None = None, aim: float | None = None) -> Row:
    ratios = [alone / own for alone, own in zip(limit.cpu, ours.cpu, strict=True)]
    return Row(what=what, unit="µs", limit=median(limit.cpu), ours=median(ours.cpu), ratio=median(ratios),
               better="more", runs=ratios, must=must, aim=aim)  # fmt: skip


def _rows(limit: _Runs, runs: dict[str, _Runs]) -> list[Row]:
    ours = runs["everysec"]
    return [
        _ratio("router CPU a message, AOF everysec", limit, ours, 0.33, 0.5),
        _ratio("the same, AOF always", limit, runs["always"]),
        _ratio(f"the same, everysec, window of {WINDOW} events", limit, runs["window"]),
        _ratio("the same, everysec, the bot over HTTP", limit, runs["http"]),
        Row(what="Redis CPU a message", unit="µs", ours=median(ours.redis)),
        Row(what="Redis commands a message, inside scripts too", unit="", ours=median(ours.commands)),
        Row(what=f"messages a second, {CONNECTIONS} connections", unit="/s", limit=median(limit.rate),
            ours=median(ours.rate)),
        Row(what="of its core the router used", unit="", limit=median(limit.full), ours=median(ours.full)),
    ]  # fmt: skip
