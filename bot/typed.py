"""What a person typed, and what a button stands for. Typed text can never become a command."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection
from typing import Any

from bot.failure import TurnFailure

# As many characters as a message may have.
MOST_TEXT = 20_000
_PAYLOAD = re.compile(r"/(?P<intent>[^\s/{}@]+)(?P<entities>\{.*\})?", re.DOTALL)


def harmless(text: str) -> str:
    """The text with look-alikes folded and without the leading slash that Rasa would obey.

    Folding comes first: a full-width slash becomes a slash, odd blanks become blanks. Invisible characters at the
    start go with the blanks. What is left of nothing but slashes is a sign that Rasa does not know. Folding may make
    eighteen characters of one: what is then longer than a message may be is cut.
    """
    folded = unicodedata.normalize("NFKC", text).replace("\x00", "")[:MOST_TEXT]
    start = 0
    while start < len(folded) and (
        folded[start] == "/" or folded[start].isspace() or unicodedata.category(folded[start]) in ("Cf", "Cc")
    ):
        start += 1
    kept = folded[start:].strip()
    return kept or ("∕" if folded.strip() else "")


def parse_payload(payload: str, *, text: str, intents: Collection[str]) -> dict[str, Any]:
    """What the language model would have found, had the button's meaning been typed. Refuses an unknown intent."""
    match = _PAYLOAD.fullmatch(payload)
    if match is None:
        raise TurnFailure("bad_request", "message.payload", 'A payload looks like /intent{"entity": "value"}.')
    intent = match["intent"]
    if intent not in intents:
        raise TurnFailure("bad_request", "message.payload", "The model does not know the intent of this payload.")
    try:
        values = json.loads(match["entities"] or "{}")
    except ValueError:
        raise TurnFailure("bad_request", "message.payload", "The entities of this payload are not JSON.") from None
    entities = [
        {"entity": name, "value": value, "start": 0, "end": len(text)}
        for name, several in values.items()
        for value in (several if isinstance(several, list) else [several])
    ]
    found = {"name": intent, "confidence": 1.0}
    return {"text": text, "intent": found, "intent_ranking": [found], "entities": entities}
