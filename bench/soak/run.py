"""One run: widgets open, a steady rate, silence, everything read again, the widgets close; what is left then."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import redis.asyncio

from bench.chaos import checker
from bench.machine import short_folder
from bench.report import Broken
from bench.soak import system
from bench.soak.planted import Fault
from bench.soak.samples import Samples
from bench.soak.widgets import Crowd, Widget

LOOKS = 40
"""Samples of memory in a run."""
SPARE_FILES = 100
"""Open files that the router may have more than before: it keeps as many connections to the bot as it had questions."""
MOST_FAILED = 0.01
"""Of all turns, as docs/operations.md has it: a machine that others use too may be late for one."""


@dataclass(frozen=True)
class Plan:
    minutes: float
    rate: float
    """Messages a second, over all widgets."""
    widgets: int
    seed: int = 1
    instant_bot: bool = False
    drain: float = 60
    """Seconds after which what has not been answered will never be."""


async def run(plan: Plan, fault: Fault | None = None, tell: Callable[[str], None] = print) -> checker.Report:
    if plan.instant_bot and fault:
        raise Broken("faults are planted into the whole system: leave --instant-bot out")
    with short_folder() as folder, _running(plan, folder, fault) as running:
        client = redis.asyncio.Redis.from_url(running.redis_url, socket_timeout=plan.drain)
        try:
            return await _soak(plan, running, client, tell)
        finally:
            await client.aclose()


def _running(plan: Plan, folder: Path, fault: Fault | None) -> AbstractContextManager[system.System]:
    return system.running_with_instant_bot() if plan.instant_bot else system.running(folder, fault)


async def _soak(
    plan: Plan, running: system.System, client: checker.Client, tell: Callable[[str], None]
) -> checker.Report:
    crowd, samples = Crowd.of(plan.widgets, running.port, plan.seed), Samples()
    files = running.open_files()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        await crowd.arrive(http)
        await crowd.begin(http, plan.rate)
        tell(f"  {len(crowd.widgets):,} widgets are open and have begun")
        watching = asyncio.create_task(_watch(plan, running, client, crowd, samples, tell))
        try:
            talking = asyncio.create_task(crowd.talk(http, plan.rate, plan.minutes * 60, plan.seed))
            await asyncio.wait({talking, watching}, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():  # a part of the system has ended
                talking.cancel()
                watching.result()
            await talking
            async with asyncio.timeout(plan.drain):
                await crowd.fall_silent()
            drained = await _drained(client, crowd, plan.drain)
        except TimeoutError as error:
            raise Broken(f"messages are not accepted within {plan.drain:.0f} s") from error
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await crowd.leave()
        report = await _checked(client, crowd)
        if not drained:
            report.add("left", f"not everything was answered within {plan.drain:.0f} s")
    await _back_to_normal(report, running, files)
    for line in samples.grown():
        report.add("grown", line)
    for line in samples.lines():
        tell(f"  {line}")
    _say_waits(crowd, report, tell)
    return report


async def _watch(
    plan: Plan,
    running: system.System,
    client: checker.Client,
    crowd: Crowd,
    samples: Samples,
    tell: Callable[[str], None],
) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(plan.minutes * 60 / LOOKS)
        passed = time.monotonic() - began
        used = int((await client.info("memory"))["used_memory"])
        samples.note(passed, running.memory(), used, crowd.accepted)
        if len(samples.redis) % 10 == 0:
            tell(f"  {passed:,.0f} s: {crowd.accepted:,} accepted")


async def _drained(client: checker.Client, crowd: Crowd, seconds: float) -> bool:
    """Nobody waits for a turn, and every stream has shown what there is."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        before = [widget.view.last for widget in crowd.widgets]
        await asyncio.sleep(1.5)
        async with client.pipeline(transaction=False) as pipe:
            for shard in range(checker.SHARDS):
                pipe.zcard(f"{{{shard}}}run")
            waiting = sum(await pipe.execute())
        if not waiting and before == [widget.view.last for widget in crowd.widgets]:
            return True
    return False


async def _checked(client: checker.Client, crowd: Crowd) -> checker.Report:
    """Every message once, answered by one turn each, shown once and in order; nothing waits."""
    report = checker.Report()
    customers = await checker.read_customers(client)
    by_text, by_id = checker.said_by_text(customers), {customer.id: customer for customer in customers}
    for customer in customers:
        checker.check_journal(report, customer)
    for widget in crowd.widgets:
        checker.check_accepted(report, widget, by_text)
        if widget.accepted and by_text.get(next(iter(widget.accepted))):
            customer = by_id[by_text[next(iter(widget.accepted))][0][0].id]
            checker.check_view(report, widget, customer)
            _check_turns(report, widget, customer)
        report.counts["resent"] += widget.resent
    await checker.check_nothing_left(report, client)
    report.counts["late"] = crowd.late
    return report


def _check_turns(report: checker.Report, widget: Widget, customer: checker.Customer) -> None:
    """Turns are as many as messages at most, for quick ones are joined; the last message has an answer behind it."""
    said = [seq for seq, _ in customer.messages("customer")]
    answers = [(seq, entry.get("turn", 0)) for seq, entry in customer.messages("bot")]
    answers += [(seq, entry.get("turn", 0)) for seq, entry in customer.messages("system")]
    report.counts["turns"] += (turns := len({turn for _, turn in answers}))
    if turns > len(said):
        report.add("doubled", f"{customer.id} said {len(said)} things and was answered in {turns} turns")
    if said and max((seq for seq, _ in answers), default=0) < said[-1]:
        report.add("lost", f"the last message of {customer.id} has no answer")


async def _back_to_normal(report: checker.Report, running: system.System, files: int) -> None:
    """After the widgets have closed their connections nothing of them is left in the router."""
    left: dict[str, float] = {}
    numbers: dict[str, float] = {}
    for _ in range(40):
        async with aiohttp.request("GET", f"http://127.0.0.1:{running.port}/metrics") as got:
            numbers = _numbers(await got.text())
        left = {
            "streams": numbers.get("segue_streams", 0),
            "open files": max(0, running.open_files() - files - SPARE_FILES),
        }
        if not any(left.values()):
            break
        await asyncio.sleep(0.25)
    for what, number in left.items():
        if number:
            report.add("left", f"{number:.0f} {what} in the router")
    turns = {name: numbers.get(f'segue_turns_total{{outcome="{name}"}}', 0) for name in ("answered", "failed", "dead")}
    report.counts["apologies"] = int(turns["failed"])
    if turns["dead"] or turns["failed"] > MOST_FAILED * turns["answered"]:
        report.add("failed", f"{turns['failed']:.0f} turns had no answer and {turns['dead']:.0f} were given up")
    report.counts["leases lost"] = int(numbers.get("segue_leases_lost_total", 0))


def _numbers(text: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        if name and not name.startswith("#"):
            with suppress(ValueError):
                found[name] = float(value)
    return found


def _say_waits(crowd: Crowd, report: checker.Report, tell: Callable[[str], None]) -> None:
    waits = [wait for widget in crowd.widgets for wait in widget.waits]
    if len(waits) > 1:
        cuts = statistics.quantiles(waits, n=100)
        tell(f"  from a message to its answer on the stream: p50 {cuts[49]:.2f} s, p99 {cuts[98]:.2f} s")
    tell("  " + ", ".join(f"{number:,} {name}" for name, number in sorted(report.counts.items())))
