"""The body of `POST /turn`, checked. docs/decisions/0001-data-formats.md has the shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bot.events import IN_WINDOW, first_refused
from bot.failure import TurnFailure

MAX_TEXT = 20_000
MAX_EVENTS = 20_000


@dataclass(frozen=True)
class Said:
    """What a customer or an agent said while a person was answering."""

    author: str
    text: str
    at: float


@dataclass(frozen=True)
class TurnRequest:
    """One turn to take, or (without a message) only slots and sayings to put down."""

    turn: str
    window: list[dict[str, Any]]
    text: str | None = None
    payload: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    slots: dict[str, Any] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    language: str | None = None
    votes: int = 0
    locale: str | None = None
    new_session: bool = False
    dry_run: bool = False

    @property
    def has_message(self) -> bool:
        """Whether the bot is to answer."""
        return self.text is not None or self.payload is not None

    @property
    def customer(self) -> str:
        """The customer's part of the turn id."""
        return self.turn.rpartition(".")[0] or self.turn

    @property
    def channel(self) -> str:
        """Where the message came from; responses may differ by it."""
        return str(self.metadata.get("channel") or "")


def _refuse(where: str, detail: str) -> TurnFailure:
    return TurnFailure("bad_request", where, detail)


def _typed(body: dict[str, Any], key: str, kind: type | tuple[type, ...], default: Any, where: str = "") -> Any:
    value = body.get(key)
    if value is None:
        return default
    if not isinstance(value, kind) or (
        isinstance(value, bool) and bool not in (kind if isinstance(kind, tuple) else (kind,))
    ):
        raise _refuse(where + key, "This has the wrong type.")
    return value


def parse_request(body: Any) -> TurnRequest:
    """The request, or a TurnFailure that names the field at fault."""
    if not isinstance(body, dict):
        raise _refuse("", "The body is not a JSON object.")
    window = _typed(body, "window", list, [])
    if len(window) > MAX_EVENTS:
        raise _refuse("window", "The window is too long.")
    if refused := first_refused(window, IN_WINDOW):
        raise _refuse("window", f"The window holds {refused}, which is not accepted.")
    message = _typed(body, "message", dict, {})
    text = _typed(message, "text", str, None, "message.")
    payload = _typed(message, "payload", str, None, "message.")
    turn = _typed(message, "id", str, "", "message.")
    if message:
        if not turn:
            raise _refuse("message.id", "A message needs an id: the turn's.")
        if text is None and payload is None:
            raise _refuse("message", "A message needs text or payload.")
        if len(text or "") > MAX_TEXT or len(payload or "") > MAX_TEXT:
            raise _refuse("message", "The message is too long.")
    language = _typed(body, "language", dict, {})
    return TurnRequest(
        turn=turn,
        window=window,
        text=text,
        payload=payload,
        metadata=_typed(message, "metadata", dict, {}, "message."),
        slots=_typed(body, "slots", dict, {}),
        said=[_said(one) for one in _typed(body, "said", list, [])],
        language=_typed(language, "current", str, None, "language."),
        votes=_typed(language, "votes", int, 0, "language."),
        locale=_typed(language, "locale", str, None, "language."),
        new_session=_typed(body, "new_session", bool, False),
        dry_run=_typed(body, "dry_run", bool, False),
    )


def _said(one: Any) -> Said:
    if not isinstance(one, dict) or one.get("author") not in ("customer", "agent"):
        raise _refuse("said", "Each saying has an author, customer or agent.")
    text = _typed(one, "text", str, None, "said.")
    if text is None or len(text) > MAX_TEXT:
        raise _refuse("said.text", "Each saying has a text, not too long.")
    return Said(one["author"], text, float(_typed(one, "at", (int, float), 0.0, "said.")))
