"""The router's process: the only place where concrete parts meet."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import structlog
from aiohttp import web

from connectors.sealing import Seals
from connectors.webchat import Brand, Refused, Webchat
from router.bot import Bot
from router.feed import JournalFeed
from router.ingest import Ingest
from router.store import Store, StoreError, StoreUnavailable
from router.store.hints import Hints
from router.store.store import connect
from router.text import LANGUAGES, Sentences
from router.turn import Turns
from router.web import Health, Pages, application
from router.worker import Worker
from segue.keys import load_keys
from segue.observability import configure_logging
from segue.settings import ROOT, Settings, SettingsError

log = structlog.get_logger()

LISTENING = "router.listening"


def serve(settings: Settings) -> int:
    """Runs the router until SIGTERM or SIGINT. 0 when it ended as asked. Raises `SettingsError` for what cannot run."""
    configure_logging()
    files = Files.read(settings)
    try:
        import uvloop
    except ImportError:  # not built for this platform
        return asyncio.run(_serve(settings, files))
    return uvloop.run(_serve(settings, files))


@dataclass(frozen=True, slots=True)
class Files:
    """What is read from disk once, before the loop starts."""

    brand: dict[str, object]
    sentences: Sentences
    keys: list[bytes]
    embed: str

    @classmethod
    def read(cls, settings: Settings) -> Files:
        """Raises `SettingsError`."""
        brand = load_brand(settings.brand.path)
        sentences = Sentences({language: _facts(brand) for language in LANGUAGES})
        embed = (ROOT / "web" / "dist" / "widget" / "embed.html").read_text(encoding="utf-8")
        return cls(brand, sentences, load_keys(settings.data_dir), embed)


async def _serve(settings: Settings, files: Files) -> int:
    asked_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked_to_stop.set)
    async with router(settings, files) as app:
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=2)
        await runner.setup()
        try:
            site = web.TCPSite(runner, settings.server.host, settings.server.port, reuse_address=True)
            await site.start()
            log.info(LISTENING, host=settings.server.host, port=settings.server.port)
            await asked_to_stop.wait()
        except OSError as error:
            raise SettingsError(
                f"port {settings.server.port} on {settings.server.host} cannot be used ({error.strerror}): "
                "stop what holds it, or choose another with --port."
            ) from error
        finally:
            await runner.cleanup()
    return 0


@contextlib.asynccontextmanager
async def router(settings: Settings, files: Files) -> AsyncIterator[web.Application]:
    """Everything built and running behind one application; ended in the opposite order."""
    sites = settings.shown_sites()
    async with contextlib.AsyncExitStack() as house:
        store = Store(connect(settings.redis.url), lease=int(settings.redis.lease_seconds * 1000))
        house.push_async_callback(store.close)
        bot = Bot(settings.bot.socket, deadline=settings.bot.deadline_seconds)
        house.push_async_callback(bot.close)
        hints = Hints(connect(settings.redis.url))
        house.push_async_callback(hints.close)
        house.push_async_callback(_ended, asyncio.create_task(hints.run(), name="hints"))

        feed = JournalFeed(store, hints)
        feed.start()
        house.push_async_callback(feed.stop)
        worker = Worker(store, Turns(store, bot, files.sentences, str(files.brand["assistant"])), hints)
        house.push_async_callback(worker.stop)
        house.push_async_callback(
            _ended, asyncio.create_task(_work_when_ready(store, bot, worker), name="worker start")
        )

        health = Health(
            {
                "redis": _remembered(lambda: _redis_state(store)),
                "bot": _remembered(lambda: _bot_state(bot)),
                "actions": _remembered(lambda: _actions_state(settings.actions.socket)),
            }
        )
        door = Ingest(store, {"webchat": settings.widget.burst_ms}, health.ready)
        webchat = Webchat(door, feed, Seals(files.keys), sites, _shown_brand(files))
        pages = Pages(ROOT / "web", files.embed, sites)
        app = application([*pages.routes(), *health.routes(), *webchat.routes()], Refused)
        app.on_shutdown.append(lambda _: webchat.close())
        yield app


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _work_when_ready(store: Store, bot: Bot, worker: Worker) -> None:
    """Messages wait in their mailboxes until there is a bot to ask; an apology for a slow start helps nobody."""
    while True:
        try:
            await store.check_format()
            if await bot.ready():
                break
        except StoreUnavailable:
            pass
        except StoreError as error:
            log.error("store.format", error=str(error))
            return
        await asyncio.sleep(0.25)
    worker.start()
    log.info("worker.started")


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
        greeting=lambda language: files.sentences.say("greeting", language),
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
