"""A conversation moves: a link code is redeemed, confirmed, refused or undone, and goes on where the customer is now.

Everything here happens inside a turn of the one who wrote; what it does to others is named, so that a turn which is run
again does it once (decision 0005). The words are sentences of ours; the bot is not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from types import MappingProxyType

import msgspec
import structlog

from connectors.content import Command, Content
from connectors.contract import Author, CustomerId, Identity, Milliseconds
from router import conversation, metrics
from router.conversation import Side
from router.merging import Merging
from router.store import Bucket, Busy, Claim, Commit, Entry, Merge, NewEntry, NotUndone, Store, links
from router.store.kin import at_home
from router.store.links import Link
from router.voice import Occasion, Outside, Voice

log = structlog.get_logger()

OURS = "segue:"
"""Payloads that begin so are the router's own buttons; the bot never sees them."""

TRIES = Bucket(every=120_000, burst=5)
"""Codes that one identity may try: five at once, then one in two minutes."""

UNDISPUTED = 10 * 60_000
"""Milliseconds in which the maker can take a merge back by one tap; so long the other side sees the open case alone."""

ANSWER_WITHIN = links.LIFE
"""Milliseconds in which a question about a code can be answered."""


@dataclass(frozen=True, slots=True)
class Linking:
    """`digest` is keyed; `places` says where a live account is, for people who must recognise it."""

    store: Store
    merging: Merging
    voice: Voice
    digest: Callable[[str, str], str]
    zone: tzinfo
    places: Mapping[str, str] = field(default_factory=dict)

    # ── a code came with the message ────────────────────────────────────────────────────────────────────────────────

    async def redeem(self, claim: Claim) -> Commit:
        entry = claim.batch[0].entry
        found = await self.store.links.claim(entry.link, entry.id, claim.customer, claim.identity)
        if not isinstance(found, Link):
            return await self._no_good(claim, found)
        if found.state == "done":
            return Commit()  # this very message, run again or moved along: its merge is under way, or has happened
        if not await self._still_good(found):
            await self.store.links.settle(found.name, ["claimed"], "refused")
            return await self._no_good(claim, "expired")
        return await self._decided(claim, found, agreed=False)

    async def _decided(self, claim: Claim, link: Link, *, agreed: bool) -> Commit:
        maker, redeemer = await self._side(link.maker), await self._side(claim.customer, before=claim.batch[0].seq)
        match conversation.link_verdict(redeemer, maker, agreed=agreed):
            case "same":
                await self.store.links.settle(link.name, ["claimed", "asked"], "done")
                return await self.arrived(claim, link.identity)
            case "merge":
                return await self._merge(claim, link, maker.customer, redeemer.customer, claim.identity)
            case "ask_redeemer":
                await self.store.links.settle(link.name, ["claimed"], "asked")
                buttons = [
                    ("button_yes_me", f"{OURS}link:yes:{link.name}"),
                    ("button_no", f"{OURS}link:no:{link.name}"),
                ]
                facts = self._facts(claim, link.identity, link.made, now=claim.now)
                return self._said(claim, "link_ask_redeemer", buttons, event="link.asked", facts=facts)
            case "ask_maker":
                await self.store.links.settle(link.name, ["claimed", "asked"], "waits")
                await self._ask_maker(claim, link)
                return self._said(claim, "link_wait_maker", event="link.asked", facts=self._facts(claim, link.identity))
            case "two_logins":
                await self.store.links.settle(link.name, ["claimed", "asked"], "refused")
                for one, other in ((maker, redeemer), (redeemer, maker)):
                    await self.store.links.suspect(one.customer, other.customer, "two_logins")
                return self._said(claim, "link_two_logins", event="merge.wanted")

    async def _merge(self, claim: Claim, link: Link, maker: CustomerId, redeemer: CustomerId, to: Identity) -> Commit:
        """Begun here, driven behind the commit of this turn. The arrival is a turn of the survivor."""
        begun = await self.merging.begin(
            link.name[:22],
            maker=maker,
            redeemer=redeemer,
            source=link.identity,
            to=to,
            reason="link",
            said=claim.batch[0].seq if redeemer == claim.customer else 0,
        )
        await self.store.links.settle(link.name, ["claimed", "asked", "waits"], "done")
        metrics.LINKS.labels("redeemed", f"{link.identity.channel}>{to.channel}").inc()
        if begun is None:
            return await self.arrived(claim, link.identity)
        # What was typed right behind the code is for the joined conversation: no turn slips in before it is one.
        await self.store.merges.hold(claim.customer, begun.id)
        log.info("link.redeemed", merge=begun.id, survivor=begun.survivor, trace=claim.trace)
        self.merging.soon(begun)
        return Commit()

    async def _no_good(self, claim: Claim, why: str) -> Commit:
        """The same words whatever was wrong with it, and only so often: codes are not to be guessed."""
        identity = self.digest("redeem", str(claim.identity))
        wait = await self.store.visitors.wait_for(identity, TRIES, 1)
        metrics.LINKS.labels(why, claim.identity.channel).inc()
        return self._said(claim, "link_too_many" if wait else "link_not_good", event=f"link.{why}")

    async def _still_good(self, link: Link) -> bool:
        """Sign-out, a disconnected channel and a conversation that is over end a code before its time."""
        maker = await self.store.kin.home(link.maker)
        state = await self.store.state(maker, "cid", "lk")
        return link.conversation in ("", state.get("cid")) and int(state.get("lk", 0)) == link.generation

    async def _side(self, customer: CustomerId, *, before: int = 0) -> Side:
        living = await self.store.kin.home(customer)
        identities = await self.store.links.identities(living)
        said = await self.store.journal(living, before=before, limit=50) if len(identities) < 2 else []
        fresh = len(identities) < 2 and not any(_says_something(row.entry) for row in said)
        return Side(living, conversation.signed_logins(identities), fresh)

    async def _ask_maker(self, claim: Claim, link: Link) -> None:
        maker = await self.store.kin.home(link.maker)
        state = await self.store.state(maker, "lang", "loc")
        theirs = Outside(link.identity, state, claim.trace)
        new = self.voice.says(
            theirs,
            "link_ask_maker",
            [("button_yes_me", f"{OURS}link:allow:{link.name}"), ("button_not_me", f"{OURS}link:refuse:{link.name}")],
            facts=self._facts(theirs, claim.identity, claim.now, now=claim.now),
        )
        await at_home(maker, lambda whose: self.store.links.announce(whose, f"ask/{link.name}", new))

    # ── one of our buttons was tapped ───────────────────────────────────────────────────────────────────────────────

    async def tapped(self, claim: Claim, payload: str) -> Commit:
        """`payload` begins with `OURS`; it comes from the store, never from what was typed."""
        what, _, rest = payload.removeprefix(OURS).partition(":")
        match what:
            case "link":
                answer, _, name = rest.partition(":")
                return await self._answered(claim, answer, name)
            case "undo":
                return await self._undo(claim, rest)
            case "unlink":
                return await self._unlink(claim)
            case "fresh":
                await self.store.merges.only_from_now_on(claim.customer, claim.identity, rest)
                return self._said(claim, "fresh")
            case "lang":
                told = msgspec.structs.replace(claim, state={**claim.state, "lang": rest})
                return self._said(told, "language_set", state={"lang": rest, "lv": "0"})
            case _:
                return self._said(claim, "unlink_kept")

    async def _answered(self, claim: Claim, answer: str, name: str) -> Commit:
        link = await self.store.links.find(name)
        if (
            link is None
            or claim.now > link.expires + ANSWER_WITHIN
            or link.redeemer is None
            or link.redeemed_by is None
        ):
            return await self._no_good(claim, "expired")
        mine = await self.store.kin.home(link.redeemer if answer in ("yes", "no") else link.maker) == claim.customer
        asked = "asked" if answer in ("yes", "no") else "waits"
        if link.state == "done" and mine:
            return Commit()
        if not mine or link.state != asked or not await self._still_good(link):
            return await self._no_good(claim, "used")
        match answer:
            case "yes":
                return await self._decided(claim, link, agreed=True)
            case "allow":
                redeemer = await self.store.kin.home(link.redeemer)
                return await self._merge(claim, link, claim.customer, redeemer, link.redeemed_by)
            case _:
                await self.store.links.settle(name, [asked], "refused")
                if answer == "refuse":
                    await self._tell_refused(claim, link.redeemer, link.redeemed_by, name)
                return self._said(claim, "link_refused", event="link.refused")

    async def _tell_refused(self, claim: Claim, redeemer: CustomerId, identity: Identity, name: str) -> None:
        living = await self.store.kin.home(redeemer)
        state = await self.store.state(living, "lang", "loc")
        new = self.voice.says(Outside(identity, state, claim.trace), "link_refused_there")
        await at_home(living, lambda whose: self.store.links.announce(whose, f"refused/{name}", new))

    async def _undo(self, claim: Claim, merge: str) -> Commit:
        """Whoever made the code says that it was not them. Begun here, driven behind the commit of this turn.

        Who came by a found code may have brought others, or have taken the maker along to somebody: that is taken back
        first, one by one, and this turn is run again behind each. Raises `Busy` meanwhile.
        """
        found = await self.merging.to_undo(claim.customer, merge, claim.identity)
        too_late = self._said(claim, "undo_too_late", [("button_person", "/human_handoff")])
        if found is None or claim.now > found[0].at + UNDISPUTED:
            return too_late
        record, first = found
        try:
            self.merging.soon(await self.merging.undo(claim.customer, first.id, disputed=True))
        except NotUndone:
            return too_late
        if first.id != record.id:
            await self._tell_parted(claim, first)
            raise Busy(claim.customer)
        metrics.LINKS.labels("disputed", record.reason).inc()
        return self._said(claim, "undone", event="link.disputed", facts=self._facts(claim, Identity.parse(record.to)))

    async def _tell_parted(self, claim: Claim, merge: Merge) -> None:
        """Who is parted only because their merge stood on top hears so where they are, also when they just came."""
        leaving = merge.identities.split()
        there = Identity.parse(merge.to if merge.to in leaving else leaving[0])
        state = await self.store.state(claim.customer, "lang", "loc")
        occasion = Outside(there, state, claim.trace)
        new = self.voice.says(occasion, "unlinked_there", facts={"channel": self.voice.channel(occasion, there)})
        await at_home(claim.customer, lambda whose: self.store.links.announce(whose, f"parted/{merge.id}", new))

    async def _unlink(self, claim: Claim) -> Commit:
        if (
            not await self.leave(claim.customer, claim.identity)
            and len(await self.store.links.identities(claim.customer)) == 1
        ):
            return self._said(claim, "unlink_alone")
        return self._said(claim, "unlinked")

    async def leave(self, customer: CustomerId, identity: Identity) -> bool:
        """The identity is somebody of its own from now on; a browser that leaves is signed out."""
        why = Entry(kind="note", author=Author("system"), identity=str(identity), reason="unlinked")
        if identity.channel == "webchat":
            await self.store.visitors.sign_out(customer, identity.id)
        parted = await at_home(customer, lambda whose: self.store.links.part(whose, identity, why))
        await self.store.forget_identity(identity, customer)
        return parted

    # ── arriving ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def arrival(self, claim: Claim) -> Commit:
        """The turn of an entry `merged`: the conversation goes on at the redeemer's, the maker is told at once."""
        record = await self.merging.find(claim.customer, claim.batch[0].entry.reason)
        if record is None or record.phase in ("undoing", "split", "undone"):
            return Commit()
        source, to = Identity.parse(record.source), Identity.parse(record.to)
        told = self.voice.says(
            claim,
            "told_maker",
            [("button_not_me", f"{OURS}undo:{record.id}")],
            to=source,
            facts=self._facts(claim, to, Milliseconds(record.at), now=claim.now),
        )
        came = await self.arrived(claim, source, fresh=record.id)
        metrics.LINKS.labels("arrived", f"{source.channel}>{to.channel}").inc()
        return msgspec.structs.replace(came, entries=[told, *came.entries], events=[*came.events, "link.arrived"])

    async def arrived(self, claim: Claim, frm: Identity, *, fresh: str = "") -> Commit:
        """Only the pending question is said again, in the format of the channel that it is on now."""
        state = await self.store.state(claim.customer, "ask", "cid")
        pending = msgspec.json.decode(state["ask"], type=Content) if state.get("ask") else None
        lives_here = not self.voice.lanes(claim.identity)
        buttons = [("button_fresh", f"{OURS}fresh:{fresh}")] if fresh and lives_here else []
        entries: list[NewEntry] = []
        there = self.voice.capabilities.get(claim.identity.account)
        if fresh and there and there.introduces:
            entries.append(self.first_contact(claim))
        entries.append(self.voice.says(claim, "arrived" if pending else "arrived_nothing_open", buttons))
        if pending is not None:
            entries.append(self.voice.entry(claim, pending))
        return Commit(
            entries=entries,
            state={
                "num": self.voice.numbered(entries),
                "lt": str(claim.identity),
                f"nt:{frm}": f"{state.get('cid', '')} left",
            },
            events=["link.resumed"],
        )

    def first_contact(self, claim: Claim) -> NewEntry:
        """Once for each identity: that it is an assistant, whose, and where the privacy page is."""
        url = self.voice.privacy_url
        privacy = self.voice.sentence("first_contact_privacy", claim, url=url) if url else ""
        return self.voice.says(claim, "first_contact", facts={"privacy": privacy})

    # ── commands of a platform's menu ───────────────────────────────────────────────────────────────────────────────

    def commanded(self, claim: Claim, command: Command) -> Commit | None:
        """None for what the bot answers better."""
        match command.name:
            case "start":
                # On first contact the greeting says it all.
                first = conversation.is_first_contact(claim.state.get("lt", ""))
                return Commit() if first else self._said(claim, "start_again")
            case "stop":
                buttons = [("button_unlink", f"{OURS}unlink"), ("button_keep", f"{OURS}keep")]
                return self._said(claim, "unlink_ask", buttons)
            case "language" if command.value.lower()[:2] in ("pt", "en"):
                lang = "en" if command.value.lower().startswith("en") else "pt-BR"
                told = msgspec.structs.replace(claim, state={**claim.state, "lang": lang})
                return self._said(told, "language_set", state={"lang": lang, "lv": "0"})
            case "language":
                buttons = [("button_portuguese", f"{OURS}lang:pt-BR"), ("button_english", f"{OURS}lang:en")]
                return self._said(claim, "language_ask", buttons)
            case "help":
                return None

    # ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _said(
        self,
        claim: Claim,
        key: str,
        buttons: list[tuple[str, str]] | None = None,
        *,
        event: str = "",
        state: Mapping[str, str] | None = None,
        facts: Mapping[str, str] = MappingProxyType({}),
    ) -> Commit:
        new = self.voice.says(claim, key, buttons or [], facts=facts)
        return Commit(
            entries=[new],
            state={"num": self.voice.numbered([new]), **(state or {})},
            events=[event] if event else [],
        )

    def _facts(
        self, claim: Occasion, identity: Identity, at: Milliseconds | None = None, *, now: Milliseconds | None = None
    ) -> dict[str, str]:
        """Channel, place and time of the other side, in words."""
        facts = {"channel": self.voice.channel(claim, identity), "place": "", "time": ""}
        if place := self.places.get(identity.account):
            facts["place"] = f" ({place})"
        if at:
            local, today = (datetime.fromtimestamp(ms / 1000, self.zone) for ms in (at, now or at))
            facts["time"] = local.strftime("%H:%M" if local.date() == today.date() else "%d/%m %H:%M")
        return facts


def _says_something(entry: Entry) -> bool:
    """Whether a customer said something before, other than a command of the menu or a code."""
    return (
        entry.kind == "message"
        and entry.author.kind == "customer"
        and not entry.link
        and not isinstance(entry.content, Command)
    )
