"""What the Bot API asks of each call, by a table of our own; and what its HTML parser makes of a text.

From https://core.telegram.org/bots/api; where a copy of its whole specification is near the checkout, it is asked too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

_COPIES = [folder / "shared" / "specs" / "telegram_bot_api.json" for folder in Path(__file__).parents[3:]]
SPECIFICATION = next((copy for copy in _COPIES if copy.is_file()), None)
"""`../shared/specs` of the checkout, or of a folder around it."""

_CHAT: dict[str, str] = {"chat_id": "int!"}
_SAID = {"parse_mode": "str", "reply_markup": "keyboard"}
_FILE = {**_CHAT, **_SAID, "caption": "str"}
_PLACE = {**_CHAT, "latitude": "float!", "longitude": "float!"}

METHODS: dict[str, dict[str, str]] = {
    "getMe": {},
    "sendMessage": {**_CHAT, **_SAID, "text": "str!", "link_preview_options": "object"},
    "sendPhoto": {**_FILE, "photo": "file!"},
    "sendAnimation": {**_FILE, "animation": "file!"},
    "sendAudio": {**_FILE, "audio": "file!"},
    "sendVoice": {**_FILE, "voice": "file!"},
    "sendVideo": {**_FILE, "video": "file!"},
    "sendDocument": {**_FILE, "document": "file!"},
    "sendLocation": _PLACE,
    "sendVenue": {**_PLACE, "title": "str!", "address": "str!"},
    "sendChatAction": {**_CHAT, "action": "str!"},
    "answerCallbackQuery": {"callback_query_id": "str!", "text": "str", "show_alert": "bool"},
    "editMessageReplyMarkup": {**_CHAT, "message_id": "int!", "reply_markup": "keyboard"},
    "getFile": {"file_id": "str!"},
    "getUpdates": {"offset": "int", "limit": "int", "timeout": "int", "allowed_updates": "array"},
    "setWebhook": {
        "url": "str!",
        "secret_token": "str",
        "allowed_updates": "array",
        "max_connections": "int",
        "drop_pending_updates": "bool",
    },
    "deleteWebhook": {"drop_pending_updates": "bool"},
    "getWebhookInfo": {},
    "setMyCommands": {"commands": "array!", "scope": "object", "language_code": "str"},
}
"""Parameters that we use, by type; `!` must be there. A parameter that Telegram knows and we do not use is a fault."""

MOST_BUTTONS = 100
_KINDS: dict[str, type | tuple[type, ...]] = {
    "int": int,
    "str": str,
    "float": (int, float),
    "bool": bool,
    "array": list,
    "object": dict,
    "keyboard": dict,
}


def read(method: str, raw: Mapping[str, Any], *, form: bool) -> dict[str, Any]:
    """The parameters by name, each of its type. Raises `ValueError` that says what is wrong."""
    wanted = METHODS[method]
    if unknown := sorted(set(raw) - set(wanted)):
        raise ValueError(f"{method} has no {', '.join(unknown)}")
    found = {}
    for name, kind in wanted.items():
        if name not in raw:
            if kind.endswith("!"):
                raise ValueError(f"{method} needs {name}")
            continue
        found[name] = _typed(f"{method}.{name}", kind.rstrip("!"), raw[name], form=form)
    return found


def _typed(where: str, kind: str, value: Any, *, form: bool) -> Any:
    if kind == "file":
        if not isinstance(value, str | bytes) or not value:
            raise ValueError(f"{where} is no file")
        return value
    if form and kind != "str":
        value = json.loads(value)
    if not isinstance(value, _KINDS[kind]) or (kind == "int" and isinstance(value, bool)):
        raise ValueError(f"{where} is no {kind}")
    return value


def keyboard_complaint(markup: Mapping[str, Any]) -> str:
    """What Telegram would say of an inline keyboard; empty when it takes it."""
    rows = markup.get("inline_keyboard")
    if not isinstance(rows, list) or set(markup) != {"inline_keyboard"}:
        return "object expected as reply markup"
    buttons = [button for row in rows for button in row]
    if len(buttons) > MOST_BUTTONS:
        return "reply markup is too long"
    for button in buttons:
        if not str(button.get("text", "")).strip():
            return "text buttons are unallowed in the inline keyboard"
        if len(set(button) & {"callback_data", "url"}) != 1 or set(button) - {"text", "callback_data", "url"}:
            return "BUTTON_TYPE_INVALID"
        if not 1 <= len(str(button.get("callback_data", "-")).encode()) <= 64:
            return "BUTTON_DATA_INVALID"
        if not re.match(r"https?://[^/\s]+|tg://|-$", str(button.get("url", "-"))):
            return "BUTTON_URL_INVALID"
    return ""


# ── formatting ──────────────────────────────────────────────────────────────────────────────────────────────────────

_TAG = re.compile(r"<(/?)([a-z-]+)((?:\s+[a-z]+=\"[^\"<>]*\")*)\s*>", re.IGNORECASE)
_TAGS = {"b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "code", "pre", "a", "blockquote", "tg-spoiler"}


def words_of(html: str) -> str:
    """The text as people see it. Raises `ValueError` with Telegram's words for what it cannot parse."""
    shown: list[str] = []
    opened: list[str] = []
    at = 0
    while at < len(html):
        if html[at] != "<":
            end = html.find("<", at)
            end = len(html) if end < 0 else end
            shown.append(unescape(html[at:end]))
            at = end
            continue
        found = _TAG.match(html, at)
        if not found:
            raise ValueError(f"can't parse entities: unclosed start tag at byte offset {at}")
        closes, name, _ = found.groups()
        if name not in _TAGS:
            raise ValueError(f'can\'t parse entities: Unsupported start tag "{name}" at byte offset {at}')
        if closes and (not opened or opened.pop() != name):
            raise ValueError(f"can't parse entities: Unmatched end tag at byte offset {at}")
        if not closes:
            opened.append(name)
        at = found.end()
    if opened:
        raise ValueError(f"can't parse entities: Can't find end tag corresponding to start tag \"{opened[-1]}\"")
    return "".join(shown)


# ── the whole specification ─────────────────────────────────────────────────────────────────────────────────────────


@cache
def specification() -> dict[str, Any] | None:
    """The published one, where a copy is beside the checkout."""
    if SPECIFICATION is None:
        return None
    known: dict[str, Any] = json.loads(SPECIFICATION.read_text(encoding="utf-8"))
    return known


def against_specification(method: str, parameters: Mapping[str, Any]) -> list[str]:
    """What the published specification says against a call."""
    known = specification()
    if known is None:
        return []
    if method not in known["methods"]:
        return [f"there is no method {method}"]
    fields = {field["name"]: field for field in known["methods"][method].get("fields", ())}
    found = [f"{method}: no {name}" for name in parameters if name not in fields]
    found += [
        f"{method}: {name} is missing" for name, field in fields.items() if field["required"] and name not in parameters
    ]
    for name, value in parameters.items():
        if name in fields and not any(_is_a(kind, value, known) for kind in fields[name]["types"]):
            found.append(f"{method}: {name} is no {' or '.join(fields[name]['types'])}")
    return found


def _is_a(kind: str, value: Any, known: Mapping[str, Any]) -> bool:
    simple: dict[str, type | tuple[type, ...]] = {
        "Integer": int, "String": str, "Boolean": bool, "Float": (int, float), "InputFile": bytes,
    }  # fmt: skip
    if kind in simple:
        return isinstance(value, simple[kind]) and (kind == "Boolean" or not isinstance(value, bool))
    if kind.startswith("Array of "):
        return isinstance(value, list) and all(_is_a(kind.removeprefix("Array of "), one, known) for one in value)
    described = known["types"].get(kind, {})
    if subtypes := described.get("subtypes"):
        return any(_is_a(one, value, known) for one in subtypes)
    fields = {field["name"]: field for field in described.get("fields", ())}
    return (
        isinstance(value, dict)
        and set(value) <= set(fields)
        and all(name in value for name, field in fields.items() if field["required"])
        and all(any(_is_a(one, value[name], known) for one in fields[name]["types"]) for name in value)
    )
