"""What the widget asks of the store: who is still welcome, who a person is, how often somebody comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from connectors.contract import CustomerId, Identity, Limit, TryAgain
from router.store import Bucket, Store, StoreUnavailable

Digest = Callable[[str, str], str]
"""A keyed hash by purpose and text."""

Verdict = Literal["ok", "passed", "out"]


@dataclass(frozen=True, slots=True)
class StoredVisits:
    """The `Visits` of connectors/webchat/ports.py."""

    store: Store
    digest: Digest

    async def admit(self, identity: Identity, known: CustomerId, visitor: str, generation: int) -> Verdict:
        try:
            customer = await self.store.remembered_customer(identity) or known
            return await self.store.visitors.use(customer, visitor, generation)
        except StoreUnavailable as error:
            raise TryAgain("the store does not answer") from error

    async def follow_up(self, identity: Identity, known: CustomerId, visitor: str, generation: int) -> Verdict:
        try:
            customer = await self._customer(identity, known)
            return await self.store.visitors.issue(customer, visitor, generation)
        except StoreUnavailable as error:
            raise TryAgain("the store does not answer") from error

    async def sign_out(self, identity: Identity, known: CustomerId, visitor: str) -> None:
        try:
            await self.store.visitors.sign_out(await self._customer(identity, known), visitor)
        except StoreUnavailable as error:
            raise TryAgain("the store does not answer") from error

    async def customer_of(
        self, person: Identity, visitor: Identity | None, known: CustomerId
    ) -> tuple[CustomerId | None, bool]:
        try:
            theirs = await self.store.find_customer(person)
            if visitor is None:
                return theirs, True
            own = await self._customer(visitor, known)
            if theirs:
                return theirs, theirs == own
            return await self._joined(own, person)
        except StoreUnavailable as error:
            raise TryAgain("the store does not answer") from error

    async def _joined(self, own: CustomerId, person: Identity) -> tuple[CustomerId | None, bool]:
        # First the customer's own list, which decides, then the hint: dying in between is mended by doing it again.
        match await self.store.visitors.join(own, person, str(Identity(person.account, "u:"))):
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
            return await self.store.visitors.tell(await self._customer(identity, known), about)
        except StoreUnavailable as error:
            raise TryAgain("the store does not answer") from error

    async def _customer(self, identity: Identity, known: CustomerId) -> CustomerId:
        return await self.store.find_customer(identity) or known


@dataclass(frozen=True, slots=True)
class StoredLimits:
    """The `Limits` of contract.py. Whoever is counted is a keyed hash in the store, an address above all."""

    store: Store
    digest: Digest

    async def take(self, what: str, who: str, limit: Limit, *, cost: int = 1) -> float:
        bucket = Bucket(every=1000 / limit.per_second, burst=limit.burst)
        try:
            wait = await self.store.visitors.wait_for(self.digest("limit", f"{what} {who}"), bucket, cost)
        except StoreUnavailable as error:
            raise TryAgain("the store does not answer") from error
        return wait / 1000


@dataclass(frozen=True, slots=True)
class NoLimits:
    """For load tests."""

    async def take(self, what: str, who: str, limit: Limit, *, cost: int = 1) -> float:
        return 0
