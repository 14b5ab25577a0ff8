"""What may happen now. Pure rules: facts in, decision out, no I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

import msgspec

from connectors.content import Content, Text
from connectors.contract import CustomerId, Identity

Control = Literal["bot", "queued", "human"]
"""Who may speak."""

Answerer = Literal["bot", "people", "nobody"]

MOST_ATTEMPTS = 5
"""Claims of one batch without a commit, before it is given up: each of them is a worker that died."""

LONGEST_TEXT = 4096
"""Characters that a customer may write at once: what Telegram lets them."""


class Facts(msgspec.Struct, frozen=True):
    """What a turn is decided on."""

    control: Control
    attempts: int


def who_answers(facts: Facts) -> Answerer:
    """The bot speaks only while it has control. A batch that kills workers gets an apology instead of a sixth try."""
    if facts.control != "bot":
        return "people"
    return "nobody" if facts.attempts > MOST_ATTEMPTS else "bot"


def is_first_contact(last: str) -> bool:
    """Whether nobody was answered yet: `last` names the identity that the last answer went to.

    A message may have come before, and a person answered it: the assistant introduces itself when it speaks first.
    """
    return not last


def joins_burst(content: Content) -> bool:
    """Quick texts are one turn; a tap on a button or a file stands alone and is never delayed."""
    return isinstance(content, Text)


def wordless(batch: tuple[Content, ...]) -> bool:
    """Files without a word beside them: there is nothing to ask the bot."""
    return not "".join([content.text for content in batch]).strip()


class Asked(msgspec.Struct, frozen=True):
    """What the bot is given: the words of a batch, or the meaning of a button."""

    text: str = ""
    payload: str = ""


def chosen(text: str, numbered: tuple[str, ...]) -> str | None:
    """The button that a typed number means: only while those numbers are the last thing that was asked."""
    number = text.strip().rstrip(".)")
    if number.isascii() and number.isdigit() and 1 <= int(number) <= len(numbered):
        return numbered[int(number) - 1]
    return None


def asked(batch: tuple[Content, ...], payload: str | None) -> Asked:
    """The texts of a burst joined by newlines; a known button by its payload, an unknown one by its visible title."""
    if payload is not None:
        return Asked(payload=payload)
    return Asked(text="\n".join([content.text for content in batch if content.text]))


# ── moving a conversation ───────────────────────────────────────────────────────────────────────────────────────────


class Side(msgspec.Struct, frozen=True):
    """One side of a link: who it is, the signed logins it has, and whether it said anything before."""

    customer: CustomerId
    logins: frozenset[str]
    fresh: bool


LinkVerdict = Literal["same", "two_logins", "ask_redeemer", "ask_maker", "merge"]


def link_verdict(redeemer: Side, maker: Side, *, agreed: bool = False) -> LinkVerdict:
    """Who has something to disclose confirms, on their own channel (decision 0005). `agreed`: the redeemer has.

    A leaked code shows its finder the open case alone; a code that an attacker gave to a victim asks the victim first.
    """
    if redeemer.customer == maker.customer:
        return "same"
    if redeemer.logins and maker.logins and redeemer.logins != maker.logins:
        return "two_logins"
    if not agreed and (redeemer.logins or not redeemer.fresh):
        return "ask_redeemer"
    return "ask_maker" if maker.logins else "merge"


def signed_logins(identities: Iterable[Identity]) -> frozenset[str]:
    """Those for whom a shop's server vouched: `webchat:<site>` and `u:<its id of the person>`."""
    return frozenset(str(one) for one in identities if one.channel == "webchat" and one.id.startswith("u:"))


# ── where a reply goes ──────────────────────────────────────────────────────────────────────────────────────────────


class Route(msgspec.Struct, frozen=True):
    """`to` None: nobody can be written to; it is held until the customer comes."""

    to: Identity | None
    why: Literal["used", "chosen", "unreachable", "held"]


def route(used: Identity, chosen: Identity | None, others: Sequence[Identity], barred: Collection[Identity]) -> Route:
    """The channel that the customer chose, else the one last used; if it cannot be written to, the next by last use."""
    if chosen and chosen not in barred:
        return Route(chosen, "used" if chosen == used else "chosen")
    if used not in barred:
        return Route(used, "used")
    for other in others:
        if other not in barred:
            return Route(other, "unreachable")
    return Route(None, "held")
