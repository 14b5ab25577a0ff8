"""The one door to effects: whatever changes something outside the dialogue asks here first.

A turn may be repeated after a crash, and a candidate model may run in the shadow. So an effect carries the turn's id,
by which a repeat is recognised, and in a dry run it is refused.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Turn:
    """The turn that an action works for: `X-Segue-Turn` and `X-Segue-Dry-Run`."""

    id: str
    dry_run: bool = False
    trace: str = ""
    """The message's way through all parts, for the logs."""


class EffectRefused(Exception):
    """A dry run wanted to change something."""


_current: ContextVar[Turn] = ContextVar("turn")


@contextmanager
def during(turn: Turn) -> Iterator[None]:
    token = _current.set(turn)
    try:
        yield
    finally:
        _current.reset(token)


def current_turn() -> Turn:
    """The running turn. Raises LookupError outside of one: nothing happens without an idempotency key."""
    return _current.get()


def permit(effect: str) -> str:
    """Give the idempotency key for an effect; raises EffectRefused in a dry run."""
    turn = current_turn()
    if turn.dry_run:
        raise EffectRefused(f"dry run: {effect} refused")
    return turn.id
