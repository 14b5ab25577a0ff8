"""What every shop promises. A new implementation joins by a line in `shops`.

It needs two orders of different people: 1001 (ana@exemplo.com.br, CPF 529.982.247-25) and 1002, and 9999 must not
exist. `tries` is how many wrong guesses it allows one asker in a row.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from actions.effects import Turn, during
from actions.shop.demo import DemoShop
from actions.shop.guesses import Limits
from actions.shop.port import Asker, Cpf, Email, Found, NotFound, OrderNumber, Proof, Shop, Wait

ANA, ANAS_CPF, BRUNO = Email("ana@exemplo.com.br"), Cpf("52998224725"), Email("bruno@exemplo.com.br")
STRANGER = Email("stranger@example.com")


@dataclass
class Opened:
    """A shop, and a way to open the same one again."""

    shop: Shop
    again: Callable[[], Shop]
    tries: int


def demo(folder: Path) -> Opened:
    def opened() -> Shop:
        return DemoShop(folder, limits=Limits(by_asker=3, by_number=3, by_proof=3))

    return Opened(opened(), opened, tries=3)


shops = pytest.mark.parametrize("opened", [demo], indirect=True)


@pytest.fixture
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opened]:
    under_test: Opened = request.param(tmp_path)
    yield under_test
    await under_test.shop.close()


class Asking:
    """Asks with a fresh turn each time, unless one is given."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.turns = 0

    async def __call__(
        self, number: str, proof: Proof, *, asker: str = "asker-1", turn: str | None = None, dry_run: bool = False
    ) -> Found | NotFound | Wait:
        self.turns += 1
        with during(Turn(turn or f"{asker}.{self.turns}", dry_run=dry_run)):
            return await self.shop.find_order(OrderNumber(number), proof, asker=Asker(asker))


@shops
async def test_the_owner_finds_the_order_by_email_or_cpf(opened: Opened) -> None:
    ask = Asking(opened.shop)
    by_email, by_cpf = await ask("1001", ANA), await ask("1001", ANAS_CPF)
    assert isinstance(by_email, Found)
    assert by_email == by_cpf
    assert by_email.order.number == "1001"


@shops
async def test_an_unknown_number_and_a_wrong_proof_are_one_answer(opened: Opened) -> None:
    ask = Asking(opened.shop)
    assert await ask("1001", STRANGER) == NotFound()
    assert await ask("9999", STRANGER) == NotFound()


@shops
async def test_another_persons_proof_opens_nothing(opened: Opened) -> None:
    ask = Asking(opened.shop)
    assert await ask("1001", BRUNO) == NotFound()
    assert await ask("1002", ANAS_CPF) == NotFound()


@shops
async def test_an_email_is_no_cpf(opened: Opened) -> None:
    assert await Asking(opened.shop)("1001", Email(ANAS_CPF.value)) == NotFound()


@shops
@pytest.mark.parametrize("number", ["1001", "9999"])
async def test_who_guesses_too_often_waits_whether_or_not_the_order_exists(opened: Opened, number: str) -> None:
    ask = Asking(opened.shop)
    for guess in range(opened.tries):
        assert await ask(number, Email(f"guess{guess}@example.com")) == NotFound()
    assert await ask(number, STRANGER) == Wait()
    assert await ask("1001", ANA) == Wait()


@shops
@pytest.mark.parametrize("number", ["1001", "9999"])
async def test_many_askers_cannot_share_out_the_guesses_for_one_order(opened: Opened, number: str) -> None:
    ask = Asking(opened.shop)
    for guess in range(opened.tries):
        await ask(number, Email(f"guess{guess}@example.com"), asker=f"asker-{guess}")
    assert await ask(number, STRANGER, asker="a-new-asker") == Wait()
    assert await ask("1002", BRUNO, asker="a-new-asker") != Wait()


@shops
async def test_many_askers_cannot_try_one_email_with_many_numbers(opened: Opened) -> None:
    ask = Asking(opened.shop)
    for guess in range(opened.tries):
        await ask(str(9000 + guess), ANA, asker=f"asker-{guess}")
    assert await ask("1001", ANA, asker="a-new-asker") == Wait()
    assert isinstance(await ask("1001", ANAS_CPF, asker="a-new-asker"), Found)


@shops
async def test_a_repeated_turn_is_no_second_guess_and_hears_the_same(opened: Opened) -> None:
    ask = Asking(opened.shop)
    for _ in range(opened.tries * 3):
        assert await ask("1001", STRANGER, turn="asker-1.1") == NotFound()
    assert isinstance(await ask("1001", ANA), Found)


@shops
async def test_the_last_allowed_guess_repeated_still_hears_the_same(opened: Opened) -> None:
    ask = Asking(opened.shop)
    for guess in range(opened.tries):
        await ask("1001", STRANGER, turn=f"asker-1.{guess}")
    assert await ask("1001", STRANGER, turn=f"asker-1.{opened.tries - 1}") == NotFound()
    assert await ask("1001", STRANGER, turn="asker-1.more") == Wait()


@shops
async def test_right_answers_are_not_counted(opened: Opened) -> None:
    ask = Asking(opened.shop)
    for _ in range(opened.tries * 3):
        assert isinstance(await ask("1001", ANA), Found)


@shops
async def test_a_dry_run_counts_nothing(opened: Opened) -> None:
    ask = Asking(opened.shop)
    for _ in range(opened.tries * 3):
        assert await ask("1001", STRANGER, dry_run=True) == NotFound()
    assert isinstance(await ask("1001", ANA), Found)


@shops
async def test_guesses_outlive_a_restart(opened: Opened) -> None:
    ask = Asking(opened.shop)
    for _ in range(opened.tries):
        await ask("1001", STRANGER)
    await opened.shop.close()
    opened.shop = opened.again()
    assert await Asking(opened.shop)("1001", ANA, turn="asker-1.after") == Wait()


@shops
async def test_nobody_asks_outside_of_a_turn(opened: Opened) -> None:
    with pytest.raises(LookupError):
        await opened.shop.find_order(OrderNumber("1001"), ANA, asker=Asker("asker-1"))
