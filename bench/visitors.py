"""Visitors of the widget and the requests that they will send, prepared before anything is measured."""

from __future__ import annotations

import http.client
import json
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.processes import Router
from bench.report import Broken
from connectors.contract import CustomerId
from connectors.sealing import Seals
from connectors.webchat import Visitor
from router.store.keys import shard_of
from segue.keys import load_keys

TEXT = "onde está o meu pedido 1001?"


@dataclass(frozen=True, slots=True)
class Holder:
    """One browser: its token, and the customer that it will be."""

    token: str
    customer: CustomerId
    handle: str

    @property
    def shard(self) -> int:
        return shard_of(self.customer)

    def message(self, text: str = TEXT) -> bytes:
        """One POST of a message, with a key of its own, as Chromium would head it."""
        body = json.dumps({"text": text}, ensure_ascii=False).encode()
        head = (
            "POST /v1/widget/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n"
            f"Content-Type: application/json\r\nAuthorization: Bearer {self.token}\r\n"
            f"Idempotency-Key: {uuid.uuid4()}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def arrive(router: Router, count: int) -> list[Holder]:
    """New visitors, through the door."""
    seals = Seals(load_keys(router.data))
    connection = http.client.HTTPConnection("127.0.0.1", router.port, timeout=10)
    holders = []
    for _ in range(count):
        connection.request("POST", "/v1/widget/session", '{"site": "demo", "locale": "pt-BR"}')
        response = connection.getresponse()
        session = json.loads(response.read())
        if response.status != 200:
            raise Broken(f"the router gives no session: {response.status}")
        visitor = seals.unseal("handle", session["handle"], Visitor)
        holders.append(Holder(session["token"], CustomerId(visitor.customer), session["handle"]))
    return holders


def spread(holders: Sequence[Holder], count: int, seed: int = 1) -> list[Holder]:
    """Who speaks in which order: everybody equally often, shuffled within each round."""
    order: list[Holder] = []
    dice = random.Random(seed)  # noqa: S311  no secret
    while len(order) < count:
        order += dice.sample(list(holders), len(holders))
    return order[:count]


def write_requests(file: Path, speakers: Sequence[Holder]) -> Path:
    file.write_bytes(b"\0".join(speaker.message() for speaker in speakers))
    return file


def write_tokens(file: Path, holders: Sequence[Holder]) -> Path:
    """One a line, for wrk."""
    file.write_text("\n".join(holder.token for holder in holders), encoding="ascii")
    return file
