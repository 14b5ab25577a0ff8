"""What we count ourselves reads like what prometheus_client counts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from router.metrics import Durations, Tally


def lines(registry: CollectorRegistry) -> list[str]:
    return [line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#")]


def test_a_tally_counts_by_its_labels() -> None:
    registry = CollectorRegistry()
    tally = Tally("segue_things", "Things", ["kind"], registry)
    tally.inc("a")
    tally.inc("a")
    tally.inc("b")
    assert lines(registry) == ['segue_things_total{kind="a"} 2.0', 'segue_things_total{kind="b"} 1.0']


def test_durations_are_in_every_bucket_that_holds_them() -> None:
    registry = CollectorRegistry()
    durations = Durations("segue_wait_seconds", "Waits", (0.1, 1), registry)
    for seconds in (0.05, 0.1, 0.5, 7.35):
        durations.observe(seconds)
    assert lines(registry) == [
        'segue_wait_seconds_bucket{le="0.1"} 2.0',
        'segue_wait_seconds_bucket{le="1.0"} 3.0',
        'segue_wait_seconds_bucket{le="+Inf"} 4.0',
        "segue_wait_seconds_count 4.0",
        "segue_wait_seconds_sum 8.0",
    ]
