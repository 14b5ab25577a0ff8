"""Which channels there are. A new one is a file in this folder and a line in `CHANNELS`.

What such a file offers, by these names (`ChannelModule`):

    class Settings(pydantic.BaseModel)                  one account's settings: [channels.<channel>.<account>]
    def connector(account, settings, ports) -> Connector

A `Connector` is one channel account: what the outbox sends by (`contract.Sender`), the HTTP routes by which its
platform reaches us, and an async context manager for what it opens (its HTTP session above all). It is given its
settings and `contract.Ports`, and reads nothing global. One that has to fetch its messages is a `Poller` too: the
composition root runs `poll` under a lease, in one process.

The composition root does, for every channel alike:

    settings   = registry.checked(tables)               tables as they stand in the file; ValueError with a sentence
    connectors = registry.connectors(settings, ports)   by account: "webhook:main" -> Connector
    for each:    enter it, add its routes(), hand it to the outbox, run poll() where it has one; leave it at the end

A module is imported when an account of it is configured, not before: a broken library breaks its channel alone.
A *live* channel shows the journal to whoever holds a stream; it has no lane, no sender and no account settings here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import TracebackType
from typing import Any, Protocol, Self, cast, runtime_checkable

from aiohttp import web
from pydantic import BaseModel, ValidationError

from connectors.contract import Ports, Sender


class Connector(Sender, Protocol):
    """One channel account."""

    @property
    def account(self) -> str:
        """`<channel>:<account>`, as in the identities of its people."""

    def routes(self) -> Sequence[web.RouteDef]:
        """Under /channels/<channel>/<account>. Handlers raise the contract's errors; an account that is not
        configured has no routes, so that the web server itself answers 404."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@runtime_checkable
class Poller(Protocol):
    """A connector that asks its platform for messages instead of being called."""

    async def poll(self) -> None:
        """Until cancelled, in one process at a time; returns where the platform calls us after all."""


class ChannelModule(Protocol):
    @property
    def Settings(self) -> type[BaseModel]: ...  # noqa: N802  the name that a module gives its class
    def connector(self, account: str, settings: Any, ports: Ports) -> Connector: ...


@dataclass(frozen=True, slots=True)
class Channel:
    name: str
    module: str
    live: bool = False

    def load(self) -> ChannelModule:
        return cast("ChannelModule", import_module(self.module))


CHANNELS: Mapping[str, Channel] = {
    channel.name: channel
    for channel in (
        Channel("webchat", "connectors.webchat", live=True),
        Channel("webhook", "connectors.webhook"),
        Channel("telegram", "connectors.telegram"),
    )
}

_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def checked(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, BaseModel]:
    """Settings by account, typed by each channel. Raises `ValueError` with a sentence, which never holds a value."""
    found: dict[str, BaseModel] = {}
    for name, accounts in tables.items():
        channel = CHANNELS.get(name)
        if channel is None or channel.live:
            known = ", ".join(sorted(channel.name for channel in CHANNELS.values() if not channel.live))
            raise ValueError(f"there is no channel {name!r} to configure; there is {known}")
        if not isinstance(accounts, Mapping):
            raise ValueError(f"{name} needs an account: write [channels.{name}.main]")  # noqa: TRY004  a setting
        for account, values in accounts.items():
            if not _ACCOUNT.fullmatch(account):
                raise ValueError(f"{name}.{account}: an account's name is of small letters, digits, - and _")
            found[f"{name}:{account}"] = _settings(channel, account, values)
    return found


def _settings(channel: Channel, account: str, values: Any) -> BaseModel:
    try:
        return channel.load().Settings.model_validate(values)
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False, include_context=False)
        wrong = "; ".join(
            f"{'.'.join([channel.name, account, *map(str, problem['loc'])])}: "
            f"{problem['msg'].removeprefix('Value error, ')}"
            for problem in problems
        )
        raise ValueError(wrong) from None


def connectors(settings: Mapping[str, BaseModel], ports: Ports) -> dict[str, Connector]:
    """A connector for each configured account, by account. They are not entered yet."""
    built = {}
    for account, values in settings.items():
        channel, _, name = account.partition(":")
        built[account] = CHANNELS[channel].load().connector(name, values, ports)
    return built
