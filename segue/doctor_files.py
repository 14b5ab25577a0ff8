"""What doctor looks at without asking a running part: interpreters, settings, addresses, files, room."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from connectors.registry import CHANNELS
from segue.checks import FREE_DISK_MB
from segue.doctor import Finding, Level, run
from segue.installation import Installation
from segue.places import bot_python
from segue.settings import Settings, config_file

# Variables of ours that are not settings.
OTHER_VARIABLES = {"HOME", "CONFIG", "PYTHON", "BOT_PYTHON", "CHROMIUM"}
LEAST_SECRET = 16
LEAST_MEMORY_MB = 400
REFUSES_BELOW_MB = 500


def pythons(installation: Installation) -> Iterator[Finding]:
    """The two interpreters and what is installed for them."""
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        yield Finding("python", "ok", f"{version} for the application")
    else:
        yield Finding("python", "fail", f"{version} for the application", "Use 3.11, 3.12 or 3.13: set SEGUE_PYTHON.")
    code, said = run([bot_python(), "-c", _ASK_BOT])
    if code == 0:
        python, rasa = said.split()
        yield Finding("python", "ok", f"{python} for the assistant, Rasa {rasa}")
    else:
        yield Finding(
            "python", "fail", "the assistant's environment does not run", "Run `bin/segue install bot` again."
        )


_ASK_BOT = "import sys; from importlib.metadata import version; print(sys.version.split()[0], version('rasa'))"


def settings(installation: Installation) -> Iterator[Finding]:
    """Where they come from, what in them is not ours, and secrets that are none."""
    of = installation.settings
    where = str(installation.config) if installation.config else f"defaults (there is no {config_file().name})"
    yield Finding("settings", "ok", f"{of.environment}, from {where}")
    for name in unknown_variables(os.environ):
        yield Finding("settings", "warn", f"{name} is set and is no setting", "Correct its spelling, or unset it.")
    production = of.environment == "production"
    for name in weak_secrets(of):
        yield Finding(
            "settings",
            "fail" if production else "warn",
            f"{name} is short or of a few letters",
            f"Replace it by {LEAST_SECRET} random characters or more, for example of `openssl rand -hex 24`.",
        )
    if production and not of.sites:
        yield Finding(
            "settings", "warn", "no site may show the widget", "Add [sites.<key>] with origins, or leave production."
        )


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Variables that begin like ours and set nothing. The typed settings check the rest."""
    known = {name.upper() for name in Settings.model_fields} | OTHER_VARIABLES
    ours = sorted(name for name in environment if name.startswith("SEGUE_"))
    return [name for name in ours if name.removeprefix("SEGUE_").partition("__")[0] not in known]


def weak_secrets(of: Settings) -> list[str]:
    """Names, never values."""
    found = dict(_secrets(("sites",), of.sites))
    for account, values in of.channels.items():
        found.update(_secrets(("channels", *account.split(":")), values))
    return [name for name, secret in found.items() if secret and weak(secret)]


def weak(secret: str) -> bool:
    """Too short to be random, or of a few letters only; a prefix like `whsec_` does not count."""
    random = secret.rpartition("_")[2]
    return len(random) < LEAST_SECRET or len(set(random)) < 5


def _secrets(path: tuple[str, ...], value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, SecretStr):
        yield ".".join(path), value.get_secret_value()
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _secrets((*path, str(key)), inner)
    elif isinstance(value, (list, tuple)):
        for number, inner in enumerate(value):
            yield from _secrets((*path, str(number)), inner)
    elif hasattr(type(value), "model_fields"):
        for name in type(value).model_fields:
            yield from _secrets((*path, name), getattr(value, name))


def address(installation: Installation) -> Iterator[Finding]:
    """Where the world reaches us, and by what."""
    server = installation.settings.server
    url = urlsplit(installation.settings.public_url())
    public = not _loopback(url.hostname or "")
    listens_wide = not _loopback(server.host)
    if not public and not listens_wide:
        yield Finding("address", "ok", f"{url.geturl()}, this machine only")
        return
    serious: Level = "fail" if installation.settings.environment == "production" else "warn"
    if not server.public_url:
        yield Finding(
            "address",
            serious,
            f"{server.host} is listened on and nothing says where the world reaches it",
            'Set [server] public_url = "https://…".',
        )
    elif url.scheme != "https" and public:
        yield Finding(
            "address",
            serious,
            f"{url.geturl()} is not encrypted",
            "Put a proxy with a certificate in front, and write https:// in [server] public_url.",
        )
    else:
        yield Finding("address", "ok", url.geturl())
    if url.scheme == "https" and not server.trusted_proxies:
        yield Finding(
            "address",
            "warn",
            "a proxy is in front and none is trusted, so that all visitors count as one address",
            'Set [server] trusted_proxies, for example ["127.0.0.1"].',
        )


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def channels(installation: Installation) -> Iterator[Finding]:
    """Which channels are on, and which are off for want of settings."""
    accounts = sorted(installation.settings.channels)
    for name, channel in sorted(CHANNELS.items()):
        if channel.live:
            sites = ", ".join(sorted(installation.settings.shown_sites())) or "no site"
            yield Finding("channels", "ok", f"{name}: {sites}")
        elif on := [account.partition(":")[2] for account in accounts if account.startswith(f"{name}:")]:
            yield Finding("channels", "ok", f"{name}: {', '.join(on)}")
        else:
            yield Finding("channels", "ok", f"{name}: off, there is no [channels.{name}.<account>]")


def modes(installation: Installation) -> Iterator[Finding]:
    """Keys, secrets and sockets that somebody else on this machine could use."""
    private = [installation.data, installation.data / "keys.json"]
    if installation.config and installation.settings.channels:
        private.append(installation.config)
    if sockets := installation.record.get("sockets"):
        private.append(Path(str(sockets)))
    open_to_others = [path for path in private if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    for path in open_to_others:
        wanted = "700" if path.is_dir() else "600"
        yield Finding("files", "fail", f"others may read {path}", f"Run `chmod {wanted} {path}`.")
    if not open_to_others:
        there = sum(path.exists() for path in private)
        yield Finding("files", "ok", f"{there} of {len(private)} private files and folders are there, closed to others")


def room(installation: Installation) -> Iterator[Finding]:
    """Disk and memory of this machine."""
    place = next(path for path in (installation.data, *installation.data.parents) if path.exists())
    free = shutil.disk_usage(place).free // 1_000_000
    if free >= FREE_DISK_MB:
        yield Finding("disk", "ok", f"{free:,} MB free where {installation.data} lies")
    else:
        level: Level = "fail" if free < REFUSES_BELOW_MB else "warn"
        yield Finding(
            "disk",
            level,
            f"{free} MB free where {installation.data} lies; below {REFUSES_BELOW_MB} MB messages are turned away",
            "Make room, or move the data folder to another disk.",
        )
    available = available_memory_mb()
    if available is None or available >= LEAST_MEMORY_MB:
        told = "cannot be told here" if available is None else f"{available:,} MB available"
        yield Finding("memory", "ok", told)
    else:
        yield Finding("memory", "warn", f"{available} MB available", "Lower [bot] workers, or add memory.")


def available_memory_mb() -> int | None:
    """None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    found = next((line for line in lines if line.startswith("MemAvailable:")), None)
    return int(found.split()[1]) // 1024 if found else None
