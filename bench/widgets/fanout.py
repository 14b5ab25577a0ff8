"""What a frame costs on its way to an open stream, against a bare server that writes the same bytes."""

from __future__ import annotations

from bench.processes import House
from bench.report import Row, median
from bench.visitors import Holder, arrive, write_requests
from bench.widgets.crowd import Crowd, Floor

WIDGETS = 400
"""Visitors whose chat is open, and as many whose is not: what the open ones cost more is the frames'."""


def rows(rounds: int) -> list[Row]:
    """Each round: one message of each visitor without a stream, then of each with one, then as many bare frames."""
    frame, bare, many = [], [], []
    with House() as house:
        store = house.redis()
        router, driver = house.router(store, house.bot()), house.driver()
        holders = arrive(router, 2 * WIDGETS)
        watched, alone = holders[:WIDGETS], holders[WIDGETS:]
        with Crowd(house.folder) as crowd, Crowd(house.folder) as other, Floor(house.folder) as floor:

            def say(name: str, speakers: list[Holder], messages: int) -> tuple[float, int]:
                file = write_requests(house.folder / name, speakers)
                before = router.cpu()
                driver.send(router.port, file, first=0, count=len(speakers))
                store.drain()
                frames = crowd.hear(messages) if messages else 0
                return router.cpu() - before, frames

            crowd.open(router.port, [holder.token for holder in watched])
            other.open(floor.port, [holder.token for holder in watched])
            for number in range(rounds + 1):
                plain, _ = say(f"alone-{number}", alone, 0)
                whole, frames = say(f"watched-{number}", watched, 2 * WIDGETS)  # what was said, and its answer
                before = floor.cpu()
                for _ in range(2):
                    floor.tell()
                other.hear(2 * WIDGETS)
                if number:  # the first one made the customers
                    frame.append((whole - plain) / frames * 1e6)
                    bare.append((floor.cpu() - before) / (2 * WIDGETS) * 1e6)
                    many.append(frames / WIDGETS)
    return [
        Row(what="router CPU a frame to an open stream", unit="µs", limit=median(bare), ours=median(frame), runs=frame,
            ratio=median(b / f for b, f in zip(bare, frame, strict=True))),
        Row(what="frames a message brings to its stream", unit="", ours=median(many)),
    ]  # fmt: skip
