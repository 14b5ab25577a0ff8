"""What one start of `segue up` needs to know. Order: command line, environment, settings file, default."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segue.places import ROOT
from segue.refusal import Refusal
from segue.settings import Settings, SettingsError, load_settings


@dataclass(frozen=True, kw_only=True)
class Options:
    """One start of `segue up`."""

    host: str
    port: int
    data_dir: Path
    config: Path | None
    brand: Path
    redis_url: str | None
    """None: bring our own."""
    train: bool
    bot_workers: int = 0
    """0: one less than there are cores, at least two."""

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the shop."""
        host = f"[{self.near_host}]" if ":" in self.near_host else self.near_host
        return f"http://{host}:{self.port}/"

    @property
    def near_host(self) -> str:
        """The address to ask from this machine when all addresses are listened on."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 compared, not bound

    def environment(self) -> dict[str, str]:
        """The variables that tell every part the same."""
        variables = {
            "SEGUE_SERVER__HOST": self.host,
            "SEGUE_SERVER__PORT": str(self.port),
            "SEGUE_DATA_DIR": str(self.data_dir),
            "SEGUE_BRAND__PATH": str(self.brand),
        }
        if self.config is not None:
            variables["SEGUE_CONFIG"] = str(self.config)
        return variables


def name_config(given: Path | None) -> Path | None:
    """Lets the settings be read from the named file, which must exist, else from segue.toml in the checkout."""
    named = given or (Path(os.environ["SEGUE_CONFIG"]) if os.environ.get("SEGUE_CONFIG") else None)
    if named is not None and not named.is_file():
        raise Refusal(f"There is no settings file {named}: name another with --config, or leave it out.")
    found = named or ROOT / "segue.toml"
    config = found.absolute() if found.is_file() else None
    os.environ["SEGUE_CONFIG"] = str(config or "")
    # From here on relative paths in the settings are the checkout's, whatever folder this was called from.
    os.chdir(ROOT)
    return config


def settings_or_refusal(**given: Any) -> Settings:
    """The typed settings; what is wrong in them becomes a refusal."""
    try:
        return load_settings(**given)
    except SettingsError as error:
        raise Refusal(str(error)) from error


def read_options(*, port: int | None, data_dir: Path | None, config: Path | None, train: bool) -> Options:
    """Puts command line, environment and file together; refuses what cannot be meant."""
    data_dir = data_dir.expanduser().absolute() if data_dir else None
    config = name_config(config)
    if port is not None and not 0 < port < 65536:
        raise Refusal(f"{port} is not a port: give a number from 1 to 65535, for example --port 8080.")
    if port is not None:
        os.environ["SEGUE_SERVER__PORT"] = str(port)
    settings = settings_or_refusal()
    return Options(
        host=settings.server.host,
        port=settings.server.port,
        # A path given here is the caller's; one from the settings is the checkout's.
        data_dir=data_dir or ROOT / settings.data_dir.expanduser(),
        config=config,
        brand=ROOT / settings.brand.path,
        redis_url=settings.redis.url if "url" in settings.redis.model_fields_set else None,
        train=train,
        bot_workers=settings.bot.workers,
    )
