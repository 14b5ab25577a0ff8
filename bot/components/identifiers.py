"""One rule extractor for what a shop asks for or hears: documents, contacts, orders, dates, money, sizes, colours.

Priorities and check digits, no overlaps: a phone also looks like a CPF, an order number like a CEP. What a form has
just asked for wins (`ASKED`): then a bare number is what was asked.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from datetime import date, datetime
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Text
from zoneinfo import ZoneInfo

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.extractors.extractor import EntityExtractorMixin
from rasa.shared.nlu.constants import ENTITIES, TEXT
from rasa.shared.nlu.training_data.message import Message

from bot.components.dates import find_dates
from bot.components.documents import is_cnpj, is_cpf, is_phone
from bot.components.words import MOST_LETTERS, fold

# The slot that a form has just asked for; the turn sets it, since Rasa gives components no tracker.
ASKED: ContextVar[Optional[str]] = ContextVar("asked", default=None)

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[A-Za-z]{2,24}(?![\w-])")
_CPF = re.compile(r"(?<!\d)\d{3}[.\s]?\d{3}[.\s]?\d{3}[-.\s/]?\d{2}(?!\d)")
_CNPJ = re.compile(
    r"(?<![^\W_])[A-Z\d]{2}[.\s]?[A-Z\d]{3}[.\s]?[A-Z\d]{3}[/\s]?[A-Z\d]{4}[-\s]?\d{2}(?![^\W_])", re.IGNORECASE
)
_PHONE = re.compile(r"(?<![\d#])(?:\+?55\s?)?(?:\(\d{2}\)|\d{2})[\s-]?(?:9\s?)?\d{4}[-\s]?\d{4}(?!\d)")
_CEP_DASHED = re.compile(r"(?<![\d-])\d{5}-\d{3}(?![\d-])")
_CEP_NAMED = re.compile(r"\b(?:cep|zip(?: code)?)\b\W{0,3}(?:[ée]\s|is\s)?(\d{8})(?!\d)", re.IGNORECASE)
_CEP_BARE = re.compile(r"(?<!\d)\d{8}(?!\d)")
_ORDER_NAMED = re.compile(
    r"(?:#|\b(?:pedido|ped|compra|order|purchase|n[uú]mero|num|nro|number)\b)[^\d\n]{0,24}?"
    r"(?<!\d)(\d{4,10})(?![\d@]|[.,/-]\d)",
    re.IGNORECASE,
)
_ORDER_ALONE = re.compile(r"\A\W*(\d{4,10})\W*\Z")
_ORDER_BARE = re.compile(r"(?<![\d.,/@-])\d{4,10}(?![\d@]|[.,/-]\d)")
# A number of no other kind is most likely an order; not a year, a house or a 0800.
_ORDER_LEFT = re.compile(r"(?<![\d.,/@()-])(?!0|(?:19|20)\d\d(?!\d))\d{4,7}(?![\d@]|[.,/-]\d)")
_HOUSE = re.compile(
    r"\b(?:rua|r|av|avenida|alameda|travessa|estrada|apto?|ap|bloco|casa|street|avenue|road|flat|since|ano|de|em|in)\b"
    r"[^\d\n]{0,30}\Z",
    re.IGNORECASE,
)
_UNITS = re.compile(
    r"\s*(?:reais|real|kg|g|cm|mm|m|ml|l|v|volts?|w|watts?|%|horas?|h|am|pm|dollars?|pontos|points|pts)\b",
    re.IGNORECASE,
)
_SIGNED = re.compile(r"(?:R\$|US\$|\$|€)\s*\Z")

_AMOUNT = r"(\d{1,3}(?:[.,]\d{3})+(?:[.,]\d{1,2})?|\d{1,7}(?:[.,]\d{1,2})?)(?![\d]|[.,]\d)"
_MONEY_SIGN = re.compile(rf"(?:R\$|US\$|\$)\s?{_AMOUNT}", re.IGNORECASE)
_MONEY_NAMED = re.compile(rf"(?<![\d.,]){_AMOUNT}\s?(?:reais|real|contos?|pila|mangos|dollars?|bucks)\b", re.IGNORECASE)

_LETTERS = r"PP|GG|XGG|EXG|XG|EG|XXG|XXL|XXS|XL|XS|[234]XL"
_SIZE_NAMED = re.compile(
    rf"\b(?:tamanho|tam|size|numera[cç][aã]o|n[uú]mero|num|visto|uso|cal[cç]o|wear)(?:\s(?:o|um|a|an|[eé]|is))?[ :]\s?"
    rf"({_LETTERS}|[PMGUSL]|small|medium|large|\d{{1,2}}(?:[.,]5)?)(?![\w/-]|[.,]\d)(?!\s(?:reais|dias|days|horas|%))",
    re.IGNORECASE,
)
# After an article only what shoes and clothes have: "o 41", "pelo 39", "in large", "no 38".
_SIZE_ARTICLE = re.compile(
    r"\b(?:[dn]?[oa]|pel[oa]|um|uma|em|an?|the|in|or|ou|only|s[oó])\s(3[2-9]|4[0-8]|small|medium|large)"
    r"(?![\w/-]|[.,]\d)(?!\s(?:reais|real|dias|days|horas|minutos|hours|parcelas|vezes|%))",
    re.IGNORECASE,
)
_SIZE_ALONE = re.compile(rf"(?<![\w$/-])(?:{_LETTERS})(?![\w/-])", re.IGNORECASE)
_SIZE_LETTER = re.compile(r"(?<![\w$/'’&.-])[PMGSL](?![\w/'’&.-])")

# A bare number of shoes or clothes, and what must be said beside it: a thing that is worn, or how it fits.
_SIZE_BARE = re.compile(
    r"(?<![\w$€#.,/:%-])(?<!n[º°o.]\s)(3[2-9]|4[0-9])(?![\w/:%º°-]|[.,]\d)"
    r"(?!\s?(?:reais|real|pila|dollars?|bucks|dias?|days?|horas?|hours?|h\b|min|anos|years?|cm|mm|kg|g\b|inch|pol|"
    r"parcelas|vezes|times|pontos|points|unidades|pe[çc]as|%))",
    re.IGNORECASE,
)
_WORN = re.compile(
    r"\b(?:sapat\w+|t[eê]nis|chinel\w+|sand[aá]li\w+|bot(?:as?|inha)|tamanc\w+|sapatilh\w+|cal[çc](?:as?|ados?|o|ar|ei)|"
    r"bermud\w+|shorts?|sai(?:as?)|vestid\w+|ve(?:ste|stir|stia)|camis\w+|blus\w+|jaquet\w+|casac\w+|suti[aã]s?|mai[oô]s?|"
    r"biqu[ií]n\w+|us[ao]|numera[çc][aã]o|tamanhos?|apert\w+|shoes?|sneakers?|trainers?|boots?|sandals?|heels|jeans|"
    r"trousers|pants|dress|shirts?|bra|swimsuit|coat|jacket|wears?|size|fits?|pinch\w*)\b|"
    r"\bped[ií] \d\d e (?:veio|chegou)\b",
    re.IGNORECASE,
)
_SIZE_BED = re.compile(
    r"(?:\b(?:cama|len[çc][oó]l|len[çc][oó]is|colch(?:a|ão|ao)|edredom|fronha)\b[^.?!\n]{0,15}\b(queen|king|casal|solteiro)\b)|"
    r"\b(queen|king|twin)\b(?=\s(?:size\s)?(?:bed\w*|sheets?|duvet|mattress|linen))",
    re.IGNORECASE,
)
_SIZE_CHILD = re.compile(
    r"\b(?:infant(?:il|is)|kids|children's|toddlers?)\b[^.?!\n]{0,12}?\b(\d{1,2} (?:anos|meses|years?|months?))\b",
    re.IGNORECASE,
)

_COLORS = frozenset(
    """
    preto preta pretos pretas branco branca brancos brancas azul azuis
    vermelho vermelha vermelhos vermelhas
    verde verdes amarelo amarela amarelos amarelas rosa rosas roxo roxa cinza cinzas marrom marrons bege laranja
    vinho dourado dourada prata prateado prateada lilas turquesa caramelo nude creme mostarda
    bordo grafite salmao coral marinho
    black white blue red green yellow pink purple grey gray brown beige orange golden silver navy burgundy cream tan
    caramel gold
    """.split()
)
_WORD = re.compile(r"[^\W\d_]+")

_ZONE = ZoneInfo("America/Sao_Paulo")

# Nobody writes an order number after this much.
MOST_TEXT = 4000
# Each is held against all others.
MOST_FOUND = 64


class Found(NamedTuple):
    """One thing in a text; `value` is in the form that systems store: digits, ISO dates, decimals with a point."""

    entity: str
    value: str
    start: int
    end: int


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _decimal(amount: str) -> str:
    """1.234,56 and 1,234.56 are 1234.56: the last sign is the decimal one when one or two digits follow it."""
    whole, _, cents = re.sub(r"[.,](?=\d{1,2}\Z)", "|", amount).partition("|")
    return re.sub(r"[.,]", "", whole) + (f".{cents}" if cents else "")


def _asked_for(text: str, kind: str) -> Iterator[Found]:
    """Loose readings of what was asked for."""
    bare = {"cep": _CEP_BARE, "order_number": _ORDER_BARE, "phone": _PHONE, "cpf": _CPF}.get(kind)
    for match in bare.finditer(text) if bare else ():
        digits = _digits(match.group())
        if (kind != "cpf" or is_cpf(digits)) and (kind != "phone" or is_phone(digits)):
            yield Found(kind, digits, *match.span())


def _documents(text: str) -> Iterator[Found]:
    for match in _EMAIL.finditer(text):
        yield Found("email", match.group().lower(), *match.span())
    for match in _CNPJ.finditer(text):
        signs = re.sub(r"[^A-Z\d]", "", match.group().upper())
        if is_cnpj(signs):
            yield Found("cnpj", signs, *match.span())
    for match in _CPF.finditer(text):
        if is_cpf(digits := _digits(match.group())):
            yield Found("cpf", digits, *match.span())


def _numbers(text: str) -> Iterator[Found]:
    for pattern in (_MONEY_SIGN, _MONEY_NAMED):
        for match in pattern.finditer(text):
            yield Found("money", _decimal(match.group(1)), *match.span())
    for match in _CEP_NAMED.finditer(text):
        yield Found("cep", match.group(1), *match.span(1))
    for match in _CEP_DASHED.finditer(text):
        yield Found("cep", _digits(match.group()), *match.span())
    for match in _ORDER_NAMED.finditer(text):
        yield Found("order_number", match.group(1), *match.span(1))
    for match in _PHONE.finditer(text):
        if is_phone(digits := _digits(match.group())):
            yield Found("phone", digits, *match.span())
    if match := _ORDER_ALONE.match(text):
        yield Found("order_number", match.group(1), *match.span(1))


def _traits(text: str) -> Iterator[Found]:
    for pattern in (_SIZE_NAMED, _SIZE_ARTICLE):
        for match in pattern.finditer(text):
            yield Found("size", match.group(1).upper(), *match.span(1))
    for pattern in (_SIZE_ALONE, _SIZE_LETTER):
        for match in pattern.finditer(text):
            yield Found("size", match.group().upper(), *match.span())
    for pattern in (_SIZE_BED, _SIZE_CHILD):
        for match in pattern.finditer(text):
            group = match.lastindex or 1
            yield Found("size", match.group(group).upper(), *match.span(group))
    if _WORN.search(text):
        for match in _SIZE_BARE.finditer(text):
            if not _HOUSE.search(text[max(0, match.start() - 60) : match.start()]) or _WORN.search(
                text[max(0, match.start() - 20) : match.start()]
            ):
                yield Found("size", match.group(), *match.span())
    for match in _WORD.finditer(text):
        if match.end() - match.start() <= MOST_LETTERS and fold(match.group()) in _COLORS:
            yield Found("color", match.group().lower(), *match.span())


def _all(text: str, today: date, asked: Optional[str]) -> Iterator[Found]:
    if asked:
        yield from _asked_for(text, asked)
    yield from _documents(text)
    yield from (Found("date", one.day.isoformat(), one.start, one.end) for one in find_dates(text, today))
    yield from _numbers(text)
    yield from _traits(text)
    for match in _ORDER_LEFT.finditer(text):
        if not _HOUSE.search(text[max(0, match.start() - 60) : match.start()]):
            yield Found("order_number", match.group(), *match.span())


def find_identifiers(text: str, *, today: Optional[date] = None, asked: Optional[str] = None) -> List[Found]:
    """All of a text, in their order, none overlapping another; what was asked for, then the surer kind, wins."""
    found: List[Found] = []
    text = text[:MOST_TEXT]
    for candidate in _all(text, today or datetime.now(_ZONE).date(), asked):
        if any(candidate.start < other.end and other.start < candidate.end for other in found):
            continue
        if candidate.entity == "order_number" and (
            _UNITS.match(text, candidate.end) or _SIGNED.search(text[: candidate.start])
        ):
            continue
        found.append(candidate)
        if len(found) == MOST_FOUND:
            break
    return sorted(found, key=lambda one: one.start)


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=False)
class IdentifierExtractor(GraphComponent, EntityExtractorMixin):
    """Puts what it finds on the message as entities."""

    @staticmethod
    def get_default_config() -> Dict[Text, Any]:
        """`kinds`: what to report. `slots`: which kind a form's slot asks for, where their names differ."""
        return {
            "component_version": 3,
            "kinds": ["email", "cpf", "order_number"],
            "slots": {"order_proof": "cpf"},
            "time_zone": _ZONE.key,
        }

    def __init__(self, config: Dict[Text, Any], today: Optional[Callable[[], date]] = None) -> None:
        self._kinds = frozenset(config["kinds"])
        self._slots = dict(config["slots"])
        zone = ZoneInfo(config["time_zone"])
        self._today = today or (lambda: datetime.now(zone).date())

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
        slot = ASKED.get()
        asked = self._slots.get(slot, slot) if slot else None
        for message in messages:
            found: List[Dict[Text, Any]] = [
                {**one._asdict(), "confidence_entity": 1.0}
                for one in find_identifiers(message.get(TEXT) or "", today=self._today(), asked=asked)
                if one.entity in self._kinds
            ]
            if found:
                named = self.add_extractor_name(found)
                message.set(ENTITIES, message.get(ENTITIES, []) + named, add_to_output=True)
        return messages
