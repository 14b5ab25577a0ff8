"""Every sentence that the router itself says to a person, by key and language; a missing one fails at start."""

from __future__ import annotations

import tomllib
from pathlib import Path

LANGUAGES = ("pt-BR", "en")


class Sentences:
    """Sentences in both languages, with the brand's facts filled in."""

    def __init__(self, brand: dict[str, dict[str, str]], folder: Path = Path(__file__).parent) -> None:
        self._sentences = {
            language: tomllib.loads((folder / f"{language}.toml").read_text(encoding="utf-8")) for language in LANGUAGES
        }
        keys = {language: set(sentences) for language, sentences in self._sentences.items()}
        if len(set(map(frozenset, keys.values()))) != 1:
            raise ValueError(
                f"router/text: a sentence is missing in one language: {set.symmetric_difference(*keys.values())}"
            )
        self._brand = brand

    def say(self, key: str, language: str, **facts: str) -> str:
        """The sentence in this language, in Brazilian Portuguese when we do not speak it; `facts` fill its places."""
        spoken = speakable(language)
        return str(self._sentences[spoken][key]).format_map({**self._brand[spoken], **facts})


def speakable(language: str) -> str:
    """`en-GB` → `en`, anything else → `pt-BR`."""
    return "en" if language.lower().startswith("en") else "pt-BR"
