"""TF-IDF of words, pairs of words and pieces of words, in numpy; the two kinds count the same whatever their number."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import Collection, Dict, List, Sequence, Tuple

import numpy as np

from bot.components.words import STAND_INS, fold, pieces_of

_MOST_KEPT = 8192
_HALF = np.float32(math.sqrt(0.5))


class SparseFeatures:
    """Knows the features of the examples; others are left out. Words come first in the order of `names`."""

    def __init__(self, names: List[str], words: int, weights: np.ndarray, lexicon: Collection[str] = ()) -> None:
        """`lexicon`: words that count as known although no example has them."""
        self.names = names
        self.words = words
        self.weights = weights
        self._lexicon = lexicon
        self._places = {name: place for place, name in enumerate(names)}
        self._kept: Dict[str, Tuple[List[int], float]] = {}

    @classmethod
    def of(cls, sentences: Sequence[Sequence[str]], lexicon: Collection[str] = ()) -> SparseFeatures:
        """The features of examples, each with its inverse document frequency."""
        seen: Tuple[Counter[str], Counter[str]] = (Counter(), Counter())
        for sentence in sentences:
            plain = [fold(word) for word in sentence]
            seen[0].update({f"w {word}" for word in plain} | {f"w {one} {two}" for one, two in pairwise(plain)})
            seen[1].update({piece for word in plain for piece in pieces_of(word)})
        names = [*sorted(seen[0]), *sorted(seen[1])]
        counts = [seen[0][name] for name in sorted(seen[0])] + [seen[1][name] for name in sorted(seen[1])]
        weights = np.array([math.log((1 + len(sentences)) / (1 + count)) + 1 for count in counts], dtype=np.float32)
        return cls(names, len(seen[0]), weights, lexicon)

    def _of_word(self, plain: str) -> Tuple[List[int], float]:
        """Places of the features of one word, and how much of the word is known."""
        kept = self._kept.get(plain)
        if kept is None:
            places = self._places
            word = places.get(f"w {plain}")
            found = [] if word is None else [word]
            found += [places[piece] for piece in pieces_of(plain) if piece in places]
            # Pairs of letters are everywhere; longer pieces tell a typing error from noise.
            longer = [piece in places for piece in pieces_of(plain) if len(piece) > 2]
            share = sum(longer) / len(longer) if longer else 0.0
            known = 1.0 if word is not None or plain in STAND_INS or plain in self._lexicon else share
            kept = (found, known)
            if len(self._kept) < _MOST_KEPT:
                self._kept[plain] = kept
        return kept

    def row(self, sentence: Sequence[str]) -> Tuple[np.ndarray, np.ndarray, float]:
        """Places and values of a sentence, and the share of it that the examples are made of."""
        plain = [fold(word) for word in sentence]
        found: List[int] = []
        known = 0.0
        for word in plain:
            places, share = self._of_word(word)
            found += places
            known += share
        for one, two in pairwise(plain):
            place = self._places.get(f"w {one} {two}")
            if place is not None:
                found.append(place)
        places_, counts = np.unique(np.array(found, dtype=np.int64), return_counts=True)
        values = (1 + np.log(counts.astype(np.float32))) * self.weights[places_]
        border = int(np.searchsorted(places_, self.words))
        for part in (values[:border], values[border:]):
            length = float(np.sqrt(part @ part))
            if length:
                part *= _HALF / length
        return places_, values, known / len(plain) if plain else 0.0
