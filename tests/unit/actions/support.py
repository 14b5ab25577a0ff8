"""Small objects that stand in for what rasa-sdk hands to an action."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from actions.dialogue import Event


@dataclass
class Said:
    """Collects responses as rasa-sdk's dispatcher does."""

    responses: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def utter_message(self, *, response: str, **facts: Any) -> None:
        self.responses.append((response, facts))

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.responses]


@dataclass
class Dialogue:
    """A tracker: the latest message and the slots."""

    sender_id: str
    slots: Mapping[str, Any]
    latest_message: Mapping[str, Any]
    active_loop: Mapping[str, Any]


def dialogue(text: str = "", intent: str = "", *, customer: str = "customer-1", **slots: Any) -> Dialogue:
    message = {"text": text, "intent": {"name": intent, "confidence": 0.9}}
    return Dialogue(sender_id=customer, slots=slots, latest_message=message, active_loop={})


def slots_set(events: list[Event]) -> dict[str, Any]:
    return {event["name"]: event["value"] for event in events if event["event"] == "slot"}
