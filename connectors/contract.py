"""The page a channel author reads: what enters, what leaves, and what a live channel is given.

Everything here is data or a protocol. Nothing imports the router, Redis or a web framework.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NewType, Protocol
from urllib.parse import quote, unquote

import msgspec

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


# ── Content: one model for every channel ────────────────────────────────────────────────────────────────────────────


class Button(msgspec.Struct, frozen=True):
    """Something to tap. The id is opaque; what it means is known to the store alone."""

    id: str
    title: str


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a list to choose from."""

    id: str
    title: str
    description: str = ""


class Card(msgspec.Struct, frozen=True, omit_defaults=True):
    title: str
    text: str = ""
    image: str = ""
    url: str = ""
    buttons: tuple[Button, ...] = ()


class Text(msgspec.Struct, frozen=True, tag="text"):
    """The safe Markdown subset: bold, italic, code, links, lists, line breaks."""

    text: str


class Buttons(msgspec.Struct, frozen=True, tag="buttons"):
    text: str
    buttons: tuple[Button, ...]


class Choice(msgspec.Struct, frozen=True, tag="choice"):
    """A customer's tap on an offered button; `text` is the title that the customer saw."""

    text: str
    button: str


class Image(msgspec.Struct, frozen=True, tag="image", omit_defaults=True):
    url: str
    alt: str = ""
    text: str = ""


class File(msgspec.Struct, frozen=True, tag="file", omit_defaults=True):
    url: str
    name: str = ""
    text: str = ""


class Audio(msgspec.Struct, frozen=True, tag="audio", omit_defaults=True):
    url: str
    text: str = ""


class Video(msgspec.Struct, frozen=True, tag="video", omit_defaults=True):
    url: str
    text: str = ""


class Location(msgspec.Struct, frozen=True, tag="location", omit_defaults=True):
    """Degrees, WGS 84."""

    latitude: float
    longitude: float
    name: str = ""
    text: str = ""


class List(msgspec.Struct, frozen=True, tag="list", omit_defaults=True):
    """A longer choice than buttons; `action` opens it where the platform hides the rows."""

    text: str
    rows: tuple[Row, ...]
    action: str = ""


class Carousel(msgspec.Struct, frozen=True, tag="carousel", omit_defaults=True):
    cards: tuple[Card, ...]
    text: str = ""


class Template(msgspec.Struct, frozen=True, tag="template", omit_defaults=True):
    """A text that the platform has approved; `text` is how it reads when filled in."""

    name: str
    language: str
    values: tuple[str, ...] = ()
    text: str = ""


class Survey(msgspec.Struct, frozen=True, tag="survey"):
    """One question with a scale; each button is a grade."""

    text: str
    buttons: tuple[Button, ...]


Content = Text | Buttons | Choice | Image | File | Audio | Video | Location | List | Carousel | Template | Survey

ContentKind = Literal[
    "text", "buttons", "image", "file", "audio", "video", "location", "list", "carousel", "template", "survey"
]
"""What we may want to show; `choice` only ever comes in."""


def choices(content: Content) -> tuple[Button, ...]:
    """Everything in it that can be tapped, in the order in which it is shown."""
    match content:
        case Buttons() | Survey():
            return content.buttons
        case List():
            return tuple(Button(row.id, row.title) for row in content.rows)
        case Carousel():
            return tuple(button for card in content.cards for button in card.buttons)
        case _:
            return ()


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
