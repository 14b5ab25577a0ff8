"""Sentences exist in both languages, in the brand's voice."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from router.text import LANGUAGES, Sentences, speakable

FOLDER = Path(__file__).parents[2] / "router" / "text"
BRAND = {language: {"name": "Loja Aurora", "assistant": "Aurora"} for language in LANGUAGES}


@pytest.mark.parametrize(
    ("locale", "spoken"),
    [("en", "en"), ("en-GB", "en"), ("pt", "pt-BR"), ("pt-PT", "pt-BR"), ("fr", "pt-BR"), ("", "pt-BR")],
)
def test_we_speak_two_languages(locale: str, spoken: str) -> None:
    assert speakable(locale) == spoken


PLACES = ("channel", "channel_name", "code", "place", "privacy", "time", "url")
"""What is put into sentences when they are said."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_can_be_said_in_the_brands_voice(language: str) -> None:
    sentences = Sentences(BRAND)
    for key in tomllib.loads((FOLDER / f"{language}.toml").read_text()):
        said = sentences.say(key, language, **dict.fromkeys(PLACES, "x"))
        assert said
        assert not set(said) & set("!{}")


def test_a_sentence_missing_in_one_language_fails_at_start(tmp_path: Path) -> None:
    (tmp_path / "pt-BR.toml").write_text('moment = "Um momento."\nmore = "Mais."')
    (tmp_path / "en.toml").write_text('moment = "One moment."')
    with pytest.raises(ValueError, match="more"):
        Sentences(BRAND, tmp_path)
