"""What the hybrid classifier knows after training, and how it reads a message; numpy only.

A score for each intent is a kernel machine's: a linear one over words and pieces of words, and one over the cosines
between the message's sentence vector and those of the examples. A logistic regression over signs of doubt (how high,
how far ahead, how near to an example, how much of it known) makes of the scores how likely the first intent is right.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from bot.components.sentence_top import Weights, vectors_of
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
    """What tells a right answer from a wrong one, of the likeliest intent in scope.

    `nearest` and `own_lead` are 0 where there is no encoder.
    """

    score: float
    lead: float
    """How far the score is ahead of the next one in scope."""
    known: float
    """The share of the message that the examples are made of."""
    nearest: float
    """Cosine to the nearest example."""
    own_lead: float
    """How much nearer the first intent's nearest example is than any other intent's; below 0 when it is not."""
    inside: float
    """How far the score is ahead of out of scope's, below 0 when it is not; `NO_OUTSIDE` where there is none."""


class Confidence(NamedTuple):
    """P(the first intent is right) = sigmoid(weights · (signs − means) / spreads + bias)."""

    weights: np.ndarray
    means: np.ndarray
    spreads: np.ndarray
    bias: float

    def of(self, signs: Signs) -> float:
        value = float(self.weights @ ((np.array(signs) - self.means) / self.spreads)) + self.bias
        return float(1 / (1 + np.exp(-np.clip(value, -30, 30))))


class Vectors(NamedTuple):
    """The sentence half: the adapted top, the examples' vectors, and what each example adds to each intent."""

    top: Weights
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
            first, lead, inside = self._standing(scores)
            return scores, Signs(scores[first], lead, known, 0, 0, inside)
        sentence = sentence or self._encoder.read(encoder_words(words))
        features, pieces = sentence.features[None, :], np.array([sentence.pieces])
        vector = vectors_of(self.vectors.top, self._encoder.top_bias, features, pieces)[0]
        cosines = self.vectors.examples @ vector
        scores = scores + self.kernel.of(cosines) @ self.vectors.shares
        first, lead, inside = self._standing(scores)
        mine = self.labels == first
        own, others = _highest(cosines[mine]), _highest(cosines[~mine])
        return scores, Signs(scores[first], lead, known, max(own, others), own - others, inside)

    def _standing(self, scores: np.ndarray) -> Tuple[int, float, float]:
        """The likeliest intent in scope, how far it is ahead of the next one there, and of out of scope."""
        order = np.argsort(np.where(self._beyond, np.inf, -scores), kind="stable")
        first, second = int(order[0]), int(order[1] if (~self._beyond).sum() > 1 else order[0])
        beyond = float(scores[first] - scores[self._beyond].max()) if self._beyond.any() else NO_OUTSIDE
        return first, float(scores[first] - scores[second]), beyond

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
        shares = np.minimum(np.exp((scores - signs.score) / self.heat), 1) * sure
        ahead = self._beyond & (scores > signs.score)
        if ahead.any():
            # Out of scope is believed by the same signs; gibberish, which is near to nothing, is not that either.
            highest = float(scores[ahead].max())
            own = signs._replace(score=highest, lead=highest - signs.score, inside=NO_OUTSIDE)
            shares[ahead] = max(self.confidence.of(own) * believed, sure)
        order = np.lexsort((-scores, -shares))
        return [(self.intents[place], float(shares[place])) for place in order]

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
            "bias": self.confidence.bias,
        }
        (folder / "words.json").write_text(json.dumps(known, ensure_ascii=False), encoding="utf-8")
        arrays = {
            "labels": self.labels,
            "idf": self.features.weights,
            "weights": self.weights,
            "confidence": np.array(self.confidence[:3]),
        }
        if self.vectors is not None:
            arrays.update({f"top_{name}": values for name, values in self.vectors.top.items()})
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
            top = {name[4:]: values for name, values in arrays.items() if name.startswith("top_")}
            vectors = Vectors(top, arrays["examples"], arrays["shares"])
        return cls(
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
            confidence=Confidence(*arrays["confidence"], bias=known["bias"]),
            encoder=encoder,
            outside=known["outside"],
        )


def _highest(cosines: np.ndarray) -> float:
    return float(cosines.max()) if len(cosines) else 0.0
