"""Telegram, for the contract suite."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from fakes.telegram_api import TOKEN, Behaviour, TelegramApi

from cases import Failure, Request
from connectors.contract import CredentialsRejected, RefusedForGood, TryAgain, Unknown, Unreachable

SECRET = "a-secret-for-tests_0123456789"

_FORBIDDEN = {"403 blocked": "bot was blocked by the user", "403 deactivated": "user is deactivated"}
_BAD = {"400": "PEER_FLOOD", "400 chat not found": "chat not found"}


class TelegramCase:
    account = "main"
    people: Sequence[str] = ("427770117", "1", "9007199254740993")
    secrets: Sequence[str] = (TOKEN, TOKEN.partition(":")[2], SECRET)
    nonsense_status = 200
    path = "/channels/telegram/main"

    def __init__(self) -> None:
        self.api = TelegramApi()
        self.api.chats |= set(map(int, self.people))
        self._numbers: dict[str, int] = {}
        self._count = itertools.count(700)

    async def start(self) -> None:
        await self.api.start()

    async def stop(self) -> None:
        await self.api.stop()

    def settings(self) -> dict[str, Any]:
        return {"token": TOKEN, "secret": SECRET, "base_url": self.api.url, "timeout_seconds": 0.3}

    # ── in ──

    def message(self, *, key: str, person: str, text: str) -> bytes:
        said = {
            "message_id": self._number(key),
            "from": {"id": int(person), "is_bot": False, "first_name": "Ana", "language_code": "pt-br"},
            "chat": {"id": int(person), "type": "private"},
            "date": int(time.time()),
            "text": text,
        }
        return json.dumps({"update_id": self._number(key), "message": said}).encode()

    def tap(self, *, key: str, person: str, button: str, title: str) -> bytes:
        shown = json.loads(self.message(key="shown", person=person, text="?"))["message"]
        shown["reply_markup"] = {"inline_keyboard": [[{"text": title, "callback_data": button}]]}
        query = {"id": key, "from": shown["from"], "message": shown, "chat_instance": "1", "data": button}
        return json.dumps({"update_id": self._number(key), "callback_query": query}).encode()

    def report(self, *, vendor_id: str, person: str, status: str) -> None:
        return None

    def unsupported(self) -> Sequence[bytes]:
        return (
            b'{"update_id": 1}',
            b'{"update_id": 1, "poll": {"id": "1"}}',
            b'{"update_id": 1, "channel_post": {"message_id": 1, "date": 1, "chat": {"id": -1, "type": "channel"}}}',
            b'{"update_id": 1, "message": {"message_id": 1, "date": 1, "chat": {"id": -1, "type": "group"}}}',
            b'{"update_id": 1, "message": {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}}}',
            b'{"update_id": 1, "message": {"message_id": 1, "text": "oi", "from": {"id": 1, "is_bot": true}, "chat": {"id": 1, "type": "private"}}}',  # noqa: E501
        )

    def nonsense(self) -> Sequence[bytes]:
        return (
            b"",
            b"oi",
            b"\xff\xfe{}",
            b"[]",
            b"null",
            b"{}",
            b'{"update_id": "1"}',
            b"[" * 60_000,
            b'{"update_id": 1, "message": 5}',
            b'{"update_id": 1, "message": {"message_id": 1}}',
            b'{"update_id": 1, "message": {"message_id": 1, "chat": {"id": {"$ne": null}, "type": "private"}}}',
            b'{"update_id": 1, "message": {"message_id": 1, "chat": {"id": 1, "type": "private"}, "text": ["oi"]}}',
            b'{"update_id": 1, "message": {"message_id": 1, "chat": {"id": 1, "type": "private"}, "text": "\\ud800"}}',
        )

    def signed(self, body: bytes) -> Request:
        return Request(self.path, body, {"X-Telegram-Bot-Api-Secret-Token": SECRET})

    def forged(self, body: bytes) -> Mapping[str, Request]:
        given = {
            "another secret": SECRET.upper(),
            "half a secret": SECRET[:-1],
            "a longer one": SECRET + "0",
            "an empty one": "",
            "odd letters": "é ünï",
            "the token": TOKEN,
        }
        forged = {
            name: Request(self.path, body, {"X-Telegram-Bot-Api-Secret-Token": secret})
            for name, secret in given.items()
        }
        return forged | {"unsigned": Request(self.path, body)}

    def old(self, body: bytes) -> None:
        return None

    # ── out ──

    def failures(self) -> Mapping[str, Failure]:
        return {
            "429": Failure(TryAgain, 7),
            "429 in the body": Failure(TryAgain, 9),
            "500": Failure(TryAgain, 0),
            "502": Failure(TryAgain, 0),
            "hang": Failure(Unknown),
            "drop": Failure(Unknown),
            "nobody there": Failure(TryAgain, 0),
            "401": Failure(CredentialsRejected),
            "404": Failure(CredentialsRejected),
            "400": Failure(RefusedForGood),
            "413": Failure(RefusedForGood),
            "redirect": Failure(RefusedForGood),
            "400 chat not found": Failure(Unreachable),
            **dict.fromkeys(_FORBIDDEN, Failure(Unreachable)),
        }

    def fail(self, name: str) -> None:
        behaviours = {
            "": Behaviour(),
            "429": Behaviour(429, "Too Many Requests: retry later", {"retry_after": 7}, {"Retry-After": "7"}),
            "429 in the body": Behaviour(429, "Too Many Requests: retry later", {"retry_after": 9}),
            "hang": Behaviour(fault="hang"),
            "drop": Behaviour(fault="drop"),
            "redirect": Behaviour(307, headers={"Location": "/elsewhere"}),
            **{name: Behaviour(403, f"Forbidden: {words}") for name, words in _FORBIDDEN.items()},
            **{name: Behaviour(400, f"Bad Request: {words}") for name, words in _BAD.items()},
        }
        self.api.behaviour = behaviours[name] if name in behaviours else Behaviour(int(name))

    def answers(self, status: int, body: bytes) -> None:
        self.api.behaviour = Behaviour(status, body=body)

    def executed(self) -> Sequence[str]:
        return [str(shown.message_id) for shown in self.api.shown]

    def complaints(self) -> Sequence[str]:
        return self.api.complaints

    def _number(self, key: str) -> int:
        """The same for the same key, as a redelivery has it."""
        if key not in self._numbers:
            self._numbers[key] = next(self._count)
        return self._numbers[key]


def case() -> TelegramCase:
    return TelegramCase()
