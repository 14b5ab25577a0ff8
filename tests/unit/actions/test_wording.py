"""What the assistant says: complete in both languages, in the house's tone, and without a fact that nobody knows."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from actions.order_form import ASKING, DIGRESSIONS, LEAVING
from actions.shop.port import Stage

ROOT = Path(__file__).parents[3]
LANGUAGES = ("pt-BR", "en")
# What a response may name besides the brand: the facts that actions/orders.py gives.
FACTS = {"number", "items", "pending", "day", "carrier"}
Variation = dict[str, Any]


def load(path: Path) -> Any:
    return YAML(typ="safe").load(path)


def responses() -> dict[str, list[Variation]]:
    found: dict[str, list[Variation]] = {}
    for path in sorted((ROOT / "data" / "responses").glob("*.yml")):
        for name, variations in load(path)["responses"].items():
            assert name not in found, f"{name} is in two files: Rasa would drop one of them silently"
            found[name] = variations
    return found


RESPONSES = responses()
SPOKEN = {name: found for name, found in RESPONSES.items() if any("text" in variation for variation in found)}
DOMAIN = load(ROOT / "domain.yml")
BRAND = tomllib.loads((ROOT / "brand.toml").read_text("utf-8"))
spoken = pytest.mark.parametrize("name", sorted(SPOKEN))


def language_of(variation: Variation) -> str | None:
    conditions = variation.get("condition") or []
    assert all(condition["name"] == "language" and condition["type"] == "slot" for condition in conditions)
    return conditions[0]["value"] if conditions else None


def said_in(name: str, language: str | None) -> list[Variation]:
    return [variation for variation in SPOKEN[name] if language_of(variation) == language]


def texts_of(variation: Variation) -> list[str]:
    return [variation["text"], *(button["title"] for button in variation.get("buttons", []))]


@spoken
def test_every_response_is_there_in_both_languages_with_portuguese_as_the_default(name: str) -> None:
    portuguese, english, default = (said_in(name, language) for language in ("pt-BR", "en", None))
    assert portuguese
    assert len(english) == len(portuguese)
    assert [texts_of(variation) for variation in default] == [texts_of(variation) for variation in portuguese]


@spoken
def test_both_languages_offer_the_same_buttons(name: str) -> None:
    payloads = [
        [[button["payload"] for button in variation.get("buttons", [])] for variation in said_in(name, language)]
        for language in LANGUAGES
    ]
    assert payloads[0] == payloads[1]


@spoken
def test_buttons_lead_to_intents_that_exist_and_their_titles_fit_every_channel(name: str) -> None:
    for variation in SPOKEN[name]:
        for button in variation.get("buttons", []):
            assert button["payload"].startswith("/")
            assert button["payload"][1:] in DOMAIN["intents"]
            assert len(button["title"]) <= 20  # WhatsApp cuts a button's title there


@spoken
def test_nothing_shouts_and_nothing_is_long(name: str) -> None:
    for variation in SPOKEN[name]:
        for text in texts_of(variation):
            assert "!" not in text
            assert text == text.strip()
            assert len(text) <= 300


@spoken
def test_every_fact_that_a_response_names_exists(name: str) -> None:
    brand = {f"brand_{key}" for key in ("name", "assistant", "privacy_url", *BRAND["sentences"], *BRAND["facts"])}
    for variation in SPOKEN[name]:
        for text in texts_of(variation):
            named = set(re.findall(r"\{(\w+)\}", text))
            assert named <= brand | FACTS
            assert "brand_time_zone" not in named


@spoken
def test_only_answers_about_orders_name_facts_of_an_order(name: str) -> None:
    named = {fact for variation in SPOKEN[name] for fact in re.findall(r"\{(\w+)\}", variation["text"])}
    assert not named & FACTS or name in {f"utter_order_{stage}" for stage in Stage}


def test_there_is_a_sentence_for_every_stage_of_an_order() -> None:
    assert {f"utter_order_{stage}" for stage in Stage} <= set(SPOKEN)


def test_every_response_that_the_actions_name_exists() -> None:
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "actions").rglob("*.py"))
    named = set(re.findall(r'"(utter_[a-z_]+)"', source))
    assert named
    assert named <= set(SPOKEN)


def test_every_response_is_said_by_a_rule_a_form_or_an_action() -> None:
    source = "\n".join(
        path.read_text("utf-8")
        for path in [*(ROOT / "actions").rglob("*.py"), *(ROOT / "data" / "rules").glob("*.yml")]
    )
    asked = {f"utter_ask_{slot}" for form in DOMAIN["forms"].values() for slot in form["required_slots"]}
    by_stage = {f"utter_order_{stage}" for stage in Stage}
    by_rasa = {"utter_default"}  # said where no rule goes on
    assert set(RESPONSES) - asked - by_stage - by_rasa <= set(re.findall(r"utter_[a-z_]+", source))


def test_the_domain_holds_no_responses() -> None:
    assert "responses" not in DOMAIN


def test_what_asks_for_a_person_says_so_to_the_router_in_the_decided_shape() -> None:
    assert [variation["custom"] for variation in RESPONSES["utter_request_handoff"]] == [
        {"segue": {"handoff": "asked"}}
    ]


@pytest.mark.parametrize("key", sorted(BRAND["sentences"]))
def test_every_sentence_of_the_brand_is_there_in_both_languages_and_does_not_shout(key: str) -> None:
    sentence = BRAND["sentences"][key]
    assert set(sentence) == set(LANGUAGES)
    assert all(text.strip() and "!" not in text for text in sentence.values())


def test_every_intent_has_its_place_in_the_order_form() -> None:
    """A new intent that is forgotten there would be taken for a wrong order number in the middle of the form."""
    answers = {"give_identifier", "affirm", "deny"}
    assert set(DOMAIN["intents"]) == DIGRESSIONS | LEAVING | ASKING | answers


def test_every_intent_has_a_rule() -> None:
    rules = [rule for path in (ROOT / "data" / "rules").glob("*.yml") for rule in load(path)["rules"]]
    ruled = {step["intent"] for rule in rules for step in rule["steps"] if "intent" in step}
    assert ruled == {*DOMAIN["intents"], "nlu_fallback"}
