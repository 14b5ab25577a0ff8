"""What the hybrid classifier knows after training, and how it reads a message; numpy only.

A score for each intent is a kernel machine's: a linear one over words and pieces of words, and one over the cosines
between the message's sentence vector and those of the examples. Two logistic regressions over signs of doubt (how high,
how near to an example, how far ahead of out of scope; how far ahead of the next intent) make of the scores how likely
the first intent is right.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from bot.components.sentence_top import Reading
from bot.components.sentence_vectors import Sentence, SentenceEncoder
from bot.components.sparse_features import SparseFeatures
from bot.components.spelling import Speller
from bot.components.words import EMAIL, LINK, LONG_NUMBER, NUMBER

# What the encoder reads in place of an identifier.
_READ_AS = {EMAIL: "email", LINK: "link", NUMBER: "10", LONG_NUMBER: "1234"}
_MOST_KEPT = 2048

# What messages in scope have on the average: it speaks neither for nor against.
NO_OUTSIDE = 0.4


class Signs(NamedTuple):
    """What tells a right answer from a wrong one, of the likeliest intent in scope."""

    score: float
    """How high all scores in scope are together: heat · log Σ exp(score / heat), the energy of Liu et al. 2020. The
    highest alone would be low for a message between two intents, which is no less in scope for that."""
    lead: float
    """How far the highest score is ahead of the next one in scope."""
    known: float
    """The share of the message that the examples are made of."""
    nearest: float
    """Cosine to the nearest example; 0 where there is no encoder."""
    inside: float
    """How far the highest score is ahead of out of scope's, below 0 when it is not; `NO_OUTSIDE` where that is none."""


# Which signs say that a message is in scope, and which that the first intent is right if it is. A sum of all would
# count a message between two intents as half out of scope.
SCOPE_SIGNS, RIGHT_SIGNS = ("score", "nearest", "inside"), ("lead",)


class Confidence(NamedTuple):
    """P(the first intent is right) = P(in scope) · P(right if in scope).

    Each is sigmoid(weights · (signs − means) / spreads + bias): a row of `weights` and a `bias` for each of the two.
    """

    weights: np.ndarray
    means: np.ndarray
    spreads: np.ndarray
    bias: np.ndarray

    def of(self, signs: Signs) -> float:
        values = self.weights @ ((np.array(signs) - self.means) / self.spreads) + self.bias
        return float((1 / (1 + np.exp(-np.clip(values, -30, 30)))).prod())


class Vectors(NamedTuple):
    """The sentence half: the adapted top, the examples' vectors, and what each example adds to each intent."""

    top: Reading
    examples: np.ndarray
    shares: np.ndarray


class Kernel(NamedTuple):
    """How much cosines weigh beside words, and how fast they fade: weight · exp(steepness · (cosine − 1))."""

    weight: float
    steepness: float

    def of(self, cosines: np.ndarray) -> np.ndarray:
        values = np.multiply(cosines - 1, self.steepness, dtype=np.float32)
        np.exp(values, out=values)
        values *= self.weight
        return values


def encoder_words(words: Sequence[str]) -> List[str]:
    """Words as the encoder reads them."""
    return [_READ_AS.get(word, word) for word in words]


class IntentModel:
    """Reads messages. `labels` are the places in `intents` of the examples' intents."""

    def __init__(
        self,
        *,
        intents: List[str],
        labels: np.ndarray,
        speller: Speller,
        features: SparseFeatures,
        weights: np.ndarray,
        vectors: Optional[Vectors],
        kernel: Kernel,
        heat: float,
        least_known: float,
        confidence: Confidence,
        encoder: Optional[SentenceEncoder],
        outside: Sequence[str] = (),
    ) -> None:
        self.intents, self.labels = intents, labels
        self.speller, self.features, self.weights = speller, features, weights
        self.vectors, self.kernel, self.heat, self.confidence = vectors, kernel, heat, confidence
        self._encoder, self._least_known = encoder, least_known
        self.frequent: List[int] = []
        """Pieces of words (rows of the encoder's) that the examples hold most often, the most frequent first."""
        self.outside = tuple(intent for intent in outside if intent in intents)
        self._beyond = np.array([intent in self.outside for intent in intents])
        if self._beyond.all():
            self._beyond[:] = False
        self._kept: Dict[Tuple[str, ...], List[Tuple[str, float]]] = {}

    def read(self, words: Sequence[str], sentence: Optional[Sentence] = None) -> Tuple[np.ndarray, Signs]:
        """Scores of the intents, and the signs of doubt. `sentence`: what the encoder makes of the words, if known."""
        places, values, known = self.features.row(words)
        scores = values @ self.weights[places]
        if self.vectors is None or self._encoder is None:
            return scores, self._signs(scores, known, 0.0)
        sentence = sentence or self._encoder.read(encoder_words(words))
        cosines = self.vectors.examples @ self.vectors.top.vector(sentence.features, sentence.pieces)
        scores = scores + self.kernel.of(cosines) @ self.vectors.shares
        return scores, self._signs(scores, known, float(cosines.max()))

    def _signs(self, scores: np.ndarray, known: float, nearest: float) -> Signs:
        inside = scores[~self._beyond]
        highest = float(inside.max())
        energy = highest + self.heat * math.log(float(np.exp((inside - highest) / self.heat).sum()))
        lead = highest - float(np.partition(inside, -2)[-2]) if len(inside) > 1 else 0.0
        ahead = highest - float(scores[self._beyond].max()) if self._beyond.any() else NO_OUTSIDE
        return Signs(energy, lead, known, nearest, ahead)

    def rank(self, text: str) -> List[Tuple[str, float]]:
        """Intents and confidences, the likeliest first."""
        words = self.speller.words(text)
        key = tuple(words)
        ranking = self._kept.get(key)
        if ranking is None:
            ranking = self._rank(words)
            if len(self._kept) < _MOST_KEPT:
                self._kept[key] = ranking
        return ranking

    def _rank(self, words: Sequence[str]) -> List[Tuple[str, float]]:
        scores, signs = self.read(words)
        # Noise may lie near anything; what is made of nothing known is not believed.
        believed = min(1.0, signs.known / self._least_known) if words else 0.0
        sure = self.confidence.of(signs) * believed
        # The others keep their odds against the first: two equal scores are two equal confidences.
        inside = float(scores[~self._beyond].max())
        shares = np.minimum(np.exp((scores - inside) / self.heat), 1) * sure
        ahead = self._beyond & (scores > inside)
        if ahead.any():
            # Out of scope is believed by the same signs; gibberish, which is near to nothing, is not that either.
            highest = float(scores[ahead].max())
            own = signs._replace(score=max(highest, signs.score), lead=highest - inside, inside=NO_OUTSIDE)
            shares[ahead] = max(self.confidence.of(own) * believed, sure)
        order = np.lexsort((-scores, -shares)).tolist()
        found = shares.tolist()
        return [(self.intents[place], found[place]) for place in order]

    def save(self, folder: Path) -> None:
        """Arrays and JSON, never a pickle."""
        known: Dict[str, Any] = {
            "intents": self.intents,
            "names": self.features.names,
            "words": self.features.words,
            "vocabulary": self.speller.vocabulary,
            "kernel": list(self.kernel),
            "heat": self.heat,
            "least_known": self._least_known,
            "outside": self.outside,
            "bias": self.confidence.bias.tolist(),
            "frequent": self.frequent,
        }
        (folder / "words.json").write_text(json.dumps(known, ensure_ascii=False), encoding="utf-8")
        arrays = {
            "labels": self.labels,
            "idf": self.features.weights,
            "weights": self.weights,
            "confidence": np.vstack(self.confidence[:3]),
        }
        if self.vectors is not None:
            arrays.update({f"top_{name}": values for name, values in self.vectors.top._asdict().items()})
            arrays.update(examples=self.vectors.examples, shares=self.vectors.shares)
        np.savez(folder / "arrays.npz", **arrays)

    @classmethod
    def load(cls, folder: Path, encoder: Optional[SentenceEncoder]) -> IntentModel:
        """A model as it was saved."""
        known = json.loads((folder / "words.json").read_text(encoding="utf-8"))
        with np.load(folder / "arrays.npz", allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        lexicon = encoder.pieces.whole_words() if encoder else frozenset()
        vectors = None
        if "examples" in arrays:
            top = Reading(**{name: arrays[f"top_{name}"] for name in Reading._fields})
            vectors = Vectors(top, arrays["examples"], arrays["shares"])
        if encoder:
            encoder.prepare(known["frequent"])
        model = cls(
            intents=known["intents"],
            labels=arrays["labels"],
            speller=Speller(
                {word: (form, count) for word, (form, count) in known["vocabulary"].items()},
                lexicon,
            ),
            features=SparseFeatures(known["names"], known["words"], arrays["idf"], lexicon),
            weights=arrays["weights"],
            vectors=vectors,
            kernel=Kernel(*known["kernel"]),
            heat=known["heat"],
            least_known=known["least_known"],
            confidence=Confidence(
                arrays["confidence"][:-2], *arrays["confidence"][-2:], bias=np.array(known["bias"], dtype=float)
            ),
            encoder=encoder,
            outside=known["outside"],
        )
        model.frequent = known["frequent"]
        return model
