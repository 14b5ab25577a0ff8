"""Read an order number, an e-mail or a CPF out of what a person typed. Pure."""

import re
import unicodedata

# A number that says what it is ("pedido nº 1001", "order number is 1001", "#1001").
_MARKED = re.compile(
    r"(?:\#|\b(?:pedido|pedidos|ped|compra|order|ordem|purchase|n[uú]mero|num|nro|number|n[º°o]\.?)\b)"
    r"(?:\s*(?:é|e|eh|is|it'?s|do|da|de|of|o|a|the|my|meu|number|n[uú]mero|num|nro|n[º°o]\.?|pedido|order|[:#.,=-]))*"
    r"\s*(?<!\d)(\d{4,10})(?!\d)(?![./-]?\d)",
    re.IGNORECASE,
)
# A bare one, and no price, date or amount.
_BARE = re.compile(
    r"(?<![\d@.,/-])(?<!\$)(?<!\$ )(\d{4,10})(?![\d@]|[.,/-]\d|\s*(?:reais|real|dollars?|kg|g|km|m|%)\b)", re.IGNORECASE
)
# "1.001" is how many Brazilians write a thousand and one.
_THOUSANDS = re.compile(r"(?<![\d.,])(\d{1,3})\.(\d{3})(?!\d|[.,/-]\d)")
_EMAIL = re.compile(r"(?<![\w.+-])([\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[a-z]{2,24})(?![\w-])", re.IGNORECASE)
_CPF = re.compile(r"(?<!\d)(\d{3}[.\s]?\d{3}[.\s]?\d{3}[-.\s/]?\d{2})(?!\d)")


def plain(text: str) -> str:
    """Fold look-alikes (full-width digits, zero-width characters) so that one pattern reads them all."""
    folded = unicodedata.normalize("NFKC", text)
    return "".join(character for character in folded if unicodedata.category(character) != "Cf")


def find_email(text: str) -> str | None:
    """The first e-mail address, in lower case and without the full stop of the sentence."""
    match = _EMAIL.search(plain(text))
    return match.group(1).lower().strip(".") if match else None


def find_cpf(text: str) -> str | None:
    """The first CPF whose check digits hold, as 11 digits."""
    return next((cpf for cpf in _cpf_candidates(text) if is_cpf(cpf)), None)


def has_broken_cpf(text: str) -> bool:
    """Whether the text holds something of the shape of a CPF, and no valid one."""
    candidates = _cpf_candidates(text)
    return bool(candidates) and not any(is_cpf(cpf) for cpf in candidates)


def find_order_number(text: str, *, asked: bool) -> str | None:
    """The order number; a bare number counts only when we had asked for one."""
    rest = _THOUSANDS.sub(r"\1\2", _CPF.sub(" ", _EMAIL.sub(" ", plain(text))))
    match = _MARKED.search(rest) or (_BARE.search(rest) if asked else None)
    return match.group(1).lstrip("0") or "0" if match else None


def is_cpf(digits: str) -> bool:
    """Modulo 11, twice. Eleven equal digits pass the sum and are refused, as the tax office does."""
    if len(digits) != 11 or not digits.isascii() or not digits.isdigit() or len(set(digits)) == 1:
        return False
    return all(int(digits[size]) == _check_digit(digits[:size]) for size in (9, 10))


def _check_digit(digits: str) -> int:
    total = sum(int(digit) * weight for digit, weight in zip(digits, range(len(digits) + 1, 1, -1), strict=True))
    return total * 10 % 11 % 10


def _cpf_candidates(text: str) -> list[str]:
    return [re.sub(r"\D", "", found) for found in _CPF.findall(_EMAIL.sub(" ", plain(text)))]
