"""The command line. Every command imports what it needs itself, so that `--help` is quick."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from segue import model_commands, operator
from segue.refusal import Refusal

app = typer.Typer(
    name="segue",
    help="An assistant for shops: one conversation per customer, on every channel and with people.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(operator.app)
app.add_typer(model_commands.app, name="model")

Port = Annotated[int | None, typer.Option(help="Port of the shop page and the API; 8080 if nothing else is set.")]
DataDir = Annotated[
    Path | None, typer.Option(help="Folder that keeps everything; var in the checkout if nothing else is set.")
]
Config = Annotated[Path | None, typer.Option(help="Settings file; segue.toml in the checkout if it is there.")]
PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


class Role(StrEnum):
    """What a router process does: `edge` takes messages and shows the journal, `worker` runs turns and delivers."""

    all = "all"
    edge = "edge"
    worker = "worker"


def main() -> None:
    """Runs one command; a refusal is one sentence and exit code 1."""
    os.environ.setdefault("PYTHONPATH", str(Path(__file__).resolve().parent.parent))
    try:
        app()
    except Refusal as refusal:
        print(f"segue: {refusal}", file=sys.stderr)
        sys.exit(1)


@app.command()
def up(
    port: Port = None,
    data_dir: DataDir = None,
    config: Config = None,
    no_train: Annotated[
        bool, typer.Option("--no-train", help="Use the newest model, even if its data have changed since.")
    ] = False,
) -> None:
    """Start everything on this machine and say where to look."""
    from segue.launcher import up as launch
    from segue.options import read_options

    raise typer.Exit(launch(read_options(port=port, data_dir=data_dir, config=config, train=not no_train)))


@app.command("test")
def check(
    paths: Annotated[list[str] | None, typer.Argument(help="Only these files, folders or pytest ids.")] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Static checks, unit, contract and scenario tests.")] = False,
) -> None:
    """Run the checks and tests; without a word, all of them."""
    from segue.gates import run_gates

    raise typer.Exit(run_gates(paths or [], fast=fast))


@app.command()
def serve(
    role: Annotated[Role, typer.Option(help="Which work this process does.")] = Role.all,
    port: Port = None,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Run one router process (containers, many machines)."""
    from segue.options import name_config, settings_or_refusal

    if port is not None:
        os.environ["SEGUE_SERVER__PORT"] = str(port)
    if data_dir is not None:
        os.environ["SEGUE_DATA_DIR"] = str(data_dir.expanduser().absolute())
    name_config(config)
    settings = settings_or_refusal()

    from segue.serve import serve as run

    raise typer.Exit(run(settings, role.value))


class Demo(StrEnum):
    """A story that can be played."""

    continuity = "continuity"


@app.command()
def demo(
    name: Annotated[Demo, typer.Argument(help="Which story.")] = Demo.continuity,
    lang: Annotated[
        operator.Language | None, typer.Option(help="In which language; the terminal's if not said.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="End when the story is told.")] = False,
    port: Annotated[int | None, typer.Option(help="Port of the shop page; a free one if not said.")] = None,
) -> None:
    """Play a story to a system of its own: a customer goes from the shop's page to Telegram and back."""
    from segue.demo import continuity

    spoken = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    language = lang.value if lang else "pt-BR" if spoken.startswith("pt") else "en"
    raise typer.Exit(continuity(language, once=once, port=port))


@app.command(context_settings=PASS_THROUGH)
def actions(context: typer.Context) -> None:
    """Run the action server: --socket FILE --data-dir FOLDER."""
    become(sys.executable, "-P", "-m", "actions.serve", *context.args)


@app.command(context_settings=PASS_THROUGH)
def bot(context: typer.Context) -> None:
    """Run bot workers: --folder FOLDER (or --socket FILE) --model FILE --actions-socket FILE --brand FILE."""
    from segue.places import bot_python

    become(bot_python(), "-m", "bot.serve", *context.args)


@app.command(context_settings=PASS_THROUGH)
def train(context: typer.Context) -> None:
    """Train the assistant, or say that its model is up to date."""
    from segue.places import bot_python

    become(bot_python(), "-m", "bot.train", *context.args)


@app.command(context_settings=PASS_THROUGH)
def bench(context: typer.Context) -> None:
    """Measure ingest, latency, turn, start, memory, growth, widgets, chaos or soak (docs/performance.md)."""
    become(sys.executable, "-P", "-m", "bench", *context.args)


@app.command(context_settings=PASS_THROUGH)
def rasa(context: typer.Context) -> None:
    """Rasa's own commands (shell, test, data validate, …), from the root of the checkout."""
    from segue.places import bot_python

    become(bot_python(), "-m", "bot.command", *context.args)


def become(*argv: str) -> NoReturn:
    """Turns this process into another one, from the root of the checkout: its signals and exit code are its own."""
    from segue.places import ROOT

    os.chdir(ROOT)
    os.environ["HF_HUB_OFFLINE"] = "1"  # nothing is fetched at run time
    sys.stdout.flush()
    os.execv(argv[0], argv)  # noqa: S606 no shell is wanted
