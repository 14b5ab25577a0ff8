"""`segue dead`: what was given up is shown without a word of it, and put back once."""

from __future__ import annotations

import asyncio
import json
import os

import pytest
from contract.test_store import ANA, claimed, reply, write
from fakes.operator import Operator
from fakes.redis_server import RedisServer

from router.store import Commit, Store
from segue.places import process_identity

SECRET = "meu cpf é 123.456.789-09"


async def run(operator: Operator, *words: str, code: int = 0) -> tuple[str, str]:
    return await asyncio.to_thread(operator.run, *words, code=code)


@pytest.fixture
async def two_letters(store: Store) -> list[str]:
    """Their names: two batches of one customer, given up."""
    await write(store, SECRET)
    await write(store, "Sim", joins=False)
    for _ in range(2):
        await store.commit(await claimed(store), reply("desculpe", dead="attempts"))
    return [f"{ANA}.{letter.turn}" for letter in await store.upkeep.dead_letters()]


async def test_each_waiting_batch_is_a_line_without_words(operator: Operator, two_letters: list[str]) -> None:
    said, _ = await run(operator, "dead", "list")
    lines = said.splitlines()
    assert [name in line for name, line in zip(two_letters, lines, strict=False)] == [True, True]
    assert "1 message  attempts: five workers ended while they answered it" in lines[0]
    assert lines[2].startswith("2 dead letters.")
    assert not any(word in said for word in ("cpf", "123", "Sim", "desculpe"))


async def test_one_is_put_back_and_answered_next(operator: Operator, two_letters: list[str], store: Store) -> None:
    said, _ = await run(operator, "dead", "requeue", two_letters[1])
    assert said == "Put back: 1 dead letter, 1 message.\n"
    claim = await claimed(store)
    assert [written.seq for written in claim.batch] == [2]
    assert len(await store.upkeep.dead_letters()) == 1
    _, complaint = await run(operator, "dead", "requeue", two_letters[1], code=1)
    assert f"There is no dead letter {two_letters[1]}: `bin/segue dead list` shows those that wait." in complaint


async def test_all_are_put_back_in_their_order(operator: Operator, two_letters: list[str], store: Store) -> None:
    assert (await run(operator, "dead", "requeue", "all"))[0] == "Put back: 2 dead letters, 2 messages.\n"
    batches = []
    for _ in two_letters:
        claim = await claimed(store)
        batches.append([written.seq for written in claim.batch])
        await store.commit(claim, Commit())
    assert batches == [[1], [2]]
    assert (await run(operator, "dead", "list"))[0] == "No dead letters.\n"
    assert (await run(operator, "dead", "requeue", "all"))[0] == "Put back: 0 dead letters, 0 messages.\n"


async def test_the_running_systems_own_redis_is_found_by_its_record(
    stopped: Operator, two_letters: list[str], redis_server: RedisServer
) -> None:
    stopped.data.mkdir()
    record = {"launcher": os.getpid(), "redis_url": redis_server.url, "url": "http://127.0.0.1:1/", "parts": {}}
    (stopped.data / "run.json").write_text(json.dumps(record))
    assert process_identity(os.getpid())
    assert (await run(stopped, "dead", "list"))[0].startswith(two_letters[0])


def test_a_stopped_system_is_one_sentence_with_its_remedy(stopped: Operator) -> None:
    _, complaint = stopped.run("dead", "list", code=1)
    assert complaint.startswith(f"segue: Segue does not run on {stopped.data}: start it with `bin/segue up`")


def test_a_redis_that_is_away_is_one_sentence_with_its_remedy(stopped: Operator) -> None:
    stopped.environment["SEGUE_REDIS__URL"] = f"unix://{stopped.data}/none.sock"
    _, complaint = stopped.run("dead", "list", code=1)
    assert complaint.startswith("segue: Redis does not answer (")
    assert complaint.endswith("): see that it runs, then try again.\n")
