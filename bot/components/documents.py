"""Check digits of Brazilian documents, and what a phone number in Brazil looks like. Pure."""

from __future__ import annotations

# Area codes in use in Brazil.
_AREAS = frozenset(
    "11 12 13 14 15 16 17 18 19 21 22 24 27 28 31 32 33 34 35 37 38 41 42 43 44 45 46 47 48 49 51 53 54 55 61 62 63 64 "
    "65 66 67 68 69 71 73 74 75 77 79 81 82 83 84 85 86 87 88 89 91 92 93 94 95 96 97 98 99".split()
)


def is_cpf(digits: str) -> bool:
    """Both check digits hold. Eleven equal digits pass the sum and are no CPF."""
    if len(digits) != 11 or not (digits.isascii() and digits.isdigit()) or len(set(digits)) == 1:
        return False
    for size in (9, 10):
        total = sum(int(digit) * (size + 1 - place) for place, digit in enumerate(digits[:size]))
        if total * 10 % 11 % 10 != int(digits[size]):
            return False
    return True


def is_cnpj(signs: str) -> bool:
    """Both check digits hold; since July 2026 the first twelve signs may be letters too.

    A sign counts as its ASCII code less 48, so digits count as themselves (IN RFB 2.229/2024).
    """
    if len(signs) != 14 or not (signs.isascii() and signs.isalnum() and signs[12:].isdigit()) or len(set(signs)) == 1:
        return False
    for size in (12, 13):
        total = sum((ord(sign) - 48) * ((size - 1 - place) % 8 + 2) for place, sign in enumerate(signs[:size].upper()))
        if (0 if total % 11 < 2 else 11 - total % 11) != int(signs[size]):
            return False
    return True


def is_phone(digits: str) -> bool:
    """A landline or a mobile number with its area code, with or without the country's 55."""
    local = digits[2:] if digits.startswith("55") and len(digits) > 11 else digits
    return local[:2] in _AREAS and (len(local) == 10 or (len(local) == 11 and local[2] == "9"))
