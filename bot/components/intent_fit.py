"""Training of the hybrid classifier: fits the kernel machine, adapts the encoder's top, and calibrates the confidence.

Confidence is learned from messages that a model has not seen: in each of a few folds some examples are held out, and
some whole intents, whose examples then are what out of scope looks like. Everything is seeded.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import partial
from typing import Any, Callable, Collection, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from bot.components.head_start import head_start
from bot.components.intent_model import (
    RIGHT_SIGNS,
    SCOPE_SIGNS,
    Confidence,
    IntentModel,
    Kernel,
    Signs,
    Vectors,
    encoder_words,
)
from bot.components.sentence_top import Adapting, Reading, Weights, adapted, vectors_of
from bot.components.sentence_vectors import MOST_PIECES_AHEAD, Sentence, SentenceEncoder
from bot.components.sparse_features import SparseFeatures
from bot.components.spelling import Speller
from bot.components.words import STAND_INS, fold, surfaces_of

# Fewer intents than these cannot do without some of them.
_FEWEST_TO_LEAVE_OUT = 8
_AT_ONCE = 24
# Where a name like cardArrival has its words.
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_HELD = 1e9  # a pull against which nothing moves
_LEFT_OUT = 6  # one intent in so many is left out in a fold


class Corpus(NamedTuple):
    """Examples as the classifier sees them, ordered by intent."""

    intents: List[str]
    labels: np.ndarray
    sentences: List[List[str]]
    features: Optional[np.ndarray]
    pieces: Optional[np.ndarray]

    def sentence(self, place: int) -> Optional[Sentence]:
        """What the encoder made of an example."""
        if self.features is None or self.pieces is None:
            return None
        return Sentence(self.features[place], int(self.pieces[place]))

    def part(self, places: np.ndarray) -> Corpus:
        """Some of the examples; labels stay as they are."""
        return self._replace(
            labels=self.labels[places],
            sentences=[self.sentences[place] for place in places],
            features=None if self.features is None else self.features[places],
            pieces=None if self.pieces is None else self.pieces[places],
        )


def read_corpus(examples: Sequence[Tuple[str, str]], speller: Speller, encoder: Optional[SentenceEncoder]) -> Corpus:
    """The examples (text, intent), each message once for an intent, through the speller and the encoder."""
    seen = {(intent, tuple(speller.words(text))) for text, intent in examples}
    ordered = sorted((intent, words) for intent, words in seen if words)
    intents = sorted({intent for intent, _ in ordered})
    place = {intent: number for number, intent in enumerate(intents)}
    read = _read_all(encoder, [encoder_words(words) for _, words in ordered]) if encoder else []
    return Corpus(
        intents,
        np.array([place[intent] for intent, _ in ordered], dtype=np.int64),
        [list(words) for _, words in ordered],
        np.array([one.features for one in read], dtype=np.float32) if read else None,
        np.array([one.pieces for one in read], dtype=np.int64) if read else None,
    )


def names_as_examples(
    examples: Sequence[Tuple[str, str]], lexicon: Collection[str], until: int, leave_out: Collection[str] = ()
) -> List[Tuple[str, str]]:
    """The examples, and beside them what the intents are called, where examples are few: a name says what they share.

    `until`: on the average no more examples an intent than these. A name counts when half of its words at least are
    words of the examples or of the encoder; "faq_17_b" says nothing. `leave_out`: intents whose names say nothing.
    """
    intents = sorted({intent for _, intent in examples})
    if not intents or len(examples) > until * len(intents):
        return list(examples)
    said = {fold(word) for text, _ in examples for word in surfaces_of(text)}
    named: List[Tuple[str, str]] = []
    for intent in intents:
        name = _HUMP.sub(" ", intent)
        words = surfaces_of(name)
        known = [
            len(word) > 1 and word not in STAND_INS and (fold(word) in said or word in lexicon or fold(word) in lexicon)
            for word in words
        ]
        if intent not in leave_out and words and 2 * sum(known) >= len(words):
            named.append((name, intent))
    return [*examples, *named]


def _read_all(encoder: SentenceEncoder, sentences: List[List[str]]) -> List[Sentence]:
    """Some at a time: quicker than singly, and memory stays small."""
    read: List[Sentence] = []
    for start in range(0, len(sentences), _AT_ONCE):
        read += encoder.read_many(sentences[start : start + _AT_ONCE])
    return read


def _matrix(features: SparseFeatures, sentences: Sequence[Sequence[str]]) -> Any:
    from scipy.sparse import csr_matrix

    rows = [features.row(sentence)[:2] for sentence in sentences]
    return csr_matrix(
        (
            np.concatenate([values for _, values in rows]),
            np.concatenate([places for places, _ in rows]),
            np.cumsum([0, *(len(places) for places, _ in rows)]),
        ),
        shape=(len(rows), len(features.names)),
    )


def _solve(kernel: np.ndarray, labels: np.ndarray, intents: int, ridge: float) -> np.ndarray:
    """What each example adds to each intent: kernel ridge regression on 1 and −1/(n−1), intents weighing the same."""
    from scipy.linalg import cho_factor, cho_solve

    counts = np.bincount(labels, minlength=intents)
    present = int((counts > 0).sum())
    wanted = np.full((len(labels), intents), -1 / max(present - 1, 1), dtype=np.float32)
    wanted[np.arange(len(labels)), labels] = 1
    balance = counts[labels] * present / len(labels)
    kernel[np.diag_indices_from(kernel)] += (ridge * balance).astype(np.float32)
    return cho_solve(cho_factor(kernel, lower=True, overwrite_a=True, check_finite=False), wanted, check_finite=False)


def fit_machine(
    corpus: Corpus,
    speller: Speller,
    encoder: Optional[SentenceEncoder],
    start: Optional[Weights],
    settings: Dict[str, Any],
    prior: Confidence,
) -> IntentModel:
    """A model whose confidence is still the prior's. `corpus.labels` may leave out intents.

    `start`: the layers of the encoder that are adapted."""
    features = SparseFeatures.of(corpus.sentences, encoder.pieces.whole_words() if encoder else ())
    matrix = _matrix(features, corpus.sentences)
    gram = (matrix @ matrix.T).toarray().astype(np.float32)
    kernel = Kernel(settings["vector_weight"], settings["vector_steepness"])
    parts = None
    if encoder is not None and start is not None and corpus.features is not None and corpus.pieces is not None:
        _, compact = np.unique(corpus.labels, return_inverse=True)
        how = Adapting(
            **{key: settings[f"adapt_{key}"] for key in Adapting._fields if key != "seed"}, seed=settings["seed"]
        )
        top = adapted(start, encoder.top_bias, corpus.features, corpus.pieces, compact, how)
        near = vectors_of(top, encoder.top_bias, corpus.features, corpus.pieces)
        gram += kernel.of(near @ near.T)
        parts = (Reading.of(top, encoder.top_bias), near)
    shares = _solve(gram, corpus.labels, len(corpus.intents), settings["ridge"])
    return IntentModel(
        intents=corpus.intents,
        labels=corpus.labels,
        speller=speller,
        features=features,
        # By feature, so that an answer reads a few whole rows.
        weights=np.ascontiguousarray(matrix.T @ shares, dtype=np.float32),
        vectors=Vectors(*parts, shares=np.ascontiguousarray(shares)) if parts else None,
        kernel=kernel,
        heat=settings["heat"],
        least_known=settings["least_known"],
        confidence=prior,
        encoder=encoder,
        outside=settings["out_of_scope"],
    )


class Tried(NamedTuple):
    """One held-out message: its signs, whether the answer was right, and whether its intent was left out."""

    signs: Signs
    right: bool
    outside: bool


def try_held_out(corpus: Corpus, machine: Callable[[Corpus], IntentModel], settings: Dict[str, Any]) -> List[Tried]:
    """Examples read by models that have not seen them: fold after fold until `held_out` or all are tried.

    `machine`: makes a model of a part of the examples."""
    random = np.random.default_rng(settings["seed"])
    folds = settings["folds"]
    size = len(corpus.intents)
    fold = np.empty(len(corpus.labels), dtype=np.int64)
    for intent in range(size):
        mine = np.flatnonzero(corpus.labels == intent)
        fold[mine] = (np.arange(len(mine)) + random.integers(folds)) % folds
        fold[mine] = random.permutation(fold[mine])
    turn = random.permutation(size)
    beyond = {intent for intent in range(size) if corpus.intents[intent] in settings["out_of_scope"]}
    tried: List[Tried] = []
    for number in range(folds):
        if len(tried) >= settings["held_out"]:
            break
        left_out = np.zeros(size, dtype=bool)
        if size >= _FEWEST_TO_LEAVE_OUT:
            left_out[turn[number::_LEFT_OUT]] = True
            left_out[list(beyond)] = False
        outside = left_out[corpus.labels]
        seen = np.flatnonzero((fold != number) & ~outside)
        if len(np.unique(corpus.labels[seen])) < 2:
            continue
        model = machine(corpus.part(seen))
        allowed = np.isin(np.arange(size), corpus.labels[seen]) & ~np.isin(np.arange(size), list(beyond))
        for place in np.flatnonzero((fold == number) | outside):
            scores, signs = model.read(corpus.sentences[place], corpus.sentence(place))
            first = int(np.argmax(np.where(allowed, scores, -np.inf)))
            label = int(corpus.labels[place])
            tried.append(Tried(signs, first == label, bool(outside[place]) or label in beyond))
    return tried


def fit_confidence(tried: Sequence[Tried], prior: Confidence, settings: Dict[str, Any]) -> Confidence:
    """Two logistic regressions drawn to the prior: the less data, the more they are the prior's.

    Being in scope is learned as if the part `outside_share` of all messages were not; being right is learned of
    messages in scope alone.
    """
    if not tried:
        return prior
    signs = (np.array([one.signs for one in tried]) - prior.means) / prior.spreads
    right = np.array([one.right for one in tried], dtype=float)
    outside = np.array([one.outside for one in tried])
    design = np.hstack([signs, np.ones((len(tried), 1))])
    starts = np.hstack([prior.weights, prior.bias[:, None]])
    scope, rest = (_pull(signs_used, settings["prior_strength"]) for signs_used in (SCOPE_SIGNS, RIGHT_SIGNS))
    first = _logistic(design, ~outside, _balance(outside, settings["outside_share"]), starts[0], scope)
    second = starts[1]
    if not outside.all():
        second = _logistic(design[~outside], right[~outside], np.ones(int((~outside).sum())), second, rest)
    found = np.array([first, second])
    return prior._replace(weights=found[:, :-1], bias=found[:, -1])


def _pull(used: Sequence[str], strength: float) -> np.ndarray:
    """How much the weights, and last the bias, are drawn to where they start; those of other signs stay there."""
    weights = [strength if name in used else _HELD for name in Signs._fields]
    return np.array([*weights, strength / 10])


def _balance(outside: np.ndarray, share: float) -> np.ndarray:
    """What each message counts, so that those out of scope are this part of all."""
    weights = np.ones(len(outside))
    if outside.any() and not outside.all():
        weights[outside] = share / outside.mean()
        weights[~outside] = (1 - share) / (1 - outside.mean())
    return weights


def _logistic(
    design: np.ndarray, right: np.ndarray, weights: np.ndarray, start: np.ndarray, pull: np.ndarray
) -> np.ndarray:
    """Weighted logistic regression drawn to `start` by `pull`, by Newton's method with shorter steps where it must.

    A whole step may overshoot where every chance is near 0 or 1, and would then leap to and fro for ever.
    """

    def loss(at: np.ndarray) -> float:
        values = design @ at
        return float(weights @ (np.logaddexp(0, values) - right * values) + pull @ (at - start) ** 2 / 2)

    found, least = start.copy(), loss(start)
    for _ in range(50):
        chances = 1 / (1 + np.exp(-np.clip(design @ found, -30, 30)))
        gradient = design.T @ (weights * (chances - right)) + pull * (found - start)
        curvature = (design * (weights * chances * (1 - chances))[:, None]).T @ design + np.diag(pull)
        step = np.linalg.solve(curvature, gradient)
        while np.abs(step).max() > 1e-6 and loss(found - step) > least:
            step /= 2
        if np.abs(step).max() <= 1e-6:
            break
        found = found - step
        least = loss(found)
    return found


def fit(
    examples: Sequence[Tuple[str, str]], encoder: Optional[SentenceEncoder], settings: Dict[str, Any], prior: Confidence
) -> IntentModel:
    """The model of these examples (text, intent)."""
    lexicon: Collection[str] = encoder.pieces.whole_words() if encoder else ()
    examples = names_as_examples(examples, lexicon, settings["names_until"], settings["out_of_scope"])
    speller = Speller.of([text for text, _ in examples], lexicon)
    corpus = read_corpus(examples, speller, encoder)
    # With many examples the encoder's own vectors are near enough, and moving them costs more than it gives.
    each = len(corpus.labels) / max(len(corpus.intents), 1)
    settings = {**settings, "adapt_share": min(1.0, math.sqrt(settings["adapt_whole_until"] / max(each, 1)))}
    start = None if encoder is None else encoder.top
    if start is not None and each <= settings["head_start_until"]:
        # With more examples it still helps the accuracy, but what is out of scope is told from the rest less well.
        start = head_start(start)
    machine = partial(fit_machine, speller=speller, encoder=encoder, start=start, settings=settings, prior=prior)
    tried = try_held_out(corpus, machine, settings)
    model = machine(corpus)
    model.confidence = fit_confidence(tried, prior, settings)
    if encoder:
        pieces = Counter(row for words in corpus.sentences for row in encoder.pieces.of(encoder_words(words)))
        model.frequent = [row for row, _ in pieces.most_common(MOST_PIECES_AHEAD)]
    return model
