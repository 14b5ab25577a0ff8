"""What leaves our hands comes back unread and unchanged, or not at all."""

from __future__ import annotations

import secrets

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sealing import KEY_BYTES, SealBroken, Seals


class Value(msgspec.Struct, frozen=True):
    name: str


OLD, NEW = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(KEY_BYTES)


def test_a_sealed_value_comes_back_and_cannot_be_read_on_the_way() -> None:
    sealed = Seals([NEW]).seal("token", Value("ana"))
    assert "ana" not in sealed
    assert Seals([NEW]).unseal("token", sealed, Value) == Value("ana")


def test_a_seal_of_one_purpose_opens_nothing_of_another() -> None:
    with pytest.raises(SealBroken):
        Seals([NEW]).unseal("token", Seals([NEW]).seal("handle", Value("ana")), Value)


def test_after_a_rotation_the_old_key_still_opens() -> None:
    assert Seals([NEW, OLD]).unseal("token", Seals([OLD]).seal("token", Value("ana")), Value) == Value("ana")
    with pytest.raises(SealBroken):
        Seals([NEW]).unseal("token", Seals([OLD]).seal("token", Value("ana")), Value)


@pytest.mark.parametrize("at", range(0, 60, 7))
def test_one_changed_character_breaks_the_seal(at: int) -> None:
    sealed = Seals([NEW]).seal("token", Value("ana"))
    at %= len(sealed) - 1
    changed = sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :]
    with pytest.raises(SealBroken):
        Seals([NEW]).unseal("token", changed, Value)


@given(st.text())
def test_nonsense_is_refused_and_never_breaks_us(text: str) -> None:
    with pytest.raises(SealBroken):
        Seals([NEW]).unseal("token", text, Value)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Seals([b"short"])


def test_what_was_opened_once_is_given_again_for_its_own_purpose_and_kind_alone() -> None:
    class Other(msgspec.Struct, frozen=True):
        name: str

    seals = Seals([NEW])
    sealed = seals.seal("token", Value("ana"))
    first = seals.unseal("token", sealed, Value)
    assert seals.unseal("token", sealed, Value) is first
    assert isinstance(seals.unseal("token", sealed, Other), Other)
    with pytest.raises(SealBroken):
        seals.unseal("handle", sealed, Value)
