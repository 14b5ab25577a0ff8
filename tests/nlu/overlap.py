"""Sentences that are nearly the same letters: the measure, and a quick search for all such pairs."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil

_WORD = re.compile(r"[a-z0-9]+")
_REPEATED = re.compile(r"([a-z])\1+")
_ANNOTATION = re.compile(r"\[([^\]]*)\](?:\([^)]*\)|\{[^}]*\})")
# Fewer words than this agree by chance.
_WORDS_THAT_COUNT = 4
_ROUNDING = 1e-9


def plain(example: str) -> str:
    """A training example as a customer would send it: without its annotations."""
    return _ANNOTATION.sub(r"\1", example).strip()


def folded(text: str) -> str:
    """Lower case, no accents, no punctuation, no emoji, stretched letters squeezed: what "the same" means here."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(char for char in decomposed if not unicodedata.combining(char)).replace("'", "")
    return _REPEATED.sub(r"\1", " ".join(_WORD.findall(letters)))


@dataclass(frozen=True)
class Sentence:
    """A sentence and where it stands; `where` is what a failing test shows of it."""

    text: str
    where: str

    @cached_property
    def folded(self) -> str:
        # What has no letter or digit, an emoji say, is compared as it stands.
        return folded(self.text) or self.text

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset(self.folded.split())

    @cached_property
    def trigrams(self) -> frozenset[str]:
        edged = f"  {self.folded} "
        return frozenset(edged[at : at + 3] for at in range(len(edged) - 2))


def share(one: frozenset[str], other: frozenset[str]) -> float:
    """How much two sets have in common: 0 nothing, 1 all (Jaccard)."""
    return len(one & other) / len(one | other)


def alike(one: Sentence, other: Sentence, *, letters: float, words: float) -> bool:
    """Folded they are equal, or they share so many pieces of three letters, or so many of at least four words."""
    if one.folded == other.folded or share(one.trigrams, other.trigrams) >= letters:
        return True
    return min(len(one.words), len(other.words)) >= _WORDS_THAT_COUNT and share(one.words, other.words) >= words


def pairs_alike(
    ours: Sequence[Sentence], others: Sequence[Sentence] | None = None, *, letters: float, words: float
) -> Iterator[tuple[Sentence, Sentence]]:
    """Every pair that is alike: one of ours with one of the others, or two of ours when there are no others.

    Two sets that share a fraction f of their union agree in one of their n - ceil(f*n) + 1 rarest members, in any order
    that is the same for both: only those are looked up.
    """
    against = ours if others is None else others
    seen = Counter(piece for one in {*ours, *against} for piece in one.trigrams | one.words)

    def rarest(sentence: Sentence) -> Iterator[str]:
        for pieces, least in ((sentence.trigrams, letters), (sentence.words, words)):
            ordered = sorted(pieces, key=lambda piece: (seen[piece], piece))
            yield from ordered[: len(pieces) - ceil(least * len(pieces) - _ROUNDING) + 1]

    found_in = defaultdict[str, set[int]](set)
    for place, sentence in enumerate(against):
        for piece in rarest(sentence):
            found_in[piece].add(place)
    for at, sentence in enumerate(ours):
        near = set[int]().union(*(found_in[piece] for piece in rarest(sentence)))
        for place in sorted(near):
            if (others is not None or place > at) and alike(sentence, against[place], letters=letters, words=words):
                yield sentence, against[place]
