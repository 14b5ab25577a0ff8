"""Router CPU for one message on Telegram, against a bare echo of the same bytes on the same core.

Alone: the webhook up to its 200, by an edge, whose work somebody else would do. Whole: the turn of an instant bot, the
commit, and the answer taken by a Bot API that takes everything.
"""

from __future__ import annotations

import itertools
import json
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.driver import Driver
from bench.processes import SHARDS, Echo, House, RedisProcess, Router
from bench.report import Broken, Row, median
from bench.visitors import TEXT

PEOPLE = 1000
MESSAGES = 600
SECRET = "a-secret-for-benches"  # noqa: S105  of a platform that takes everything
TOKEN = "424242:bench"  # noqa: S105

_numbers = itertools.count(1)


@dataclass
class _Setup:
    router: Router
    store: RedisProcess
    whole: bool
    cpu: list[float] = field(default_factory=list)

    def measure(self, driver: Driver, requests: Path, first: int, count: int) -> None:
        """Counts until what was accepted is done, as far as it is done here."""
        before = self.router.cpu()
        driver.send(self.router.port, requests, first=first, count=count, accepted=200)
        if self.whole:
            self.store.drain()
            _delivered(self.store)
        self.cpu.append((self.router.cpu() - before) / count * 1e6)


def run(rounds: int = 15) -> list[Row]:
    with House() as house:
        platform = house.bot_api()
        settings = {
            "SEGUE_CHANNELS__TELEGRAM__MAIN__TOKEN": TOKEN,
            "SEGUE_CHANNELS__TELEGRAM__MAIN__SECRET": SECRET,
            "SEGUE_CHANNELS__TELEGRAM__MAIN__BASE_URL": f"http://127.0.0.1:{platform.port}",
            "SEGUE_CHANNELS__TELEGRAM__MAIN__RECEIVE": "webhook",
            "SEGUE_CHANNELS__TELEGRAM__MAIN__PER_SECOND": "0",
            "SEGUE_CONVERSATION__BURST_MS": "0",
        }
        setups = {name: _setup(house, name, settings) for name in ("edge", "all")}
        echo, driver = house.echo(), house.driver()
        requests = {name: _requests(house.folder / f"telegram-{name}", rounds) for name in (*setups, "echo")}
        for name, setup in setups.items():
            # Where customers are made, and scripts and code paths met for the first time.
            setup.measure(driver, requests[name], 0, PEOPLE)
            setup.cpu.clear()
        limit: list[float] = []
        for number in range(rounds):
            first = PEOPLE + number * MESSAGES
            limit.append(_echoed(echo, driver, requests["echo"], first))
            for name, setup in setups.items():
                setup.measure(driver, requests[name], first, MESSAGES)
        return [
            _row("router CPU a webhook of Telegram, to its 200", limit, setups["edge"].cpu),
            _row("router CPU a message of Telegram, answered and sent", limit, setups["all"].cpu),
        ]


def _setup(house: House, name: str, settings: dict[str, str]) -> _Setup:
    store = house.redis(name)
    router = house.router(store, house.bot(name), name, settings=settings, role=name)
    return _Setup(router, store, whole=name == "all")


def _requests(file: Path, rounds: int) -> Path:
    """Everybody equally often, shuffled within each round; each update with a number of its own."""
    dice = random.Random(1)  # noqa: S311  no secret
    order: list[int] = []
    while len(order) < PEOPLE + MESSAGES * rounds:
        order += dice.sample(range(1, PEOPLE + 1), PEOPLE)
    file.write_bytes(b"\0".join(_post(person) for person in order[: PEOPLE + MESSAGES * rounds]))
    return file


def _post(person: int) -> bytes:
    number = next(_numbers)
    names = {"first_name": "Ana", "last_name": "Souza", "username": "anasouza"}
    update = {
        "update_id": 900_000_000 + number,
        "message": {
            "message_id": number,
            "from": {"id": person, "is_bot": False, **names, "language_code": "pt-br"},
            "chat": {"id": person, **names, "type": "private"},
            "date": int(time.time()),
            "text": TEXT,
        },
    }
    body = json.dumps(update, ensure_ascii=False).encode()
    head = (
        "POST /channels/telegram/main HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"X-Telegram-Bot-Api-Secret-Token: {SECRET}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _echoed(echo: Echo, driver: Driver, requests: Path, first: int) -> float:
    before = echo.cpu()
    driver.send(echo.port, requests, first=first, count=MESSAGES)
    return (echo.cpu() - before) / MESSAGES * 1e6


def _delivered(store: RedisProcess, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        pipeline = store.client.pipeline(transaction=False)
        for shard in range(SHARDS):
            pipeline.zcard(f"{{{shard}}}out:run")
        if not (left := sum(pipeline.execute())):
            return
        if time.monotonic() > deadline:
            raise Broken(f"{left} answers were not sent after {seconds:.0f} s")
        time.sleep(0.02)


def _row(what: str, limit: list[float], ours: list[float]) -> Row:
    ratios = [alone / one for alone, one in zip(limit, ours, strict=True)]
    return Row(
        what=what, unit="µs", limit=median(limit), ours=median(ours), ratio=median(ratios), better="more", runs=ratios
    )
