"""What the store gives and takes: plain values, no Redis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from connectors.content import Content
from connectors.contract import Author, CustomerId, Identity, Milliseconds

Audience = Literal["customer", "agents"]
EntryKind = Literal["message", "status", "edit", "redaction", "control", "note", "merged", "unmerged"]


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One journal entry as it is written (docs/decisions/0001)."""

    kind: EntryKind
    author: Author
    id: str = ""
    identity: str = ""
    content: Content | None = None
    at: int = 0
    turn: int = 0
    of: int = 0
    status: str = ""
    reason: str = ""
    trace: str = ""
    link: str = ""
    """Keyed hash of the link code that came with it."""


class Written(msgspec.Struct, frozen=True):
    """A journal entry as it is read."""

    seq: int
    prev: int
    received: Milliseconds
    audience: Audience
    conversation: str
    entry: Entry


class Enqueued(msgspec.Struct, frozen=True):
    seq: int
    journal: str
    id: str
    repeated: bool


class OfferedButton(msgspec.Struct, frozen=True):
    """A button as the store keeps it: what it means, and what the customer saw."""

    id: str
    title: str
    payload: str


class Claim(msgspec.Struct, frozen=True):
    """The right to work on one customer, and everything a turn needs."""

    customer: CustomerId
    now: Milliseconds
    lease: int
    turn: int
    attempts: int
    state: Mapping[str, str]
    window: bytes
    batch: tuple[Written, ...]
    turn_id: str
    identity: Identity
    """of who wrote last, as `trace`"""
    trace: str


class NewEntry(msgspec.Struct, frozen=True):
    """`to` are the identities, on channels that are not live, to which it is to be delivered."""

    entry: Entry
    audience: Audience = "customer"
    buttons: Sequence[OfferedButton] = ()
    to: Sequence[Identity] = ()


class Commit(msgspec.Struct, frozen=True):
    """What a turn leaves behind. `window` None leaves the dialogue as it was; an empty state value removes a field."""

    entries: Sequence[NewEntry] = ()
    state: Mapping[str, str] = {}
    window: bytes | None = None
    events: Sequence[str] = ()
    dead: str = ""


class Committed(msgspec.Struct, frozen=True):
    """`after` is in how many milliseconds those that wait may be claimed."""

    seqs: tuple[int, ...]
    waiting: int
    after: int = 0


@dataclass(frozen=True, slots=True)
class Lane:
    """What goes to one customer on one channel account, in order."""

    customer: CustomerId
    account: str


@dataclass(frozen=True, slots=True)
class Try:
    """The right to send the head of a lane once."""

    lane: Lane
    fence: int
    tries: int
    seq: int
    identity: Identity
    entry: Entry
    taken: int = 0
    """Parts that the platform took in an earlier try."""


SendResult = Literal["sent", "retry", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Bucket:
    """At most `burst` at once, then one each `every` milliseconds; `every` 0 is no limit."""

    every: float = 0
    burst: int = 1


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A batch that was given up, by reference: its words stay in the journal."""

    id: str
    customer: CustomerId
    turn: int
    seqs: tuple[int, ...]
    reason: str


class ControlMoved(Exception):
    """Somebody changed who has control since it was looked at; `number` and `control` are today's."""

    def __init__(self, number: int, control: str) -> None:
        super().__init__(f"control is {control}, number {number}")
        self.number = number
        self.control = control


class StoreError(Exception):
    """StoreError
    ├── StoreUnavailable   Redis did not answer, or has no room: try again
    │   └── Moving         the customer is being taken over by another just now: try again
    ├── MailboxFull        this customer has too many messages waiting: try again
    ├── NotMine            the identity belongs to another customer by now: look again
    ├── Erased             the customer was erased
    ├── PassedOver         what the visitor showed is good no more
    ├── Moved              the customer was taken over: go to the survivor
    ├── Busy               another merge of one of the two is under way: try later
    ├── NotUndone          a merge cannot be undone, and why
    └── LeaseLost          somebody else works on this customer, or did
    """


class MailboxFull(StoreError): ...


class NotMine(StoreError): ...


class Erased(StoreError): ...


class PassedOver(StoreError): ...


class LeaseLost(StoreError): ...


class StoreUnavailable(StoreError):
    """Redis did not answer, or refused. What was asked may or may not have happened."""


class Moving(StoreUnavailable): ...


class Moved(StoreError):
    def __init__(self, customer: CustomerId, survivor: CustomerId) -> None:
        super().__init__(f"{customer} was taken over by {survivor}")
        self.survivor = survivor


class Busy(StoreError): ...


class NotUndone(StoreError):
    """The reason is a sentence for whoever asked."""


def why_gone(customer: CustomerId, why: bytes | str) -> StoreError:
    """What `gone` in the state of a customer means to who asked for them."""
    said = why.decode() if isinstance(why, bytes) else why
    what, _, who = said.partition(" ")
    match what:
        case "moving":
            return Moving(f"{customer} is being taken over")
        case "moved":
            return Moved(customer, CustomerId(who))
        case _:
            return Erased(customer)
