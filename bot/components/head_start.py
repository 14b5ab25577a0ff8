"""Where the adaptation of the encoder's last layers begins: at what other sets of intents have taught them already.

`head_start.npz` holds how far the layers moved, in steps of a size for each column; `python -m bot.learn_head_start`
makes it. It fits one version of the encoder's weights and says which. Only training reads it: a model holds its own.

What the file was learned from: CLINC150 (Larson et al. 2019, CC BY 3.0; 20 sentences an intent of its training part),
HWU64 (Liu et al. 2019, CC BY 4.0; 30 an intent of fold 1's training part), and `data/nlu`. No sentence is in it.
"""

from __future__ import annotations

import hashlib
import io
import logging
import zipfile
from pathlib import Path

import numpy as np

from bot.components.sentence_top import Weights

log = logging.getLogger(__name__)

FILE = Path(__file__).with_name("head_start.npz")
# Of the file's bytes. It stands in a source so that a model's fingerprint changes with the file.
SHA256 = "519022253dc819b8dba3aadf74ccf58fa915f15d9a9eaa9a7c3802e691a21ee1"
# Steps of a column's largest change. Finer ones make a larger file and nothing better.
_STEPS = 15


class HeadStartMissing(Exception):
    """The file cannot be used; the message says why."""


def digest_of(weights: Weights) -> str:
    """Which weights these are."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(f"{name} {weights[name].shape}\n".encode())
        digest.update(np.ascontiguousarray(weights[name], dtype="<f4").tobytes())
    return digest.hexdigest()


def packed(before: Weights, after: Weights) -> bytes:
    """The file's bytes: the same for the same layers."""
    arrays = {"fits": np.frombuffer(digest_of(before).encode(), dtype=np.uint8)}
    for name, start in before.items():
        moved = after[name] - start
        step = np.maximum(np.abs(moved).max(axis=0) / _STEPS, 1e-12).astype(np.float32)
        arrays[f"steps_{name}"] = np.rint(moved / step).astype(np.int8)
        arrays[f"size_{name}"] = step
    written = io.BytesIO()
    np.savez_compressed(written, **arrays)
    return written.getvalue()


def unpacked(content: bytes, before: Weights) -> Weights:
    """The layers that `packed` was given, nearly. Raises HeadStartMissing if they were made for other weights."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            if stored["fits"].tobytes().decode("ascii", "replace") != digest_of(before):
                raise HeadStartMissing("it was made for other weights of the encoder.")
            return {name: start + stored[f"steps_{name}"] * stored[f"size_{name}"] for name, start in before.items()}
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise HeadStartMissing(f"it cannot be read: {error!r}.") from error


def _content(file: Path) -> bytes:
    content = file.read_bytes()
    if file == FILE and hashlib.sha256(content).hexdigest() != SHA256:
        raise HeadStartMissing("it is not the file that this version was made with.")
    return content


def head_start(before: Weights, file: Path = FILE) -> Weights:
    """The layers to begin with in place of the encoder's own; those themselves where the file does not serve."""
    try:
        return unpacked(_content(file), before)
    except (OSError, HeadStartMissing) as error:
        log.warning(
            "Training begins at the encoder's own layers, half a point worse with few examples, without %s: %s",
            file.name,
            error,
        )
        return before
