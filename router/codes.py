"""Link codes: made, shown, and found again in what somebody writes. Pure."""

from __future__ import annotations

import re
import secrets

ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
"""30 signs that are not taken for one another: no I, L, O, U, 0, 1."""

LENGTH = 8

HIDDEN = "••••-••••"
"""Stands in the journal where a code was typed."""

_SIGNS = f"[{ALPHABET}{ALPHABET.lower()}]"
_TYPED = re.compile(rf"(?<![A-Za-z0-9])({_SIGNS}{{4}})[-– ]?({_SIGNS}{{4}})(?![A-Za-z0-9])")
_MOST_LOOKED_UP = 3


def new_token() -> str:
    """128 bits in 22 letters of A-Za-z0-9_-, which every channel's deep link carries."""
    return secrets.token_urlsafe(16)


def new_code() -> str:
    """Eight signs, some 39 bits, to be typed."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def shown(code: str) -> str:
    return f"{code[:4]}-{code[4:]}"


def typed(link: str) -> str:
    """The code in ABCD-EFGH or ABCDEFGH; empty for a token, which is longer."""
    plain = link.replace("-", "").upper()
    return plain if len(link) <= LENGTH + 1 and len(plain) == LENGTH else ""


def may_be_in(text: str) -> bool:
    """Whether it is worth a look: most messages hold nothing of that form."""
    return _TYPED.search(text) is not None


def found_in(text: str) -> list[str]:
    """What may be a code in it, as it was made. Words of eight letters look alike: who asks looks them up."""
    if len(text) > 400:
        return []
    found = ((first + second).upper() for first, second in _TYPED.findall(text))
    return list(dict.fromkeys(found))[:_MOST_LOOKED_UP]


def is_nothing_else(text: str) -> bool:
    """Whether it is a code as we show them, and only that: an unknown one is answered as a code, not as a word."""
    match = _TYPED.fullmatch(text.strip())
    return bool(match) and "-" in text


def hidden(text: str, code: str) -> str:
    """The text without that code, however it was written."""
    return _TYPED.sub(lambda match: HIDDEN if (match[1] + match[2]).upper() == code else match[0], text)
