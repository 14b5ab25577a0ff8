"""One account of Telegram: what comes in by webhook or is fetched, what is done with it, and what goes out."""

from __future__ import annotations

import asyncio
import hmac
import itertools
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import structlog
from aiohttp import web
from msgspec.structs import replace
from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.constants import ChatAction
from telegram.error import BadRequest, ChatMigrated

from connectors import http
from connectors.contract import (
    Capabilities,
    Checked,
    ConnectorError,
    CredentialsRejected,
    Edited,
    Identity,
    Inbound,
    Limit,
    Milliseconds,
    NotAuthentic,
    NotSupported,
    NotUnderstood,
    Outbound,
    Ports,
    Receipt,
    TryAgain,
)
from connectors.telegram import updates, words
from connectors.telegram.calls import Requests, bot, called
from connectors.telegram.checking import checked, set_commands, webhook_url
from connectors.telegram.fetching import fetched
from connectors.telegram.polling import Polling
from connectors.telegram.sending import CAPABILITIES, Sending
from connectors.telegram.settings import Settings
from connectors.telegram.updates import CHANNEL, SPENT, Group, Reach, Tap

log = structlog.get_logger()

LONGEST_BODY = 1024 * 1024
MOST_TRIES = 3
"""Times that an update fails by a fault of ours before it is parked: Telegram would bring it for a day, and nothing
else of its chat."""

GROUP_QUIET = 30 * 86_400.0
"""Seconds for which a group is told once that we answer in private only."""

DAY = 86_400.0
INTRODUCE_PAUSES = (1.0, 5.0, 15.0, 60.0)


class Telegram:
    """One account."""

    def __init__(
        self, account: str, settings: Settings, ports: Ports, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._name = account
        self._settings = settings
        self._ports = ports
        self._clock = clock
        self._secrets = settings.secrets()
        self._requests = Requests(settings.timeout_seconds)
        self._bot = bot(settings.token.get_secret_value(), settings.base_url, self._requests)
        self._sending = Sending(self._bot, ports.media)
        self._failed: OrderedDict[int, int] = OrderedDict()
        self._beside: set[asyncio.Task[None]] = set()
        self._username = ""

    async def __aenter__(self) -> Self:
        await self._requests.initialize()
        self._do_beside(self._introduce())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        await self._requests.shutdown()

    @property
    def account(self) -> str:
        return f"{CHANNEL}:{self._name}"

    # ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.post(f"/channels/{CHANNEL}/{self._name}", self.receive)]

    async def receive(self, request: web.Request) -> web.Response:
        """200 once an update is kept or can never be; 503 with a time where Telegram shall bring it again."""
        self.verify(request.headers.get("X-Telegram-Bot-Api-Secret-Token", ""))
        await self.take(await http.raw_body(request, LONGEST_BODY), http.trace_of(request))
        return web.Response()

    def verify(self, given: str) -> None:
        """Raises `NotAuthentic`."""
        shown = given.encode("utf-8", "surrogateescape")
        holds = [hmac.compare_digest(secret.encode(), shown) for secret in self._secrets]
        if not any(holds):
            http.FORGED.labels(CHANNEL).inc()
            raise NotAuthentic("the secret does not hold")

    async def take(self, update: bytes | msgspec.Raw, trace: str = "") -> None:
        """Does what an update asks for. Raises `TryAgain` when it shall come once more, and nothing else."""
        try:
            found = updates.parsed(update, self.account, Milliseconds(int(self._clock() * 1000)))
            await self._act(found, trace)
        except NotSupported:
            http.UNSUPPORTED.labels(CHANNEL).inc()
        except NotUnderstood:
            self._park(update, "not_understood")
        except TryAgain:
            raise
        except Exception as error:
            if self._fails_again(updates.number(update)):
                log.exception("telegram.update_failed", account=self.account, update=updates.number(update))
                raise TryAgain("something went wrong here", after=1) from error
            self._park(update, "fault")

    def _park(self, update: bytes | msgspec.Raw, why: str) -> None:
        """It stays with Telegram no longer, and stops nothing behind it."""
        http.PARKED.labels(CHANNEL, why).inc()
        log.error("telegram.parked", account=self.account, update=updates.number(update), why=why)

    def _fails_again(self, number: int | None) -> bool:
        """Counts a fault of ours; whether the update is worth another try."""
        if number is None:
            return False
        tries = self._failed.pop(number, 0) + 1
        self._failed[number] = tries
        if len(self._failed) > 1000:
            self._failed.popitem(last=False)
        return tries < MOST_TRIES

    async def _act(self, found: updates.Found, trace: str) -> None:
        door = self._ports.door
        match found:
            case Inbound():
                await door.accept(replace(found, trace=trace))
            case Edited():
                await door.edited(found)
            case Reach(identity, yes):
                await door.reachable(identity, yes, "" if yes else "blocked")
            case Tap():
                await self._tapped(found, trace)
            case Group(chat, language):
                await self._explain(chat, language)

    async def _tapped(self, tap: Tap, trace: str) -> None:
        told = ""
        try:
            if tap.inbound:
                await self._ports.door.accept(replace(tap.inbound, trace=trace))
        except NotUnderstood:
            told = words.say("button_gone", tap.language)
        self._do_beside(self._close(tap, told))

    async def _close(self, tap: Tap, told: str) -> None:
        """Ends the tap's waiting in the app, and leaves of the keyboard what was chosen."""
        await self._courtesy(self._bot.answer_callback_query(tap.query, text=told or None))
        if tap.inbound and tap.message:
            chosen = InlineKeyboardButton(f"✓ {tap.title}"[:64], callback_data=SPENT)
            marked = InlineKeyboardMarkup([[chosen]]) if tap.title and not told else None
            await self._courtesy(self._bot.edit_message_reply_markup(tap.chat, tap.message, reply_markup=marked))

    async def _explain(self, chat: int, language: str) -> None:
        """A group hears once that we answer people one by one."""
        http.UNSUPPORTED.labels(CHANNEL).inc()
        once = self._ports.once
        if once and self._username and await once(f"telegram group {self.account} {chat}", GROUP_QUIET):
            text = words.say("group", language, address=f"https://t.me/{self._username}")
            self._do_beside(self._courtesy(self._bot.send_message(chat, text)))

    async def poll(self) -> None:
        if self._settings.polls(self._ports.public_url):
            await Polling(self.account, self._bot, self._requests, self.take).run()

    # ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    @property
    def account_limit(self) -> Limit:
        return Limit(self._settings.per_second, max(1, int(self._settings.per_second)))

    @property
    def person_limit(self) -> Limit:
        """About one a second, and a short burst (https://core.telegram.org/bots/faq)."""
        return Limit(1, 4)

    async def send(self, outbound: Outbound) -> Receipt:
        return await self._sending.send(outbound)

    async def typing(self, to: Identity) -> None:
        if to.id.lstrip("-").isdigit():
            await self._courtesy(self._bot.send_chat_action(int(to.id), ChatAction.TYPING))

    async def fetch(self, url: str, into: Path, *, most_bytes: int) -> str:
        return await fetched(self._bot, self._requests, url, into, most_bytes=most_bytes)

    def invitation(self, token: str) -> str:
        return f"https://t.me/{self._username}?start={token}" if self._username else ""

    async def check(self) -> Sequence[Checked]:
        return await checked(self._bot, self.account, self._settings, self._ports.public_url)

    # ── beside ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _introduce(self) -> None:
        """Learns our own name, without which no link leads here; once a day sets the menu and looks at the webhook."""
        for pause in itertools.chain(INTRODUCE_PAUSES, itertools.repeat(INTRODUCE_PAUSES[-1])):
            try:
                me = await called(self._bot.get_me())
                self._username = (me and me.username) or ""
                once = self._ports.once
                if self._username and once and await once(f"telegram commands {self.account}", DAY):
                    await set_commands(self._bot)
                    await self._look_at_webhook()
            except CredentialsRejected:
                log.error("telegram.credentials_rejected", account=self.account, remedy="give it a new token")
            except (ConnectorError, BadRequest, ChatMigrated) as error:
                log.warning("telegram.not_reached", account=self.account, kind=type(error).__name__)
            else:
                if self._username:
                    return
            await asyncio.sleep(pause)

    async def _look_at_webhook(self) -> None:
        """Whoever set a public address and did not run the check would wait for messages in vain."""
        public_url = self._ports.public_url
        if public_url and not self._settings.polls(public_url):
            info = await called(self._bot.get_webhook_info())
            if info and info.url != webhook_url(self.account, public_url):
                remedy = f"run bin/segue channel check {CHANNEL}.{self._name}"
                log.error("telegram.webhook_not_set", account=self.account, remedy=remedy)

    async def _courtesy(self, call: Awaitable[Any]) -> None:
        """A call that is worth no second try: an old query, a message that is as it shall be, a chat that is gone."""
        try:
            await called(call)
        except (ConnectorError, BadRequest, ChatMigrated) as error:
            log.info("telegram.courtesy_refused", account=self.account, kind=type(error).__name__)

    def _do_beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"{self.account} beside")
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)


def connector(account: str, settings: Settings, ports: Ports) -> Telegram:
    return Telegram(account, settings, ports)
