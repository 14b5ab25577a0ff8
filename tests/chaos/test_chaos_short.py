"""The short chaos: routers, Redis and a bot under kills, stops, cuts, codes and merges; and controls to be caught."""

from __future__ import annotations

import os

import pytest

from bench.chaos.__main__ import control
from bench.chaos.checker import Report
from bench.chaos.planted import LINK_CONTROLS, NO_DEDUPE, NO_FREEZE, NO_WAIT, Fault
from bench.chaos.run import planned, run

SEED = int(os.environ.get("SEGUE_SEED", "1"))


@pytest.fixture(autouse=True)
def blocked_loop_is_an_error() -> None:
    """Not here: this loop drives processes, and looks at their files, as it likes."""


pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


async def test_nothing_is_lost_doubled_or_reordered_under_kills_stops_and_cuts() -> None:
    plan = planned(6, 3, SEED, cuts=4, moods=3, once=("redis full",), merges=0.2, links=0.5)
    report = await run(plan)
    assert report.problems == []
    assert report.counts["accepted"] > 300, "too few messages were accepted to say anything"
    assert report.counts["cuts"] > 20
    assert report.counts["merges"] > 10
    assert report.counts["undos"] > 2
    assert report.counts["linked"] > 10
    assert report.counts["disputed"] > 0


async def test_the_checker_catches_a_router_without_dedupe() -> None:
    assert _told(await control(NO_DEDUPE, SEED, "doubled"), "doubled")


async def test_the_checker_catches_a_merge_that_waits_for_no_turn() -> None:
    assert _told(await control(NO_WAIT, SEED, "rerun"), "rerun")


async def test_the_checker_catches_a_merge_without_a_freeze() -> None:
    assert (await control(NO_FREEZE, SEED)).problems


@pytest.mark.parametrize("fault", LINK_CONTROLS, ids=lambda fault: fault.name)
async def test_the_checker_catches_codes_that_are_good_for_two_or_welcome_nobody(fault: Fault) -> None:
    assert (await control(fault, SEED)).problems


def _told(report: Report, kind: str) -> bool:
    return any(problem.startswith(kind) for problem in report.problems)
