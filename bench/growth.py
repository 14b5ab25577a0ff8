"""Whether a message costs the same with many customers in Redis, and after many turns of one customer."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

from bench.driver import Driver
from bench.processes import Echo, House, RedisProcess, Router
from bench.report import Row, median
from bench.visitors import Holder, arrive, spread, write_requests
from connectors.contract import CustomerId
from router.store.keys import shard_of

CUSTOMERS = (1_000, 10_000, 100_000)
TURNS = (10, 100, 1_000)
TALKERS = 40
"""Visitors whose conversations grow long."""
SLICES = 7
MESSAGES = 400
FLAT, QUITE_FLAT = 1.25, 1.1
"""Of the first stage's cost; the noise of a shared machine is some 10 %."""


@dataclass
class _Bench:
    house: House
    router: Router
    store: RedisProcess
    echo: Echo
    driver: Driver

    def cost(self, speakers: list[Holder], connections: int = 64) -> tuple[float, float, float]:
        """Router's and Redis' CPU a message, as multiples of the echo's in the same minute; and the router's µs."""
        ratios, redis_ratios, micros = [], [], []
        for _ in range(SLICES):
            requests = self._requests(speakers)
            bare = self.echo.cpu()
            self.driver.send(self.echo.port, requests, first=0, count=len(speakers))
            bare = self.echo.cpu() - bare
            ours, theirs = self.router.cpu(), self.store.cpu()
            self.say(requests, len(speakers), connections)
            ours, theirs = self.router.cpu() - ours, self.store.cpu() - theirs
            ratios.append(ours / bare)
            redis_ratios.append(theirs / bare)
            micros.append(ours / len(speakers) * 1e6)
        return median(ratios), median(redis_ratios), median(micros)

    def say(self, requests: Path, count: int, connections: int) -> None:
        self.driver.send(self.router.port, requests, first=0, count=count, connections=connections, seconds=300)
        self.store.drain()

    def _requests(self, speakers: list[Holder]) -> Path:
        return write_requests(self.house.folder / f"requests-{uuid.uuid4()}", speakers)

    def talk(self, talkers: list[Holder], turns: int) -> None:
        self.say(self._requests(spread(talkers, turns * len(talkers))), turns * len(talkers), 8)


def run(rounds: int = 1) -> list[Row]:
    """`rounds` is not used: the stages can only be passed once."""
    del rounds
    with House() as house:
        store = house.redis()
        router = house.router(store, house.bot(events=60))
        bench = _Bench(house, router, store, house.echo(), house.driver())
        return [*_more_customers(bench), *_more_turns(bench)]


def _more_customers(bench: _Bench) -> list[Row]:
    few = arrive(bench.router, CUSTOMERS[0])
    bench.say(write_requests(bench.house.folder / "first", few), len(few), 64)
    rows: list[Row] = []
    first = (0.0, 0.0)
    have = len(few)
    for wanted in CUSTOMERS:
        _copy(bench.store, few[0].customer, wanted - have)
        have = wanted
        ours, theirs, micros = bench.cost(spread(few, MESSAGES, seed=wanted))
        first = first if rows else (ours, theirs)
        rows += [
            _row(f"router CPU a message, {wanted:,} customers", micros, ours / first[0]),
            _row(f"Redis CPU a message, {wanted:,} customers", micros * theirs / ours, theirs / first[1]),
        ]
    return rows


def _more_turns(bench: _Bench) -> list[Row]:
    talkers = arrive(bench.router, TALKERS)
    rows: list[Row] = []
    first = (0.0, 0.0)
    had = 0
    for wanted in TURNS:
        bench.talk(talkers, wanted - had)
        had = wanted + SLICES * MESSAGES // TALKERS
        ours, theirs, micros = bench.cost(spread(talkers, MESSAGES, seed=wanted), connections=8)
        first = first if rows else (ours, theirs)
        rows += [
            _row(f"router CPU a message, after {wanted:,} turns of the customer", micros, ours / first[0]),
            _row(f"Redis CPU a message, after {wanted:,} turns of the customer", micros * theirs / ours,
                 theirs / first[1]),
        ]  # fmt: skip
    return rows


def _row(what: str, micros: float, ratio: float) -> Row:
    return Row(what=what, unit="µs", ours=micros, ratio=ratio, must=FLAT, aim=QUITE_FLAT)


def _copy(store: RedisProcess, model: CustomerId, count: int) -> None:
    """That many more customers, each with the keys of one who has really written."""
    kinds: dict[str, bytes] = {}
    for key in store.client.scan_iter(match=f"*:{model}", count=10_000):
        if dumped := store.client.dump(key):
            kinds[key.decode().partition("}")[2].partition(":")[0]] = dumped
    pipeline = store.client.pipeline(transaction=False)
    for number in range(count):
        customer = CustomerId(str(uuid.uuid4()))
        pipeline.set(f"identity:webchat:demo/{customer}", customer)
        for kind, dumped in kinds.items():
            pipeline.restore(f"{{{shard_of(customer)}}}{kind}:{customer}", 0, dumped)
        if number % 1000 == 999:
            pipeline.execute()
    pipeline.execute()
