"""The last layers of the sentence encoder, adapted to the intents in training: what makes ten examples enough.

The frozen part (bot/components/sentence_vectors.py) gives sums of features; these layers make vectors of length 1 of
them. Training moves their weights a little so that vectors gather around one direction for each intent.
"""

from __future__ import annotations

import math
from typing import Dict, NamedTuple, Sequence, Tuple

import numpy as np

Weights = Dict[str, np.ndarray]
LAYERS = ("cnn_W", "d0", "d1", "d2", "d3", "p1", "p3")
_MOMENTUM, _SPREAD = 0.9, 0.999


class Adapting(NamedTuple):
    """How the layers are adapted. `heat`: softness of the softmax over cosines. `drop`: share of features left out.

    Small sets are seen `epochs` times, large ones for `most_steps` batches. `share`: how far the layers move from what
    they were to what was learned; less than all keeps more of the encoder's own sense for sentences of another kind."""

    epochs: int
    most_steps: int
    rate: float
    direction_rate: float
    heat: float
    drop: float
    batch: int
    share: float
    seed: int


class Taught(NamedTuple):
    """Examples of one set of intents: sums of features, numbers of pieces, labels (0, 1, … without a gap)."""

    features: np.ndarray
    pieces: np.ndarray
    labels: np.ndarray


class _Layers(NamedTuple):
    mean: np.ndarray
    first: np.ndarray
    second: np.ndarray
    third: np.ndarray
    last: np.ndarray
    length: np.ndarray
    vectors: np.ndarray


def _forward(top: Weights, features: np.ndarray, shift: np.ndarray) -> _Layers:
    mean = features @ top["cnn_W"] + shift
    first = np.maximum(mean @ top["d0"], 0)
    second = np.maximum(mean @ top["p1"] + first @ top["d1"], 0)
    third = np.maximum(second @ top["d2"], 0)
    last = np.tanh(second @ top["p3"] + third @ top["d3"])
    length = np.sqrt((last * last).sum(axis=1, keepdims=True)) + np.float32(1e-9)
    return _Layers(mean, first, second, third, last, length, last / length)


def vectors_of(top: Weights, bias: np.ndarray, features: np.ndarray, pieces: np.ndarray) -> np.ndarray:
    """Vectors of length 1, one a row, of sums of features over so many pieces."""
    return _forward(top, *_over_roots(bias, features, pieces)).vectors


class Reading(NamedTuple):
    """The layers for one message at a time: what follows one another without a bend between is one matrix."""

    entry: np.ndarray
    entry_shift: np.ndarray
    first: np.ndarray
    second: np.ndarray
    third: np.ndarray

    @classmethod
    def of(cls, top: Weights, bias: np.ndarray) -> Reading:
        """The same layers as `vectors_of` takes."""
        entry = np.concatenate([top["d0"], top["p1"]], axis=1)
        second = np.concatenate([top["d2"], top["p3"]], axis=1)
        return cls(top["cnn_W"] @ entry, bias @ entry, top["d1"], second, top["d3"])

    def vector(self, features: np.ndarray, pieces: int) -> np.ndarray:
        """The vector of length 1 of the sum of features over so many pieces, as `vectors_of` makes it."""
        root = np.float32(math.sqrt(pieces))
        first, second = np.split(features @ self.entry / root + root * self.entry_shift, [len(self.first)])
        second = second + np.maximum(first, 0) @ self.first
        third, last = np.split(np.maximum(second, 0) @ self.second, [len(self.third)])
        last = np.tanh(last + np.maximum(third, 0) @ self.third)
        return last / np.float32(math.sqrt(last @ last) + 1e-9)


def _backward(top: Weights, features: np.ndarray, layers: _Layers, wanted: np.ndarray) -> Weights:
    """What to change in each layer so that the vectors move along `wanted`."""
    vectors = layers.vectors
    back = (wanted - vectors * (vectors * wanted).sum(axis=1, keepdims=True)) / layers.length
    back *= 1 - layers.last * layers.last
    to_third = (back @ top["d3"].T) * (layers.third > 0)
    to_second = (back @ top["p3"].T + to_third @ top["d2"].T) * (layers.second > 0)
    to_first = (to_second @ top["d1"].T) * (layers.first > 0)
    to_mean = to_second @ top["p1"].T + to_first @ top["d0"].T
    return {
        "p3": layers.second.T @ back,
        "d3": layers.third.T @ back,
        "d2": layers.second.T @ to_third,
        "d1": layers.first.T @ to_second,
        "p1": layers.mean.T @ to_second,
        "d0": layers.mean.T @ to_first,
        "cnn_W": features.T @ to_mean,
    }


class _Adam:
    """Adam (Kingma and Ba 2015), in place."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._means = {name: np.zeros_like(values) for name, values in weights.items()}
        self._squares = {name: np.zeros_like(values) for name, values in weights.items()}
        self._spare = {name: np.empty_like(values) for name, values in weights.items()}
        self._steps = 0

    def step(self, gradients: Weights, rates: Dict[str, float]) -> None:
        self._steps += 1
        for name, gradient in gradients.items():
            mean, square, spare = self._means[name], self._squares[name], self._spare[name]
            mean *= _MOMENTUM
            np.multiply(gradient, 1 - _MOMENTUM, out=spare)
            mean += spare
            square *= _SPREAD
            np.multiply(gradient, gradient, out=spare)
            spare *= 1 - _SPREAD
            square += spare
            np.sqrt(square, out=spare)
            spare *= 1 / np.sqrt(1 - _SPREAD**self._steps)
            spare += 1e-8
            np.divide(mean, spare, out=spare)
            spare *= rates[name] / (1 - _MOMENTUM**self._steps)
            self._weights[name] -= spare


def _towards(vectors: np.ndarray, directions: np.ndarray, labels: np.ndarray, heat: float) -> Tuple[np.ndarray, ...]:
    """Gradients of the cross-entropy of a softmax over cosines, for the vectors and for the directions."""
    lengths = np.sqrt((directions * directions).sum(axis=1, keepdims=True))
    straight = directions / lengths
    chances = vectors @ straight.T
    chances /= heat
    chances -= chances.max(axis=1, keepdims=True)
    np.exp(chances, out=chances)
    chances /= chances.sum(axis=1, keepdims=True)
    chances[np.arange(len(labels)), labels] -= 1
    chances /= len(labels) * heat
    of_directions = chances.T @ vectors
    of_directions -= straight * (straight * of_directions).sum(axis=1, keepdims=True)
    return chances @ straight, of_directions / lengths


def adapted(
    top: Weights, bias: np.ndarray, features: np.ndarray, pieces: np.ndarray, labels: np.ndarray, how: Adapting
) -> Weights:
    """The layers after adaptation to examples with these labels (0, 1, … without a gap). Same input, same result."""
    random = np.random.default_rng(how.seed)
    weights = {name: top[name].astype(np.float32).copy() for name in LAYERS}
    features, shifts = _over_roots(bias, features, pieces)
    weights["directions"] = _means(_forward(weights, features, shifts).vectors, labels)
    optimiser = _Adam(weights)
    an_epoch, step = -(-len(labels) // how.batch), 0
    steps = min(how.epochs * an_epoch, how.most_steps)
    while step < steps:
        order = random.permutation(len(labels))
        for start in range(0, min(an_epoch, steps - step) * how.batch, how.batch):
            taken = order[start : start + how.batch]
            gradients = _gradients(weights, "directions", features[taken], shifts[taken], labels[taken], how, random)
            optimiser.step(gradients, _rates(how, step, steps, "directions"))
            step += 1
    return _between(top, weights, how.share)


def adapted_to_several(top: Weights, bias: np.ndarray, sets: Sequence[Taught], how: Adapting) -> Weights:
    """The layers after adaptation to sets that know nothing of one another. Same input, same result.

    An intent is told apart from those of its own set alone: the same may be in another under another name. There are
    `most_steps` batches, each of one set; large sets have more of them, by the root of their size.
    """
    random = np.random.default_rng(how.seed)
    weights = {name: top[name].astype(np.float32).copy() for name in LAYERS}
    ready = []
    for number, one in enumerate(sets):
        features, shifts = _over_roots(bias, one.features, one.pieces)
        weights[f"directions {number}"] = _means(_forward(weights, features, shifts).vectors, one.labels)
        ready.append((features, shifts, one.labels))
    turns = np.sqrt([len(one.labels) for one in sets])
    turns /= turns.sum()
    optimiser = _Adam(weights)
    for step in range(how.most_steps):
        number = int(random.choice(len(sets), p=turns))
        features, shifts, labels = ready[number]
        taken = random.choice(len(labels), min(how.batch, len(labels)), replace=False)
        name = f"directions {number}"
        gradients = _gradients(weights, name, features[taken], shifts[taken], labels[taken], how, random)
        optimiser.step(gradients, _rates(how, step, how.most_steps, name))
    return _between(top, weights, how.share)


def _over_roots(bias: np.ndarray, features: np.ndarray, pieces: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    roots = np.sqrt(pieces.astype(np.float32))[:, None]
    return features / roots, roots * bias


def _means(vectors: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.array([vectors[labels == label].mean(axis=0) for label in range(labels.max() + 1)])


def _gradients(
    weights: Weights,
    directions: str,
    features: np.ndarray,
    shifts: np.ndarray,
    labels: np.ndarray,
    how: Adapting,
    random: np.random.Generator,
) -> Weights:
    """Of one batch, some features left out; `directions`: the name of those that the batch is drawn to."""
    kept = random.random(features.shape, dtype=np.float32) >= how.drop
    batch = features * kept * np.float32(1 / (1 - how.drop))
    layers = _forward(weights, batch, shifts)
    wanted, of_directions = _towards(layers.vectors, weights[directions], labels, how.heat)
    return {**_backward(weights, batch, layers, wanted), directions: of_directions}


def _rates(how: Adapting, step: int, steps: int, directions: str) -> Dict[str, float]:
    # A short rise, then down to nothing.
    pace = min(1.0, (step + 1) / (0.1 * steps)) * (1 - step / steps)
    return dict.fromkeys(LAYERS, pace * how.rate) | {directions: pace * how.direction_rate}


def _between(before: Weights, after: Weights, share: float) -> Weights:
    part = np.float32(share)
    return {name: (1 - part) * before[name] + part * after[name] for name in LAYERS}
