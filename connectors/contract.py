"""The page a channel author reads: what enters, what leaves, and what a live channel is given.

Everything here is data or a protocol. Nothing imports the router, Redis or a web framework.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
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
        return f"{self.account}/{quote(self.id, safe='')}"

    @classmethod
    def parse(cls, text: str) -> Identity:
        account, _, person = text.partition("/")
        return cls(account, unquote(person))


# ── Content: one model for every channel ────────────────────────────────────────────────────────────────────────────


class Button(msgspec.Struct, frozen=True):
    """Something to tap. The id is opaque; what it means is known to the store alone."""

    id: str
    title: str


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


Content = Text | Buttons | Choice | Image


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


@dataclass(frozen=True, slots=True)
class Accepted:
    """The message is safe. `repeated` says that it already was."""

    id: str
    seq: int
    cursor: str
    repeated: bool


class Door(Protocol):
    """Where a message enters."""

    async def accept(self, inbound: Inbound) -> Accepted:
        """Write the message down for good, or raise: `NotUnderstood`, `TryAgain`."""

    async def ready(self) -> bool:
        """Whether a message written now would be answered now."""


# ── Feed: what a live channel reads ─────────────────────────────────────────────────────────────────────────────────


class Author(msgspec.Struct, frozen=True):
    kind: AuthorKind
    name: str = ""


class Message(msgspec.Struct, frozen=True):
    """A message as a reader sees it. `content` is None for plain text; `at` is when we received it."""

    id: str
    seq: int
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
    └── CredentialsRejected  wake the operator
    """


class NotAuthentic(ConnectorError): ...


class NotUnderstood(ConnectorError): ...


class NotSupported(ConnectorError): ...


class TryAgain(ConnectorError):
    """Nothing was written. `after` is in seconds."""

    def __init__(self, reason: str, *, after: float = 1.0) -> None:
        super().__init__(reason)
        self.after = after


class RefusedForGood(ConnectorError): ...


class CredentialsRejected(ConnectorError): ...
