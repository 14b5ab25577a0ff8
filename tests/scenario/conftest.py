"""The whole router behind its HTTP door: a real Redis, a bot that answers by the test's rule, a visitor."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from fakes.bot import FakeBot
from fakes.redis_server import RedisServer
from fakes.webhook_receiver import WebhookReceiver
from pydantic import SecretStr

from router.store import Store
from segue.serve import Files, Role, router
from segue.settings import ActionsPart, Api, BotPart, RedisPart, Server, Settings, Widget

from .moving import OPERATOR, App


@dataclass
class Frame:
    event: str
    id: str
    data: dict[str, Any]


@dataclass
class Visitor:
    """One browser. `say` posts as the widget does; `heard` waits for frames of the stream."""

    http: aiohttp.ClientSession
    url: str
    token: str = ""
    session: dict[str, Any] = field(default_factory=dict)

    async def arrive(self, **body: Any) -> Visitor:
        async with self.http.post(f"{self.url}/v1/widget/session", json={"site": "demo", **body}) as response:
            assert response.status == 200, await response.text()
            self.session = await response.json()
        self.token = self.session["token"]
        return self

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def post(self, body: dict[str, Any], key: str | None = None) -> tuple[int, dict[str, Any]]:
        headers = {**self.headers, "Idempotency-Key": key or str(uuid.uuid4())}
        async with self.http.post(f"{self.url}/v1/widget/messages", json=body, headers=headers) as response:
            return response.status, await response.json()

    async def say(self, text: str) -> dict[str, Any]:
        status, answer = await self.post({"text": text})
        assert status == 201, answer
        return answer

    async def history(self, **query: Any) -> dict[str, Any]:
        async with self.http.get(f"{self.url}/v1/widget/messages", params=query, headers=self.headers) as response:
            assert response.status == 200, await response.text()
            return dict(await response.json())

    async def texts(self) -> list[str]:
        return [message["text"] for message in (await self.history())["messages"]]

    @contextlib.asynccontextmanager
    async def stream(self, cursor: str | None = None) -> AsyncIterator[Stream]:
        headers = {**self.headers, **({"Last-Event-ID": cursor} if cursor else {})}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=20)
        async with self.http.get(f"{self.url}/v1/widget/stream", headers=headers, timeout=timeout) as response:
            assert response.status == 200, await response.text()
            yield Stream(response)


class Stream:
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def next(self, event: str = "", seconds: float = 10) -> Frame:
        """The next frame, or the next one of this kind."""
        async with asyncio.timeout(seconds):
            while True:
                frame = await self._one()
                if not event or frame.event == event:
                    return frame

    async def texts(self, count: int) -> list[str]:
        return [(await self.next("message.created")).data["message"]["text"] for _ in range(count)]

    async def _one(self) -> Frame:
        fields: dict[str, str] = {}
        while True:
            line = (await self.response.content.readline()).decode()
            if not line:
                raise EOFError("the stream ended")
            line = line.rstrip("\n")
            if line.startswith(":"):
                continue
            if not line and fields:
                return Frame(fields["event"], fields.get("id", ""), json.loads(fields["data"]))
            name, _, value = line.partition(": ")
            fields[name] = value


@dataclass
class House:
    """A running router. `restart` ends it as SIGTERM would and builds it anew on the same Redis and keys."""

    settings: Settings
    files: Files
    role: Role = "all"
    server: TestServer | None = None
    _stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    @property
    def url(self) -> str:
        assert self.server is not None
        return str(self.server.make_url("")).rstrip("/")

    async def start(self) -> None:
        app = await self._stack.enter_async_context(router(self.settings, self.files, self.role))
        self.server = TestServer(app, handler_cancellation=True)
        await self.server.start_server()

    async def stop(self) -> None:
        if self.server:
            await self.server.close()
            self.server = None
        await self._stack.aclose()

    async def restart(self) -> None:
        await self.stop()
        await self.start()


@pytest.fixture
async def bot() -> AsyncIterator[FakeBot]:
    bot = FakeBot()
    await bot.start()
    yield bot
    await bot.close()


@pytest.fixture
async def actions_socket(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Path]:
    """Only the health route: the fake bot calls no action."""
    app = web.Application()

    async def healthy(request: web.Request) -> web.Response:
        return web.json_response({"ready": True})

    app.router.add_get("/health", healthy)
    runner = web.AppRunner(app)
    await runner.setup()
    bot = FakeBot()
    await web.UnixSite(runner, str(bot.socket)).start()
    yield bot.socket
    await runner.cleanup()
    await bot.close()


@pytest.fixture
def settings(redis_server: RedisServer, bot: FakeBot, actions_socket: Path, tmp_path: Path) -> Settings:
    return Settings(
        data_dir=tmp_path,
        server=Server(rate_limits=False),  # tests ask more often than people; test_widget_limits.py puts them on
        redis=RedisPart(url=redis_server.url),
        bot=BotPart(socket=bot.socket, deadline_seconds=1.5),
        actions=ActionsPart(socket=actions_socket),
        widget=Widget(burst_ms=0),
        api=Api(tokens=(SecretStr(OPERATOR),)),
    )


@dataclass
class Clock:
    """Redis' clock as the routers of this test see it."""

    stores: list[Store] = field(default_factory=list)

    def forward(self, seconds: float) -> None:
        for store in self.stores:
            store.offset += int(seconds * 1000)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()

    class Watched(Store):
        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, **more)
            clock.stores.append(self)

    monkeypatch.setattr("segue.serve.Store", Watched)
    return clock


@pytest.fixture
def files(settings: Settings) -> Files:
    return Files.read(settings)


@pytest.fixture
async def house(settings: Settings, files: Files) -> AsyncIterator[House]:
    house = House(settings, files)
    await house.start()
    yield house
    await house.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def visitor(house: House, http: aiohttp.ClientSession) -> Visitor:
    return await Visitor(http, house.url).arrive(locale="pt-BR")


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    receiver = WebhookReceiver()
    await receiver.start()
    yield receiver
    await receiver.stop()


@pytest.fixture
def app(house: House, receiver: WebhookReceiver, http: aiohttp.ClientSession) -> App:
    """Somebody in the shop's own app, where the settings have one (`with_app`)."""
    return App(house, receiver, http)
