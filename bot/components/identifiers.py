"""One rule extractor for what identifies a person or an order: CPF, e-mail, phone, CEP, order number.

Priorities and check digits, no overlaps: a phone also looks like a CPF, an order number like a CEP.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Iterator, List, NamedTuple, Text

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.extractors.extractor import EntityExtractorMixin
from rasa.shared.nlu.constants import ENTITIES, TEXT
from rasa.shared.nlu.training_data.message import Message

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[A-Za-z]{2,24}(?![\w-])")
_CPF = re.compile(r"(?<!\d)\d{3}[.\s]?\d{3}[.\s]?\d{3}[-.\s/]?\d{2}(?!\d)")
_PHONE = re.compile(r"(?<![\d#])(?:\+?55\s?)?(?:\(\d{2}\)|\d{2})[\s-]?(?:9\s?)?\d{4}[-\s]?\d{4}(?!\d)")
_CEP_DASHED = re.compile(r"(?<![\d-])\d{5}-\d{3}(?![\d-])")
_CEP_NAMED = re.compile(r"\bcep\b\W{0,3}(?:[ée]\s)?(\d{8})(?!\d)", re.IGNORECASE)
_ORDER_NAMED = re.compile(
    r"(?:#|\b(?:pedido|ped|compra|order|purchase|n[uú]mero|num|nro|number)\b)[^\d\n]{0,24}?(?<!\d)(\d{4,10})(?![\d@]|[.,/-]\d)",
    re.IGNORECASE,
)
_ORDER_ALONE = re.compile(r"\A\W*(\d{4,10})\W*\Z")
_UNITS = re.compile(r"\s*(?:reais|real|kg|g|cm|mm|m|ml|l|v|volts?|w|watts?|%|horas?|h|am|pm|dollars?)\b", re.IGNORECASE)
_MONEY = re.compile(r"(?:R\$|US\$|\$|€)\s*\Z")

# Nobody writes an order number after this much.
MOST_TEXT = 4000

# Area codes in use in Brazil.
_AREAS = frozenset(
    "11 12 13 14 15 16 17 18 19 21 22 24 27 28 31 32 33 34 35 37 38 41 42 43 44 45 46 47 48 49 51 53 54 55 61 62 63 64 "
    "65 66 67 68 69 71 73 74 75 77 79 81 82 83 84 85 86 87 88 89 91 92 93 94 95 96 97 98 99".split()
)


class Found(NamedTuple):
    """One identifier in a text; `value` is in the form that systems store."""

    entity: str
    value: str
    start: int
    end: int


def is_cpf(digits: str) -> bool:
    """Both check digits hold. Eleven equal digits pass the sum and are no CPF."""
    if len(digits) != 11 or not digits.isdigit() or len(set(digits)) == 1:
        return False
    for size in (9, 10):
        total = sum(int(digit) * (size + 1 - place) for place, digit in enumerate(digits[:size]))
        if total * 10 % 11 % 10 != int(digits[size]):
            return False
    return True


def _is_phone(digits: str) -> bool:
    local = digits[2:] if digits.startswith("55") and len(digits) > 11 else digits
    return local[:2] in _AREAS and (len(local) == 10 or (len(local) == 11 and local[2] == "9"))


def _candidates(text: str) -> Iterator[Found]:
    for match in _EMAIL.finditer(text):
        yield Found("email", match.group().lower(), *match.span())
    for match in _CPF.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        if is_cpf(digits):
            yield Found("cpf", digits, *match.span())
    for match in _CEP_NAMED.finditer(text):
        yield Found("cep", match.group(1), *match.span(1))
    for match in _CEP_DASHED.finditer(text):
        yield Found("cep", match.group().replace("-", ""), *match.span())
    for match in _ORDER_NAMED.finditer(text):
        yield Found("order_number", match.group(1), *match.span(1))
    for match in _PHONE.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        if _is_phone(digits):
            yield Found("phone", digits, *match.span())
    if match := _ORDER_ALONE.match(text):
        yield Found("order_number", match.group(1), *match.span(1))


def find_identifiers(text: str) -> List[Found]:
    """All identifiers of a text, in their order, none overlapping another; the surer kind wins."""
    found: List[Found] = []
    text = text[:MOST_TEXT]
    for candidate in _candidates(text):
        if any(candidate.start < other.end and other.start < candidate.end for other in found):
            continue
        if candidate.entity == "order_number" and (
            _UNITS.match(text, candidate.end) or _MONEY.search(text[: candidate.start])
        ):
            continue
        found.append(candidate)
    return sorted(found, key=lambda one: one.start)


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=False)
class IdentifierExtractor(GraphComponent, EntityExtractorMixin):
    """Puts identifiers on the message as entities. What a form asked for is read by the form's own action."""

    @staticmethod
    def get_default_config() -> Dict[Text, Any]:
        """`kinds`: which identifiers to report."""
        return {"kinds": ["email", "cpf", "order_number"]}

    def __init__(self, config: Dict[Text, Any]) -> None:
        self._kinds = frozenset(config["kinds"])

    @classmethod
    def create(
        cls,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> IdentifierExtractor:
        """Nothing to train or load."""
        return cls(config)

    def process(self, messages: List[Message]) -> List[Message]:
        """Adds what it finds to the entities of each message."""
        for message in messages:
            found: List[Dict[Text, Any]] = [
                {**one._asdict(), "confidence_entity": 1.0}
                for one in find_identifiers(message.get(TEXT) or "")
                if one.entity in self._kinds
            ]
            if found:
                named = self.add_extractor_name(found)
                message.set(ENTITIES, message.get(ENTITIES, []) + named, add_to_output=True)
        return messages
