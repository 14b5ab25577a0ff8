"""Step one of a message's path: identity → customer, written down once, acknowledged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog
import uuid_utils

from connectors.content import Audio, Choice, Content, File, Image, Location, Placeholder, Text, Video
from connectors.contract import (
    Accepted,
    Author,
    CustomerId,
    Edited,
    Identity,
    Inbound,
    NotAuthentic,
    NotUnderstood,
    StatusReport,
    TryAgain,
)
from router import codes, conversation, metrics
from router.masking import masked_content
from router.store import (
    Enqueued,
    Entry,
    Erased,
    MailboxFull,
    Moved,
    Moving,
    NotMine,
    PassedOver,
    Store,
    StoreUnavailable,
)
from router.store.kin import PATIENCE, at_home

log = structlog.get_logger()

_CUSTOMER = Author("customer")
_WORDLESS = Image | File | Audio | Video | Location | Placeholder
"""What may come without a word beside it."""


@dataclass(frozen=True, slots=True)
class Ingest:
    """The `Door` of contract.py."""

    store: Store
    window: Callable[[str], int]
    """The burst window of a channel, in milliseconds."""
    answers_now: Callable[[], Awaitable[bool]]
    digest: Callable[[str, str], str]
    """A keyed hash by purpose and text: link codes are known by nothing else."""
    masked: Callable[[str], str] = str
    """What may be kept of words: numbers that are not to be stored are masked in them."""
    no_room: Callable[[], str] = lambda: ""
    """Why messages are turned away now; empty when there is room."""

    async def ready(self) -> bool:
        return await self.answers_now()

    async def accept(self, inbound: Inbound) -> Accepted:
        """Raises `NotUnderstood` for what can never be taken, `NotAuthentic`, `TryAgain` when nothing was written."""
        if why := self.no_room():
            metrics.REFUSED.labels(why).inc()
            raise TryAgain("no room for more messages just now", after=10)
        try:
            enqueued = await self._enqueue(inbound)
        except PassedOver as error:
            raise NotAuthentic("it was replaced or signed out") from error
        except MailboxFull as error:
            raise TryAgain("too many messages are waiting", after=5) from error
        except StoreUnavailable as error:
            log.warning("ingest.store_unavailable", channel=inbound.identity.channel, error=str(error))
            raise TryAgain("the store does not answer", after=1) from error
        metrics.ACCEPTED.inc(inbound.identity.channel, "true" if enqueued.repeated else "false")
        return Accepted(
            id=enqueued.id,
            seq=enqueued.seq,
            cursor=f"{enqueued.journal}.{enqueued.seq}",
            repeated=enqueued.repeated,
        )

    async def report(self, report: StatusReport) -> None:
        """Raises `TryAgain` when nothing was written."""
        identity = report.identity
        try:
            customer = await self.store.find_customer(identity)
            if customer is None:
                # Of a person we do not know (any more): there is no message to find.
                metrics.RECEIPTS.labels(identity.channel, "unknown_person").inc()
                return
            seq = await at_home(
                customer,
                lambda known: self.store.lanes.receipt(
                    known, identity.account, report.vendor_id, report.status, report.reason
                ),
            )
        except StoreUnavailable as error:
            raise TryAgain("the store does not answer", after=1) from error
        kept = {0: "early", -1: "nothing_new"}.get(seq, report.status)
        metrics.RECEIPTS.labels(identity.channel, kept).inc()

    async def edited(self, edited: Edited) -> None:
        """Raises `NotUnderstood`, `TryAgain`. A turn that has begun is not run again for it."""
        identity = edited.identity
        try:
            customer = await self.store.find_customer(identity)
            if customer is None:
                return
            customer, seq = await self.store.find_message(
                await self.store.kin.home(customer), identity.account, edited.of
            )
            if not seq:
                return
            content = self._checked(await self._meant(customer, edited.content))
            entry = Entry(kind="edit", author=_CUSTOMER, identity=str(identity), content=content, of=seq, at=edited.at)
            name = f"{identity.account}/{edited.dedupe}"
            await at_home(
                customer,
                lambda whose: self.store.append(
                    whose, name, entry, audience="customer", event="message.edited", channel=identity.channel
                ),
            )
        except StoreUnavailable as error:
            raise TryAgain("the store does not answer", after=1) from error

    async def reachable(self, identity: Identity, yes: bool, reason: str = "") -> None:
        """Raises `TryAgain`."""
        try:
            customer = await self.store.find_customer(identity)
            if customer:
                customer = await self.store.kin.home(customer)
                await self.store.reachable(customer, identity, "" if yes else reason or "blocked")
        except StoreUnavailable as error:
            raise TryAgain("the store does not answer", after=1) from error

    async def _enqueue(self, inbound: Inbound) -> Enqueued:
        proposed = inbound.customer or _new_customer()
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            customer = self.store.remembered(inbound.identity) or await self._customer(inbound, proposed)
            try:
                content, link = self._plain(inbound) or await self._looked_up(customer, inbound)
                return await self._write(customer, inbound, content, link)
            except Moved as moved:
                # Who took this customer over has the identity now, whatever the hint still says.
                self.store.forget_remembered(inbound.identity)
                await self.store.merges.repoint([str(inbound.identity)], customer, moved.survivor)
            except Moving:
                await asyncio.sleep(0.02)
            except NotMine:
                # Moved to another customer since we looked; whoever moves it also writes the hint.
                self.store.forget_remembered(inbound.identity)
                if owner := await self.store.merges.owner_of(customer, inbound.identity):
                    await self.store.merges.repoint([str(inbound.identity)], customer, owner)
                else:
                    await asyncio.sleep(0.05)
            except Erased:
                await self.store.forget_identity(inbound.identity, customer)
                proposed = _new_customer()
        raise TryAgain("this customer is being moved", after=2)

    def _plain(self, inbound: Inbound) -> tuple[Content, str] | None:
        """Words that need no look into the store, and no link code; None of anything else."""
        content = inbound.content
        if not isinstance(content, Text) or inbound.link or codes.may_be_in(content.text):
            return None
        return self._checked(content), ""

    async def _looked_up(self, customer: CustomerId, inbound: Inbound) -> tuple[Content, str]:
        """The content as it may be kept, and the keyed hash of the link code that came with it, or nothing."""
        content = self._checked(await self._meant(customer, inbound.content))
        if inbound.link:
            return content, await self._named(inbound.link)
        return await self._without_code(content) if isinstance(content, Text) else (content, "")

    def _write(self, customer: CustomerId, inbound: Inbound, content: Content, link: str) -> Awaitable[Enqueued]:
        window = self.window(inbound.identity.channel)
        # One number for all that begins here: the message, its trace, and the conversation if none is open; its
        # second half, which is random, names the journal if this is a customer's first message.
        made = uuid_utils.uuid7()
        name, digits = str(made), made.hex
        entry = Entry(
            kind="message",
            author=_CUSTOMER,
            id=name,
            identity=str(inbound.identity),
            content=content,
            at=inbound.at,
            trace=inbound.trace or digits,
            link=link,
        )
        return self.store.enqueue(
            customer,
            inbound.identity,
            entry,
            dedupe=inbound.dedupe,
            joins=window > 0 and not link and conversation.joins_burst(content),
            window=window,
            journal=digits[16:],
            conversation=name,
            locale=inbound.locale,
            origin=self._origin(inbound.origin),
            shown=inbound.shown,
        )

    async def _customer(self, inbound: Inbound, proposed: CustomerId) -> CustomerId:
        known = await self.store.remembered_customer(inbound.identity)
        return known or await self.store.adopt_identity(inbound.identity, proposed)

    async def _without_code(self, content: Text) -> tuple[Content, str]:
        for code in codes.found_in(content.text):
            if link := await self.store.links.named(self.digest("code", code)):
                return Text(codes.hidden(content.text, code)), link
        if codes.is_nothing_else(content.text):
            # One that we never made, or have forgotten: it is answered as what it was meant to be.
            return Text(codes.HIDDEN), self.digest("code", content.text)
        return content, ""

    async def _named(self, link: str) -> str:
        if code := codes.typed(link):
            typed = self.digest("code", code)
            return await self.store.links.named(typed) or typed
        return self.digest("token", link)

    def _origin(self, told: Mapping[str, str]) -> Mapping[str, str]:
        return {name: self.masked(said) for name, said in told.items()} if self.masked is not str else told

    async def _meant(self, customer: CustomerId, content: Content) -> Content:
        """A tap with the title that we gave the button; of one that is no longer known the title counts as typed."""
        if not isinstance(content, Choice):
            return content
        offered = await self.store.find_button(customer, content.button)
        return Choice(text=offered.title, button=content.button) if offered else Text(content.text)

    def _checked(self, content: Content) -> Content:
        if isinstance(content, Choice):
            return content  # our own words
        text = content.text.strip()
        if not text and not isinstance(content, _WORDLESS):
            raise NotUnderstood("an empty message")
        if len(text) > conversation.LONGEST_TEXT:
            raise NotUnderstood(f"a message of more than {conversation.LONGEST_TEXT} characters")
        return masked_content(content, self.masked) if self.masked is not str else content


def _new_customer() -> CustomerId:
    return CustomerId(str(uuid_utils.uuid7()))
