"""Where a reply goes when that is not simply where the customer wrote last. The rules stand in conversation.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from connectors.contract import Author, CustomerId, Identity
from router import conversation, metrics
from router.conversation import Route
from router.store import Claim, Commit, Entry, Store, Try
from router.voice import Outside, Voice

log = structlog.get_logger()

_LOOKED_AT = 200
"""Entries of the journal in which the order of the channels by last use is found."""


@dataclass(frozen=True, slots=True)
class Routing:
    store: Store
    voice: Voice

    async def of(self, claim: Claim, chosen: str) -> tuple[Route, Commit]:
        """The route of this turn's answers, and what is said about it where the customer wrote, once a conversation."""
        used = claim.identity
        route = await self._route(claim.customer, used, Identity.parse(chosen))
        if route.to in (None, used):
            return Route(used, route.why), Commit()
        mark = await self._unheard(claim.customer, used, "chosen")
        if not mark:
            return route, Commit()
        notice = self.voice.says(
            claim, "chosen_elsewhere", facts={"channel": self.voice.channel(claim, route.to or used)}
        )
        return route, Commit(entries=[notice], state=mark)

    async def moved_on(self, claim: Claim, last: str) -> Commit:
        """Told once a conversation on the channel that the customer left. A live one shows everything by itself."""
        left = Identity.parse(last)
        if not self.voice.lanes(left):
            return Commit()
        mark = await self._unheard(claim.customer, left, "left")
        if not mark or left not in await self.store.links.identities(claim.customer):
            return Commit()
        notice = self.voice.says(
            claim, "moved_on", to=left, facts={"channel": self.voice.channel(claim, claim.identity)}
        )
        return Commit(entries=[notice], state=mark)

    async def failed(self, attempt: Try, reason: str) -> None:
        """A platform says that this person cannot be written to there: the message goes where it can, or is held.

        Named by its seq, so that a sender who dies in the middle does it again and nothing happens twice.
        """
        customer, failed = attempt.lane.customer, attempt.identity
        await self.store.reachable(customer, failed, reason)
        if attempt.entry.author.kind == "system":
            return  # a notice of ours about channels is not carried after the customer
        chosen = (await self.store.state(customer, "to")).get("to")
        route = await self._route(customer, failed, Identity.parse(chosen) if chosen else None)
        metrics.REROUTED.labels(route.why, failed.channel).inc()
        log.info("reply.rerouted", account=failed.account, why=route.why, seq=attempt.seq, trace=attempt.entry.trace)
        state = await self.store.state(customer, "lang", "loc", "cid")
        if route.to is not None:
            occasion = Outside(route.to, state, attempt.entry.trace)
            words = self.voice.says(
                occasion, "could_not_reach", facts={"channel": self.voice.channel(occasion, failed)}
            )
            await self.store.links.announce(customer, f"failed/{failed}/{state.get('cid', '')}", words)
        why = Entry(
            kind="note",
            author=Author("system"),
            identity=str(route.to or failed),
            of=attempt.seq,
            reason=f"{route.why}: {reason}",
            trace=attempt.entry.trace,
        )
        # A live channel has the message already: its journal is what it shows.
        by_lane = route.to if route.to and self.voice.lanes(route.to) else None
        await self.store.links.relane(customer, f"reroute/{attempt.seq}/{failed}", attempt.seq, why, by_lane)

    async def _route(self, customer: CustomerId, used: Identity, chosen: Identity | None) -> Route:
        identities = await self.store.links.identities(customer)
        barred = await self.store.links.barred(customer, identities)
        others = await self._by_last_use(customer, [one for one in identities if one != used])
        return conversation.route(used, chosen if chosen in identities else None, others, barred)

    async def _by_last_use(self, customer: CustomerId, identities: Sequence[Identity]) -> list[Identity]:
        rows = await self.store.journal(customer, newest=True, limit=_LOOKED_AT)
        last = {row.entry.identity: row.seq for row in rows if row.entry.author.kind == "customer"}
        return sorted(identities, key=lambda one: last.get(str(one), 0), reverse=True)

    async def _unheard(self, customer: CustomerId, identity: Identity, what: str) -> dict[str, str]:
        """The mark to be left when this is said now; empty when this conversation has heard it."""
        field = f"nt:{identity}"
        state = await self.store.state(customer, "cid", field)
        conversation_id, *heard = state.get(field, "").split() or [""]
        if conversation_id != state.get("cid", ""):
            heard = []
        return {} if what in heard else {field: " ".join((state.get("cid", ""), *heard, what))}
