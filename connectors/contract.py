"""The page a channel author reads: what enters, what leaves, and what a live channel is given.

What is said stands in `content.py`. Everything here is data or a protocol; nothing imports the router, Redis or a web
framework.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NewType, Protocol
from urllib.parse import quote, unquote

import msgspec

from connectors.content import Content, ContentKind

CustomerId = NewType("CustomerId", str)
"""Our id of a person, a uuid7."""

Milliseconds = NewType("Milliseconds", int)
"""Since 1970, UTC."""

AuthorKind = Literal["customer", "bot", "agent", "system"]
DeliveryState = Literal["pending", "sent", "delivered", "read", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Identity:
    """A person on one channel account: `webchat:demo` and the id of the person there."""

    account: str
    id: str

    @property
    def channel(self) -> str:
        return self.account.partition(":")[0]

    def __str__(self) -> str:
        return f"{self.account}/{_quoted(self.id)}"

    @classmethod
    def parse(cls, text: str) -> Identity:
        account, _, person = text.partition("/")
        return cls(account, unquote(person) if "%" in person else person)


@lru_cache(maxsize=4096)
def _quoted(person: str) -> str:
    return quote(person, safe="")


class Author(msgspec.Struct, frozen=True):
    kind: AuthorKind
    name: str = ""


# ── Inbound: what a connector hands in ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Inbound:
    """One message of one person, translated.

    `dedupe` is the platform's id of the message: a second delivery with the same one changes nothing.
    `customer` proposes an id for a person we have never met (a widget mints it into the visitor's handle).
    """

    identity: Identity
    content: Content
    dedupe: str
    at: Milliseconds
    locale: str = ""
    origin: Mapping[str, str] = field(default_factory=dict)
    customer: CustomerId | None = None
    trace: str = ""
    """32 hex digits that name this message's way in every log; made at the door when the platform gave none."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The message is safe. `repeated` says that it already was."""

    id: str
    seq: int
    cursor: str
    repeated: bool


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What a platform says of a message of ours: `vendor_id` as our Receipt had it, to the person `identity`."""

    identity: Identity
    vendor_id: str
    status: DeliveryState
    reason: str = ""


class Door(Protocol):
    """Where a message enters."""

    async def accept(self, inbound: Inbound) -> Accepted:
        """Write the message down for good, or raise: `NotUnderstood`, `TryAgain`."""

    async def report(self, report: StatusReport) -> None:
        """Keep what a platform says of our message. One that comes too early waits; a status never goes backwards."""

    async def ready(self) -> bool:
        """Whether a message written now would be answered now."""


# ── Outbound: what a connector sends ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a channel can show and allow. Declared, not found out by failing; `connectors/fallback.py` does the rest."""

    shows: frozenset[ContentKind] = frozenset({"text"})
    longest_text: int = 4000
    """Characters of one message; longer texts are split."""
    most_buttons: int = 0
    longest_button: int = 20
    most_rows: int = 0
    most_cards: int = 0
    markdown: bool = False
    """Whether the safe Markdown subset is rendered; else it is taken off."""
    idempotent: bool = False
    """The platform drops a repeat of our message id, so that a send whose answer was lost may be repeated."""
    receipts: frozenset[DeliveryState] = frozenset()
    """What the platform tells us behind *sent*."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """One message to one person, already cut to what the channel can show (`parts`, sent in order as one message).

    `id` is our message id: the platform's idempotency key where it has one. `tries` counts from 1.
    """

    id: str
    to: Identity
    parts: tuple[Content, ...]
    author: Author
    tries: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """The platform took it. `vendor_id` names the message in its later reports; empty when it has none."""

    vendor_id: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `burst` at once, then `per_second`; 0 is no limit."""

    per_second: float = 0
    burst: int = 1


class Limits(Protocol):
    """Counts what somebody does, over all processes. Who it is is kept as a keyed hash only."""

    async def take(self, what: str, who: str, limit: Limit, *, cost: int = 1) -> float:
        """0, and so many places are taken; else seconds until there is room. `cost` 0 only looks for one place."""


class Sender(Protocol):
    """A channel account that delivers: the outbox calls `send`, in order for one person, never twice at once."""

    @property
    def capabilities(self) -> Capabilities: ...
    @property
    def account_limit(self) -> Limit: ...
    @property
    def person_limit(self) -> Limit: ...

    async def send(self, outbound: Outbound) -> Receipt:
        """Raises `TryAgain` with the platform's time, `RefusedForGood`, `CredentialsRejected`, `Unknown`."""


# ── Feed: what a live channel reads ─────────────────────────────────────────────────────────────────────────────────


class Message(msgspec.Struct, frozen=True):
    """A message as a reader sees it. `content` is None for plain text; `at` is when we received it."""

    id: str
    seq: int
    cursor: str
    author: Author
    channel: str
    text: str
    content: Content | None
    at: Milliseconds
    status: DeliveryState


@dataclass(frozen=True, slots=True)
class Page:
    messages: tuple[Message, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Created:
    """A new message; `prev` is the last seq before it that this reader may see."""

    cursor: str
    prev: int
    message: Message


@dataclass(frozen=True, slots=True)
class Updated:
    """A message changed: `of` names it."""

    cursor: str
    prev: int
    of: int
    status: DeliveryState


@dataclass(frozen=True, slots=True)
class Typing:
    on: bool


@dataclass(frozen=True, slots=True)
class Reset:
    """The cursor is of no known journal: the reader loads the history anew."""

    reason: str


Frame = Created | Updated | Typing | Reset


class Feed(Protocol):
    """A customer's journal as live channels see it. `known` is the customer id promised at first contact."""

    async def cursor(self, identity: Identity, known: CustomerId) -> str:
        """The newest cursor, `0.0` before the first message."""

    async def page(
        self, identity: Identity, known: CustomerId, *, after: str | None, before: str | None, limit: int
    ) -> Page:
        """Messages behind or before a cursor, oldest first; the newest page without either. Raises `NotUnderstood`."""

    def follow(self, identity: Identity, known: CustomerId, cursor: str) -> AsyncIterator[Frame]:
        """Everything after the cursor, for ever; ephemeral frames as they happen."""

    async def unread(self, identity: Identity, known: CustomerId) -> int:
        """Messages for the customer behind the last that was read, at most 99."""

    async def read(self, identity: Identity, known: CustomerId, seq: int) -> None:
        """The customer has seen everything up to seq. A status never goes backwards."""


# ── Errors: each one is an instruction ──────────────────────────────────────────────────────────────────────────────


class ConnectorError(Exception):
    """ConnectorError
    ├── NotAuthentic         401: these bytes are not from whom they claim
    ├── NotUnderstood        400 for our own channels; parked and 200 for a vendor whose signature holds
    ├── NotSupported         200, and counted
    ├── TryAgain             later, at a time
    ├── RefusedForGood       never, with a reason a person can read
    ├── Unknown              sent, but the answer was lost: it may have arrived
    └── CredentialsRejected  wake the operator
    """


class NotAuthentic(ConnectorError): ...


class NotUnderstood(ConnectorError): ...


class NotSupported(ConnectorError): ...


class TryAgain(ConnectorError):
    """Nothing happened. `after` is in seconds, 0 when nobody said when."""

    def __init__(self, reason: str, *, after: float = 1.0) -> None:
        super().__init__(reason)
        self.after = after


class RefusedForGood(ConnectorError): ...


class Unknown(ConnectorError): ...


class CredentialsRejected(ConnectorError): ...
