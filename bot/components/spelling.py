"""Puts the words of a hurried message into the spelling that the examples use: slang, accents, one wrong letter.

It works on the classifier's own copy of a text, so places of entities stay true. A word is corrected only when neither
the examples nor the encoder's vocabulary know it: else good words of the other language would be "corrected".
"""

from __future__ import annotations

from collections import Counter
from typing import Collection, Dict, Iterable, Iterator, List, Optional, Tuple

from bot.components.slang import MAYBE, SLANG
from bot.components.words import STAND_INS, fold, surfaces_of

_SHORTEST = 4
_MOST_KEPT = 4096


def deletions(word: str) -> Iterator[str]:
    """A word without one of its letters, for each of them."""
    for at in range(len(word)):
        yield word[:at] + word[at + 1 :]


def is_one_edit(first: str, second: str) -> bool:
    """Whether one letter more, less or other, or two neighbours swapped, lie between two words."""
    if first == second or abs(len(first) - len(second)) > 1:
        return False
    at = 0
    while at < min(len(first), len(second)) and first[at] == second[at]:
        at += 1
    if len(first) == len(second):
        swapped = first[at : at + 2][::-1] == second[at : at + 2] and first[at + 2 :] == second[at + 2 :]
        return first[at + 1 :] == second[at + 1 :] or swapped
    longer, shorter = (first, second) if len(first) > len(second) else (second, first)
    return longer[at + 1 :] == shorter[at:]


class Speller:
    """Knows the words of the examples: how often each occurs and how it is written with its accents."""

    def __init__(self, vocabulary: Dict[str, Tuple[str, int]], lexicon: Collection[str] = ()) -> None:
        """`vocabulary`: folded word → (written word, occurrences). `lexicon`: words that need no correction."""
        self.vocabulary = vocabulary
        self._lexicon = lexicon
        self._near: Dict[str, List[str]] = {}
        for word in vocabulary:
            if len(word) >= _SHORTEST and word not in STAND_INS:
                for key in {word, *deletions(word)}:
                    self._near.setdefault(key, []).append(word)
        self._kept: Dict[str, List[str]] = {}

    @classmethod
    def of(cls, texts: Iterable[str], lexicon: Collection[str] = ()) -> Speller:
        """The speller that examples make."""
        written: Dict[str, Counter[str]] = {}
        for text in texts:
            for surface in surfaces_of(text):
                for word in SLANG.get(surface, surface).split():
                    written.setdefault(fold(word), Counter())[word] += 1
        return cls({plain: (_best(forms), sum(forms.values())) for plain, forms in sorted(written.items())}, lexicon)

    def words(self, text: str) -> List[str]:
        """The words of a text, spelled as the examples spell them."""
        return [word for surface in surfaces_of(text) for word in self._meant(surface)]

    def _meant(self, surface: str) -> List[str]:
        kept = self._kept.get(surface)
        if kept is None:
            kept = self._look_up(surface)
            if len(self._kept) < _MOST_KEPT:
                self._kept[surface] = kept
        return kept

    def _look_up(self, surface: str) -> List[str]:
        if meant := SLANG.get(surface):
            return meant.split()
        plain = fold(surface)
        if known := self.vocabulary.get(plain):
            return [known[0] if surface == plain else surface]
        if meant := MAYBE.get(surface):
            return meant.split()
        unstretched = _single(plain)
        if unstretched != plain:
            if known := self.vocabulary.get(unstretched):
                return [known[0]]
            if meant := SLANG.get(unstretched):
                return meant.split()
        if len(plain) < _SHORTEST or surface in self._lexicon or plain in self._lexicon:
            return [surface]
        near = self._nearest(plain)
        return [self.vocabulary[near][0]] if near else [surface]

    def _nearest(self, plain: str) -> Optional[str]:
        candidates = {word for key in (plain, *deletions(plain)) for word in self._near.get(key, ())}
        fitting = [word for word in candidates if is_one_edit(plain, word)]
        if not fitting:
            return None
        # The first letter is the one that people get right.
        return min(fitting, key=lambda word: (word[0] != plain[0], -self.vocabulary[word][1], word))


def _best(forms: Counter[str]) -> str:
    # Whoever wrote an accent meant it; of two accented forms the more frequent.
    return min(forms, key=lambda form: (form.isascii(), -forms[form], form))


def _single(word: str) -> str:
    return "".join(letter for at, letter in enumerate(word) if at == 0 or letter != word[at - 1])
