"""What this channel says of its own accord, in both languages."""

from __future__ import annotations

from typing import Literal

LANGUAGES = ("pt-BR", "en")

Key = Literal["group", "button_gone"]

_SENTENCES: dict[str, dict[Key, str]] = {
    "pt-BR": {
        "group": "Olá. Eu só atendo em conversas privadas: {address}",
        "button_gone": "Esta opção não vale mais. Escreva o que você precisa.",
    },
    "en": {
        "group": "Hello. I only answer in private chats: {address}",
        "button_gone": "This option is no longer valid. Write what you need.",
    },
}

COMMANDS: dict[str, dict[str, str]] = {
    "pt-BR": {
        "help": "O que eu posso fazer",
        "language": "Mudar o idioma (pt ou en)",
        "stop": "Parar de receber mensagens",
    },
    "en": {
        "help": "What I can do",
        "language": "Change the language (pt or en)",
        "stop": "Stop receiving messages",
    },
}
"""The menu of the chat, by language. `/start` is Telegram's own button."""


def say(key: Key, language: str, **facts: str) -> str:
    """In English for those whose app speaks it, else in Brazilian Portuguese."""
    spoken = "en" if language.lower().startswith("en") else "pt-BR"
    return _SENTENCES[spoken][key].format_map(facts)
