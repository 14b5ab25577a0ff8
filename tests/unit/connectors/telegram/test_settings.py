"""A token is enough, and a wrong setting is one sentence."""

from __future__ import annotations

from typing import Any

import pytest
from fakes.telegram_api import TOKEN

from connectors import registry
from connectors.telegram import Settings


def made(**given: Any) -> Settings:
    return Settings.model_validate({"token": TOKEN, **given})


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"token": "hunter2"}, "telegram.main.token: copy the token"),
        ({"secret": "hunter2"}, "telegram.main.secret: a secret has 16 to 256"),
        ({"secret": "a b c"}, "telegram.main.secret"),
        ({"base_url": "http://api.telegram.org"}, "telegram.main.base_url: what customers write travels by https"),
        ({"base_url": "https://me:secret@proxy.example"}, "telegram.main.base_url"),
        ({"base_url": "ftp://proxy.example"}, "telegram.main.base_url"),
        ({"receive": "pigeon"}, "telegram.main.receive"),
        ({"chat": 1}, "telegram.main.chat"),
    ],
)
def test_a_wrong_setting_is_a_sentence_without_its_value(given: dict[str, Any], names: str) -> None:
    with pytest.raises(ValueError, match=names) as refused:
        registry.checked({"telegram": {"main": {"token": TOKEN, **given}}})
    assert "hunter2" not in str(refused.value)
    assert TOKEN not in str(refused.value)


def test_a_secret_is_made_from_the_token_and_changes_with_it() -> None:
    [ours] = made().secrets()
    [other] = made(token=TOKEN + "x").secrets()
    assert ours == made().secrets()[0] != other
    assert len(ours) == 64
    assert TOKEN.partition(":")[2] not in ours


def test_two_secrets_may_live_while_one_is_changed() -> None:
    assert made(secret="a" * 16 + " " + "b" * 16).secrets() == ("a" * 16, "b" * 16)


@pytest.mark.parametrize(
    ("receive", "public_url", "polls"),
    [
        ("auto", "", True),
        ("auto", "http://127.0.0.1:8080", True),
        ("auto", "https://shop.example", False),
        ("polling", "https://shop.example", True),
        ("webhook", "", False),
    ],
)
def test_it_asks_where_telegram_cannot_reach_us(receive: str, public_url: str, polls: bool) -> None:
    assert made(receive=receive).polls(public_url) is polls


def test_the_address_of_the_api_ends_without_a_slash() -> None:
    assert made(base_url="http://127.0.0.1:8081/").base_url == "http://127.0.0.1:8081"
