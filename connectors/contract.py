"""The page a channel author reads: what enters, what leaves, and what a live channel is given.

What is said stands in `content.py`. Everything here is data or a protocol; nothing imports the router, Redis or a web
framework.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NewType, Protocol, runtime_checkable
from urllib.parse import quote, unquote

import msgspec

from connectors.content import Content, ContentKind

if TYPE_CHECKING:
    from connectors.media import Media

CustomerId = NewType("CustomerId", str)
"""Our id of a person, a uuid7."""

Milliseconds = NewType("Milliseconds", int)
"""Since 1970, UTC."""

AuthorKind = Literal["customer", "bot", "agent", "system"]
DeliveryState = Literal["pending", "sent", "delivered", "read", "failed", "unknown"]


class Identity(msgspec.Struct, frozen=True):
    """A person on one channel account: `webchat:demo` and the id of the person there."""

    account: str
    id: str

    @property
    def channel(self) -> str:
        return _channel(self.account)

    def __str__(self) -> str:
        return f"{self.account}/{_quoted(self.id)}"

    @staticmethod
    def parse(text: str) -> Identity:
        return _parsed(text)


@lru_cache(maxsize=256)
def _channel(account: str) -> str:
    return account.partition(":")[0]


@lru_cache(maxsize=4096)
def _quoted(person: str) -> str:
    return quote(person, safe="")


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Identity:
    account, _, person = text.partition("/")
    return Identity(account, unquote(person) if "%" in person else person)


class Author(msgspec.Struct, frozen=True):
    kind: AuthorKind
    name: str = ""


# ── Inbound: what a connector hands in ──────────────────────────────────────────────────────────────────────────────


class Generation(msgspec.Struct, frozen=True):
    """Of what a visitor shows: worthless once a later one was used, or the visitor signed out."""

    visitor: str
    number: int


class Inbound(msgspec.Struct, frozen=True):
    """One message of one person, translated.

    `dedupe` is the platform's id of the message: a second delivery with the same one changes nothing.
    `customer` proposes an id for a person we have never met (a widget mints it into the visitor's handle).
    """

    identity: Identity
    content: Content
    dedupe: str
    at: Milliseconds
    locale: str = ""
    origin: Mapping[str, str] = {}
    customer: CustomerId | None = None
    trace: str = ""
    """32 hex digits that name this message's way in every log; made at the door when the platform gave none."""
    link: str = ""
    """A link code that came beside the words (Telegram's `/start <token>`). The door keeps only its keyed hash."""
    about: Mapping[str, str] = {}
    """What the platform says of the person (`name`, `username`): shown at the desk, never a reason to join people."""
    shown: Generation | None = None
    """Must be good for the message to be taken; looked at in the same step in which it is written."""


class Edited(msgspec.Struct, frozen=True):
    """A person changed a message that we have: `of` is its `Inbound.dedupe`, `dedupe` this change's own."""

    identity: Identity
    of: str
    content: Content
    dedupe: str
    at: Milliseconds


class Accepted(msgspec.Struct, frozen=True):
    """The message is safe. `repeated` says that it already was."""

    id: str
    seq: int
    cursor: str
    repeated: bool


class StatusReport(msgspec.Struct, frozen=True):
    """What a platform says of a message of ours: `vendor_id` as our Receipt had it, to the person `identity`."""

    identity: Identity
    vendor_id: str
    status: DeliveryState
    reason: str = ""


class Door(Protocol):
    """Where a message enters."""

    async def accept(self, inbound: Inbound) -> Accepted:
        """Write the message down for good, or raise: `NotAuthentic` (`shown`), `NotUnderstood`, `TryAgain`."""

    async def report(self, report: StatusReport) -> None:
        """Keep what a platform says of our message. One that comes too early waits; a status never goes backwards."""

    async def edited(self, edited: Edited) -> None:
        """Keep a change of a message; of one that we never had: nothing. Raises `NotUnderstood`, `TryAgain`."""

    async def reachable(self, identity: Identity, yes: bool, reason: str = "") -> None:
        """A platform says that a person can (no longer) be written to: blocked, unblocked. Raises `TryAgain`."""

    async def ready(self) -> bool:
        """Whether a message written now would be answered now."""


# ── Outbound: what a connector sends ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a channel can show and allow. Declared, not found out by failing; `connectors/fallback.py` does the rest."""

    shows: frozenset[ContentKind] = frozenset({"text"})
    longest_text: int = 4000
    """Characters of one message; longer texts are split."""
    longest_caption: int = 0
    """Characters of the words beside an image, file, place or card; longer ones follow it. 0: as `longest_text`."""
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
    introduces: bool = True
    """We say who we are on first contact; False where the platform has done so."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """One message to one person, already cut to what the channel can show (`parts`, sent in order as one message).

    `id` is our message id: the platform's idempotency key where it has one. `tries` counts from 1. `taken` parts were
    taken by the platform in an earlier try (`TryAgain.taken`) and are not sent again.
    """

    id: str
    to: Identity
    parts: tuple[Content, ...]
    author: Author
    tries: int
    taken: int = 0


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

    async def take_each(self, *wanted: tuple[str, str, Limit]) -> list[float]:
        """The same of several at once, one place each: what is full does not keep the others from being taken."""


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


@runtime_checkable
class Invites(Protocol):
    """A channel account that a customer can be led to."""

    def invitation(self, token: str) -> str:
        """The address that opens it with a link code (22 characters of A-Za-z0-9_-); empty: it is typed there."""


@runtime_checkable
class ShowsTyping(Protocol):
    async def typing(self, to: Identity) -> None:
        """Shows for some five seconds that an answer is being written. Called every four; never raises."""


@runtime_checkable
class FetchesMedia(Protocol):
    """Files of people stay with their platform until a worker asks for them: content with such a `url`."""

    async def fetch(self, url: str, into: Path, *, most_bytes: int) -> str:
        """Writes the file; its name. From the platform's own host alone. Raises `TryAgain`, `RefusedForGood`."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One line for the operator. `remedy` is one sentence, and empty where all is well; neither holds a secret."""

    level: Literal["ok", "warn", "fail"]
    says: str
    remedy: str = ""


@runtime_checkable
class Checks(Protocol):
    """A channel account that can look at itself on its platform: `bin/segue channel check <channel>.<account>`."""

    async def check(self) -> Sequence[Checked]:
        """Tries the credentials, sets on the platform what can be set by a call, and says what is wrong."""


@dataclass(frozen=True, slots=True)
class Ports:
    """What a connector is given beside its own settings."""

    door: Door
    media: Media
    public_url: str = ""
    """Where the world reaches us; empty when only this machine does."""
    once: Callable[[str, float], Awaitable[bool]] | None = None
    """False when that name was given within so many seconds, by any process."""


# ── Links: how a conversation moves ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link code that was just made: shown once, never stored in clear.

    `url` opens the channel `account` with it, and is empty where the code is typed. `code` reads ABCD-EFGH.
    """

    account: str
    url: str = field(repr=False)
    code: str = field(repr=False)
    expires_at: Milliseconds


@dataclass(frozen=True, slots=True)
class Connected:
    """One identity of a customer. `id` is opaque; `here` is the one that asks, `chosen` the one that gets replies."""

    id: str
    account: str
    here: bool
    chosen: bool
    since: Milliseconds


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
    """A message changed: `of` names it. Either its status is another, or what it says: `text` with `content`."""

    cursor: str
    prev: int
    of: int
    status: DeliveryState | None = None
    text: str | None = None
    content: Content | None = None


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
    │   └── Unreachable      this person, here, until they write again: blocked, gone
    ├── Unknown              sent, but the answer was lost: it may have arrived
    └── CredentialsRejected  wake the operator
    """


class NotAuthentic(ConnectorError): ...


class NotUnderstood(ConnectorError): ...


class NotSupported(ConnectorError): ...


class TryAgain(ConnectorError):
    """`after` is in seconds, 0 when nobody said when. Nothing happened, but that the first `taken` parts were sent."""

    def __init__(self, reason: str, *, after: float = 1.0, taken: int = 0) -> None:
        super().__init__(reason)
        self.after = after
        self.taken = taken


class RefusedForGood(ConnectorError): ...


class Unreachable(RefusedForGood):
    """The text is a short reason by name: `blocked`, `gone`, `window_shut`."""


class Unknown(ConnectorError): ...


class CredentialsRejected(ConnectorError): ...
