"""`bin/segue bench nlu`: trains the shipped pipeline on one table of labelled messages and judges it on another.

Training is Rasa's own, with config.yml's pipeline; reading goes message by message through Rasa's processor, in a fresh
process, as a turn does. One number a line on standard output.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

from bot.confusion import drawn
from bot.labelled import BadTable, Labelled, read_examples, read_table, safe_names

OUT_OF_SCOPE = "out_of_scope"
FALLBACK = "nlu_fallback"
_WARM_UP = 20


class Read:
    """What the assistant made of one message."""

    def __init__(self, wanted: str, found: dict[str, Any]) -> None:
        ranking = [one for one in found["intent_ranking"] if one["name"] != FALLBACK]
        inside = [one["confidence"] for one in ranking if one["name"] != OUT_OF_SCOPE]
        self.wanted = wanted
        self.first = ranking[0]["name"] if ranking else None
        self.inside = float(inside[0]) if inside else 0.0
        """Confidence of the likeliest intent that is not out of scope."""
        self.refused = found["intent"]["name"] in (FALLBACK, OUT_OF_SCOPE, None)


def auroc(positive: list[float], negative: list[float]) -> float:
    """The chance that one of the first is higher than one of the second; a tie counts half."""
    import numpy as np

    values = np.concatenate([positive, negative])
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    total = ranks[: len(positive)].sum() - len(positive) * (len(positive) + 1) / 2
    return float(total / (len(positive) * len(negative)))


def macro_f1(reads: list[Read]) -> float:
    """Mean over the intents that occur of the harmonic mean of precision and recall."""
    scores = []
    for intent in {one.wanted for one in reads}:
        right = sum(one.wanted == one.first == intent for one in reads)
        both = sum(one.wanted == intent for one in reads) + sum(one.first == intent for one in reads)
        scores.append(2 * right / both)
    return sum(scores) / len(scores)


def judged(reads: list[Read]) -> dict[str, float]:
    """Accuracy and macro F1 are of messages in scope, by the first intent, whatever the threshold."""
    inside = [one for one in reads if one.wanted != OUT_OF_SCOPE]
    outside = [one for one in reads if one.wanted == OUT_OF_SCOPE]
    found: dict[str, float] = {}
    if inside:
        found["accuracy"] = sum(one.first == one.wanted for one in inside) / len(inside)
        found["macro_f1"] = macro_f1(inside)
    if inside and outside:
        found["oos_auroc"] = auroc([one.inside for one in inside], [one.inside for one in outside])
        found["oos_recall"] = sum(one.refused for one in outside) / len(outside)
        found["oos_precision"] = sum(one.refused for one in outside) / max(1, sum(one.refused for one in reads))
    if inside:
        found["in_scope_accuracy"] = sum(one.first == one.wanted and not one.refused for one in inside) / len(inside)
    return found


def _quiet() -> None:
    os.environ.setdefault("RASA_TELEMETRY_ENABLED", "false")
    os.environ["TQDM_DISABLE"] = "1"
    os.environ.setdefault("SQLALCHEMY_SILENCE_UBER_WARNING", "1")
    warnings.simplefilter("ignore")


def train(config: Path, rows: list[Labelled], names: dict[str, str], folder: Path) -> float:
    """Trains with Rasa; seconds of it, without the imports."""
    _quiet()
    os.environ["RASA_CACHE_DIRECTORY"] = str(folder / "cache")
    from rasa.model_training import train_nlu

    examples = [{"text": row.text, "intent": names[row.intent], "entities": []} for row in rows if row.text]
    # This format takes a text as it is; in the other one brackets mean entities.
    (folder / "nlu.json").write_text(json.dumps({"rasa_nlu_data": {"common_examples": examples}}), encoding="utf-8")
    said = io.StringIO()
    began = time.perf_counter()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        made = train_nlu(str(config), str(folder / "nlu.json"), str(folder), fixed_model_name="measured")
    if not made:
        raise BadTable(f"Rasa made no model: {said.getvalue().strip()[-300:]}")
    return time.perf_counter() - began


async def _read_all(processor: Any, texts: list[str]) -> tuple[list[dict[str, Any]], list[float]]:
    from rasa.core.channels.channel import UserMessage
    from rasa.shared.core.trackers import DialogueStateTracker

    from bot.typed import harmless

    # As a turn does, which has one; Rasa would build an empty domain for each message that comes without.
    tracker = DialogueStateTracker.from_events("measured", [])
    found, seconds = [], []
    for text in texts:
        message = UserMessage(harmless(text))
        began = time.perf_counter()
        parsed = await processor.parse_message(message, tracker)
        seconds.append(time.perf_counter() - began)
        found.append({key: parsed[key] for key in ("intent", "intent_ranking")})
    return found, seconds


def read(model: Path, texts: list[str]) -> dict[str, Any]:
    """What the model finds in each text, and what it cost; run in a process of its own."""
    _quiet()
    # So that loading is loading, not importing: what the graph's nodes are of.
    from rasa.graph_components.validators import default_recipe_validator  # noqa: F401

    from bot.components import hybrid_intents, identifiers, names  # noqa: F401
    from bot.graph import LeanProcessor
    from bot.turns import quiet_rasa

    quiet_rasa()
    began = time.perf_counter()
    processor = LeanProcessor(model)  # as turns do
    load = time.perf_counter() - began
    gc.collect()
    gc.freeze()  # as the workers do (bot/pool.py)
    asyncio.run(_read_all(processor, texts[:_WARM_UP]))
    found, seconds = asyncio.run(_read_all(processor, texts))
    rss = next(
        (int(line.split()[1]) / 1024 for line in _status() if line.startswith("VmRSS")),
        float("nan"),
    )
    # The best of three counts: what a neighbour on the machine takes is not the text's.
    rounds = [asyncio.run(_read_all(processor, long_texts()))[1] for _ in range(3)]
    longest = max(min(single) for single in zip(*rounds, strict=True))
    return {"found": found, "seconds": seconds, "load": load, "rss": rss, "longest": longest}


def long_texts() -> list[str]:
    """Texts of 20,000 characters that are made to take long: what repeats, what grows, what no alphabet has."""
    import random

    chance = random.Random(7)  # noqa: S311 # no secret
    planes = [chr(code) for code in (*range(0x20, 0x3000), *range(0x1F300, 0x1FAFF)) if chr(code).isprintable()]
    words = ["".join(chance.choices("abcdefghijlmnoprstuvz", k=chance.randint(1, 12))) for _ in range(6000)]
    made = [
        "a",
        "\ufdfa",
        "\u0301",
        "é",
        "1",
        "1.",
        "a@",
        "[a](b)",
        "@a.b",
        "https://",
        "\U0001f600",
        "\u200d",
        "ab ",
        "R$ 1 ",
    ]
    texts = [piece * (20_000 // len(piece)) for piece in made]
    texts += [" ".join(words)[:20_000], "".join(chance.choices(planes, k=20_000))]
    texts += ["".join(chance.choices([*planes, *" " * 2000], k=20_000)) for _ in range(4)]
    return texts


def _status() -> list[str]:
    try:
        return Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def teach_outside(tables: dict[str, list[Labelled]], label: str) -> bool:
    """Moves out of scope's messages from the validation table to the training table when that has none of its own.

    Whoever has examples of out of scope teaches them; what is taught is not judged.
    """
    found = [row for row in tables.get("val", []) if row.intent == label and row.text]
    if not found or any(row.intent == label for row in tables["train"]):
        return False
    tables["train"] = [*tables["train"], *found]
    tables["val"] = [row for row in tables["val"] if row.intent != label]
    return True


def measure(options: argparse.Namespace) -> dict[str, float]:
    """All numbers, in the order in which they are printed. Raises BadTable."""
    taught_by = read_examples if options.train.is_dir() else read_table
    tables = {"train": taught_by(options.train), "test": read_table(options.test)}
    if options.val:
        tables["val"] = read_table(options.val)
    if teach_outside(tables, options.oos_label):
        print(
            f"Note: what is {options.oos_label} in {options.val} is taught: {options.train} has none.", file=sys.stderr
        )
    intents = {row.intent for rows in tables.values() for row in rows}
    names = safe_names(intents, options.oos_label)
    taught = {row.intent for row in tables["train"] if row.text}
    if len(taught) < 2:
        raise BadTable(f"{options.train} teaches fewer than two intents.")
    unknown = {row.intent for row in tables["test"]} - taught - {options.oos_label}
    if unknown:
        print(
            f"Note: {len(unknown)} intents of the test are not taught; each message of theirs is an error.",
            file=sys.stderr,
        )
    with tempfile.TemporaryDirectory(prefix="segue-nlu-") as made:
        folder = Path(made)
        seconds = train(options.config, tables["train"], names, folder)
        (folder / "texts.json").write_text(json.dumps([[r.text for r in tables[t]] for t in tables if t != "train"]))
        script = [sys.executable, "-W", "ignore", "-m", "bot.measure", "--read", str(folder)]
        done = subprocess.run(script, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BadTable(f"reading with the trained model failed: {done.stderr.strip()[-500:]}")
        got = [json.loads(line) for line in done.stdout.splitlines()]
    if options.confusion:
        pairs = [
            (row.intent, Read("", one).first or FALLBACK)
            for row, one in zip(tables["test"], got[0]["found"], strict=True)
        ]
        options.confusion.write_text(drawn([(names[wanted], found) for wanted, found in pairs]), encoding="utf-8")
    numbers = judged([Read(names[row.intent], one) for row, one in zip(tables["test"], got[0]["found"], strict=True)])
    ranked = sorted(got[0]["seconds"])
    numbers["p50_ms"] = 1000 * ranked[len(ranked) // 2]
    numbers["p95_ms"] = 1000 * ranked[min(len(ranked) - 1, int(len(ranked) * 0.95))]
    numbers.update(train_s=seconds, load_s=got[0]["load"], rss_mb=got[0]["rss"])
    numbers["longest_ms"] = 1000 * got[0]["longest"]
    if options.val:
        judgement = judged(
            [Read(names[row.intent], one) for row, one in zip(tables["val"], got[1]["found"], strict=True)]
        )
        numbers.update({f"val_{name}": value for name, value in judgement.items()})
    return numbers


def parse_options(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="bin/segue bench nlu",
        description="Trains config.yml's pipeline on labelled messages, judges it on others (text, tab, intent).",
    )
    parser.add_argument("--train", required=True, type=Path, help="a table, or a folder of examples (data/nlu)")
    parser.add_argument("--test", required=True, type=Path)
    parser.add_argument(
        "--val",
        type=Path,
        help="judged too, as val_…; teaches out of scope where --train has none",
    )
    parser.add_argument("--oos-label", default="oos", help="the label that means out of scope (oos)")
    parser.add_argument("--confusion", type=Path, help="an SVG: which intents of the test are taken for which")
    parser.add_argument("--config", type=Path, default=Path("config.yml"))
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """0 with the numbers, 1 with one sentence."""
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ["--read"]:
        folder = Path(words[1])
        several = json.loads((folder / "texts.json").read_text(encoding="utf-8"))
        for texts in several:
            print(json.dumps(read(folder / "measured.tar.gz", texts)))
        return 0
    options = parse_options(words)
    try:
        for name, value in measure(options).items():
            digits = {"ms": 2, "s": 2, "mb": 0}.get(name.rpartition("_")[2], 4)
            print(f"{name} {value:.{digits}f}", flush=True)
    except BadTable as error:
        print(f"bench nlu: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
