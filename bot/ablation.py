"""`python -m bot.ablation [--data data/nlu] [--tests tests/nlu/retail]`: what each part of the classifier is good for.

Trains it on the examples whole and once without each part, and prints how many messages of the test tables are
understood, by table and kind (first intent right, in %). One row a variant, as docs/nlu.md has them.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from unittest import mock

from bot.components import intent_fit
from bot.components.hybrid_intents import PRIOR, HybridIntentClassifier
from bot.components.intent_model import IntentModel
from bot.components.sentence_vectors import SentenceEncoder, load_encoder
from bot.components.spelling import Speller
from bot.components.words import surfaces_of
from bot.labelled import BadTable, read_examples


class Variant(NamedTuple):
    """What is changed: settings of the component, and parts that are taken out."""

    settings: Mapping[str, Any] = MappingProxyType({})
    without: str = ""


VARIANTS = {
    "shipped": Variant(),
    "adapted as strongly as a small set": Variant({"adapt_whole_until": 1e9}),
    "without adaptation": Variant({"adapt_whole_until": 0}),
    "without the speller": Variant(without="speller"),
    "without words and pieces of words": Variant(without="words"),
    "without the encoder": Variant(without="encoder"),
}


class _Unmended(Speller):
    """Takes words as they are written."""

    def words(self, text: str) -> list[str]:
        return surfaces_of(text)


@contextmanager
def _taken_out(part: str) -> Iterator[None]:
    if part == "speller":
        with mock.patch.object(intent_fit, "Speller", _Unmended):
            yield
    elif part == "words":
        whole = intent_fit._matrix
        with mock.patch.object(intent_fit, "_matrix", lambda *given: whole(*given) * 0):
            yield
    else:
        yield


def fitted(variant: Variant, examples: list[tuple[str, str]], encoder: SentenceEncoder | None) -> IntentModel:
    """The classifier of these examples (text, intent) as the variant has it."""
    settings = {**HybridIntentClassifier.get_default_config(), **variant.settings}
    with _taken_out(variant.without):
        return intent_fit.fit(examples, None if variant.without == "encoder" else encoder, settings, PRIOR)


def understood(model: IntentModel, rows: list[tuple[str, str, str]]) -> dict[str, float]:
    """Of messages (text, intent, kind): the share whose first intent is right, in %, by kind."""
    all_of, right = Counter(), Counter()
    for text, intent, kind in rows:
        all_of[kind] += 1
        right[kind] += model.rank(text)[0][0] == intent
    return {kind: 100 * right[kind] / number for kind, number in sorted(all_of.items())}


def read_rows(table: Path) -> list[tuple[str, str, str]]:
    """Text, intent and "TABLE KIND" of each row. Raises BadTable."""
    with table.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    try:
        return [(row["text"], row["intent"], f"{table.stem} {row['kind']}") for row in rows]
    except KeyError as error:
        raise BadTable(f"{table} has no column {error}.") from error


def main(arguments: list[str] | None = None) -> int:
    """0 and the table, or 1 and one sentence."""
    parser = argparse.ArgumentParser(prog="python -m bot.ablation", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("data/nlu"))
    parser.add_argument("--tests", type=Path, default=Path("tests/nlu/retail"), help="a folder of tables")
    options = parser.parse_args(arguments)
    try:
        examples = [(row.text, row.intent) for row in read_examples(options.data) if row.text]
        rows = [row for table in sorted(options.tests.glob("*.tsv")) for row in read_rows(table)]
    except (BadTable, OSError) as error:
        print(f"ablation: {error}", file=sys.stderr)
        return 1
    encoder = load_encoder()
    kinds = sorted({kind for _, _, kind in rows})
    print(f"| {len(examples)} examples | {' | '.join(kinds)} |\n|---{'|---' * len(kinds)}|")
    for name, variant in VARIANTS.items():
        shares = understood(fitted(variant, examples, encoder), rows)
        print(f"| {name} | {' | '.join(f'{shares[kind]:.1f}' for kind in kinds)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
