"""Labelled messages from a table: `text<TAB>intent` a line, with or without a header, in whatever bytes they came."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_TEXT_HEADS = frozenset({"text", "utterance", "sentence", "message", "query", "texto", "frase", "mensagem", "example"})
_INTENT_HEADS = frozenset(
    {"intent", "label", "category", "class", "intencao", "intenção", "rotulo", "rótulo", "target"}
)


_MARK = re.compile(r"\[([^\]]*)\](?:\([^)]*\)|\{[^}]*\})")


class BadTable(Exception):
    """The file cannot be used; one sentence says where and why."""


class Labelled(NamedTuple):
    """A message and the intent that a person gave it."""

    text: str
    intent: str


def _decoded(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace")


def read_table(path: Path) -> list[Labelled]:
    """The rows of a file. Raises BadTable."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadTable(f"{path} cannot be read: {error.strerror}.") from None
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        content = content.decode("utf-16", errors="replace").encode()
    rows: list[Labelled] = []
    places: tuple[int, int] | None = None
    headed = False
    for number, raw in enumerate(re.split(b"\r\n|\n|\r", content.removeprefix(b"\xef\xbb\xbf")), start=1):
        line = _decoded(raw).replace("\x00", "")
        if not line.strip():
            continue
        cells = [cell.strip() for cell in line.split("\t")]
        if places is None:
            places = _header(cells)
            headed = places is not None
            if places:
                continue
            places = (0, 1)
        if len(cells) <= max(places):
            raise BadTable(f"{path}, line {number}: a line is text, a tab, and its intent; this one has no tab.")
        if len(cells) > 2 and not headed and any(cells[2:]):
            raise BadTable(f"{path}, line {number}: a line is text, a tab, and its intent; this one has more columns.")
        text, intent = cells[places[0]], cells[places[1]]
        if not intent:
            raise BadTable(f"{path}, line {number}: the intent is missing.")
        rows.append(Labelled(text, intent))
    if not rows:
        raise BadTable(f"{path} holds no labelled message: one text, a tab and an intent are wanted in each line.")
    return rows


def read_examples(folder: Path) -> list[Labelled]:
    """The examples of a folder in Rasa's format (`data/nlu`), without their marks. Raises BadTable."""
    from ruamel.yaml import YAML, YAMLError

    rows: list[Labelled] = []
    for path in sorted(folder.rglob("*.yml")):
        try:
            told = YAML(typ="safe").load(path)
        except YAMLError as error:
            raise BadTable(f"{path} cannot be read: {error}") from None
        for item in told.get("nlu", []) if isinstance(told, dict) else []:
            lines = item["examples"].splitlines() if "intent" in item else []
            rows += [Labelled(_MARK.sub(r"\1", line.removeprefix("- ").strip()), item["intent"]) for line in lines]
    if not rows:
        raise BadTable(f"{folder} holds no examples.")
    return rows


def _header(cells: list[str]) -> tuple[int, int] | None:
    names = [cell.lower().strip('"') for cell in cells]
    text = next((place for place, name in enumerate(names) if name in _TEXT_HEADS), None)
    intent = next((place for place, name in enumerate(names) if name in _INTENT_HEADS), None)
    return None if text is None or intent is None else (text, intent)


def safe_names(intents: set[str], out_of_scope: str | None) -> dict[str, str]:
    """A name for each intent that Rasa takes as it is; the one for out of scope gets the assistant's own."""
    names: dict[str, str] = {}
    for intent in sorted(intents):
        name = "out_of_scope" if intent == out_of_scope else re.sub(r"[^\w]+", "_", intent).strip("_") or "intent"
        while name in names.values() or (name == "out_of_scope" and out_of_scope not in (None, intent)):
            name += "_"
        names[intent] = name
    return names
