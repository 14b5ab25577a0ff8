"""The bot's processes come and go, and models change, while turns are taken: through the router's own door to them."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from e2e.conftest import ROOT, System

from router.bot import Bot, Question
from segue.models import Choice

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
# A whole new parent imports Rasa and loads the model; the router's own deadline is shorter, and the outbox apologises.
BACK_WITHIN = 60.0


@pytest.fixture
def sockets(system: System) -> Path:
    return Path(json.loads((system.folder / "run.json").read_text())["sockets"]) / "bot"


class Asking:
    """Three customers who ask one thing after another."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self.answers = 0

    async def ask(self, customer: str) -> None:
        number = 0
        while True:
            number += 1
            answer = await self._bot.ask(question(f"{customer}.{number}"))
            assert answer.outcome == "answered"
            self.answers += 1

    async def more(self, count: int) -> None:
        wanted = self.answers + count
        async with asyncio.timeout(BACK_WITHIN):
            while self.answers < wanted:
                await turn_of_the_loop()


async def turn_of_the_loop() -> None:
    await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=0.02)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(BACK_WITHIN):
        while not condition():
            await turn_of_the_loop()


def question(turn: str) -> Question:
    return Question(
        turn_id=turn,
        text="que horas vocês abrem?",
        payload="",
        metadata={"channel": "webchat"},
        language="",
        votes=0,
        locale="pt-BR",
        new_session=False,
        window=b"",
    )


@asynccontextmanager
async def asking(sockets: Path) -> AsyncIterator[Asking]:
    """Asks all the time; one answer that does not come is a failure."""
    bot = Bot(sockets, deadline=BACK_WITHIN)
    customers = Asking(bot)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(customers.ask(name)) for name in ("a", "b", "c")]
            await customers.more(3)
            yield customers
            for task in tasks:
                task.cancel()
    finally:
        await bot.close()


def current(sockets: Path) -> list[Path]:
    return sorted(sockets.glob(f"{(sockets / 'current').read_text()}-*.sock"))


async def workers(sockets: Path) -> dict[int, str]:
    """Process number and model of each worker that takes new turns."""
    found = {}
    for socket in current(sockets):
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=str(socket))) as session,
            session.get("http://bot/health") as response,
        ):
            health = await response.json()
            found[int(health["process"])] = str(health["model"])
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def test_a_killed_worker_costs_no_turn(sockets: Path) -> None:
    async with asking(sockets) as customers:
        victim = next(iter(await workers(sockets)))
        os.kill(victim, signal.SIGKILL)
        await customers.more(10)
    assert victim not in await workers(sockets)


async def test_a_killed_parent_takes_its_workers_along_and_all_come_back(sockets: Path) -> None:
    async with asking(sockets) as customers:
        before = await workers(sockets)
        os.kill(parent_of(next(iter(before))), signal.SIGKILL)
        await until(lambda: not any(alive(pid) for pid in before))
        await customers.more(10)
    after = await workers(sockets)
    assert len(after) == len(before)
    assert not before.keys() & after.keys()


async def swapped(system: System, wanted: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "segue", "model", "swap", wanted, "--data-dir", str(system.folder)),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_a_new_model_takes_over_and_a_broken_one_does_not_and_neither_costs_a_turn(
    system: System, sockets: Path, tmp_path: Path
) -> None:
    now = Path(Choice.read(system.folder).file)
    new, broken = tmp_path / "segue-new.tar.gz", tmp_path / "segue-broken.tar.gz"
    shutil.copy(now, new)
    broken.write_bytes(b"no model")
    async with asking(sockets) as customers:
        code, said = await swapped(system, str(broken))
        assert code == 1, said
        assert "segue-broken.tar.gz does not take over" in said
        assert set((await workers(sockets)).values()) == {now.name}
        await customers.more(5)

        before = await workers(sockets)
        code, said = await swapped(system, str(new))
        assert code == 0, said
        assert "golden dialogues passed" in said
        assert set((await workers(sockets)).values()) == {new.name}
        await until(lambda: not any(alive(pid) for pid in before))
        await customers.more(5)

        code, said = await swapped(system, "previous")
        assert code == 0, said
        assert set((await workers(sockets)).values()) == {now.name}
        await customers.more(5)


async def turn(sockets: Path, body: dict[str, Any]) -> dict[str, Any]:
    socket = current(sockets)[0]
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(path=str(socket))) as session,
        session.post("http://bot/turn", json=body) as response,
    ):
        answer: dict[str, Any] = await response.json()
        assert response.status == 200, answer
        return answer


async def guess(sockets: Path, customer: str, *, dry_run: bool) -> None:
    """Asks about an order with somebody else's address."""
    window: list[Any] = []
    for number, text in enumerate(("cadê meu pedido 1005?", f"{customer}@example.com"), 1):
        message = {"id": f"{customer}.{number}", "text": text, "metadata": {"channel": "webchat"}}
        language = {"current": "pt-BR", "votes": 0, "locale": "pt-BR"}
        asked = {"window": window, "message": message, "language": language, "dry_run": dry_run}
        window = window + (await turn(sockets, asked))["events"]
    assert "action_order_status" in [event.get("name") for event in window]


async def test_a_dry_run_reaches_the_real_actions_and_changes_nothing(system: System, sockets: Path) -> None:
    def guesses() -> int:
        with closing(sqlite3.connect(system.folder / "shop.sqlite3")) as database:
            return int(database.execute("SELECT count(*) FROM guesses").fetchone()[0])

    await guess(sockets, "first", dry_run=False)  # the shop makes its database when it is first asked
    before = guesses()
    await guess(sockets, "dry", dry_run=True)
    assert guesses() == before
    # The control: the same words in earnest are counted, by asker, number and proof.
    await guess(sockets, "wet", dry_run=False)
    assert guesses() == before + 3
