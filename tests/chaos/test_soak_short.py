"""A short soak of the whole system, and planted faults of two kinds that it must find as what they are."""

from __future__ import annotations

import pytest

from bench.soak.__main__ import CONTROL, shows
from bench.soak.planted import CONTROLS, FRAME_LOST, TIMER_LEFT, Fault
from bench.soak.run import run
from segue.places import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    # Widgets that leave while they connect: asyncio leaves such a socket to the collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def blocked_loop_is_an_error() -> None:
    """Not here: this loop drives processes, and looks at their files, as it likes."""


async def test_widgets_that_stay_open_lose_nothing_and_leave_nothing_behind() -> None:
    report = await run(CONTROL)
    assert report.problems == []
    assert report.counts["accepted"] > 300, "too few messages were accepted to say anything"
    assert report.counts["shown"] > report.counts["accepted"]


@pytest.mark.parametrize("fault", [FRAME_LOST, TIMER_LEFT], ids=lambda fault: fault.name)
async def test_the_soak_finds_what_is_planted(fault: Fault) -> None:
    assert shows(await run(CONTROL, fault), fault)


def test_every_planted_fault_still_fits_what_it_changes() -> None:
    """The long runs plant them all; one that no longer fits would prove nothing there."""
    assert all(fault.fits(ROOT) for fault in CONTROLS)
