"""Link codes, known by their keyed hash alone; sentences outside a turn; identities that leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from connectors.contract import CustomerId, Identity, Milliseconds
from router.store import keys
from router.store.runner import Runner
from router.store.types import Entry, NewEntry, why_gone

LIFE = 10 * 60_000
"""Milliseconds in which a code can be used."""

REMEMBERED = 24 * 3_600_000
"""Milliseconds in which a used or expired code is still told apart from nonsense."""

LinkState = Literal["open", "claimed", "asked", "waits", "done", "refused"]

_entry_json = msgspec.json.Encoder()


class Link(msgspec.Struct, frozen=True):
    """What a code stands for. `name` is the hash of its token; times in milliseconds."""

    name: str
    state: LinkState
    maker: CustomerId
    identity: Identity
    conversation: str
    generation: int
    account: str
    place: str
    made: Milliseconds
    expires: Milliseconds
    redeemer: CustomerId | None = None
    redeemed_by: Identity | None = None


class Links:
    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def make(self, link: Link, typed: str) -> Milliseconds:
        """Keeps a code and its typed twin, both as hashes: when they expire; 0 if the hash is taken."""
        fields = {
            "by": link.maker,
            "from": str(link.identity),
            "cid": link.conversation,
            "lk": link.generation,
            "for": link.account,
            "place": link.place,
            "at": link.made,
        }
        expires = await self._make(link.name, fields)
        if expires and not await self._make(typed, {"to": link.name}):
            return Milliseconds(0)
        return Milliseconds(expires)

    async def _make(self, name: str, fields: Mapping[str, object]) -> int:
        flat = [part for pair in fields.items() for part in pair]
        return int(await self._runner.run("link_make", [keys.link(name)], LIFE, REMEMBERED, *flat))

    async def named(self, typed: str) -> str:
        """The link that a typed code stands for; empty for none."""
        found = await self._runner.call("HGET", keys.link(typed), "to")
        return found.decode() if found else ""

    async def claim(
        self, name: str, message: str, customer: CustomerId, identity: Identity
    ) -> Link | Literal["unknown", "used", "expired"]:
        """One message has it; the same message gets the same answer."""
        answer = await self._runner.run("link_claim", [keys.link(name)], message, customer, str(identity))
        if answer[0] != b"ok":
            return answer[0].decode()  # type: ignore[no-any-return]
        return _link(name, answer[1:])

    async def find(self, name: str) -> Link | None:
        found = await self._runner.call("HGETALL", keys.link(name))
        if not found:
            return None
        return _link(name, [part for pair in found.items() for part in pair])

    async def settle(self, name: str, frm: Sequence[LinkState], to: LinkState) -> bool:
        """Whether it is in that state now; it gets there from one of the given ones alone."""
        states = "".join(f"{state}," for state in frm)
        return bool(await self._runner.run("link_settle", [keys.link(name)], states, to) == to.encode())

    async def announce(self, customer: CustomerId, name: str, new: NewEntry) -> int:
        """Says something outside a turn, once by its name: the seq; 0 when it was said or nobody is there.

        Raises `Moving`, `Moved`, as the two below do.
        """
        identity = Identity.parse(new.entry.identity)
        buttons = [
            part
            for button in new.buttons
            for part in (button.id, _entry_json.encode({"title": button.title, "payload": button.payload}))
        ]
        answer = await self._runner.run(
            "announce",
            keys.for_announce(customer, identity.account),
            customer,
            name,
            identity.channel,
            _entry_json.encode(new.entry),
            keys.lane_member(customer, identity.account),
            str(new.to[0]) if new.to else "",
            *buttons,
        )
        return _number(customer, answer)

    async def relane(self, customer: CustomerId, name: str, seq: int, why: Entry, to: Identity | None) -> bool:
        """Sends a message that failed once more, elsewhere, or notes that it is held."""
        account = to.account if to else "none:none"
        answer = await self._runner.run(
            "relane",
            keys.for_relane(customer, account),
            customer,
            name,
            seq,
            _entry_json.encode(why),
            keys.lane_member(customer, account),
            str(to) if to else "",
            account.partition(":")[0],
        )
        return bool(_number(customer, answer))

    async def identities(self, customer: CustomerId) -> tuple[Identity, ...]:
        members = await self._runner.call("SMEMBERS", keys.identities(customer))
        return tuple(sorted((Identity.parse(member.decode()) for member in members), key=str))

    async def part(self, customer: CustomerId, identity: Identity, entry: Entry) -> bool:
        """The identity leaves; its next message begins anew. False when it is not there, or the last one."""
        written = _entry_json.encode(entry)
        touched = keys.for_part(customer)
        parted = await self._runner.run("part", touched, customer, str(identity), written, identity.channel)
        return bool(_number(customer, parted))

    async def join_fresh(self, customer: CustomerId, identity: Identity) -> None:
        """Makes an identity that never wrote a member of this customer."""
        await self._runner.call("SADD", keys.identities(customer), str(identity))

    async def choose(self, customer: CustomerId, identity: Identity | None) -> None:
        """Where the customer wants replies; None: where they wrote last."""
        if identity:
            await self._runner.call("HSET", keys.state(customer), "to", str(identity))
        else:
            await self._runner.call("HDEL", keys.state(customer), "to")

    async def barred(self, customer: CustomerId, identities: Sequence[Identity]) -> dict[Identity, str]:
        """Those that cannot be written to, and why."""
        if not identities:
            return {}
        fields = [f"un:{identity}" for identity in identities]
        found = await self._runner.call("HMGET", keys.state(customer), *fields)
        return {identity: why.decode() for identity, why in zip(identities, found, strict=True) if why}

    async def suspect(self, customer: CustomerId, other: CustomerId, why: str) -> None:
        """Notes for people that these may be one person. Nothing is joined by it."""
        await self._runner.call("HSET", keys.state(customer), f"ps:{other}", why)

    async def suspected(self, customer: CustomerId) -> dict[CustomerId, str]:
        fields = await self._runner.call("HGETALL", keys.state(customer))
        return {CustomerId(name[3:].decode()): why.decode() for name, why in fields.items() if name.startswith(b"ps:")}

    async def revoke(self, customer: CustomerId) -> None:
        """All codes that this customer made are dead from now on."""
        await self._runner.call("HINCRBY", keys.state(customer), "lk", 1)


def _number(customer: CustomerId, answer: int | bytes) -> int:
    if isinstance(answer, bytes):
        raise why_gone(customer, answer)
    return answer


def _link(name: str, flat: Sequence[bytes]) -> Link:
    fields = {flat[i].decode(): flat[i + 1].decode() for i in range(0, len(flat), 2)}
    return Link(
        name=name,
        state=fields["s"],  # type: ignore[arg-type]
        maker=CustomerId(fields["by"]),
        identity=Identity.parse(fields["from"]),
        conversation=fields["cid"],
        generation=int(fields["lk"]),
        account=fields["for"],
        place=fields["place"],
        made=Milliseconds(int(fields["at"])),
        expires=Milliseconds(int(fields["exp"])),
        redeemer=CustomerId(fields["c"]) if "c" in fields else None,
        redeemed_by=Identity.parse(fields["i"]) if "i" in fields else None,
    )
