"""One run: visitors talk while faults happen by a seeded plan; then all is let to drain, and checked."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from redis.exceptions import RedisError

from bench.chaos import checker
from bench.chaos.faults import CUTS, KILLS, MOODS, ONCE, Faults
from bench.chaos.house import House, until
from bench.chaos.linker import Linker
from bench.chaos.merger import ASKED, Merger
from bench.chaos.planted import Fault
from bench.chaos.shop import SAFE, UNSAFE, Shopper
from bench.chaos.visitors import Visitor
from bench.machine import short_folder
from bench.report import Broken


@dataclass(frozen=True)
class Plan:
    faults: tuple[str, ...]
    seed: int = 1
    visitors: int = 40
    merges: float = 0
    """Mean seconds between two merges or undos that are asked for; 0: none."""
    links: float = 0
    """Mean seconds between two codes by which somebody new comes; 0: none."""
    drain: float = 60
    """Seconds after which what has not been answered will never be."""


def planned(
    kills: int,
    stops: int,
    seed: int,
    *,
    cuts: int = 0,
    moods: int = 0,
    once: Sequence[str] = (),
    merges: float = 0,
    links: float = 0,
) -> Plan:
    """So many of each, well mixed."""
    dice = random.Random(seed)  # noqa: S311  no secret
    found = [KILLS[i % len(KILLS)] for i in range(kills)] + ["stop"] * stops
    found += [CUTS[i % len(CUTS)] for i in range(cuts)] + [MOODS[i % len(MOODS)] for i in range(moods)] + list(once)
    dice.shuffle(found)
    return Plan(tuple(found), seed, merges=merges, links=links)


def short(seed: int) -> Plan:
    return planned(6, 3, seed, cuts=4, moods=3, once=("end router", "redis full"), merges=0.2, links=0.5)


def long(kills: int, stops: int, seed: int) -> Plan:
    once = ONCE * max(1, kills // 25)
    return planned(kills, stops, seed, cuts=kills // 2, moods=kills // 4, once=once, merges=0.3, links=1)


async def run(plan: Plan, fault: Fault | None = None, tell: Callable[[str], None] = print) -> checker.Report:
    began = time.monotonic()
    dice = random.Random(plan.seed)  # noqa: S311  no secret
    with short_folder() as folder:
        async with House(folder, fault) as house:
            visitors = _visitors(plan, house.ports)
            connector = aiohttp.TCPConnector(limit=0)
            async with aiohttp.ClientSession(connector=connector) as http:
                await asyncio.gather(*(visitor.arrive(http) for visitor in visitors))
                watching = [asyncio.ensure_future(visitor.watch(http)) for visitor in visitors if visitor.watches]
                over = asyncio.Event()
                talking = [asyncio.ensure_future(visitor.talk(http, over)) for visitor in visitors]
                merging = asyncio.ensure_future(_merging(house, plan, visitors))
                linker = Linker(http, _makers(visitors), house.ports, random.Random(plan.seed + 8), plan.links)  # noqa: S311
                linking = asyncio.ensure_future(linker.run(over)) if plan.links else None
                try:
                    await _disturb(house, plan, dice, tell)
                    over.set()
                    if merging.done():  # by a fault of its own: a run without merges would prove nothing
                        merging.result()
                    merging.cancel()
                    async with asyncio.timeout(plan.drain):
                        await asyncio.gather(*talking, *([linking] if linking else []))
                    drained = await _drained(house, visitors, plan.drain)
                except TimeoutError as error:
                    raise Broken("visitors could not finish what they had begun") from error
                finally:
                    linker.stop()
                    tasks = (*watching, *talking, merging, *([linking] if linking else []))
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
            report = await checker.everything(house.client, visitors, house.asked, house.receiver, linker.came)
            report.counts["disputed"] = linker.disputed
            died = sum(name in MAY_CUT_A_SEND for name in plan.faults)
            if report.counts["unknown"] > died:
                report.add("unknown", f"more than the {died} kills and stops explain")
            for log in folder.glob("router*.log"):
                _unforeseen(report, log)
            if not drained:
                report.add("left", f"not everything was answered within {plan.drain:.0f} s")
            report.counts["resent"] = sum(visitor.resent for visitor in visitors)
            report.counts["cuts"] = sum(proxy.cuts for proxy in (*house.fronts, *([house.wire] if house.wire else [])))
            report.counts["seconds"] = round(time.monotonic() - began)
            return report


def _unforeseen(report: checker.Report, log: Path) -> None:
    """What a router met and did not expect. Nothing may be lost by it, but each is a fault of ours."""
    for line in log.read_text("utf-8", errors="replace").splitlines():
        with contextlib.suppress(ValueError):
            told = json.loads(line)
            if isinstance(told, dict) and told.get("level") == "error" and "error" in told:
                report.add("unforeseen", f"{told['event']}: {told['error']} at {(told.get('at') or ['?'])[-1]}")


MAY_CUT_A_SEND = ("kill router", "stop", "kill redis", "cut redis", "end router", "disk low", "restart all")


def _visitors(plan: Plan, ports: Sequence[int]) -> list[Visitor]:
    """Three in four at the widget; the others write through a shop's system, and a few through one that is not safe."""
    found: list[Visitor] = []
    for n in range(plan.visitors):
        dice = random.Random(plan.seed * 1000 + n)  # noqa: S311  no secret
        if n % 4 == 3:
            found.append(Shopper(n, ports, dice, watches=False, account=UNSAFE if n % 12 == 3 else SAFE))
        else:
            found.append(Visitor(n, ports, dice, watches=n % 2 == 0))
    return found


def _makers(visitors: Sequence[Visitor]) -> list[Visitor]:
    return [visitor for visitor in visitors if not visitor.watches and not isinstance(visitor, Shopper)]


async def _merging(house: House, plan: Plan, visitors: Sequence[Visitor]) -> None:
    """Those take part who do not watch: what a widget shows across a merge is shown by other tests."""
    if plan.merges:
        dice = random.Random(plan.seed + 7)  # noqa: S311  no secret
        take_part = {visitor.number for visitor in visitors if not visitor.watches}
        await Merger(house.client, dice, take_part, plan.merges).run()


async def _disturb(house: House, plan: Plan, dice: random.Random, tell: Callable[[str], None]) -> None:
    faults = Faults(house, dice)
    await asyncio.sleep(1)
    for number, name in enumerate(plan.faults, start=1):
        began = time.monotonic()
        await faults.happen(name)
        tell(f"  {number}/{len(plan.faults)} {name}, {time.monotonic() - began:.1f} s")
        await asyncio.sleep(dice.uniform(0.1, 0.6))


async def _drained(house: House, visitors: Sequence[Visitor], seconds: float) -> bool:
    """Nothing waits, and every stream has shown what there is."""

    async def quiet() -> bool:
        try:
            client: checker.Client = house.client
            async with client.pipeline(transaction=False) as pipe:
                for shard in range(checker.SHARDS):
                    pipe.zcard(f"{{{shard}}}run")
                    pipe.zcard(f"{{{shard}}}out:run")
                    pipe.zcard(f"{{{shard}}}mgr")
                pipe.llen(ASKED)
                waiting: int = sum(await pipe.execute())
        except RedisError:
            return False
        return waiting == 0

    async def shown() -> bool:
        seen = [(v, v.view.last) for v in visitors if v.watches]
        await asyncio.sleep(1.5)
        return all(visitor.view.last == last for visitor, last in seen)

    try:
        await until(quiet, "the drain", seconds=seconds)
        await until(shown, "the streams", seconds=seconds)
    except Broken:
        return False
    return True
