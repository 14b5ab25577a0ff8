import asyncio
import stat
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from actions.effects import Turn, during
from actions.identifiers import is_cpf
from actions.shop.demo import DemoShop
from actions.shop.demo_orders import DEMO_ORDERS, DemoOrder
from actions.shop.guesses import Limits
from actions.shop.port import Asker, Cpf, Email, Found, NotFound, OrderNumber, Proof, ShopUnavailable, Stage, Wait

NOON = datetime(2026, 11, 22, 12, tzinfo=ZoneInfo("America/Sao_Paulo"))


class Clock:
    def __init__(self) -> None:
        self.now = NOON.timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def shop(tmp_path: Path, clock: Clock) -> AsyncIterator[DemoShop]:
    shop = DemoShop(tmp_path / "data", limits=Limits(by_asker=2, window=900), clock=clock)
    yield shop
    await shop.close()


async def ask(shop: DemoShop, number: str, proof: Proof, *, turn: str = "c.1") -> Found | NotFound | Wait:
    with during(Turn(turn)):
        return await shop.find_order(OrderNumber(number), proof, asker=Asker("c"))


@pytest.mark.parametrize("demo", DEMO_ORDERS, ids=lambda demo: demo.number)
async def test_every_demo_order_opens_to_its_owner_by_both_proofs(shop: DemoShop, demo: DemoOrder) -> None:
    assert is_cpf(demo.cpf)
    found = await ask(shop, demo.number, Cpf(demo.cpf))
    assert isinstance(found, Found)
    assert found == await ask(shop, demo.number, Email(demo.email))
    assert found.order.stage == demo.stage
    assert found.order.day == NOON.date() + timedelta(days=demo.days)


def test_the_demo_shows_every_stage() -> None:
    assert {order.stage for order in DEMO_ORDERS} == set(Stage)


def test_an_order_that_travels_has_a_carrier() -> None:
    travelling = {Stage.SHIPPED, Stage.DELAYED, Stage.PARTLY_DELIVERED}
    assert all(order.carrier for order in DEMO_ORDERS if order.stage in travelling)


async def test_the_database_and_its_log_are_for_us_only(shop: DemoShop, tmp_path: Path) -> None:
    await ask(shop, "1001", Email("ana@exemplo.com.br"))
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "data").iterdir()}
    assert modes["shop.sqlite3"] == 0o600
    assert set(modes.values()) == {0o600}


async def test_on_a_later_day_the_demo_is_dated_around_that_day(tmp_path: Path, clock: Clock) -> None:
    days: list[date] = []
    for _ in range(2):
        shop = DemoShop(tmp_path, clock=clock)
        found = await ask(shop, "1001", Email("ana@exemplo.com.br"))
        assert isinstance(found, Found)
        days.append(found.order.day)
        await shop.close()
        clock.now += 30 * 24 * 3600
    assert days[1] - days[0] == timedelta(days=30)


async def test_waiting_ends_when_the_window_has_passed(shop: DemoShop, clock: Clock) -> None:
    for turn in ("c.1", "c.2"):
        await ask(shop, "1001", Email("x@example.com"), turn=turn)
    assert await ask(shop, "1001", Email("ana@exemplo.com.br"), turn="c.3") == Wait()
    clock.now += 901
    assert isinstance(await ask(shop, "1001", Email("ana@exemplo.com.br"), turn="c.4"), Found)


async def test_guesses_hold_hashes_and_not_what_people_typed(shop: DemoShop, tmp_path: Path) -> None:
    await ask(shop, "777123", Email("somebody-else@example.com"))
    await shop.close()
    written = b"".join(
        [await asyncio.to_thread(file.read_bytes) for file in (tmp_path / "data").iterdir()]  # every file of the shop
    )
    assert b"ana@exemplo" not in written  # not even of the demo's people: their proofs are hashes too
    assert b"somebody-else" not in written
    assert b"777123" not in written


async def test_a_shop_that_cannot_be_opened_says_so_and_quotes_nobody(tmp_path: Path) -> None:
    (tmp_path / "shop.sqlite3").write_bytes(b"this is no database, and long enough to be looked at" * 40)
    shop = DemoShop(tmp_path)
    with pytest.raises(ShopUnavailable) as problem:
        await ask(shop, "1001", Email("ana@exemplo.com.br"))
    assert "ana@" not in str(problem.value)
    await shop.close()


async def test_questions_at_once_are_all_answered(shop: DemoShop) -> None:
    answers = await asyncio.gather(
        *(ask(shop, "1001", Email("ana@exemplo.com.br"), turn=f"c.{turn}") for turn in range(20))
    )
    assert all(isinstance(answer, Found) for answer in answers)
