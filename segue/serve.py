"""The router's process: the only place where concrete parts meet."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import resource
import signal
import time
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import aiohttp
import structlog
from aiohttp import web

from connectors import registry
from connectors.contract import Door, FetchesMedia, Ports, ShowsTyping
from connectors.media import Intake, MediaFolder
from connectors.registry import Connector, Poller
from connectors.sealing import Seals
from connectors.webchat import Brand, Refused, Webchat
from router.bot import Bot
from router.docs_pages import Docs
from router.feed import JournalFeed
from router.fetching import Fetching
from router.ingest import Ingest
from router.outbox import Outbox
from router.room import Room
from router.store import Store, StoreError, StoreUnavailable
from router.store.hints import Hints
from router.store.store import connect
from router.sweeps import Sweeps
from router.text import LANGUAGES, Sentences
from router.turn import Turns
from router.visits import StoredVisits
from router.voice import Voice
from router.web import Health, Pages, application
from router.worker import Worker
from segue.continuity import Continuity, continuity
from segue.keys import load_keys
from segue.observability import configure_logging
from segue.polling import Polling
from segue.settings import ROOT, Settings, SettingsError
from segue.widget import widget

log = structlog.get_logger()

LISTENING = "router.listening"
OPEN_FILES = 65_536


Role = Literal["edge", "worker", "all"]
"""edge: takes messages and shows the journal; worker: turns, outbox, timers, sweeps; both answer health and metrics."""


def serve(settings: Settings, role: Role = "all", bot: Bot | None = None) -> int:
    """Runs the router until SIGTERM or SIGINT. 0 when it ended as asked. Raises `SettingsError` for what cannot run.

    `bot` goes in place of the one that the settings name: for benches.
    """
    configure_logging()
    _allow_open_files()
    files = Files.read(settings)
    try:
        import uvloop
    except ImportError:  # not built for this platform
        return asyncio.run(_serve(settings, files, role, bot))
    return uvloop.run(_serve(settings, files, role, bot))


@dataclass(frozen=True, slots=True)
class Files:
    """What is read from disk once, before the loop starts."""

    brand: dict[str, object]
    sentences: Sentences
    keys: list[bytes]
    embed: str
    docs: Docs

    @classmethod
    def read(cls, settings: Settings) -> Files:
        """Raises `SettingsError`."""
        brand = load_brand(settings.brand.path)
        sentences = Sentences({language: _facts(brand) for language in LANGUAGES})
        embed = (ROOT / "web" / "dist" / "widget" / "embed.html").read_text(encoding="utf-8")
        return cls(brand, sentences, load_keys(settings.data_dir), embed, Docs(ROOT / "docs"))


async def _serve(settings: Settings, files: Files, role: Role, bot: Bot | None) -> int:
    asked_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked_to_stop.set)
    async with router(settings, files, role, bot) as app:
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=2)
        await runner.setup()
        try:
            site = web.TCPSite(runner, settings.server.host, settings.server.port, reuse_address=True)
            await site.start()
            log.info(LISTENING, host=settings.server.host, port=runner.addresses[0][1])
            _settle_memory()
            await asked_to_stop.wait()
        except OSError as error:
            raise SettingsError(
                f"port {settings.server.port} on {settings.server.host} cannot be used ({error.strerror}): "
                "stop what holds it, or choose another with --port."
            ) from error
        finally:
            await runner.cleanup()
    return 0


def _allow_open_files() -> None:
    """As many as the system lets us: each open widget is one, and many systems begin with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    if allowed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def _settle_memory() -> None:
    """What was built at the start stays: the collector need not walk it again (a tenth of a message's CPU)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@dataclass(frozen=True, slots=True)
class _Core:
    """What every role has."""

    settings: Settings
    files: Files
    hints: Hints
    store: Store
    bot: Bot
    health: Health
    room: Room
    door: Ingest
    channels: Mapping[str, Connector]
    voice: Voice
    moving: Continuity


@contextlib.asynccontextmanager
async def router(
    settings: Settings, files: Files, role: Role = "all", bot: Bot | None = None
) -> AsyncIterator[web.Application]:
    """Everything of a role built and running behind one application; ended in the opposite order."""
    async with contextlib.AsyncExitStack() as house:
        core = await _core(house, settings, files, bot)
        routes, webchat = core.health.routes(), None
        if role != "worker":
            webchat = _edge(house, core)
            routes += _edge_routes(core, webchat)
        if role != "edge":
            _work(house, core)
        app = application(routes, Refused)
        if webchat:
            end = webchat.close
            app.on_shutdown.append(lambda _: end())
        yield app


async def _core(house: contextlib.AsyncExitStack, settings: Settings, files: Files, bot: Bot | None) -> _Core:
    hints = Hints(connect(settings.redis.url))
    house.push_async_callback(hints.close)
    store = Store(
        connect(settings.redis.url),
        lease=int(settings.redis.lease_seconds * 1000),
        idle=int(settings.conversation.idle_hours * 3_600_000),
        hints=hints,
    )
    house.push_async_callback(store.close)
    bot = bot or Bot(settings.bot.socket, deadline=settings.bot.deadline_seconds)
    house.push_async_callback(bot.close)
    house.push_async_callback(_ended, asyncio.create_task(hints.run(), name="hints"))
    health = Health(
        {
            "redis": _remembered(lambda: _redis_state(store)),
            "bot": _remembered(lambda: _bot_state(bot)),
            "actions": _remembered(lambda: _actions_state(settings.actions.socket)),
        }
    )
    room = Room(store, settings.data_dir)
    room.start()
    house.push_async_callback(room.stop)
    digest = Seals(files.keys).digest
    door = Ingest(
        store,
        partial(_burst, settings),
        health.ready,
        digest,
        masked=settings.privacy.masks(),
        no_room=lambda: room.refusal,
    )
    channels = registry.connectors(settings.channels, _ports(settings, files, door, store))
    for channel in channels.values():
        await house.enter_async_context(channel)
    voice = _voice(files, channels)
    moving = continuity(settings, store, voice, channels, digest, str(files.brand.get("time_zone", "UTC")))
    return _Core(settings, files, hints, store, bot, health, room, door, channels, voice, moving)


def _edge(house: contextlib.AsyncExitStack, core: _Core) -> Webchat:
    """Takes messages and shows the journal."""
    core.health.parts["room"] = _remembered(lambda: _room_state(core.room))
    feed = JournalFeed(core.store, core.hints)
    feed.start()
    house.push_async_callback(feed.stop)
    return widget(
        core.settings,
        _shown_brand(core.files),
        core.files.keys,
        core.door,
        feed,
        core.store,
        links=core.moving.invitations,
    )


def _edge_routes(core: _Core, webchat: Webchat) -> list[web.RouteDef]:
    pages = Pages(ROOT / "web", core.files.embed, core.settings.shown_sites())
    routes = [*pages.routes(), *webchat.routes(), *core.moving.customers.routes(), *core.files.docs.routes()]
    return [*routes, *(route for channel in core.channels.values() for route in channel.routes())]


def _work(house: contextlib.AsyncExitStack, core: _Core) -> None:
    """Turns, outbox, timers, sweeps.

    Messages wait in their mailboxes until there is a bot to ask; an apology for a slow start helps nobody.
    """
    store, bot, channels, moving = core.store, core.bot, core.channels, core.moving
    typing = {account: channel for account, channel in channels.items() if isinstance(channel, ShowsTyping)}
    turns = Turns(store, bot, core.voice, moving.linking, moving.routing, moving.invitations.elsewhere, typing)
    worker = Worker(store, turns, _fetching(core.settings, core.files, store, channels), core.hints)
    outbox = Outbox(
        store, channels, core.hints, elsewhere=moving.routing.failed, spelled_out=moving.invitations.spelled_out
    )
    sweeps = Sweeps(store, moving.merging)
    polling = Polling(store, {account: one for account, one in channels.items() if isinstance(one, Poller)})
    for stop in (moving.merging.close, polling.stop, outbox.stop, sweeps.stop, worker.stop):
        house.push_async_callback(stop)

    async def start() -> None:
        if await _format_fits(store):
            outbox.start()
            sweeps.start()
            polling.start()
            while not await bot.ready():  # noqa: ASYNC110  another process's readiness has no event
                await asyncio.sleep(0.25)
            worker.start()
            log.info("worker.started")

    house.push_async_callback(_ended, asyncio.create_task(start(), name="worker start"))


def _voice(files: Files, channels: Mapping[str, Connector]) -> Voice:
    return Voice(
        files.sentences,
        assistant=str(files.brand["assistant"]),
        capabilities={account: channel.capabilities for account, channel in channels.items()},
        privacy_url=str(files.brand.get("privacy_url", "")),
    )


def _ports(settings: Settings, files: Files, door: Door, store: Store) -> Ports:
    return Ports(
        door=door,
        media=MediaFolder(settings.data_dir / "media"),
        public_url=settings.server.public_url,
        once=StoredVisits(store, Seals(files.keys).digest).once,
    )


def _fetching(settings: Settings, files: Files, store: Store, channels: Mapping[str, registry.Connector]) -> Fetching:
    sources = {account: channel for account, channel in channels.items() if isinstance(channel, FetchesMedia)}
    media = MediaFolder(settings.data_dir / "media")
    digest = Seals(files.keys).digest
    return Fetching(store, sources, media, Intake(media), lambda identity: digest("owner", identity))


def _burst(settings: Settings, channel: str) -> int:
    return settings.widget.burst_ms if channel == "webchat" else settings.conversation.burst_ms


async def _format_fits(store: Store) -> bool:
    """Waits for Redis; False when it holds data that this version cannot read."""
    while True:
        try:
            await store.check_format()
        except StoreUnavailable:
            await asyncio.sleep(0.25)
        except StoreError as error:
            log.error("store.format", error=str(error))
            return False
        else:
            return True


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def load_brand(path: Path) -> dict[str, object]:
    """brand.toml. Raises `SettingsError`."""
    try:
        brand = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(
            f"the brand file {path} cannot be read ({error}): correct it or name another in [brand] path."
        ) from error
    for needed in ("name", "assistant"):
        if not isinstance(brand.get(needed), str) or not brand[needed]:
            raise SettingsError(f'the brand file {path} lacks {needed!r}: add a line like {needed} = "Loja Aurora".')
    return brand


def _shown_brand(files: Files) -> Brand:
    return Brand(
        name=str(files.brand["name"]),
        assistant=str(files.brand["assistant"]),
        privacy_url=str(files.brand.get("privacy_url", "")),
        say=files.sentences.say,
        time_zone=str(files.brand.get("time_zone", "UTC")),
    )


def _facts(brand: dict[str, object]) -> dict[str, str]:
    return {"name": str(brand["name"]), "assistant": str(brand["assistant"])}


# ── how the parts are ───────────────────────────────────────────────────────────────────────────────────────────────


def _remembered(check: Callable[[], Awaitable[str]], seconds: float = 0.5) -> Callable[[], Awaitable[str]]:
    """The check, asked at most twice a second however many readers want to know."""
    state, at = "", float("-inf")
    asking = asyncio.Lock()

    async def remembered() -> str:
        nonlocal state, at
        async with asking:
            if time.monotonic() >= at + seconds:
                state, at = await check(), time.monotonic()
        return state

    return remembered


async def _redis_state(store: Store) -> str:
    try:
        await store.ping()
    except StoreUnavailable:
        return "does not answer"
    return "ok"


async def _room_state(room: Room) -> str:
    return f"none: {room.refusal}" if room.refusal else "ok"


async def _bot_state(bot: Bot) -> str:
    return "ok" if await bot.ready() else "starting, or its model is being trained"


async def _actions_state(socket: Path) -> str:
    try:
        connector = aiohttp.UnixConnector(path=str(socket))
        timeout = aiohttp.ClientTimeout(total=1)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as http,
            http.get("http://actions/health") as response,
        ):
            return "ok" if response.status == 200 else f"answers {response.status}"
    except (aiohttp.ClientError, OSError, TimeoutError):
        return "starting"
