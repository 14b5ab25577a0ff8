"""A worker that keeps going away is left alone for a while, never for long."""

from __future__ import annotations

import pytest

from router import bot_workers
from router.bot_workers import Breaker


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(bot_workers, "monotonic", lambda: now[0])
    return now


def test_two_lost_connections_are_nothing(clock: list[float]) -> None:
    breaker = Breaker()
    breaker.failed()
    breaker.failed()
    assert breaker.lets_through()


def test_after_three_it_is_left_alone_for_half_a_second(clock: list[float]) -> None:
    breaker = Breaker()
    for _ in range(3):
        breaker.failed()
    assert not breaker.lets_through()
    clock[0] += 0.51
    assert breaker.lets_through()


def test_it_is_never_left_alone_for_more_than_two_seconds(clock: list[float]) -> None:
    breaker = Breaker()
    for _ in range(50):
        breaker.failed()
    clock[0] += 2.01
    assert breaker.lets_through()


def test_one_answer_and_all_is_forgotten(clock: list[float]) -> None:
    breaker = Breaker()
    for _ in range(3):
        breaker.failed()
    breaker.worked()
    assert breaker.lets_through()
    breaker.failed()
    assert breaker.lets_through()
