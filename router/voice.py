"""How the router itself speaks: entries of the journal made of its own sentences, and where they are delivered."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import msgspec
import uuid_utils

from connectors.content import Button, Buttons, Content, Text
from connectors.contract import Author, Capabilities, Identity
from connectors.fallback import numbered
from router.store import Entry, NewEntry, OfferedButton
from router.text import Sentences


class Occasion(Protocol):
    """When something is said: a turn's claim, or `Outside` of one."""

    @property
    def identity(self) -> Identity: ...
    @property
    def state(self) -> Mapping[str, str]: ...
    @property
    def turn(self) -> int: ...
    @property
    def trace(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Outside:
    """Something said to an identity outside a turn; `state` has at least what is known of its language."""

    identity: Identity
    state: Mapping[str, str]
    trace: str = ""
    turn: int = 0


_NAMED = ("webchat", "telegram", "whatsapp", "slack", "webhook")


@dataclass(frozen=True, slots=True)
class Voice:
    """`capabilities` are of every channel account that is not live: what is said there goes through the outbox."""

    sentences: Sentences
    assistant: str
    capabilities: Mapping[str, Capabilities] = field(default_factory=dict)
    privacy_url: str = ""

    def sentence(self, key: str, claim: Occasion, **facts: str) -> str:
        return self.sentences.say(key, claim.state.get("lang") or claim.state.get("loc", ""), **facts)

    def says(
        self,
        claim: Occasion,
        key: str,
        buttons: Sequence[tuple[str, str]] = (),
        *,
        to: Identity | None = None,
        facts: Mapping[str, str] = MappingProxyType({}),
    ) -> NewEntry:
        """One of our sentences, its places filled by `facts`; `buttons` are (key of the title, payload)."""
        offered = tuple(self.button(self.sentence(title, claim), payload) for title, payload in buttons)
        text = self.sentence(key, claim, **facts)
        content: Content = Text(text)
        if offered:
            content = Buttons(text, tuple(Button(button.id, button.title) for button in offered))
        return self.entry(claim, content, kind="system", buttons=offered, to=to)

    def channel(self, claim: Occasion, identity: Identity, *, as_name: bool = False) -> str:
        """A channel in words: `no Telegram`, or its name alone."""
        known = identity.channel if identity.channel in _NAMED else "other"
        return self.sentence(f"{'name' if as_name else 'channel'}_{known}", claim)

    def button(self, title: str, payload: str) -> OfferedButton:
        """With a new id of 96 bits."""
        return OfferedButton(secrets.token_urlsafe(12), title, payload)

    def entry(
        self,
        claim: Occasion,
        content: Content,
        *,
        kind: str = "bot",
        buttons: Sequence[OfferedButton] = (),
        to: Identity | None = None,
    ) -> NewEntry:
        """Something said in this turn, to the one who wrote unless `to` names another identity."""
        identity = to or claim.identity
        written = Entry(
            kind="message",
            author=Author("bot" if kind == "bot" else "system", self.assistant),
            id=str(uuid_utils.uuid7()),
            identity=str(identity),
            content=content,
            turn=claim.turn,
            trace=claim.trace,
        )
        return NewEntry(written, buttons=buttons, to=self.lanes(identity))

    def sent_to(self, new: NewEntry, to: Identity) -> NewEntry:
        """The same, said to another identity."""
        return msgspec.structs.replace(
            new, entry=msgspec.structs.replace(new.entry, identity=str(to)), to=self.lanes(to)
        )

    def lanes(self, identity: Identity) -> tuple[Identity, ...]:
        """Where it is delivered: a live channel reads the journal by itself."""
        return (identity,) if identity.account in self.capabilities else ()

    def numbered(self, entries: Sequence[NewEntry]) -> str:
        """The buttons of the last thing said, when its channel can only show them as numbers."""
        if not entries or entries[-1].entry.content is None:
            return ""
        last = entries[-1].entry
        capabilities = self.capabilities.get(Identity.parse(last.identity).account)
        if capabilities is None or last.content is None:
            return ""
        return " ".join(numbered(last.content, capabilities))
