"""A customer's channels as the customer sees them: codes are made, channels are left, replies are sent elsewhere.

The `Links` of connectors/webchat/ports.py, and what the API for shops' own servers asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connectors.content import Continue, Text
from connectors.contract import Connected, CustomerId, Identity, Invitation, Milliseconds, NotUnderstood, TryAgain
from router import codes, metrics
from router.linking import Linking
from router.store import Moving, Store, StoreUnavailable
from router.store.kin import at_home
from router.store.links import Link
from router.voice import Outside

Address = Callable[[str], str]
"""A link token → the address that opens a channel with it; empty where a code is typed."""


@dataclass(frozen=True, slots=True)
class Invitations:
    """`addresses` of every account that a conversation can go on at; `digest` is keyed."""

    store: Store
    linking: Linking
    addresses: Mapping[str, Address]
    digest: Callable[[str, str], str]

    def offered(self) -> tuple[str, ...]:
        """Channels with a person's own account there; web sites are reached by the way back."""
        return tuple(account for account in self.addresses if not account.startswith("webchat:"))

    async def invite(self, identity: Identity, known: CustomerId, account: str) -> Invitation:
        """Raises `NotUnderstood` for an account that is not offered, `TryAgain`."""
        if account not in self.addresses:
            raise NotUnderstood("no conversation can be continued there")
        try:
            customer = await self._customer(identity, known)
            state = await self.store.state(customer, "cid", "lk")
            token, code = codes.new_token(), codes.new_code()
            link = Link(
                name=self.digest("token", token),
                state="open",
                maker=customer,
                identity=identity,
                conversation=state.get("cid", ""),
                generation=int(state.get("lk", 0)),
                account=account,
                place=self.linking.places.get(identity.account, ""),
                made=await self.store.now(),
                expires=Milliseconds(0),
            )
            expires = await self.store.links.make(link, self.digest("code", code))
        except (StoreUnavailable, Moving) as error:
            raise TryAgain("the store does not answer") from error
        if not expires:
            raise TryAgain("this code is taken, another one will do")
        metrics.LINKS.labels("offered", f"{identity.channel}>{account.partition(':')[0]}").inc()
        return Invitation(account, self.addresses[account](token), codes.shown(code), expires)

    async def connected(self, identity: Identity, known: CustomerId) -> tuple[Connected, ...]:
        try:
            customer = await self._customer(identity, known)
            identities = await self.store.links.identities(customer)
            chosen = (await self.store.state(customer, "to")).get("to")
            since = [await self._since(customer, one) for one in identities]
        except (StoreUnavailable, Moving) as error:
            raise TryAgain("the store does not answer") from error
        return tuple(
            Connected(
                id=self.digest("identity", str(one)),
                account=one.account,
                here=one == identity,
                chosen=str(one) == chosen,
                since=at,
            )
            for one, at in zip(identities, since, strict=True)
        )

    async def unlink(self, identity: Identity, known: CustomerId, which: str) -> bool:
        """The channel that leaves is told so there. A login cannot leave: the shop's server says who it is."""
        try:
            customer = await self._customer(identity, known)
            gone = await self._named(customer, which)
            if gone is None or (gone.id.startswith("u:") and gone.channel == "webchat"):
                return False
            return await self.leave(customer, gone)
        except (StoreUnavailable, Moving) as error:
            raise TryAgain("the store does not answer") from error

    async def leave(self, customer: CustomerId, gone: Identity) -> bool:
        """Also for the API. False when it is not there, or the last one."""
        if len(await self.store.links.identities(customer)) < 2:
            return False
        occasion = Outside(gone, await self.store.state(customer, "lang", "loc"))
        voice = self.linking.voice
        told = voice.says(occasion, "unlinked_there", facts={"channel": voice.channel(occasion, gone)})
        name = f"unlinked/{gone}/{told.entry.id}"
        await at_home(customer, lambda whose: self.store.links.announce(whose, name, told))
        return await self.linking.leave(customer, gone)

    def elsewhere(self, identity: Identity) -> tuple[str, ...]:
        """Accounts of other channels, as an offer in the conversation names them; of several web sites the first."""
        found: dict[str, str] = {}
        for account in self.addresses:
            channel = account.partition(":")[0]
            if channel != identity.channel:
                found.setdefault(channel, account)
        return tuple(found.values())

    async def spelled_out(self, customer: CustomerId, identity: Identity, offer: Continue) -> Text:
        """An offer for a channel that has no panel for it: a link a line, made now, so that no code is ever stored."""
        occasion = Outside(identity, await self.store.state(customer, "lang", "loc"))
        voice = self.linking.voice
        lines = [offer.text]
        for account in offer.accounts:
            if account not in self.addresses:
                continue
            made = await self.invite(identity, customer, account)
            name = voice.channel(occasion, Identity(account, ""), as_name=True)
            key = "continue_line" if made.url else "continue_line_code"
            lines.append(voice.sentence(key, occasion, channel_name=name, url=made.url, code=made.code))
        return Text("\n".join(lines) if len(lines) > 1 else voice.sentence("continue_nowhere", occasion))

    async def choose(self, identity: Identity, known: CustomerId, which: str) -> None:
        """Raises `NotUnderstood`, `TryAgain`."""
        try:
            customer = await self._customer(identity, known)
            chosen = await self._named(customer, which) if which else None
            if which and chosen is None:
                raise NotUnderstood("there is no such channel in this conversation")
            await self.store.links.choose(customer, chosen)
        except (StoreUnavailable, Moving) as error:
            raise TryAgain("the store does not answer") from error

    async def _since(self, customer: CustomerId, identity: Identity) -> Milliseconds:
        """When this identity was first known: as a customer of its own, if it came by a merge."""
        came = await self.linking.merging.brought(customer, identity)
        return await self._since(came, identity) if came else made_at(customer)

    async def _customer(self, identity: Identity, known: CustomerId) -> CustomerId:
        found = await self.store.find_customer(identity) or known
        return await self.store.kin.home(found)

    async def _named(self, customer: CustomerId, which: str) -> Identity | None:
        members = await self.store.links.identities(customer)
        return next((one for one in members if self.digest("identity", str(one)) == which), None)


def made_at(customer: CustomerId) -> Milliseconds:
    """When a customer began: the first 48 bits of a uuid7 are milliseconds (RFC 9562, 5.7)."""
    return Milliseconds(int(customer.replace("-", "")[:12], 16))
