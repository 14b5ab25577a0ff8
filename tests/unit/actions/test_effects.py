import pytest

from actions.effects import EffectRefused, Turn, current_turn, during, permit


def test_an_effect_carries_the_turn_id() -> None:
    with during(Turn("customer.7")):
        assert permit("count") == "customer.7"


def test_an_effect_is_refused_in_a_dry_run() -> None:
    with during(Turn("customer.7", dry_run=True)), pytest.raises(EffectRefused, match="count"):
        permit("count")


def test_there_is_no_effect_outside_of_a_turn() -> None:
    with during(Turn("customer.7")):
        pass
    with pytest.raises(LookupError):
        current_turn()
