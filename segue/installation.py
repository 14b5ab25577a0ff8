"""The installation that a command works on: its data folder, its settings, and what of it runs now."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from router.store import Store, StoreError, StoreUnavailable, connect
from segue.options import name_config, settings_or_refusal
from segue.places import ROOT, DataFolder, process_identity
from segue.refusal import Refusal
from segue.settings import Settings

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What `segue up` would be started with, and what it wrote about itself when it was."""

    settings: Settings
    config: Path | None
    data: Path
    record: dict[str, Any]
    """Empty while nothing runs here."""

    @classmethod
    def find(cls, data_dir: Path | None, config: Path | None) -> Installation:
        """Reads settings and record; starts and makes nothing. Refuses settings that cannot be used."""
        given = data_dir.expanduser().absolute() if data_dir else None
        config = name_config(config)
        settings = settings_or_refusal()
        data = given or ROOT / settings.data_dir.expanduser()
        return cls(settings=settings, config=config, data=data, record=_living(DataFolder(data).record()))

    @property
    def running(self) -> bool:
        """Whether a launcher has this folder now."""
        return bool(self.record)

    @property
    def own_redis(self) -> bool:
        """Whether `segue up` brings Redis along, as it does unless the settings name one."""
        return "url" not in self.settings.redis.model_fields_set

    @property
    def redis_url(self) -> str | None:
        """Where Redis is to be found now; None when it is our own and nothing runs."""
        if self.record.get("redis_url"):
            return str(self.record["redis_url"])
        return None if self.own_redis else self.settings.redis.url

    def needed_redis_url(self) -> str:
        """The same; refuses when there is none to be asked."""
        if self.redis_url is None:
            raise Refusal(
                f"Segue does not run on {self.data}: start it with `bin/segue up`, "
                "or name another folder with --data-dir."
            )
        return self.redis_url

    @property
    def models(self) -> Path:
        """Where trained models are: Rasa's own folder in the checkout, or the data folder's where that is read-only."""
        return ROOT / "models" if os.access(ROOT, os.W_OK) else self.data / "models"

    @property
    def web_url(self) -> str:
        """Where the router answers on this machine."""
        if self.record.get("url"):
            return str(self.record["url"]).rstrip("/")
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.settings.server.host, self.settings.server.host)  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.settings.server.port}"

    def ask_store(self, question: Callable[[Store], Awaitable[_Answer]]) -> _Answer:
        """Asks the store once. Refuses when Redis is away or holds what this version cannot read."""
        url = self.needed_redis_url()

        async def asked() -> _Answer:
            store = Store(connect(url))
            try:
                await store.check_format()
                return await question(store)
            finally:
                await store.close()

        try:
            return asyncio.run(asked())
        except StoreUnavailable as error:
            raise Refusal(f"Redis does not answer ({error}): see that it runs, then try again.") from error
        except StoreError as error:
            raise Refusal(str(error)) from error


def _living(record: dict[str, Any]) -> dict[str, Any]:
    """The record, if the launcher that wrote it is there."""
    launcher = record.get("launcher")
    return record if isinstance(launcher, int) and process_identity(launcher) else {}
