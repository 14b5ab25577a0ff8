"""Asking Telegram for updates, where it cannot reach us. An update is confirmed only once it is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import structlog
from aiohttp import hdrs
from telegram import Bot
from telegram.error import BadRequest, ChatMigrated

from connectors import http
from connectors.contract import ConnectorError, CredentialsRejected, TryAgain
from connectors.telegram import updates
from connectors.telegram.calls import Requests, called

log = structlog.get_logger()

LONG_POLL = 25
"""Seconds for which Telegram holds an empty answer back."""
PAUSE, LONGEST_PAUSE = 1.0, 30.0
CREDENTIALS_PAUSE = 60.0

KINDS = ("message", "edited_message", "callback_query", "my_chat_member")
"""What we ask to be told, by webhook too."""


class _Fetched(msgspec.Struct):
    """Each update is read by itself: one that nobody understands must not take the others along."""

    result: tuple[msgspec.Raw, ...] = ()


class Conflict(TryAgain):
    """A webhook is set, or somebody else asks with the same token."""


class Polling:
    """`take` does what an update asks for, or raises `TryAgain`."""

    def __init__(
        self, account: str, bot: Bot, requests: Requests, take: Callable[[msgspec.Raw], Awaitable[None]]
    ) -> None:
        self._account = account
        self._bot = bot
        self._requests = requests
        self._take = take
        self._offset = 0
        self._failures = 0
        self._by_webhook = True

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                if self._by_webhook:
                    await called(self._bot.delete_webhook(drop_pending_updates=False))
                    self._by_webhook = False
                pause = await self._taken(await self._fetched())
                self._failures = 0
            except CredentialsRejected:
                log.error("telegram.credentials_rejected", account=self._account, remedy="give it a new token")
                pause = CREDENTIALS_PAUSE
            except Conflict as error:
                # Another process may have set a webhook meanwhile, or asks too: both end when we insist.
                self._by_webhook = True
                log.warning(
                    "telegram.polled_twice", account=self._account, remedy="stop what else runs with this token"
                )
                pause = error.after
            except (ConnectorError, http.AnswerLost, BadRequest, ChatMigrated) as error:
                self._failures += 1
                pause = getattr(error, "after", 0) or min(PAUSE * 2 ** (self._failures - 1), LONGEST_PAUSE)
                log.warning("telegram.not_reached", account=self._account, kind=type(error).__name__)
            await asyncio.sleep(pause)

    async def _fetched(self) -> tuple[msgspec.Raw, ...]:
        asked = {"offset": self._offset, "timeout": LONG_POLL, "allowed_updates": KINDS}
        answer = await self._requests.post_to(
            f"{self._bot.base_url}/getUpdates",
            msgspec.json.encode(asked),
            {hdrs.CONTENT_TYPE: "application/json"},
            seconds=LONG_POLL + 10,
        )
        if answer.status == 409:
            raise Conflict("somebody else is told", after=PAUSE)
        if answer.status in (401, 404):
            raise CredentialsRejected("Telegram does not know this token")
        http.refuse(answer)
        try:
            return msgspec.json.decode(answer.body, type=_Fetched).result
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise TryAgain("an answer that cannot be read", after=0) from error

    async def _taken(self, fetched: tuple[msgspec.Raw, ...]) -> float:
        """Takes what came, in order for each chat; seconds to wait before what was not taken is asked for again."""
        waits: set[int] = set()
        first, pause = 0, 0.0
        for update in fetched:
            number = updates.number(update) or 0
            chat = updates.chat(update)
            try:
                if chat in waits:
                    continue
                await self._take(update)
            except TryAgain as error:
                # The others' messages need not wait for this one's; what of it comes twice is dropped at the door.
                waits.add(chat)
                first = first or number
                pause = max(pause, error.after, 0.1)
            if not first:
                self._offset = max(self._offset, number + 1)
        return pause
