"""The intent classifier of config.yml: words, pieces of words and sentence vectors, with a confidence that is one.

Without the encoder's package it works on words alone, several points worse, and says so in the log.
"""

from __future__ import annotations

import logging
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

from bot.components.intent_fit import fit
from bot.components.intent_model import Confidence, IntentModel
from bot.components.sentence_vectors import EncoderMissing, SentenceEncoder, load_encoder

log = logging.getLogger(__name__)

# Confidence before any data of one's own, for score, lead, known, nearest and inside: about what held-out messages of
# HWU64 and CLINC150 gave (docs/nlu.md).
PRIOR = Confidence(
    weights=np.array([[1.3, 0.0, 0.0, 0.6, 1.0], [0.0, 2.2, 0.0, 0.0, 0.0]]),
    means=np.array([0.82, 0.55, 0.97, 0.77, 0.4]),
    spreads=np.array([0.15, 0.33, 0.07, 0.15, 0.35]),
    bias=np.array([0.3, 4.0]),
)


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class HybridIntentClassifier(IntentClassifier, GraphComponent):
    """Finds the intent of a message; the confidence is the chance that it is right, out of scope counted as wrong."""

    @staticmethod
    def get_default_config() -> Dict[Text, Any]:
        """How each was chosen: docs/nlu.md. `component_version` only tells Rasa's cache of changed code."""
        return {
            "component_version": 9,
            "encoder": True,
            "vector_weight": 2.0,
            "vector_steepness": 2.0,
            "ridge": 0.2,
            "adapt_epochs": 10,
            "adapt_most_steps": 240,
            "adapt_rate": 6e-4,
            "adapt_direction_rate": 3e-3,
            "adapt_heat": 0.1,
            "adapt_drop": 0.4,
            "adapt_batch": 128,
            "adapt_whole_until": 13,
            "names_until": 15,
            "head_start_until": 15,
            "heat": 0.15,
            "folds": 3,
            "held_out": 1200,
            "out_of_scope": ["out_of_scope"],
            "outside_share": 0.5,
            "prior_strength": 3.0,
            "least_known": 0.5,
            "ranking_length": 10,
            "seed": 7,
        }

    def __init__(
        self,
        config: Dict[Text, Any],
        storage: ModelStorage,
        resource: Resource,
        encoder: Optional[SentenceEncoder],
        model: Optional[IntentModel] = None,
    ) -> None:
        self._config, self._storage, self._resource = config, storage, resource
        self._encoder, self._model = encoder, model

    @classmethod
    def create(
        cls,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> HybridIntentClassifier:
        """An untrained classifier."""
        return cls(config, model_storage, resource, encoder_of(config))

    @classmethod
    def load(
        cls,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> HybridIntentClassifier:
        """A classifier as it was trained."""
        encoder = encoder_of(config)
        with model_storage.read_from(resource) as folder:
            model = IntentModel.load(folder, encoder) if (folder / "words.json").is_file() else None
        return cls(config, model_storage, resource, encoder, model)

    def train(self, training_data: TrainingData) -> Resource:
        """Fits the model and stores it; with fewer than two intents there is nothing to tell apart."""
        examples = [
            (str(example.get(TEXT)), str(example.get(INTENT)))
            for example in training_data.intent_examples
            if example.get(INTENT) and example.get(TEXT)
        ]
        if len({intent for _, intent in examples}) > 1:
            self._model = fit(examples, self._encoder, self._config, PRIOR)
            with self._storage.write_to(self._resource) as folder:
                self._model.save(folder)
        return self._resource

    def process(self, messages: List[Message]) -> List[Message]:
        """Puts intent and ranking on each message."""
        for message in messages:
            ranked = self._model.rank(message.get(TEXT) or "") if self._model else []
            ranking = [
                {"name": intent, "confidence": confidence}
                for intent, confidence in ranked[: max(1, self._config["ranking_length"])]
            ]
            message.set(INTENT, ranking[0] if ranking else {"name": None, "confidence": 0.0}, add_to_output=True)
            message.set("intent_ranking", ranking[: self._config["ranking_length"]], add_to_output=True)
        return messages

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Later components get the examples as they are: they have their intents already."""
        return training_data


def encoder_of(config: Dict[Text, Any]) -> Optional[SentenceEncoder]:
    """The sentence encoder, unless config.yml turns it off or it cannot be had; then the log says what is lost."""
    if not config["encoder"]:
        return None
    try:
        return load_encoder()
    except EncoderMissing as missing:
        log.warning("Understanding works on words alone, several points worse: %s", missing)
        return None
