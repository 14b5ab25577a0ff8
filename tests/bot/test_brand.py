"""What the shop says of itself is read from brand.toml and complete in both languages."""

from __future__ import annotations

import copy

import pytest
from rasa.core.nlg import NaturalLanguageGenerator
from rasa.core.utils import AvailableEndpoints
from rasa.shared.core.domain import Domain

from bot.brand import BrandError, BrandResponses, read_brand


def written(tmp_path, content: str):
    path = tmp_path / "brand.toml"
    path.write_text(content, encoding="utf-8")
    return path


def test_sentences_follow_the_language_and_facts_do_not(brand):
    variables = read_brand(brand)
    assert ("Abrimos às 9h.", "We open at 9 am.") == (variables["pt-BR"]["brand_hours"], variables["en"]["brand_hours"])
    assert variables["pt-BR"]["brand_phone"] == variables["en"]["brand_phone"]
    assert "Loja de Teste" == variables["en"]["brand_name"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[sentences.hours]\nen = 'x'", "sentence 'hours' has no text in pt-BR"),
        ("[sentences]\nhours = 'x'", "has no text in pt-BR and en"),
        ("name = ", "is not valid TOML"),
    ],
)
def test_a_brand_file_that_is_not_complete_is_refused(tmp_path, content, sentence):
    with pytest.raises(BrandError, match=sentence):
        read_brand(written(tmp_path, content))


def test_a_missing_brand_file_is_refused(tmp_path):
    with pytest.raises(BrandError, match="cannot be read"):
        read_brand(tmp_path / "none.toml")


def test_rasa_shell_uses_the_same_responses(monkeypatch, tmp_path):
    from pathlib import Path

    root = Path(__file__).parents[2]
    monkeypatch.chdir(root / "tests/bot/assistant")
    endpoints = AvailableEndpoints.read_endpoints(str(root / "endpoints.yml"))
    assert isinstance(NaturalLanguageGenerator.create(endpoints.nlg, Domain.empty()), BrandResponses)


async def test_what_a_person_wrote_is_never_a_placeholder(turns):
    from dialogue import Dialogue

    written = "{brand_name} {0.__class__} {number}"
    turns.nlg = copy.copy(turns.nlg)
    turns.nlg.responses = {**turns.nlg.responses, "utter_greet": [{"text": "Oi {number} da {brand_name}."}]}
    answer = await Dialogue(turns).say("bom dia", slots={"number": written})
    assert f"Oi {written} da Loja de Teste." == answer["responses"][0]["text"]
