"""The words of a message as the classifier sees them, and the pieces that words are made of."""

from __future__ import annotations

import re
import unicodedata
from typing import List

# What is beyond this says nothing new about the intent, and work must not grow with the text.
HEAD, TAIL = 400, 200
MOST_WORDS = 80
MOST_LETTERS = 32

# What an identifier becomes: one word each, so that no example has to hold every order number there is.
EMAIL, LINK, NUMBER, LONG_NUMBER = "zemailz", "zlinkz", "znumberz", "zlongnumberz"
STAND_INS = frozenset({EMAIL, LINK, NUMBER, LONG_NUMBER})

_NUMBER = re.compile(r"#?\d[\d.,/\-]*")
_WORD = re.compile(r"z(?:email|link|number|longnumber)z|[^\W\d_]+(?:['’][^\W\d_]+)*|[$%]")
_STRETCHED = re.compile(r"([^\W\d_])\1{2,}")


def fold(text: str) -> str:
    """Lower case without accents."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def surfaces_of(text: str) -> List[str]:
    """Words in lower case with their accents; identifiers replaced, what is neither word nor number dropped.

    A long text is its head and its tail, at most MOST_WORDS words of at most MOST_LETTERS letters.
    """
    if len(text) > HEAD + TAIL:
        text = f"{text[:HEAD]} {text[-TAIL:]}"
    text = unicodedata.normalize("NFKC", text).lower()
    if len(text) > 2 * (HEAD + TAIL):  # one character may stand for eighteen
        text = text[: HEAD + TAIL]
    text = " ".join(_stand_in(token) for token in text.split())
    text = _NUMBER.sub(lambda found: f" {LONG_NUMBER if len(found.group()) > 3 else NUMBER} ", text)
    text = _STRETCHED.sub(r"\1", text.replace("’", "'"))
    words = [word[:MOST_LETTERS] for word in _WORD.findall(text)]
    if len(words) > MOST_WORDS:
        words = words[: MOST_WORDS * 2 // 3] + words[-(MOST_WORDS // 3) :]
    return words


def _stand_in(token: str) -> str:
    # By token: a pattern that looks for an address anywhere takes quadratic time on hostile text.
    if token.startswith(("http://", "https://", "www.")):
        return LINK
    name, at, host = token.partition("@")
    return EMAIL if at and name and "." in host else token


def pieces_of(word: str) -> List[str]:
    """Character n-grams of 2 to 5 inside one folded word, its edges included."""
    if word in STAND_INS:
        return []
    edged = f"_{word}_"
    return [edged[at : at + size] for size in range(2, 6) for at in range(len(edged) - size + 1)]
