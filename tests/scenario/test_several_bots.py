"""A folder of bot workers: the idle one is asked, a slow one gets company, a dead one is replaced."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fakes.bot import FakeBot, says

from router.bot import Bot, Question
from router.bot_workers import LARGEST_ANSWER, BotFailure


def question(text: str = "oi") -> Question:
    return Question(
        turn_id="c.0",
        text=text,
        payload="",
        metadata={},
        language="",
        votes=0,
        locale="pt-BR",
        new_session=False,
        window=b"",
    )


class Workers:
    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="segue-bots-"))
        self.bots: list[FakeBot] = []

    async def add(self, generation: str, number: int) -> FakeBot:
        bot = FakeBot()
        bot.socket = self.folder / f"{generation}-{number}.sock"
        bot.rule = lambda asked: says(f"{generation}-{number}")
        await bot.start()
        self.bots.append(bot)
        return bot

    def promote(self, generation: str) -> None:
        (self.folder / "current").write_text(generation)


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    workers = Workers()
    workers.promote("g1")
    yield workers
    for bot in workers.bots:
        await bot.stop()
    shutil.rmtree(workers.folder)


@pytest.fixture
async def bot(workers: Workers) -> AsyncIterator[Bot]:
    bot = Bot(workers.folder, deadline=3, second_after=0.2)
    yield bot
    await bot.close()


async def answered_by(bot: Bot) -> str:
    return (await bot.ask(question())).responses[0].text


async def test_the_least_busy_worker_is_asked(workers: Workers, bot: Bot) -> None:
    go_on = asyncio.Event()

    async def waits(asked: dict[str, Any]) -> dict[str, Any]:
        await go_on.wait()
        return says("first")

    first, _ = await workers.add("g1", 0), await workers.add("g1", 1)
    first.rule = waits
    bot_slow = Bot(workers.folder, deadline=3, second_after=3)
    tasks = [asyncio.create_task(answered_by(bot_slow)) for _ in range(2)]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result() for task in done] == ["g1-1"]
    go_on.set()
    assert sorted(await asyncio.gather(*tasks)) == ["first", "g1-1"]
    await bot_slow.close()


async def test_a_slow_worker_gets_a_second_one_beside_it(workers: Workers, bot: Bot) -> None:
    never = asyncio.Event()

    async def hangs(asked: dict[str, Any]) -> dict[str, Any]:
        await never.wait()
        return says()

    slow = await workers.add("g1", 0)
    slow.rule = hangs
    await workers.add("g1", 1)
    assert [await answered_by(bot) for _ in range(3)] == ["g1-1"] * 3


async def test_a_dead_worker_is_passed_over_and_comes_back_by_itself(workers: Workers, bot: Bot) -> None:
    first = await workers.add("g1", 0)
    await workers.add("g1", 1)
    assert {await answered_by(bot) for _ in range(2)} <= {"g1-0", "g1-1"}
    await first.stop()
    assert [await answered_by(bot) for _ in range(6)] == ["g1-1"] * 6
    await first.start()
    await workers.bots[1].stop()
    assert await answered_by(bot) == "g1-0"


async def test_with_nobody_there_the_question_waits_for_its_deadline(workers: Workers) -> None:
    bot = Bot(workers.folder, deadline=0.3)
    with pytest.raises(BotFailure, match="deadline"):
        await bot.ask(question())
    assert not await bot.ready()
    await bot.close()


async def test_who_waits_for_a_bot_with_much_to_do_is_not_given_up(workers: Workers) -> None:
    """Ten questions, two at a time, each of half the deadline: the last waits twice as long as it, and is answered."""
    at_once: list[int] = []
    under_way = 0

    async def works(asked: dict[str, Any]) -> dict[str, Any]:
        nonlocal under_way
        under_way += 1
        at_once.append(under_way)
        await asyncio.sleep(0.25)
        under_way -= 1
        return says("done")

    (await workers.add("g1", 0)).rule = works
    bot = Bot(workers.folder, deadline=0.5, second_after=5, at_once=2)
    assert await asyncio.gather(*(answered_by(bot) for _ in range(10))) == ["done"] * 10
    assert max(at_once) == 2
    await bot.close()


async def test_a_new_generation_takes_new_turns_and_the_old_one_finishes_its_own(workers: Workers, bot: Bot) -> None:
    go_on = asyncio.Event()
    began = asyncio.Event()

    async def waits(asked: dict[str, Any]) -> dict[str, Any]:
        began.set()
        await go_on.wait()
        return says("old")

    old = await workers.add("g1", 0)
    old.rule = waits
    alone = Bot(workers.folder, deadline=5, second_after=5)
    under_way = asyncio.create_task(answered_by(alone))
    await began.wait()
    await workers.add("g2", 0)
    workers.promote("g2")
    alone._looked = float("-inf")  # a second later
    assert await answered_by(alone) == "g2-0"
    go_on.set()
    assert await under_way == "old"
    await alone.close()


async def test_an_answer_without_end_is_a_failure(workers: Workers, bot: Bot) -> None:
    liar = await workers.add("g1", 0)
    huge = says("x" * (LARGEST_ANSWER + 1))
    liar.rule = lambda asked: huge
    with pytest.raises(BotFailure, match="too_large"):
        await bot.ask(question())


@pytest.mark.parametrize("lie", ["", "{", "[]", "null", '{"outcome": "maybe", "events": [], "responses": []}'])
async def test_an_answer_that_is_none_is_a_failure(workers: Workers, bot: Bot, lie: str) -> None:
    from aiohttp import web

    liar = await workers.add("g1", 0)
    liar.rule = lambda asked: web.Response(text=lie)
    with pytest.raises(BotFailure, match="bad_answer"):
        await bot.ask(question())
