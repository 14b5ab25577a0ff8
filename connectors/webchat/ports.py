"""What the widget's API is given: the shop as it shows it, its sites, and what it asks of the router."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from connectors.contract import Connected, CustomerId, Identity, Invitation

Verdict = Literal["ok", "passed", "out"]
"""Of a handle or token: good, of a passed-over generation, or of a visitor who signed out."""


class Refused(Exception):
    """An answer other than 2xx that is not one of the contract's errors. `retry_after` in seconds, 0: never."""

    def __init__(self, status: int, detail: str, *, retry_after: float = 0) -> None:
        super().__init__(detail)
        self.status = status
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Brand:
    """What the widget shows of the shop. `say` gives a sentence by key and language."""

    name: str
    assistant: str
    privacy_url: str
    say: Callable[[str, str], str]
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class FormField:
    """One question before the first message. Label and options are told in the visitor's language."""

    key: str
    label: Mapping[str, str]
    type: Literal["text", "email", "tel", "choice"] = "text"
    required: bool = False
    options: tuple[str, ...] = ()

    def shown(self, locale: str) -> dict[str, Any]:
        return {
            "key": self.key,
            "label": self.label[locale],
            "type": self.type,
            "required": self.required,
            "options": list(self.options),
        }


@dataclass(frozen=True, slots=True)
class Site:
    """A web site that shows the widget. Secrets are at most two; sentences have both languages or none."""

    locale: str = "pt-BR"
    identity_secrets: tuple[str, ...] = field(default=(), repr=False)
    enforce: bool = False
    color: str = ""
    notice: Mapping[str, str] = field(default_factory=dict)
    notice_url: str = ""
    must_accept: bool = False
    form: tuple[FormField, ...] = ()
    reply_time: Mapping[str, str] = field(default_factory=dict)
    upload: bool = True


class Visits(Protocol):
    """What the router keeps of a visitor: generations, sign-out, who a person is."""

    async def admit(self, identity: Identity, known: CustomerId, visitor: str, generation: int) -> Verdict:
        """Whether a token of this generation is good now. The first use of a generation passes over all before."""

    async def follow_up(self, identity: Identity, known: CustomerId, visitor: str, generation: int) -> Verdict:
        """A handle of this generation was shown: if it is good, the next one may be given out."""

    async def sign_out(self, identity: Identity, known: CustomerId, visitor: str) -> None:
        """From now on no handle and no token of this visitor is good."""

    async def customer_of(
        self, person: Identity, visitor: Identity | None, known: CustomerId
    ) -> tuple[CustomerId | None, bool]:
        """Of a verified person: the customer that they are; else the visitor's, which they join; None: none yet.

        The second says whether the visitor's own conversation is theirs now; if not, it stays where it is: it is
        another person's, or there is none. Raises `TryAgain` while the two become one.
        """

    async def once(self, name: str, seconds: float) -> bool:
        """False when that name was given within its time."""

    async def tell(self, identity: Identity, known: CustomerId, about: Mapping[str, str]) -> bool:
        """Keeps for the desk what a form or a site said of the customer. False while there is no such customer."""


class Links(Protocol):
    """How a customer carries the conversation elsewhere. Everything may raise `TryAgain`."""

    def offered(self) -> tuple[str, ...]:
        """The channel accounts at which a conversation can go on."""

    async def invite(self, identity: Identity, known: CustomerId, account: str) -> Invitation:
        """A new link code to that account. Raises `NotUnderstood` for one that is not offered."""

    async def connected(self, identity: Identity, known: CustomerId) -> tuple[Connected, ...]:
        """Everywhere this customer is known, the one that asks among them."""

    async def unlink(self, identity: Identity, known: CustomerId, which: str) -> bool:
        """That identity is somebody of its own from now on. False when it is none of this customer's."""

    async def choose(self, identity: Identity, known: CustomerId, which: str) -> None:
        """Replies go there; with an empty `which` to where the customer wrote last. Raises `NotUnderstood`."""
