"""The router's part, as small as can be: keeps a window and the language, and asks for turns."""

from __future__ import annotations

from typing import Any

from bot.request import parse_request

# What differs between two runs of the same turn, and means nothing.
_CLOCK = frozenset({"timestamp", "event_id"})


class Dialogue:
    """One customer's dialogue against a loaded model."""

    def __init__(self, turns: Any, customer: str = "0198c0de-0000-7000-8000-000000000001", *, cut: bool = True) -> None:
        self.turns = turns
        self.customer = customer
        self.cut = cut
        self.window: list[dict[str, Any]] = []
        self.language: dict[str, Any] = {"current": None, "votes": 0, "locale": "pt-BR"}
        self.turn = 0

    def body(self, text: str | None = None, **more: Any) -> dict[str, Any]:
        """The request of the next turn."""
        message: dict[str, Any] = {"id": f"{self.customer}.{self.turn + 1}", "metadata": {"channel": "webchat"}}
        if "payload" in more:
            message["payload"] = more.pop("payload")
        if text is not None:
            message["text"] = text
        has_message = "text" in message or "payload" in message
        return {
            "window": self.window,
            "message": message if has_message else None,
            "language": self.language,
            **more,
        }

    async def say(self, text: str | None = None, **more: Any) -> dict[str, Any]:
        """Takes a turn and remembers what it left."""
        answer = await self.turns.take(parse_request(self.body(text, **more)))
        self.turn += 1
        if self.cut and "window" in answer:
            self.window = answer["window"]
        else:
            self.window = [] if more.get("new_session") else self.window
            self.window = self.window + answer["events"]
        self.language = {**self.language, **answer["language"]}
        return answer

    async def texts(self, text: str | None = None, **more: Any) -> list[str]:
        """The texts of the answer."""
        return [response.get("text", "") for response in (await self.say(text, **more))["responses"]]


def timeless(value: Any) -> Any:
    """The same without clocks, for comparing two runs."""
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in _CLOCK}
    return [timeless(item) for item in value] if isinstance(value, list) else value
