"""Trained models: which there are, which one answers, which one before it, and which are old enough to go."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from segue.refusal import Refusal

KEPT = 5
ENDING = ".tar.gz"


@dataclass(frozen=True)
class Model:
    """A trained model. The mark is the fingerprint of what it was trained from."""

    path: Path
    trained: datetime
    size: int

    @property
    def mark(self) -> str:
        return self.path.name.removesuffix(ENDING).removeprefix("segue-")


@dataclass(frozen=True)
class Choice:
    """Which model answers, and which one did before. Chosen by hand, it also answers after the next start."""

    file: str = ""
    previous: str = ""
    by_hand: bool = False

    @classmethod
    def read(cls, data: Path) -> Choice:
        try:
            read = json.loads((data / "model.json").read_text(encoding="utf-8"))
            return cls(str(read["file"]), str(read["previous"]), bool(read["by_hand"]))
        except (OSError, ValueError, KeyError, TypeError):
            return cls()

    def write(self, data: Path) -> None:
        """Replaces the file in one step."""
        new = data / "model.json.new"
        new.write_text(json.dumps(asdict(self)), encoding="utf-8")
        new.replace(data / "model.json")

    def then(self, model: Path, *, by_hand: bool) -> Choice:
        """What is written down when this model begins to answer."""
        same = self.file in ("", str(model))
        return Choice(str(model), self.previous if same else self.file, by_hand)


def all_models(folder: Path) -> list[Model]:
    """The newest first."""
    found = []
    for path in folder.glob(f"*{ENDING}"):
        with suppress(FileNotFoundError):
            status = path.stat()
            found.append(Model(path, datetime.fromtimestamp(status.st_mtime).astimezone(), status.st_size))
    return sorted(found, key=lambda model: model.trained, reverse=True)


def find_model(folder: Path, wanted: str) -> Path:
    """The model that a person means by a path, a file's name or the beginning of a mark."""
    path = Path(wanted)
    if path.is_absolute() and path.is_file():
        return path
    meant = [model for model in all_models(folder) if model.path.name == wanted or model.mark.startswith(wanted)]
    if len(meant) == 1:
        return meant[0].path
    how_many = f"{len(meant)} models begin" if meant else "No model begins"
    raise Refusal(f"{how_many} with {wanted!r}: `bin/segue model list` shows those there are.")


def hold(model: Path) -> int:
    """Keeps the file from being pruned, also by a launcher of another data folder, until the descriptor is closed."""
    held = os.open(model, os.O_RDONLY | os.O_CLOEXEC)
    with suppress(OSError):
        fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return held


def prune(folder: Path, *, keep: set[str], count: int = KEPT) -> list[Path]:
    """Removes all but the newest models; never one to keep, nor one that somebody holds."""
    removed = []
    for model in all_models(folder)[count:]:
        if str(model.path) in keep:
            continue
        with suppress(OSError), model.path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            model.path.unlink()
            removed.append(model.path)
    return removed


def described(folder: Path, choice: Choice, present: str) -> list[str]:
    """One line a model: its mark, when it was trained, how large it is, and what is special about it."""
    models = all_models(folder)
    elsewhere = [Path(name) for name in (choice.file, choice.previous) if name and Path(name).parent != folder]
    for path in elsewhere:
        with suppress(FileNotFoundError):
            status = path.stat()
            models.append(Model(path, datetime.fromtimestamp(status.st_mtime).astimezone(), status.st_size))
    return [_line(model, choice, present, shown=str(model.path) if model.path in elsewhere else "") for model in models]


def _line(model: Model, choice: Choice, present: str, *, shown: str) -> str:
    path = str(model.path)
    notes: list[Any] = [
        path == choice.file and ("current, chosen by hand" if choice.by_hand else "current"),
        path == choice.previous and "previous",
        model.mark == present and "of the present data",
        shown,
    ]
    star = "*" if path == choice.file else " "
    words = ", ".join(note for note in notes if note)
    return f"{star} {model.mark:<16}  {model.trained:%Y-%m-%d %H:%M}  {model.size / 1e6:5.1f} MB  {words}".rstrip()
