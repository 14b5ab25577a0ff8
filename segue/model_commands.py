"""`segue model …`: which models there are, and another one for the assistant that runs."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from segue.refusal import Refusal

app = typer.Typer(help="The assistant's trained models.", no_args_is_help=True, rich_markup_mode=None)

DataDir = Annotated[Path | None, typer.Option(help="The installation's folder; var in the checkout if nothing is set.")]
Config = Annotated[Path | None, typer.Option(help="Settings file; segue.toml in the checkout if it is there.")]


@app.command("list")
def show(data_dir: DataDir = None, config: Config = None) -> None:
    """Show the models, the newest first, and which one answers."""
    from segue.models import Choice, described
    from segue.options import read_options
    from segue.parts import models_folder

    data = read_options(port=None, data_dir=data_dir, config=config, train=False).data_dir
    lines = described(models_folder(data), Choice.read(data), _present_mark())
    print("\n".join(lines) or f"There is no model in {models_folder(data)} yet: `bin/segue train` makes one.")


@app.command("swap")
def swap(
    wanted: Annotated[
        str, typer.Argument(metavar="FILE|MARK|latest|previous", help="Which model answers from now on.")
    ],
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Let another model answer, without losing a turn; only when it passes the golden dialogues.

    `latest` is the model of the present data, trained if need be; `previous` goes back.
    """
    from segue.control import ask_launcher
    from segue.options import read_options
    from segue.places import DataFolder

    # The launcher's folder is another one than that of whoever asks.
    wanted = str(Path(wanted).absolute()) if Path(wanted).is_file() else wanted
    folder = DataFolder(read_options(port=None, data_dir=data_dir, config=config, train=False).data_dir)
    sockets = folder.record().get("sockets")
    done = asyncio.run(ask_launcher(Path(str(sockets)), {"swap": wanted}, lambda line: print(line, flush=True)))
    if done is None:
        raise Refusal(f"Segue does not run on {folder.path} (or was stopped just now): start it with `bin/segue up`.")
    raise typer.Exit(not done)


def _present_mark() -> str:
    """The fingerprint of the present data; empty where the assistant is not installed."""
    from segue.places import ROOT, bot_python

    try:
        command = [bot_python(), "-m", "bot.train", "--fingerprint-only"]
    except Refusal:
        return ""
    asked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return asked.stdout.strip()
