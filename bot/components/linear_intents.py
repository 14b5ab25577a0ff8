"""A light intent classifier: TF-IDF of words and character n-grams, logistic regression, and a guard against gibberish.

Training needs scikit-learn; loading and answering need numpy only, so a model is there in milliseconds. The
model is arrays and JSON, never a pickle.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections import Counter
from itertools import pairwise
from typing import Any, Dict, List, Optional, Text

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

_NUMBER = re.compile(r"#?\d[\d.,/\-]*")
_REPEATED = re.compile(r"([a-z])(?:\1{2,}|\1+(?![a-z]))")
_WORD = re.compile(r"[a-z0-9$%]+")
# More than this says nothing new about the intent.
MOST_TEXT = 2000
# What an identifier becomes: one word each, so that no example has to hold every order number there is.
_STAND_INS = {"zemailz", "zlinkz", "znumberz", "zlongnumberz"}


def words_of(text: str) -> List[str]:
    """The words of a message as the classifier sees them: folded, identifiers replaced, stretched letters squeezed."""
    folded = unicodedata.normalize("NFKD", text[:MOST_TEXT].lower())
    folded = "".join(char for char in folded if not unicodedata.combining(char))
    folded = " ".join(_stand_in(token) for token in folded.split())
    folded = _NUMBER.sub(lambda found: " zlongnumberz " if len(found.group()) > 3 else " znumberz ", folded)
    return _WORD.findall(_REPEATED.sub(r"\1", folded))


def _stand_in(token: str) -> str:
    # By token: a pattern that looks for an address anywhere takes quadratic time on hostile text.
    if token.startswith(("http://", "https://", "www.")):
        return "zlinkz"
    name, at, host = token.partition("@")
    return "zemailz" if at and name and "." in host else token


def pieces_of(word: str) -> List[str]:
    """Character n-grams of 2 to 5 inside one word, its edges included."""
    if word in _STAND_INS:
        return []
    edged = f"_{word}_"
    return [edged[at : at + size] for size in range(2, 6) for at in range(len(edged) - size + 1)]


def features_of(words: List[str]) -> Counter[str]:
    """Counts of words, pairs of words and pieces of words."""
    counts: Counter[str] = Counter()
    for word in words:
        counts[f"w {word}"] += 1
        counts.update(pieces_of(word))
    counts.update(f"w {first} {second}" for first, second in pairwise(words))
    return counts


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class LinearIntentClassifier(IntentClassifier, GraphComponent):
    """Finds the intent; a message made of unknown pieces gets a confidence that makes the fallback fire."""

    @staticmethod
    def get_default_config() -> Dict[Text, Any]:
        """`C`: strength of the fit. `min_known`: share of known pieces below which confidence sinks in proportion.

        `min_seen`: how many examples must hold a piece before it counts.
        """
        return {"C": 30.0, "min_known": 0.6, "min_seen": 1, "max_iter": 400, "ranking_length": 10}

    def __init__(self, config: Dict[Text, Any], storage: ModelStorage, resource: Resource) -> None:
        self._config = config
        self._storage = storage
        self._resource = resource
        self._intents: List[str] = []
        self._places: Dict[str, int] = {}
        self._idf = np.zeros(0, dtype=np.float32)
        self._weights = np.zeros((0, 0), dtype=np.float32)
        self._bias = np.zeros(0, dtype=np.float32)

    @classmethod
    def create(
        cls,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> LinearIntentClassifier:
        """An untrained classifier."""
        return cls(config, model_storage, resource)

    @classmethod
    def load(
        cls,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> LinearIntentClassifier:
        """A classifier as it was trained."""
        classifier = cls(config, model_storage, resource)
        with model_storage.read_from(resource) as folder:
            if (folder / "words.json").is_file():
                known = json.loads((folder / "words.json").read_text(encoding="utf-8"))
                arrays = np.load(folder / "weights.npz", allow_pickle=False)
                classifier._intents = known["intents"]
                classifier._places = {feature: place for place, feature in enumerate(known["features"])}
                classifier._idf, classifier._weights, classifier._bias = (
                    arrays["idf"],
                    arrays["weights"],
                    arrays["bias"],
                )
        return classifier

    def train(self, training_data: TrainingData) -> Resource:
        """Fits the weights and stores them."""
        from scipy.sparse import csr_matrix
        from sklearn.linear_model import LogisticRegression

        examples = [
            (features_of(words_of(example.get(TEXT))), example.get(INTENT))
            for example in training_data.intent_examples
            if example.get(INTENT) and example.get(TEXT)
        ]
        if len({intent for _, intent in examples}) < 2:
            return self._resource
        seen = Counter(feature for counts, _ in examples for feature in counts)
        names = sorted(feature for feature, times in seen.items() if times >= self._config["min_seen"])
        self._places = {name: place for place, name in enumerate(names)}
        self._idf = np.array([math.log((1 + len(examples)) / (1 + seen[name])) + 1 for name in names], dtype=np.float32)
        rows = [self._row(counts) for counts, _ in examples]
        matrix = csr_matrix(
            (
                np.concatenate([values for _, values in rows]),
                np.concatenate([places for places, _ in rows]),
                np.cumsum([0, *(len(places) for places, _ in rows)]),
            ),
            shape=(len(rows), len(names)),
        )
        model = LogisticRegression(
            C=self._config["C"], max_iter=self._config["max_iter"], class_weight="balanced", random_state=42
        )
        model.fit(matrix, [intent for _, intent in examples])
        self._intents = [str(intent) for intent in model.classes_]
        weights, bias = model.coef_, model.intercept_
        if len(self._intents) == 2:  # scikit-learn keeps one row for two classes
            weights, bias = np.vstack([-weights, weights]), np.hstack([-bias, bias])
        # By feature, so that an answer reads a few whole rows.
        self._weights = np.ascontiguousarray(weights.T, dtype=np.float32)
        self._bias = bias.astype(np.float32)
        self._persist(names)
        return self._resource

    def _persist(self, names: List[str]) -> None:
        with self._storage.write_to(self._resource) as folder:
            known = {"intents": self._intents, "features": names}
            (folder / "words.json").write_text(json.dumps(known, ensure_ascii=False), encoding="utf-8")
            np.savez_compressed(folder / "weights.npz", idf=self._idf, weights=self._weights, bias=self._bias)

    def _row(self, counts: Counter[str]) -> tuple[np.ndarray, np.ndarray]:
        places = self._places
        known = sorted((places[feature], count) for feature, count in counts.items() if feature in places)
        where = np.array([place for place, _ in known], dtype=np.int32)
        values = (1 + np.log(np.array([count for _, count in known], dtype=np.float32))) * self._idf[where]
        length = float(np.linalg.norm(values))
        return where, values / length if length else values

    def known_share(self, words: List[str]) -> float:
        """How much of a message is made of what the training examples are made of; 1 for a bare identifier."""
        shares = []
        for word in words:
            if word in _STAND_INS or f"w {word}" in self._places:
                shares.append(1.0)
                continue
            # Pairs of letters are everywhere; longer pieces tell a typing error from noise.
            pieces = [piece for piece in pieces_of(word) if len(piece) > 2]
            shares.append(sum(piece in self._places for piece in pieces) / len(pieces) if pieces else 0.0)
        return sum(shares) / len(shares) if shares else 0.0

    def process(self, messages: List[Message]) -> List[Message]:
        """Puts intent and ranking on each message."""
        for message in messages:
            ranking = self._rank(message.get(TEXT) or "")
            message.set(INTENT, ranking[0] if ranking else {"name": None, "confidence": 0.0}, add_to_output=True)
            message.set("intent_ranking", ranking[: self._config["ranking_length"]], add_to_output=True)
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Training data go through unchanged but for the intents found."""
        self.process(training_data.training_examples)
        return training_data

    def _rank(self, text: str) -> Optional[List[Dict[str, Any]]]:
        if not self._intents:
            return None
        words = words_of(text)
        where, values = self._row(features_of(words))
        scores = values @ self._weights[where] + self._bias
        chances = np.exp(scores - scores.max())
        chances /= chances.sum()
        chances *= min(1.0, self.known_share(words) / self._config["min_known"])
        return [{"name": self._intents[place], "confidence": float(chances[place])} for place in np.argsort(-chances)]
