"""The commands of those who run Segue: look, back up, restore, put back, change keys, try it; cli joins them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None)


class Language(StrEnum):
    """In which the system can greet."""

    pt_br = "pt-BR"
    en = "en"


DataDir = Annotated[Path | None, typer.Option(help="The installation's folder; var in the checkout if nothing is set.")]
Config = Annotated[Path | None, typer.Option(help="Settings file; segue.toml in the checkout if it is there.")]


@app.command()
def doctor(
    data_dir: DataDir = None,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Look at everything and say what to mend; changes nothing, and works while nothing runs."""
    from segue.doctor import doctor as examine

    raise typer.Exit(examine(data_dir, config, as_json=as_json))


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that is not there yet: a .tar.gz.")],
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Save everything the installation keeps into one file, also while it runs."""
    from segue.backup import backup as save
    from segue.installation import Installation

    file = file.expanduser().absolute()
    raise typer.Exit(save(Installation.find(data_dir, config), file))


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `segue backup` wrote.")],
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Bring a backup back, into an empty data folder."""
    from segue.installation import Installation
    from segue.restore import restore as bring_back

    file = file.expanduser().absolute()
    raise typer.Exit(bring_back(Installation.find(data_dir, config), file))


@app.command()
def chat(
    url: Annotated[str | None, typer.Option(help="Of the router; the one that runs here if nothing is said.")] = None,
    site: Annotated[str, typer.Option(help="Whose visitor to be.")] = "demo",
    lang: Annotated[Language, typer.Option(help="In which language to be greeted.")] = Language.pt_br,
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Talk to the running system as a visitor of the widget; type a button's number to press it."""
    from segue.chat import chat as talk
    from segue.installation import Installation

    where = url or Installation.find(data_dir, config).web_url
    raise typer.Exit(talk(where, site, lang.value))


channel = typer.Typer(help="Channel accounts at their platforms.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(channel, name="channel")


@channel.command("check")
def channel_check(
    which: Annotated[str, typer.Argument(metavar="CHANNEL.ACCOUNT", help="As in the settings: telegram.main.")],
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Try an account's credentials, set its webhook, and say what is wrong."""
    from segue.channel import check
    from segue.installation import Installation

    raise typer.Exit(check(Installation.find(data_dir, config), which))


keys = typer.Typer(help="The keys that seal tokens and handles.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(keys, name="keys")


@keys.command("rotate")
def keys_rotate(data_dir: DataDir = None, config: Config = None) -> None:
    """Let a new key seal; the one before still opens what it sealed."""
    from segue.installation import Installation
    from segue.rotate import rotate

    raise typer.Exit(rotate(Installation.find(data_dir, config)))


dead = typer.Typer(help="Batches that were given up.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(dead, name="dead")


@dead.command("list")
def dead_list(data_dir: DataDir = None, config: Config = None) -> None:
    """Show what was given up, by customer and turn."""
    from segue.dead import list_letters
    from segue.installation import Installation

    raise typer.Exit(list_letters(Installation.find(data_dir, config)))


@dead.command("requeue")
def dead_requeue(
    which: Annotated[str, typer.Argument(metavar="ID|all", help="As `dead list` shows it, or all.")],
    data_dir: DataDir = None,
    config: Config = None,
) -> None:
    """Put one or all back into their mailboxes; they are answered next."""
    from segue.dead import requeue
    from segue.installation import Installation

    raise typer.Exit(requeue(Installation.find(data_dir, config), which))
