"""Numbers that nobody needs to keep: masked in what people write before it is written down. Pure.

A number counts when its check digits are right: CPF by modulo 11, cards by Luhn (ISO/IEC 7812-1). The last digits stay,
so that two people who talk about it know which one is meant. The assistant and the actions know a CPF by code of their
own: they share none with the router.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Literal

import msgspec

from connectors.content import Command, Content

Kind = Literal["cpf", "card"]

_DOT = "•"
_CPF = re.compile(r"(?<!\d)\d{3}[. ]?\d{3}[. ]?\d{3}[-. /]?\d{2}(?!\d)")
_RUN = re.compile(r"(?<!\d)\d+(?:[ .-]\d+)+(?!\d)|(?<!\d)\d{13,19}(?!\d)")
"""Groups of digits with one sign between them: a card may stand among others, such as the month that follows it."""

_CARD_LENGTHS = range(13, 20)
_CARD_BEGINS = "23456"
"""Banks and merchants; 1 is airlines, 7 fuel and the bar codes of Brazil, 8 telephones, 9 national use."""


def masked(text: str, kinds: Collection[Kind]) -> str:
    if "card" in kinds:
        text = _RUN.sub(_without_cards, text)
    if "cpf" in kinds:
        text = _CPF.sub(lambda found: _dotted(found[0], 2) if is_cpf(found[0]) else found[0], text)
    return text


def masked_content(content: Content, mask: Callable[[str], str]) -> Content:
    """The same content with every word of a person's in it masked, also the name of a file."""
    changes = {
        field: mask(words)
        for field in ("text", "value" if isinstance(content, Command) else "name")
        if isinstance(words := getattr(content, field, None), str)
    }
    return msgspec.structs.replace(content, **changes)


def is_cpf(written: str) -> bool:
    """Eleven digits, not all alike, of which the last two follow from the others."""
    digits = _digits(written)
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    for at in (9, 10):
        rest = sum(digit * (at + 1 - i) for i, digit in enumerate(digits[:at])) * 10 % 11
        if rest % 10 != digits[at]:
            return False
    return True


def is_card(written: str) -> bool:
    digits = _digits(written)
    if len(digits) not in _CARD_LENGTHS or str(digits[0]) not in _CARD_BEGINS:
        return False
    doubled = (digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2])
    return (sum(digits[::-2]) + sum(doubled)) % 10 == 0


def _without_cards(run: re.Match[str]) -> str:
    """The longest card at every group, from the left."""
    parts = re.split(r"(\D)", run[0])
    at = 0
    while at < len(parts):
        for end in range(len(parts), at, -2):
            if is_card(words := "".join(parts[at:end])):
                parts[at:end] = [_dotted(words, 4)]
                break
        at += 2
    return "".join(parts)


def _dotted(written: str, keep: int) -> str:
    left = sum(map(str.isdigit, written)) - keep
    shown = []
    for sign in written:
        hidden = sign.isdigit() and left > 0
        left -= sign.isdigit()
        shown.append(_DOT if hidden else sign)
    return "".join(shown)


def _digits(written: str) -> list[int]:
    return [int(sign) for sign in written if sign.isdecimal()]
