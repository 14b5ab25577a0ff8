"""What the assistant needs of a shop. A real one (an ERP, a store platform) implements `Shop` and passes
tests/unit/actions/test_shop_contract.py.

The promise behind it: nobody learns a thing about an order without its number **and** its e-mail or CPF. An unknown
number and a wrong proof are one and the same answer, and who guesses too often has to wait, whether or not the order
exists.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NewType, Protocol, TypeAlias

OrderNumber = NewType("OrderNumber", str)
Asker = NewType("Asker", str)
"""Who asks: the customer id."""


class Stage(StrEnum):
    """How far an order is."""

    PACKING = "packing"
    SHIPPED = "shipped"
    DELAYED = "delayed"
    PARTLY_DELIVERED = "partly_delivered"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Email:
    """An e-mail address in lower case."""

    value: str


@dataclass(frozen=True)
class Cpf:
    """A CPF with valid check digits: 11 digits, no punctuation."""

    value: str


Proof: TypeAlias = Email | Cpf


@dataclass(frozen=True)
class Order:
    """What an owner may hear. `day` is the day that matters at this stage: due, arrived or cancelled."""

    number: OrderNumber
    stage: Stage
    items: tuple[str, ...]
    day: date
    carrier: str | None = None
    pending: tuple[str, ...] = ()
    """Items still on their way when a part has arrived."""


@dataclass(frozen=True)
class Found:
    order: Order


@dataclass(frozen=True)
class NotFound:
    """No order has this number and this proof. Which of the two is wrong is nobody's business."""


@dataclass(frozen=True)
class Wait:
    """Too many wrong guesses lately, by this asker, for this number or with this proof."""


class ShopUnavailable(Exception):
    """The shop did not answer. Says nothing about any order."""


class Shop(Protocol):
    """A shop. Raises ShopUnavailable when it cannot tell; never invents an answer."""

    async def find_order(self, number: OrderNumber, proof: Proof, *, asker: Asker) -> Found | NotFound | Wait:
        """Look up an order for somebody who says it is theirs.

        Runs inside a turn (`effects.during`): a wrong guess is counted once per turn id, and not at all in a dry run.
        """
        ...

    async def close(self) -> None: ...
