"""What an open stream on which nothing happens holds, and what many of them use."""

from __future__ import annotations

import time

from bench.processes import House, Process
from bench.report import Row, median
from bench.visitors import arrive
from bench.widgets.crowd import Crowd, Floor

WARM = 200
"""Streams before the count begins: what the first ones make once belongs to nobody."""
STREAMS = 2000
SETTLES = 1.0
QUIET = 16.0
"""Seconds: a heartbeat is every fifteen."""


def rows(rounds: int) -> list[Row]:
    ours, bare, cpu, bare_cpu = [], [], [], []
    for number in range(rounds):
        # Fresh processes: what was freed once is not given back to the system, and would hide the next growth.
        with House() as house:
            router = house.router(house.redis(), house.bot())
            tokens = [holder.token for holder in arrive(router, WARM + STREAMS)]
            with (
                Crowd(house.folder) as crowd,
                Floor(house.folder, f"floor-{number}") as floor,
                Crowd(house.folder) as other,
            ):
                bare.append(_bytes_each(floor, other, floor.port, tokens))
                ours.append(_bytes_each(router, crowd, router.port, tokens))
                before, bare_before, began = router.cpu(), floor.cpu(), time.monotonic()
                time.sleep(QUIET)
                passed = (time.monotonic() - began) * (WARM + STREAMS) / 1000 / 100
                cpu.append((router.cpu() - before) / passed)
                bare_cpu.append((floor.cpu() - bare_before) / passed)
    return [
        Row(what=f"idle stream, RSS, {STREAMS:,} open", unit="kB", limit=median(bare), ours=median(ours), runs=ours,
            must=30, aim=15),
        Row(what="1,000 idle streams, CPU of one core", unit="%", limit=median(bare_cpu), ours=median(cpu), runs=cpu),
    ]  # fmt: skip


def _bytes_each(server: Process, crowd: Crowd, port: int, tokens: list[str]) -> float:
    """kB of RSS of each stream behind the first ones."""
    crowd.open(port, tokens[:WARM])
    time.sleep(SETTLES)
    before = server.memory()[0]
    crowd.open(port, tokens[WARM:])
    time.sleep(SETTLES)
    return (server.memory()[0] - before) * 1000 / STREAMS
