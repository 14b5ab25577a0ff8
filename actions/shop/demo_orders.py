"""The people and orders of the demo shop. None of them exists; every CPF is made up and passes its check digits."""

from dataclasses import dataclass

from actions.shop.port import Stage


@dataclass(frozen=True)
class DemoOrder:
    """An order whose day is counted from today."""

    number: str
    email: str
    cpf: str
    stage: Stage
    items: tuple[str, ...]
    days: int
    carrier: str | None = None
    pending: tuple[str, ...] = ()


DEMO_ORDERS = (
    DemoOrder(
        "1001",
        "ana@exemplo.com.br",
        "52998224725",
        Stage.SHIPPED,
        ("Vestido midi azul, M",),
        2,
        "Rápido Sul",
    ),
    DemoOrder(
        "1002",
        "bruno@exemplo.com.br",
        "11144477735",
        Stage.PACKING,
        ("Camisa de linho, G", "Cinto marrom"),
        5,
    ),
    DemoOrder(
        "1003",
        "carla@example.com",
        "16899535009",
        Stage.DELIVERED,
        ("Bolsa tiracolo preta",),
        -3,
        "Correios",
    ),
    DemoOrder(
        "1004",
        "diego@exemplo.com.br",
        "39053344705",
        Stage.CANCELLED,
        ("Tênis branco, 41",),
        -1,
    ),
    DemoOrder(
        "1005",
        "elisa@exemplo.com.br",
        "84517862003",
        Stage.DELAYED,
        ("Jaqueta corta-vento, P",),
        4,
        "Via Norte",
    ),
    DemoOrder(
        "1006",
        "frank@example.com",
        "07284613580",
        Stage.PARTLY_DELIVERED,
        ("Jogo de cama casal", "Toalha de banho cinza"),
        3,
        "Rápido Sul",
        ("Toalha de banho cinza",),
    ),
    DemoOrder(
        "1007",
        "ana@exemplo.com.br",
        "52998224725",
        Stage.DELIVERED,
        ("Sandália dourada, 36",),
        -20,
        "Correios",
    ),
)
