"""What the assistant says: Rasa's responses with the shop's facts filled in, in the customer's language.

Named in endpoints.yml too, so that `rasa shell` says what the turn server says.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Any

import tomli
from rasa.core.nlg import TemplatedNaturalLanguageGenerator
from rasa.core.nlg.generator import ResponseVariationFilter
from rasa.shared.core.domain import Domain
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.exceptions import RasaException
from rasa.utils.endpoints import EndpointConfig

from bot.failure import TurnFailure

LANGUAGES = ("pt-BR", "en")
# Rasa's own actions that may stay silent.
_OPTIONAL = frozenset({"utter_ask_rephrase", "utter_restart", "utter_back"})
_PLACEHOLDER = re.compile(r"(?<!\{)\{([A-Za-z_][\w.-]*)\}(?!\})")


class BrandError(RasaException):
    """brand.toml cannot be used; the message says why, for an operator."""


def read_brand(path: str | Path) -> dict[str, dict[str, str]]:
    """The variables `brand_*` of each language."""
    try:
        with open(path, "rb") as file:
            brand = tomli.load(file)
    except OSError as error:
        raise BrandError(f"{path} cannot be read: {error.strerror}.") from error
    except (tomli.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BrandError(f"{path} is not valid TOML: {error}.") from error
    same = {key: value for key, value in brand.items() if isinstance(value, str)}
    same.update({key: str(value) for key, value in brand.get("facts", {}).items()})
    sentences = brand.get("sentences", {})
    for key, texts in sentences.items():
        missing = [language for language in LANGUAGES if not (isinstance(texts, dict) and texts.get(language))]
        if missing:
            raise BrandError(f"{path}: sentence '{key}' has no text in {' and '.join(missing)}.")
    return {
        language: {
            f"brand_{key}": value
            for key, value in {**same, **{key: texts[language] for key, texts in sentences.items()}}.items()
        }
        for language in LANGUAGES
    }


class BrandResponses(TemplatedNaturalLanguageGenerator):
    """Rasa's responses, chosen by the `language` slot; the same message always gets the same variation."""

    def __init__(self, endpoint_config: EndpointConfig | None = None, domain: Domain | None = None) -> None:
        settings = endpoint_config.kwargs if endpoint_config else {}
        super().__init__(domain.responses if domain else {})
        self._brand = read_brand(settings.get("brand", "brand.toml"))

    async def generate(
        self, utter_action: str, tracker: DialogueStateTracker, output_channel: str, **kwargs: Any
    ) -> dict[str, Any] | None:
        """The response, filled in. Raises TurnFailure where stock Rasa logs a line and stays silent."""
        slots = tracker.current_slot_values()
        variations = (
            ResponseVariationFilter(self.responses).responses_for_utter_action(utter_action, output_channel, slots)
            if utter_action in self.responses
            else []
        )
        if not variations:
            if utter_action in _OPTIONAL:
                return None
            raise TurnFailure("response_missing", utter_action, "No text fits this language and channel.")
        language = slots.get("language")
        values = {
            **{name: "" if value is None else value for name, value in slots.items()},
            **self._brand.get(str(language), self._brand["pt-BR"]),
            **kwargs,
        }
        # Global randomness would give a repeated turn another text.
        message = tracker.latest_message.message_id if tracker.latest_message else None
        chosen = variations[zlib.crc32(f"{message}/{utter_action}".encode()) % len(variations)]
        if unknown := set(_PLACEHOLDER.findall(str(chosen.get("text") or ""))) - values.keys():
            raise TurnFailure("response_missing", utter_action, f"Nothing fills {{{min(unknown)}}}.")
        return self._fill_response(_copy(chosen), values)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value
