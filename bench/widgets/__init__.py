"""Open widgets: what a stream holds, what a frame costs, a conversation of ten thousand messages, a real browser."""

from __future__ import annotations

from bench.processes import House
from bench.report import Row
from bench.visitors import arrive
from bench.widgets import browser, fanout, idle, long_log
from bench.widgets.crowd import Floor


def run(rounds: int = 5) -> list[Row]:
    return [*idle.rows(rounds), *fanout.rows(rounds), *_long_conversation(rounds)]


def _long_conversation(rounds: int) -> list[Row]:
    with House() as house:
        store = house.redis()
        router, driver = house.router(store, house.bot(events=60)), house.driver()
        long, short = (long_log.Talk(router, store, holder) for holder in arrive(router, 2))
        long.grow(driver, house.folder, long_log.LONG)
        short.grow(driver, house.folder, long_log.PAGE)
        found = long_log.rows(long, short, rounds)
        with Floor(house.folder) as floor:
            return [*found, *browser.rows(long, floor.port, rounds)]
