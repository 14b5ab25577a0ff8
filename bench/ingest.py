"""Router CPU per message, door to commit, against a bare echo of the same bytes on the same core."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from bench.driver import Driver
from bench.processes import Echo, House, RedisProcess, Router
from bench.report import Row, median
from bench.visitors import arrive, spread, write_requests

VISITORS = 1000
MESSAGES = 600
"""Of one run of one server; the runs of all servers take turns, so that a noisy neighbour meets them all."""

WINDOW = 60
"""Events of the dialogue's window in the row that shows what a long one costs."""


@dataclass
class _Runs:
    """What the runs of one server cost per message."""

    cpu: list[float] = field(default_factory=list)
    redis: list[float] = field(default_factory=list)
    commands: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)


@dataclass
class _Setup:
    """A router with a store of its own, and what its visitors will say."""

    router: Router
    store: RedisProcess
    requests: Path
    runs: _Runs = field(default_factory=_Runs)
    first_contact: float = 0.0

    def measure(self, driver: Driver, first: int, count: int) -> None:
        """Counts until everything is committed, not only accepted."""
        cpu, redis, commands = self.router.cpu(), self.store.cpu(), self.store.commands()
        seen = driver.send(self.router.port, self.requests, first=first, count=count)
        self.store.drain()
        self.runs.cpu.append((self.router.cpu() - cpu) / count * 1e6)
        self.runs.redis.append((self.store.cpu() - redis) / count * 1e6)
        self.runs.commands.append((self.store.commands() - commands) / count)
        self.runs.rate.append(count / seen["seconds"])


def run(rounds: int = 15) -> list[Row]:
    """One row per durability; rounds alternate with the limit's."""
    with House() as house:
        setups = {
            "everysec": _setup(house, "everysec", rounds),
            "always": _setup(house, "always", rounds),
            "window": _setup(house, "window", rounds, events=WINDOW),
        }
        echo, driver, limit = house.echo(), house.driver(), _Runs()
        for setup in setups.values():
            # Where customers are made, and scripts and code paths met for the first time.
            setup.measure(driver, 0, VISITORS)
            setup.first_contact = setup.runs.cpu[0]
            setup.runs = _Runs()
        for number in range(rounds):
            first = VISITORS + number * MESSAGES
            _measure_echo(limit, echo, driver, setups["everysec"].requests, first)
            for setup in setups.values():
                setup.measure(driver, first, MESSAGES)
        return _rows(limit, setups)


def _setup(house: House, name: str, rounds: int, *, events: int = 2) -> _Setup:
    store = house.redis(name, fsync="always" if name == "always" else "everysec")
    router = house.router(store, house.bot(name, events=events), name)
    speakers = spread(arrive(router, VISITORS), VISITORS + MESSAGES * rounds)
    return _Setup(router, store, write_requests(house.folder / f"requests-{name}", speakers))


def _measure_echo(runs: _Runs, echo: Echo, driver: Driver, requests: Path, first: int) -> None:
    cpu = echo.cpu()
    seen = driver.send(echo.port, requests, first=first, count=MESSAGES)
    runs.cpu.append((echo.cpu() - cpu) / MESSAGES * 1e6)
    runs.rate.append(MESSAGES / seen["seconds"])


def _rows(limit: _Runs, setups: dict[str, _Setup]) -> list[Row]:
    echo = median(limit.cpu)
    rows = []
    for name, what in (
        ("everysec", "router CPU a message, AOF everysec"),
        ("always", "router CPU a message, AOF always"),
        ("window", f"the same, everysec, window of {WINDOW} events"),
    ):
        runs = setups[name].runs
        ratios = [alone / ours for alone, ours in zip(limit.cpu, runs.cpu, strict=True)]
        must, aim = (0.33, 0.5) if name == "everysec" else (None, None)
        rows.append(
            Row(
                what=what, unit="µs", limit=echo, ours=median(runs.cpu), ratio=median(ratios), better="more",
                runs=ratios, must=must, aim=aim,
            )
        )  # fmt: skip
    everysec = setups["everysec"]
    return [
        *rows,
        Row(what="router CPU, first message of a customer", unit="µs", ours=everysec.first_contact),
        Row(what="Redis CPU a message", unit="µs", ours=median(everysec.runs.redis)),
        Row(what="Redis commands a message, inside scripts too", unit="", ours=median(everysec.runs.commands)),
        Row(
            what="messages a second, 64 connections",
            unit="/s",
            limit=median(limit.rate),
            ours=median(everysec.runs.rate),
        ),
    ]
