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


class Signs(NamedTuple):
    """What tells a right answer from a wrong one; the last two are 0 where there is no encoder."""

    score: float
    lead: float
    """How far the score is ahead of the second one."""
    known: float
    """The share of the message that the examples are made of."""
    nearest: float
    """Cosine to the nearest example."""
    own_lead: float
    """How much nearer the first intent's nearest example is than any other intent's; below 0 when it is not."""


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
    ) -> None:
        self.intents, self.labels = intents, labels
        self.speller, self.features, self.weights = speller, features, weights
        self.vectors, self.kernel, self.heat, self.confidence = vectors, kernel, heat, confidence
        self._encoder, self._least_known = encoder, least_known
        self._kept: Dict[Tuple[str, ...], List[Tuple[str, float]]] = {}

    def read(self, words: Sequence[str], sentence: Optional[Sentence] = None) -> Tuple[np.ndarray, Signs]:
        """Scores of the intents, and the signs of doubt. `sentence`: what the encoder makes of the words, if known."""
        places, values, known = self.features.row(words)
        scores = values @ self.weights[places]
        if self.vectors is None or self._encoder is None:
            first, second = _two_best(scores)
            return scores, Signs(scores[first], scores[first] - scores[second], known, 0, 0)
        sentence = sentence or self._encoder.read(encoder_words(words))
        features, pieces = sentence.features[None, :], np.array([sentence.pieces])
        vector = vectors_of(self.vectors.top, self._encoder.top_bias, features, pieces)[0]
        cosines = self.vectors.examples @ vector
        scores = scores + self.kernel.of(cosines) @ self.vectors.shares
        first, second = _two_best(scores)
        mine = self.labels == first
        own, others = float(cosines[mine].max()), float(cosines[~mine].max())
        return scores, Signs(scores[first], scores[first] - scores[second], known, max(own, others), own - others)

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
        order = np.argsort(-scores, kind="stable")
        # Noise may lie near anything; what is made of nothing known is not believed.
        sure = self.confidence.of(signs) * min(1.0, signs.known / self._least_known) if words else 0.0
        # The others keep their odds against the first: two equal scores are two equal confidences.
        shares = np.exp((scores[order] - scores[order[0]]) / self.heat) * sure
        return [(self.intents[place], float(share)) for place, share in zip(order, shares, strict=True)]

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
        )


def _two_best(scores: np.ndarray) -> Tuple[int, int]:
    order = np.argsort(-scores, kind="stable")
    return int(order[0]), int(order[1] if len(order) > 1 else order[0])
