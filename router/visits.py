"""What the widget asks of the store: who is still welcome, who a person is, how often somebody comes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import uuid_utils

from connectors.contract import CustomerId, Identity, Limit, TryAgain
from router.merging import Merging
from router.store import Bucket, Busy, Moved, NotMine, Store, StoreUnavailable
from router.store.kin import PATIENCE, at_home
from router.store.merges import LOGIN

Digest = Callable[[str, str], str]
"""A keyed hash by purpose and text."""

Verdict = Literal["ok", "passed", "out"]


@dataclass(frozen=True, slots=True)
class StoredVisits:
    """The `Visits` of connectors/webchat/ports.py."""

    store: Store
    digest: Digest
    masked: Callable[[str], str] = str
    """What may be kept of what a form asked."""

    async def admit(self, identity: Identity, known: CustomerId, visitor: str, generation: int) -> Verdict:
        try:
            customer = self.store.remembered(identity) or await self.store.remembered_customer(identity) or known
            try:
                return await self.store.visitors.use(customer, identity, visitor, generation)
            except (Moved, NotMine):
                self.store.forget_remembered(identity)
            return await self._asked(
                identity, known, lambda whose: self.store.visitors.use(whose, identity, visitor, generation)
            )
        except StoreUnavailable as error:
            raise TryAgain("the store does not answer") from error

    async def follow_up(self, identity: Identity, known: CustomerId, visitor: str, generation: int) -> Verdict:
        try:
            return await self._asked(
                identity, known, lambda whose: self.store.visitors.issue(whose, identity, visitor, generation)
            )
        except StoreUnavailable as error:
            raise TryAgain("the store does not answer") from error

    async def sign_out(self, identity: Identity, known: CustomerId, visitor: str) -> None:
        try:
            customer = await self._customer(identity, known)
            await at_home(customer, lambda whose: self.store.visitors.sign_out(whose, visitor))
        except StoreUnavailable as error:
            raise TryAgain("the store does not answer") from error

    async def _asked(
        self, identity: Identity, known: CustomerId, ask: Callable[[CustomerId], Awaitable[Verdict]]
    ) -> Verdict:
        deadline = time.monotonic() + PATIENCE
        while True:
            customer = await self._customer(identity, known)
            try:
                return await at_home(customer, ask)
            except NotMine:
                # It went back to somebody by an undo, or is nobody's: then there is nothing that could be passed over.
                owner = await self.store.merges.owner_of(customer, identity)
            if owner is None:
                return "ok"
            with contextlib.suppress(NotMine):
                return await at_home(owner, ask)
            # In the middle of an undo it has left the one and is not back at the other.
            if time.monotonic() > deadline:
                raise TryAgain("this customer is being moved", after=2)
            await asyncio.sleep(0.05)

    async def customer_of(
        self, person: Identity, visitor: Identity | None, known: CustomerId
    ) -> tuple[CustomerId | None, bool]:
        try:
            theirs = await self.store.find_customer(person)
            if theirs:
                theirs = await self.store.kin.home(theirs)
            if visitor is None:
                return theirs, True
            own = await self.store.kin.home(await self._customer(visitor, known))
            if theirs is None:
                return await at_home(own, lambda whose: self._joined(whose, person))
            if theirs == own:
                return theirs, True
            return await self._signed_in(person, theirs, visitor, own)
        except StoreUnavailable as error:
            raise TryAgain("the store does not answer") from error

    async def _signed_in(
        self, person: Identity, theirs: CustomerId, visitor: Identity, own: CustomerId
    ) -> tuple[CustomerId, bool]:
        """The site signed that this browser is this person's: its conversation goes on as theirs.

        Unless it is another signed person's, or nothing was said in it.
        """
        if not await self.store.visitors.may_become(own, _logins(person)):
            return theirs, False
        merging = Merging(self.store)
        try:
            merge = await merging.begin(
                str(uuid_utils.uuid7()),
                maker=own,
                redeemer=theirs,
                source=visitor,
                to=person,
                reason=LOGIN,
                arrive=False,
            )
        except Busy as error:
            raise TryAgain("this customer is being moved", after=2) from error
        if merge and not (await merging.drive(merge)).is_over:
            raise TryAgain("this customer is being moved", after=2)
        return await self.store.kin.home(own), True

    async def _joined(self, own: CustomerId, person: Identity) -> tuple[CustomerId | None, bool]:
        # First the customer's own list, which decides, then the hint: dying in between is mended by doing it again.
        match await self.store.visitors.join(own, person, _logins(person)):
            case "joined":
                winner = await self.store.adopt_identity(person, own)
                if winner != own:
                    await self.store.visitors.leave(own, person)
                return winner, winner == own
            case "empty":
                return None, True
            case "taken":
                return None, False

    async def once(self, name: str, seconds: float) -> bool:
        try:
            return await self.store.visitors.once(self.digest("once", name), int(seconds * 1000))
        except StoreUnavailable as error:
            raise TryAgain("the store does not answer") from error

    async def tell(self, identity: Identity, known: CustomerId, about: Mapping[str, str]) -> bool:
        try:
            customer = await self._customer(identity, known)
            kept = {key: self.masked(said) for key, said in about.items()}
            return await at_home(customer, lambda whose: self.store.visitors.tell(whose, kept))
        except StoreUnavailable as error:
            raise TryAgain("the store does not answer") from error

    async def _customer(self, identity: Identity, known: CustomerId) -> CustomerId:
        return await self.store.find_customer(identity) or known


def _logins(person: Identity) -> str:
    """How the identities begin that a site has signed for."""
    return str(Identity(person.account, "u:"))


@dataclass(frozen=True, slots=True)
class StoredLimits:
    """The `Limits` of contract.py. Whoever is counted is a keyed hash in the store, an address above all."""

    store: Store
    digest: Digest

    async def take(self, what: str, who: str, limit: Limit, *, cost: int = 1) -> float:
        try:
            return await self.store.visitors.wait_for(*self._bucket(what, who, limit), cost) / 1000
        except StoreUnavailable as error:
            raise TryAgain("the store does not answer") from error

    async def take_each(self, *wanted: tuple[str, str, Limit]) -> list[float]:
        try:
            waits = await self.store.visitors.waits_for(*(self._bucket(*one) for one in wanted))
        except StoreUnavailable as error:
            raise TryAgain("the store does not answer") from error
        return [wait / 1000 for wait in waits]

    def _bucket(self, what: str, who: str, limit: Limit) -> tuple[str, Bucket]:
        return self.digest("limit", f"{what} {who}"), Bucket(every=1000 / limit.per_second, burst=limit.burst)


@dataclass(frozen=True, slots=True)
class NoLimits:
    """For load tests."""

    async def take(self, what: str, who: str, limit: Limit, *, cost: int = 1) -> float:
        return 0

    async def take_each(self, *wanted: tuple[str, str, Limit]) -> list[float]:
        return [0] * len(wanted)
