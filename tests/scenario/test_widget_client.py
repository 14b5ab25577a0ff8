"""The contract of any client of the widget's API, held by the one in docs/examples: once, in order, nothing missing."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.error import HTTPError

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from .conftest import House

FILE = Path(__file__).parents[2] / "docs" / "examples" / "widget_client.py"


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("widget_client", FILE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def texts(client: Any) -> list[str]:
    return [message["text"] for _, message in sorted(client.shown.items())]


async def followed(client: Any, count: int) -> list[str]:
    async with asyncio.timeout(20):
        await asyncio.to_thread(client.follow, lambda shown: len(shown) >= count)
    return texts(client)


# ── against the router ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def client(house: House) -> Any:
    client = loaded().Client(house.url, "demo")
    await asyncio.to_thread(client.start)
    return client


def test_the_client_is_short_and_needs_nothing() -> None:
    source = FILE.read_text(encoding="utf-8")
    assert len(source.splitlines()) < 100
    imported = {
        line.split()[1].partition(".")[0] for line in source.splitlines() if line.startswith(("import", "from"))
    }
    assert imported <= set(sys.stdlib_module_names)


async def test_a_message_and_its_answer(client: Any) -> None:
    await asyncio.to_thread(client.send, "oi")
    assert await followed(client, 2) == ["oi", "echo: oi"]


async def test_a_repeated_send_has_one_effect(client: Any) -> None:
    key = str(uuid.uuid4())
    first = await asyncio.to_thread(client.send, "oi", key)
    assert await asyncio.to_thread(client.send, "oi", key) == first
    assert await followed(client, 2) == ["oi", "echo: oi"]


async def test_it_comes_back_with_handle_and_cursor_and_misses_nothing(house: House, client: Any) -> None:
    await asyncio.to_thread(client.send, "um")
    await followed(client, 2)
    handle, cursor = client.handle, client.cursor
    await asyncio.to_thread(client.send, "dois")
    back = loaded().Client(house.url, "demo", handle)
    session = await asyncio.to_thread(back.start)
    back.cursor = cursor
    assert session["restarted"] is False
    assert await followed(back, 2) == ["dois", "echo: dois"]


async def test_a_lost_token_is_renewed_by_the_handle(client: Any) -> None:
    await asyncio.to_thread(client.send, "um")
    client.token = "gone"
    await asyncio.to_thread(client.send, "dois")
    assert sorted(await followed(client, 4)) == ["dois", "echo: dois", "echo: um", "um"]


async def test_an_unknown_cursor_is_a_reload(client: Any) -> None:
    await asyncio.to_thread(client.send, "oi")
    await followed(client, 2)
    client.cursor, client.shown = "ffffffffffffffff.7", {99: {"text": "of another journal"}, 98: {"text": ""}}
    async with asyncio.timeout(20):
        await asyncio.to_thread(client.follow, lambda shown: 99 not in shown)
    assert texts(client) == ["oi", "echo: oi"]


async def test_a_restart_of_the_router_is_nothing_to_it(house: House, client: Any) -> None:
    await asyncio.to_thread(client.send, "um")
    await followed(client, 2)
    await house.restart()
    client.api = f"{house.url}/v1/widget"
    await asyncio.to_thread(client.send, "dois")
    assert await followed(client, 4) == ["um", "echo: um", "dois", "echo: dois"]


# ── against a server that plays tricks ──────────────────────────────────────────────────────────────────────────────


def message(seq: int) -> dict[str, Any]:
    return {"seq": seq, "cursor": f"a.{seq}", "text": str(seq), "author": {"kind": "bot", "name": ""}, "status": "sent"}


def frame(seq: int, prev: int) -> bytes:
    body = web.json_response({"prev": prev, "message": message(seq)}).body
    assert isinstance(body, bytes)
    return f"event: message.created\nid: a.{seq}\ndata: ".encode() + body + b"\n\n"


class Tricks:
    """A journal of which the stream shows only `streamed`."""

    def __init__(self) -> None:
        self.journal: list[int] = []
        self.streamed: list[bytes] = []
        self.asked_after: list[str] = []

    async def session(self, request: web.Request) -> web.Response:
        return web.json_response({"token": "t", "handle": "h", "restarted": False, "config": {}})

    async def messages(self, request: web.Request) -> web.Response:
        after = int(request.query.get("after", "a.0").rpartition(".")[2])
        self.asked_after.append(request.query.get("after", ""))
        found = [seq for seq in self.journal if seq > after]
        return web.json_response({"messages": [message(seq) for seq in found[:2]], "more": len(found) > 2})

    async def stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for raw in self.streamed:
            await response.write(raw)
        return response


@pytest.fixture
async def tricks() -> AsyncIterator[tuple[Tricks, Any]]:
    tricks = Tricks()
    app = web.Application()
    app.router.add_post("/v1/widget/session", tricks.session)
    app.router.add_get("/v1/widget/messages", tricks.messages)
    app.router.add_get("/v1/widget/stream", tricks.stream)
    server = TestServer(app)
    await server.start_server()
    client = loaded().Client(str(server.make_url("")), "demo")
    await asyncio.to_thread(client.start)
    yield tricks, client
    await server.close()


async def test_a_gap_is_filled_before_anything_later_is_shown(tricks: tuple[Tricks, Any]) -> None:
    server, client = tricks
    server.journal = [1, 2, 3, 4, 5]
    server.streamed = [frame(1, 0), frame(5, 4)]
    assert await followed(client, 5) == ["1", "2", "3", "4", "5"]
    assert server.asked_after == ["a.1", "a.3"]


async def test_without_a_gap_nothing_is_asked(tricks: tuple[Tricks, Any]) -> None:
    server, client = tricks
    server.journal = [1, 3]
    server.streamed = [b": heartbeat\n\n", frame(1, 0), frame(3, 1), frame(3, 1)]
    assert await followed(client, 2) == ["1", "3"]
    assert server.asked_after == []


async def test_a_refusal_other_than_401_is_told(client: Any) -> None:
    with pytest.raises(HTTPError) as refused:
        await asyncio.to_thread(client.send, "")
    assert refused.value.code == 400
    refused.value.close()
