"""The trained model: found again by its fingerprint, trained when there is none. The bot knows what that is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from segue.places import ROOT, bot_python
from segue.refusal import Refusal
from segue.supervise import Part, PartFailed, Running


def train_command(models: Path, *words: str) -> tuple[str, ...]:
    """How a model is trained, or only looked for: the last line it prints is the model's file."""
    return (bot_python(), "-m", "bot.train", "--models", str(models), *words)


def newest_model(models: Path) -> Path:
    """The last model trained, whatever it was trained on; refuses when there is none."""
    found = sorted(models.glob("*.tar.gz"), key=lambda file: file.stat().st_mtime)
    if not found:
        raise Refusal(f"There is no trained model in {models}: leave --no-train out, or run `bin/segue train`.")
    return found[-1]


async def find_model(models: Path, run: Callable[[Part], Running]) -> Path | None:
    """The model that fits the present training data, if it is there."""
    code, words = await run(_part(train_command(models, "--find"), niceness=0)).run_once()
    return _file_named_last(words) if code == 0 else None


async def train(models: Path, run: Callable[[Part], Running], *, show: Callable[[str], None]) -> Path:
    """Trains beside the running router, politely; its progress lines are shown as they come."""
    trainer = run(_part(train_command(models), niceness=10))
    code, words = await trainer.run_once(show)
    found = _file_named_last(words)
    if code != 0:
        raise PartFailed("train", f"ended with code {code}", trainer.tail())
    if found is None:
        raise PartFailed("train", "named no model", [*words[-3:], *trainer.tail()])
    return found


def _part(argv: tuple[str, ...], *, niceness: int) -> Part:
    async def never() -> bool:
        return False

    return Part(
        name="train",
        argv=argv,
        cwd=ROOT,
        env={"HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"},
        ready=never,
        niceness=niceness,
    )


def _file_named_last(words: list[str]) -> Path | None:
    named = next((line.strip() for line in reversed(words) if line.strip()), "")
    return Path(named) if named and Path(named).is_file() else None
