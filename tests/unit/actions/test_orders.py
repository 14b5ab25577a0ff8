from dataclasses import dataclass, field
from datetime import date

import pytest
from unit.actions.support import Said, dialogue, slots_set

from actions.orders import order_status
from actions.shop.port import (
    Asker,
    Cpf,
    Email,
    Found,
    NotFound,
    Order,
    OrderNumber,
    Proof,
    ShopUnavailable,
    Stage,
    Wait,
)

FORGOTTEN = {"order_number": None, "order_proof": None, "order_misses": None}


@dataclass
class ShopThatAnswers:
    """A shop with one answer, which remembers what it was asked."""

    answer: Found | NotFound | Wait | None
    asked: list[tuple[OrderNumber, Proof, Asker]] = field(default_factory=list)

    async def find_order(self, number: OrderNumber, proof: Proof, *, asker: Asker) -> Found | NotFound | Wait:
        self.asked.append((number, proof, asker))
        if self.answer is None:
            raise ShopUnavailable
        return self.answer

    async def close(self) -> None: ...


def order(stage: Stage) -> Found:
    return Found(
        Order(OrderNumber("1001"), stage, ("Vestido, M", "Cinto"), date(2026, 12, 11), "Rápido Sul", ("Cinto",))
    )


@pytest.mark.parametrize("stage", list(Stage))
async def test_every_stage_has_its_sentence_and_its_facts(stage: Stage) -> None:
    said = Said()
    status = order_status(ShopThatAnswers(order(stage)))
    await status.run(said, dialogue(order_number="1001", order_proof="ana@exemplo.com.br", language="pt-BR"), {})
    [(response, facts)] = said.responses
    assert response == f"utter_order_{stage}"
    assert facts == {
        "number": "1001",
        "items": "Vestido, M; Cinto",
        "pending": "Cinto",
        "day": "11/12",
        "carrier": "Rápido Sul",
    }


async def test_english_names_the_month() -> None:
    said = Said()
    status = order_status(ShopThatAnswers(order(Stage.SHIPPED)))
    await status.run(said, dialogue(order_number="1001", order_proof="ana@exemplo.com.br", language="en"), {})
    assert said.responses[0][1]["day"] == "11 December"


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [(NotFound(), "utter_order_not_found"), (Wait(), "utter_order_wait"), (None, "utter_shop_unavailable")],
)
async def test_a_refusal_says_nothing_but_its_sentence(answer: NotFound | Wait | None, sentence: str) -> None:
    said = Said()
    events = await order_status(ShopThatAnswers(answer)).run(
        said, dialogue(order_number="1001", order_proof="ana@exemplo.com.br"), {}
    )
    assert said.responses == [(sentence, {})]
    assert slots_set(events) == FORGOTTEN


async def test_a_proof_is_forgotten_after_one_look() -> None:
    events = await order_status(ShopThatAnswers(order(Stage.SHIPPED))).run(
        Said(), dialogue(order_number="1001", order_proof="ana@exemplo.com.br"), {}
    )
    assert slots_set(events) == FORGOTTEN


async def test_the_shop_is_asked_as_the_customer_with_the_right_kind_of_proof() -> None:
    shop = ShopThatAnswers(NotFound())
    await order_status(shop).run(Said(), dialogue(order_number="1001", order_proof="52998224725"), {})
    await order_status(shop).run(Said(), dialogue(order_number="1001", order_proof="ana@exemplo.com.br"), {})
    assert shop.asked == [
        ("1001", Cpf("52998224725"), "customer-1"),
        ("1001", Email("ana@exemplo.com.br"), "customer-1"),
    ]


async def test_without_a_proof_the_shop_is_not_even_asked() -> None:
    shop, said = ShopThatAnswers(order(Stage.SHIPPED)), Said()
    await order_status(shop).run(said, dialogue(order_number="1001", order_proof=None), {})
    assert shop.asked == []
    assert said.names == ["utter_order_not_found"]
