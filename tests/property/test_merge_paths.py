"""What a random walk meets too seldom: a merge or undo beside one other thing, its driver asleep after any call."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis
from fakes.redis_server import RedisServer
from property.test_merge_machine import FIRST, IDENTITIES, MergeMachine, frozen_scripts

from bench.chaos.planted import RARE_MERGE_FAULTS, Fault, broken
from router.store import runner

ONE, OTHER = IDENTITIES[0], IDENTITIES[2]
MOST_CALLS = 45
"""More than any merge or undo here needs: the last ones sleep behind their end."""

Path = Callable[[MergeMachine, int], None]


def somebody_writes_while_it_moves(machine: MergeMachine, calls: int) -> None:
    machine.somebody_goes_on_elsewhere(ONE, OTHER, calls, sleeps=True)
    machine.somebody_writes(ONE)
    machine.somebody_writes(OTHER)


def turns_run_on(machine: MergeMachine, calls: int) -> None:
    machine.a_worker_claims(FIRST[OTHER], commits=False)
    machine.a_worker_claims(FIRST[ONE], commits=False)
    machine.somebody_goes_on_elsewhere(ONE, OTHER, calls, sleeps=True)
    machine.a_worker_commits(0)
    machine.a_worker_commits(1)


def a_sender_has_died(machine: MergeMachine, calls: int) -> None:
    machine.somebody_writes_and_a_worker_or_a_sender_sleeps(ONE, account_dies=True)
    machine.somebody_writes_and_a_worker_or_a_sender_sleeps(OTHER, account_dies=True)
    machine.somebody_goes_on_elsewhere(ONE, OTHER, calls, sleeps=True)


def a_turn_of_who_leaves_runs_on(machine: MergeMachine, calls: int) -> None:
    machine.somebody_goes_on_elsewhere(ONE, OTHER, 1000, sleeps=False)
    for _ in range(4):
        machine.a_worker_claims(FIRST[ONE], commits=True)
        machine.a_worker_claims(FIRST[OTHER], commits=True)
    machine.somebody_writes(OTHER)
    machine.a_worker_claims(FIRST[ONE], commits=False)
    machine.a_worker_claims(FIRST[OTHER], commits=False)
    machine.somebody_takes_it_back(0, calls, sleeps=True)
    machine.a_worker_commits(0)


def the_first_of_two_is_taken_back(machine: MergeMachine, calls: int) -> None:
    machine.somebody_goes_on_elsewhere(ONE, OTHER, 1000, sleeps=False)
    machine.somebody_goes_on_elsewhere(ONE, IDENTITIES[3], 1000, sleeps=False)
    machine.somebody_takes_it_back(1, calls, sleeps=True)


PATHS: dict[str, Path] = {
    "a merge without a freeze": somebody_writes_while_it_moves,
    "a merge waits for no turn": turns_run_on,
    "a try that died is forgotten": a_sender_has_died,
    "an undo begins anywhere": the_first_of_two_is_taken_back,
    "an undo waits for no turn": a_turn_of_who_leaves_runs_on,
}
"""By the fault that each of them shows."""


def walk(path: Path, scripts: dict[str, str], server: RedisServer, patch: pytest.MonkeyPatch) -> None:
    frozen_scripts(scripts, server, patch)
    for calls in range(MOST_CALLS + 1):
        machine = MergeMachine()
        try:
            machine.everybody_has_written()
            path(machine, calls)
            machine.nobody_has_what_is_anothers()
        finally:
            machine.teardown()


@pytest.mark.parametrize("path", PATHS.values(), ids=lambda path: path.__name__)
def test_it_is_safe_wherever_the_driver_sleeps(
    path: Path, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk(path, dict(runner.SCRIPT_TEXTS), redis_server, monkeypatch)


@pytest.mark.parametrize("fault", RARE_MERGE_FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_found(fault: Fault, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises((AssertionError, redis.ResponseError)):
        walk(PATHS[fault.name], broken(runner.SCRIPT_TEXTS, fault), redis_server, monkeypatch)
