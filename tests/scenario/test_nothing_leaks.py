"""Fifty identifiers are written by customers in every place that takes words; no output of ours holds one."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from fakes.bot import FakeBot, says
from fakes.redis_server import RedisServer
from fakes.waiting import until
from fakes.webhook_receiver import SECRET, Behaviour, WebhookReceiver, signed_headers

from router.store import connect
from segue.serve import LISTENING

from .conftest import Visitor

ROOT = Path(__file__).parents[2]

PLANTED = [
    *(f"ana{n}@exemplo{n}.com.br" for n in range(15)),
    *(f"529.982.{n:03}-{n:02}" for n in range(10)),
    *(f"+55119{n:04}7{n:03}" for n in range(10)),
    *(f"Maria{n} Souza{n}" for n in range(10)),
    *(f"RuaDasFlores{n}" for n in range(5)),
]


class Router:
    """A router in a process of its own, as it is run, with what it prints in a file."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.printed = folder / "printed"
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self.url = ""

    async def start(self) -> None:
        environment = {**os.environ, **self._environment, "PYTHONPATH": str(ROOT), "SEGUE_SERVER__PORT": "0"}
        with self.printed.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "segue", "serve", cwd=ROOT, env=environment, stdout=output, stderr=output
            )
        await until(lambda: LISTENING in self.text(), 20)
        said = next(line for line in self.text().splitlines() if LISTENING in line)
        self.url = f"http://127.0.0.1:{json.loads(said)['port']}"

    def text(self) -> str:
        return self.printed.read_text(encoding="utf-8")

    async def stop(self) -> None:
        assert self._process
        self._process.terminate()
        await self._process.wait()


@pytest.fixture
async def process(
    tmp_path: Path, redis_server: RedisServer, bot: FakeBot, actions_socket: Path, receiver: WebhookReceiver
) -> AsyncIterator[Router]:
    router = Router(
        tmp_path,
        {
            "SEGUE_DATA_DIR": str(tmp_path),
            "SEGUE_REDIS__URL": redis_server.url,
            "SEGUE_SERVER__RATE_LIMITS": "false",
            "SEGUE_BOT__SOCKET": str(bot.socket),
            "SEGUE_BOT__DEADLINE_SECONDS": "1",
            "SEGUE_ACTIONS__SOCKET": str(actions_socket),
            "SEGUE_CHANNELS": json.dumps(
                {"webhook": {"main": {"secret": SECRET, "url": receiver.url, "timeout_seconds": 0.3}}}
            ),
        },
    )
    try:
        await router.start()
        yield router
    finally:
        await router.stop()


def unkind(asked: dict[str, Any]) -> Any:
    """Answers, refuses with the customer's words, breaks off in the middle of them, or asks with buttons."""
    words = asked["message"].get("text") or ""
    match sum(map(ord, words)) % 5:
        case 0:
            return web.json_response({"type": "error", "where": words, "detail": words}, status=500)
        case 1:
            return web.Response(text=f'{{"outcome": "answered", "events": "{words}')
        case 2:
            return web.Response(text=words, status=502)
        case _:
            answer = says(f"você disse {words}", state={"slots": {"name": words}, "form": None})
            answer["responses"][0]["buttons"] = [{"title": words, "payload": f"/x{words}"}]
            return answer


async def test_no_output_holds_what_a_person_wrote(
    process: Router,
    bot: FakeBot,
    receiver: WebhookReceiver,
    http: aiohttp.ClientSession,
    redis_server: RedisServer,
) -> None:
    bot.rule = unkind
    statuses = set()
    visitor = Visitor(http, process.url)
    for number, planted in enumerate(PLANTED):
        visitor = await visitor.arrive(page=f"https://loja/?q={planted}", referrer=f"https://x/#{planted}")
        statuses.add((await visitor.post({"text": planted}))[0])
        statuses.add((await visitor.post({"button": planted, "text": planted}))[0])
        for broken in ({"text": planted, planted: 1}, {"text": [planted]}):
            statuses.add((await visitor.post(broken))[0])
        async with http.get(f"{process.url}/v1/widget/messages?after={planted}", headers=visitor.headers) as response:
            statuses.add(response.status)
        async with http.get(f"{process.url}/{planted}", headers={"Authorization": f"Bearer {planted}"}) as response:
            statuses.add(response.status)
        receiver.behaviour = Behaviour(status=(200, 500, 410, 401, 200)[number % 5], body=planted.encode())
        told = {"type": "message", "id": f"w{number}", "from": {"id": planted}, "text": planted}
        body = json.dumps(told).encode()
        for headers in (signed_headers(SECRET, f"w{number}", body), {"webhook-id": planted}):
            async with http.post(f"{process.url}/channels/webhook/main", data=body, headers=headers) as response:
                statuses.add(response.status)
    redis_server.kill()
    statuses.add((await visitor.post({"text": PLANTED[0]}, str(uuid.uuid4())))[0])
    redis_server.start()
    assert {200, 201, 400, 401, 404, 503} <= statuses

    await until(lambda: process.text().count("turn.done") >= 100, 40)
    async with http.get(f"{process.url}/metrics") as response:
        numbers = await response.text()
    client = connect(redis_server.url)
    events = [str(await client.xrange(key)) for key in await client.keys("{*}ev")]
    names = [str(key) for key in await client.keys("*") if not bytes(key).startswith(b"identity:")]  # type: ignore[arg-type]
    await client.aclose()
    assert len(events) > 20
    for where, output in {"log": process.text(), "metrics": numbers, "events": str(events), "keys": str(names)}.items():
        found = [planted for planted in PLANTED if planted in output]
        assert not found, f"{where}: {[line for line in output.splitlines() if found[0] in line][:3]}"
    assert '"event":"turn.failed"' in process.text()


async def test_the_search_itself_finds_what_is_planted(process: Router) -> None:
    with process.printed.open("a") as log:
        log.write(PLANTED[0])
    assert PLANTED[0] in process.text()
