"""Rasa events at our door: which kinds may come in, and how small they go out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rasa.shared.core.events import Event
from rasa.shared.utils.common import all_subclasses

# What a window may hold. `export` is not among them: replaying one writes a file at a path that it names.
IN_WINDOW = frozenset(
    {
        "action",
        "action_execution_rejected",
        "active_loop",
        "bot",
        "cancel_reminder",
        "followup",
        "loop_interrupted",
        "pause",
        "reminder",
        "reset_slots",
        "restart",
        "resume",
        "rewind",
        "session_started",
        "slot",
        "undo",
        "user",
        "user_featurization",
    }
)
# What an action may answer with. `user` is not among them: nobody but the customer speaks for the customer.
FROM_ACTIONS = IN_WINDOW - {"user", "user_featurization"}

RANKING = 5
# An event without these is not the same event, even when they are null.
_KEPT_NULLS = {"slot": {"value"}, "active_loop": {"name"}, "action": {"name"}, "followup": {"name"}}
_DROPPED_METADATA = ("model_id", "assistant_id")


def remember_event_classes() -> None:
    """Makes Rasa look up an event's class in a table; stock walks all subclasses for every event."""
    table = {cls.type_name: cls for cls in reversed(list(all_subclasses(Event)))}

    def resolve_by_type(type_name: str, default: Any = None) -> Any:
        found = table.get(type_name, default)
        if found is None and type_name != "topic":
            raise ValueError(f"Unknown event name '{type_name}'.")
        return found

    Event.resolve_by_type = staticmethod(resolve_by_type)


def first_refused(events: Iterable[Any], allowed: frozenset[str]) -> str | None:
    """What is wrong with a list of events: the first kind that may not come in, or None."""
    for event in events:
        kind = event.get("event") if isinstance(event, dict) else None
        if not isinstance(kind, str):
            return "not an event"
        if kind not in allowed:
            return f"event '{kind[:40]}'"
    return None


def slim(event: dict[str, Any]) -> dict[str, Any]:
    """The event without nulls, token lists, model names and all but the first few intents."""
    kept = _KEPT_NULLS.get(str(event.get("event")), set())
    small = {key: value for key, value in event.items() if value is not None or key in kept}
    if "metadata" in small:
        metadata = {key: value for key, value in small["metadata"].items() if key not in _DROPPED_METADATA}
        if metadata:
            small["metadata"] = metadata
        else:
            del small["metadata"]
    if "parse_data" in small:
        small["parse_data"] = slim_parse(small["parse_data"])
    if event.get("event") == "bot" and "data" in small:
        small["data"] = {key: value for key, value in small["data"].items() if value}
    return small


def slim_parse(parse: dict[str, Any]) -> dict[str, Any]:
    """What was understood, with the ranking cut."""
    small = {
        key: value
        for key, value in parse.items()
        if value is not None and key not in ("text_tokens", "response_selector", "metadata", "message_id")
    }
    if "intent_ranking" in small:
        small["intent_ranking"] = small["intent_ranking"][:RANKING]
    return small


def nlu_of(parse: dict[str, Any]) -> dict[str, Any]:
    """The part of it that goes beside the answer: intent, ranking, entities."""
    small = slim_parse(parse)
    return {key: small[key] for key in ("intent", "intent_ranking", "entities") if key in small}
