"""The part of rasa-sdk that our actions see, typed.

rasa-sdk ships without types. An action here is a name and a coroutine; `actions.serve` registers it with the SDK's
executor. So nothing but `actions.serve` imports the SDK, and an action is tested with two small objects.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

Event: TypeAlias = dict[str, Any]


class Tracker(Protocol):
    """What an action may know of the dialogue. It is a window: never count on old events."""

    sender_id: str
    slots: Mapping[str, Any]
    latest_message: Mapping[str, Any]
    active_loop: Mapping[str, Any]


class Dispatcher(Protocol):
    """Collects what the assistant says."""

    def utter_message(self, *, response: str, **facts: Any) -> None: ...


Run: TypeAlias = Callable[[Dispatcher, Tracker, Mapping[str, Any]], Awaitable[list[Event]]]


@dataclass(frozen=True)
class Action:
    """A custom action: its name in domain.yml, and what it does."""

    name: str
    run: Run


def set_slot(name: str, value: object) -> Event:
    return {"event": "slot", "timestamp": None, "name": name, "value": value}


def intent_of(tracker: Tracker) -> str:
    intent = (tracker.latest_message or {}).get("intent") or {}
    return str(intent.get("name") or "")


def text_of(tracker: Tracker) -> str:
    return str((tracker.latest_message or {}).get("text") or "")


def language_of(tracker: Tracker) -> str:
    """The language we answer in; Brazilian Portuguese when nobody has decided yet."""
    return "en" if tracker.slots.get("language") == "en" else "pt-BR"
