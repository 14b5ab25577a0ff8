"""`python -m bot.learn_head_start TABLE … [--out FILE]`: makes bot/components/head_start.npz of labelled messages.

A table is `text<TAB>intent`, or a folder of examples (`data/nlu`); each is a set of intents of its own. What is out of
scope is left out: nothing gathers there. The file's hash, to be put into head_start.py, is printed. Use training parts
only: what a file has learned it cannot be judged on.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import numpy as np

from bot.components.head_start import FILE, packed
from bot.components.intent_fit import read_corpus
from bot.components.sentence_top import Adapting, Taught, Weights, adapted_to_several
from bot.components.sentence_vectors import EncoderMissing, SentenceEncoder, load_encoder
from bot.components.spelling import Speller
from bot.labelled import BadTable, Labelled, read_examples, read_table

OUTSIDE = frozenset({"oos", "out_of_scope"})
# How each was chosen: docs/nlu.md.
STEPS_A_SET = 350
HOW = Adapting(
    epochs=0, most_steps=0, rate=3e-4, direction_rate=3e-3, heat=0.1, drop=0.4, batch=128, share=0.35, seed=7
)


def taught(rows: list[Labelled], encoder: SentenceEncoder) -> Taught:
    """A set as the encoder reads it; in several languages at once it has one direction an intent."""
    inside = [(row.text, row.intent) for row in rows if row.intent not in OUTSIDE]
    corpus = read_corpus(inside, Speller.of([text for text, _ in inside], encoder.pieces.whole_words()), encoder)
    if corpus.features is None or corpus.pieces is None or len(corpus.intents) < 2:
        raise BadTable("A set needs two intents or more.")
    return Taught(corpus.features, corpus.pieces, corpus.labels)


def learned(sets: list[Taught], before: Weights, bias: np.ndarray) -> Weights:
    """The layers after all sets."""
    return adapted_to_several(before, bias, sets, HOW._replace(most_steps=STEPS_A_SET * len(sets)))


def main(arguments: list[str] | None = None) -> int:
    """0 and the file, or 1 and one sentence."""
    parser = argparse.ArgumentParser(prog="python -m bot.learn_head_start", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("tables", nargs="+", type=Path, help="a table, or a folder of examples")
    parser.add_argument("--out", type=Path, default=FILE)
    options = parser.parse_args(arguments)
    try:
        encoder = load_encoder()
        rows = [(read_examples if table.is_dir() else read_table)(table) for table in options.tables]
        before = encoder.top
        after = learned([taught(one, encoder) for one in rows], before, encoder.top_bias)
    except (BadTable, EncoderMissing) as error:
        print(f"learn_head_start: {error}", file=sys.stderr)
        return 1
    content = packed(before, after)
    options.out.write_bytes(content)
    print(f"{options.out}: {len(content)} bytes, SHA256 {hashlib.sha256(content).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
