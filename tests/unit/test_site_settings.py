"""What a site's settings may say, and what is refused with a sentence."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from segue.look import FormQuestion
from segue.settings import Site, Widget

SECRET = "x" * 32
BOTH = {"pt-BR": "Nome", "en": "Name"}


def site(**values: Any) -> Site:
    return Site.model_validate({"origins": ["https://shop.example"], **values})


def test_one_secret_may_be_written_alone() -> None:
    assert [secret.get_secret_value() for secret in site(identity_secret=SECRET).identity_secrets] == [SECRET]
    assert SECRET not in repr(site(identity_secret=SECRET))


@pytest.mark.parametrize(
    "values",
    [
        {"identity_secrets": ["short"]},
        {"identity_secret": "short"},
        {"identity_secrets": [SECRET, SECRET, SECRET]},
        {"identity_secret": SECRET, "identity_secrets": [SECRET]},
        {"enforce": True},
        {"color": "red"},
        {"color": "#fff;}body{display:none"},
        {"notice": {"text": {"pt-BR": "Olá"}}},
        {"notice": {"text": BOTH, "url": "javascript:alert(1)"}},
        {"form": [{"key": "Not a key", "label": BOTH}]},
        {"form": [{"key": "a", "label": BOTH, "type": "choice"}]},
        {"form": [{"key": "a", "label": BOTH, "options": ["x"]}]},
        {"form": [{"key": f"k{number}", "label": BOTH} for number in range(9)]},
    ],
)
def test_what_cannot_be_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        site(**values)
    assert SECRET not in str(refused.value.errors(include_input=False))


def test_a_look_can_stand_for_all_sites() -> None:
    widget = Widget.model_validate({"color": "#2f5d50", "form": [{"key": "name", "label": BOTH}]})
    assert widget.form == (FormQuestion.model_validate({"key": "name", "label": BOTH}),)
