"""With or without the ninth digit it is one person; a landline and a foreign number are nobody else's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.phone import NotANumber, canonical

AREAS = st.sampled_from(["11", "21", "27", "31", "41", "51", "61", "71", "81", "85", "91", "98"])


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+55 11 98765-4321", "+5511987654321"),
        ("551187654321", "+551187654321"[:5] + "987654321"),
        ("(11) 8765-4321", "+5511987654321"),
        ("+55 81 7654-3210", "+5581976543210"),
        ("+55 11 3456-7890", "+551134567890"),
        ("(81) 3456-7890", "+558134567890"),
        ("+1 650 253 0000", "+16502530000"),
        ("+351 912 345 678", "+351912345678"),
        ("+54 9 11 2345-6789", "+5491123456789"),
    ],
)
def test_one_number_has_one_form(written: str, number: str) -> None:
    assert number == canonical(written)


@given(AREAS, st.integers(6_000_0000, 9_999_9999))
def test_the_ninth_digit_makes_no_other_person(area: str, old: int) -> None:
    assert canonical(f"+55{area}{old}") == canonical(f"+55{area}9{old}")


@given(AREAS, st.integers(2_000_0000, 5_999_9999))
def test_a_landline_gets_no_ninth_digit(area: str, number: int) -> None:
    assert f"+55{area}{number}" == canonical(f"+55{area}{number}")


@pytest.mark.parametrize("written", ["", "oi", "12", "+55", "AU-48213", "1" * 40])
def test_what_is_no_number_is_refused_without_being_quoted(written: str) -> None:
    with pytest.raises(NotANumber) as refusal:
        canonical(written)
    assert not written or written not in str(refusal.value)
