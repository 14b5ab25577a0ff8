"""The webhook channel, for the contract suite."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import msgspec
from fakes.webhook_receiver import QUOTED, SECRET, Behaviour, WebhookReceiver, sign, signed_headers
from unit.connectors.samples import beyond

from cases import Failure, Request
from connectors.content import Content
from connectors.contract import Capabilities, CredentialsRejected, RefusedForGood, TryAgain, Unknown

OTHER = "whsec_" + "b" * 44
ALLOWED = Capabilities(
    shows=frozenset({"text", "buttons", "image", "list"}),
    longest_text=500,
    most_buttons=3,
    longest_button=12,
    most_rows=10,
    markdown=True,
)
"""What this receiver can show, whatever the connector says."""
REFUSAL = json.dumps({"error": QUOTED}).encode()


def _in(seconds: int) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


class WebhookCase:
    account = "main"
    people: Sequence[str] = ("ana", "5511987654321", "ANA", "josé/ünï %2F:1")
    secrets: Sequence[str] = (SECRET, SECRET.removeprefix("whsec_"))
    nonsense_status = 400
    path = "/channels/webhook/main"

    def __init__(self, *, idempotent: bool = True) -> None:
        self.receiver = WebhookReceiver()
        self.idempotent = idempotent

    async def start(self) -> None:
        await self.receiver.start()

    async def stop(self) -> None:
        await self.receiver.stop()

    def settings(self) -> dict[str, Any]:
        return {
            "secret": SECRET,
            "url": self.receiver.url,
            "idempotent": self.idempotent,
            "timeout_seconds": 0.3,
            "shows": sorted(ALLOWED.shows),
            "longest_text": ALLOWED.longest_text,
            "most_buttons": ALLOWED.most_buttons,
            "longest_button": ALLOWED.longest_button,
            "most_rows": ALLOWED.most_rows,
        }

    # ── in ──

    def message(self, *, key: str, person: str, text: str) -> bytes:
        return json.dumps({"type": "message", "id": key, "from": {"id": person}, "text": text}).encode()

    def tap(self, *, key: str, person: str, button: str, title: str) -> bytes:
        tapped = {"type": "message", "id": key, "from": {"id": person}, "text": title, "button": button}
        return json.dumps(tapped).encode()

    def report(self, *, vendor_id: str, person: str, status: str) -> bytes:
        told = {"type": "status", "message": vendor_id, "to": {"id": person}, "status": status}
        return json.dumps(told).encode()

    def unsupported(self) -> Sequence[bytes]:
        return b'{"type": "typing"}', b'{"type": "order.paid", "id": 5}'

    def nonsense(self) -> Sequence[bytes]:
        return (
            b"",
            b"oi",
            b"\xff\xfe{}",
            b"[]",
            b"null",
            b'{"type": 5}',
            b"[" * 60_000,
            b'{"type": "message"}',
            b'{"type": "message", "id": "1", "from": {"id": "ana"}}',
            b'{"type": "message", "id": "", "from": {"id": "ana"}, "text": "oi"}',
            b'{"type": "message", "id": "1", "from": {"id": ""}, "text": "oi"}',
            b'{"type": "message", "id": "1", "from": {"id": {"$ne": null}}, "text": "oi"}',
            b'{"type": "message", "id": "1", "from": {"id": "ana"}, "text": ["oi"]}',
            b'{"type": "message", "id": "1", "from": {"id": "ana"}, "text": "\\ud800"}',
            b'{"type": "message", "id": "1", "from": {"id": "ana"}, "text": "oi", "at": -1}',
            b'{"type": "message", "id": "1", "from": {"id": "ana"}, "text": "oi", "locale": "<b>"}',
            b'{"type": "status", "message": "1", "to": {"id": "ana"}, "status": "sent"}',
            b'{"type": "status", "message": "1", "status": "read"}',
        )

    def signed(self, body: bytes) -> Request:
        return Request(self.path, body, signed_headers(SECRET, "delivery-1", body))

    def forged(self, body: bytes) -> Mapping[str, Request]:
        good = signed_headers(SECRET, "delivery-1", body)
        stamp = good["webhook-timestamp"]
        changed = {
            "unsigned": {},
            "another secret": {"webhook-signature": sign(OTHER, "delivery-1", stamp, body)},
            "another id": {"webhook-id": "delivery-2"},
            "another time": {"webhook-timestamp": str(int(stamp) + 1)},
            "another version": {"webhook-signature": good["webhook-signature"].replace("v1,", "v2,")},
            "no version": {"webhook-signature": good["webhook-signature"].removeprefix("v1,")},
            "half a signature": {"webhook-signature": good["webhook-signature"][:-8]},
            "an empty signature": {"webhook-signature": "v1,"},
            "no time": {"webhook-timestamp": "", "webhook-signature": sign(SECRET, "delivery-1", "", body)},
            "odd letters": {"webhook-signature": "v1,é ünï"},
        }
        requests = {
            name: Request(self.path, body, {} if name == "unsigned" else good | headers)
            for name, headers in changed.items()
        }
        return requests | {"another body": Request(self.path, body + b" ", good)}

    def old(self, body: bytes) -> Request:
        return Request(self.path, body, signed_headers(SECRET, "delivery-1", body, at=time.time() - 301))

    # ── out ──

    def failures(self) -> Mapping[str, Failure]:
        lost = TryAgain if self.idempotent else Unknown
        return {
            "429": Failure(TryAgain, 7),
            "408": Failure(TryAgain, 0),
            "500": Failure(TryAgain, 0),
            "503 with a date": Failure(TryAgain, 30),
            "503 with nonsense": Failure(TryAgain, 0),
            "hang": Failure(lost),
            "drop": Failure(lost),
            "nobody there": Failure(TryAgain, 0),
            "401": Failure(CredentialsRejected),
            "403": Failure(CredentialsRejected),
            "400": Failure(RefusedForGood),
            "404": Failure(RefusedForGood),
            "410": Failure(RefusedForGood),
            "redirect": Failure(RefusedForGood),
        }

    def fail(self, name: str) -> None:
        behaviours = {
            "": Behaviour(),
            "429": Behaviour(429, {"Retry-After": "7"}, REFUSAL),
            "503 with a date": Behaviour(503, {"Retry-After": _in(30)}, REFUSAL),
            "503 with nonsense": Behaviour(503, {"Retry-After": "soon"}, REFUSAL),
            "hang": Behaviour(fault="hang"),
            "drop": Behaviour(fault="drop"),
            "endless": Behaviour(fault="endless"),
            "redirect": Behaviour(307, {"Location": "/segue"}, REFUSAL),
        }
        self.receiver.behaviour = behaviours[name] if name in behaviours else Behaviour(int(name), {}, REFUSAL)

    def answers(self, status: int, body: bytes) -> None:
        self.receiver.behaviour = Behaviour(status, {}, body)

    def executed(self) -> Sequence[str]:
        return list(self.receiver.executed)

    def complaints(self) -> Sequence[str]:
        sent = [msgspec.convert(message["parts"], tuple[Content, ...]) for message in self.receiver.executed.values()]
        return [complaint for parts in sent for complaint in beyond(parts, ALLOWED)]


def case() -> WebhookCase:
    return WebhookCase()
