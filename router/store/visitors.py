"""What is kept of visitors and of how often somebody comes: generations of handles, joined identities, counters."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Literal, cast

import msgspec

from connectors.contract import CustomerId, Identity
from router.store import keys
from router.store.runner import Runner
from router.store.types import Bucket, NotMine, why_gone

GRACE = 60_000
"""Milliseconds for which a handle stays good beside its follower that nobody has used yet."""

_MARK_LIFE = 24 * 3_600_000

Standing = Literal["ok", "passed", "out"]


class Visitors:
    """Every call but `wait_for` and `once` raises `Moving` and `Moved` of a customer who is or was taken over."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def use(self, customer: CustomerId, identity: Identity, visitor: str, generation: int) -> Awaitable[Standing]:
        """Whether a token of this generation is good; its first use passes over all before it. Raises `NotMine`."""
        return self._handle(customer, identity, visitor, generation, "use")

    async def issue(self, customer: CustomerId, identity: Identity, visitor: str, generation: int) -> Standing:
        """The same of a handle, whose follower may be given out when it is."""
        return await self._handle(customer, identity, visitor, generation, "issue")

    async def sign_out(self, customer: CustomerId, visitor: str) -> None:
        await self._handle(customer, None, visitor, 0, "out")

    async def _handle(
        self, customer: CustomerId, identity: Identity | None, visitor: str, generation: int, what: str
    ) -> Standing:
        who = str(identity) if identity else ""
        touched = keys.for_handle(customer)
        answer = await self._runner.run("handle", touched, customer, visitor, generation, what, GRACE, _MARK_LIFE, who)
        if answer == b"not_mine":
            raise NotMine(customer)
        if answer.startswith(b"mov"):
            raise why_gone(customer, answer)
        return cast("Standing", answer.decode())

    async def join(self, customer: CustomerId, identity: Identity, family: str) -> Literal["joined", "empty", "taken"]:
        """Makes the identity a member of a customer who has no other whose name begins like `family`."""
        answer = await self._runner.run("join", keys.for_join(customer), customer, str(identity), family)
        if answer.startswith(b"mov"):
            raise why_gone(customer, answer)
        return cast('Literal["joined", "empty", "taken"]', answer.decode())

    async def may_become(self, customer: CustomerId, family: str) -> bool:
        """Whether there is such a customer, and none of their identities begins like `family`."""
        members = await self._runner.call("SMEMBERS", keys.identities(customer))
        return bool(members) and not any(member.decode().startswith(family) for member in members)

    async def leave(self, customer: CustomerId, identity: Identity) -> None:
        """Takes back a join that lost against another customer."""
        await self._runner.call("SREM", keys.identities(customer), str(identity))

    async def tell(self, customer: CustomerId, about: Mapping[str, str]) -> bool:
        """False while there is no such customer. Raises `Moving`, `Moved`."""
        told = await self._runner.run("about", keys.for_about(customer), customer, msgspec.json.encode(about))
        if isinstance(told, bytes):
            raise why_gone(customer, told)
        return bool(told)

    async def wait_for(self, name: str, bucket: Bucket, cost: int) -> int:
        """Milliseconds until there is room in the counter of that name; 0 takes so many places, or none for cost 0."""
        return int(await self._runner.run("limit", [keys.limit(name)], bucket.every, bucket.burst, cost))

    async def waits_for(self, *buckets: tuple[str, Bucket]) -> list[int]:
        """The same of several at once, one place each."""
        asked = [self._runner.run("limit", [keys.limit(name)], of.every, of.burst, 1) for name, of in buckets]
        return list(await asyncio.gather(*asked))

    async def once(self, name: str, milliseconds: int) -> bool:
        """False when the name was given within its time."""
        return bool(await self._runner.call("SET", keys.once(name), 1, "NX", "PX", milliseconds))
