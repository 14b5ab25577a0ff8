"""What the contract suite has to know of a channel: a module of this package by the channel's name, with a `case()`.

A case is the platform: it signs what comes in, stands at the other end of what goes out, and fails on demand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

import pytest

from connectors.contract import ConnectorError

pytest.register_assert_rewrite("cases.promises")


@dataclass(frozen=True)
class Request:
    """What the platform posts to us."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """What has to come of a failure: exactly this error, for `TryAgain` with this time."""

    error: type[ConnectorError]
    after: float | None = None


TEXTS = (
    "oi",
    "  com espaço dos dois lados\n",
    "👨‍👩‍👧‍👦 👍🏽 🇧🇷",
    "שלום \u202eעולם",
    "e\u0301 é",
    "a\u0000b",
    "/outra {} <b>&amp;",
    "ç" * 4096,
)
"""What has to arrive as it was written."""


class Case(Protocol):
    account: str
    """The account's name in the settings."""
    people: Sequence[str]
    """Ids as the platform gives them; what goes out goes to the first."""
    secrets: Sequence[str]
    """What no log and no error may show."""
    nonsense_status: int
    """400 for a channel of our own; 200 for a vendor that would repeat it for days."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def settings(self) -> dict[str, Any]:
        """One account, pointing at the fake platform."""

    # in
    # `key` is what makes a redelivery the same message.
    def message(self, *, key: str, person: str, text: str) -> bytes: ...
    def tap(self, *, key: str, person: str, button: str, title: str) -> bytes | None:
        """None where the platform has nothing to tap."""

    def report(self, *, vendor_id: str, person: str, status: str) -> bytes | None:
        """None where the platform reports nothing."""

    def unsupported(self) -> Sequence[bytes]: ...
    def nonsense(self) -> Sequence[bytes]: ...
    def signed(self, body: bytes) -> Request: ...
    def forged(self, body: bytes) -> Mapping[str, Request]: ...
    def old(self, body: bytes) -> Request | None:
        """None where the platform signs no time."""

    # out
    def failures(self) -> Mapping[str, Failure]: ...
    def fail(self, name: str) -> None:
        """From now on, until another name; "" is health."""

    def answers(self, status: int, body: bytes) -> None:
        """From now on, this."""

    def executed(self) -> Sequence[str]:
        """The messages that the platform shows its people, each as often as it does: by our id where it takes one."""

    def complaints(self) -> Sequence[str]:
        """What the platform would have refused of what it was sent."""


def case_of(channel: str) -> Case:
    try:
        module = import_module(f"cases.{channel}")
    except ModuleNotFoundError as error:
        raise AssertionError(
            f"the channel {channel!r} is registered and has no tests/cases/{channel}.py: write one"
        ) from error
    made: Case = module.case()
    return made
