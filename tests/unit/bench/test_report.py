"""A table says what holds and what misses, and nothing it cannot know."""

from __future__ import annotations

import json

import pytest

from bench.report import Row, as_json, table


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        (Row(what="", unit="ms", ours=5, must=8, aim=5), "holds, aim too"),
        (Row(what="", unit="ms", ours=8, must=8, aim=5), "holds"),
        (Row(what="", unit="ms", ours=8.1, must=8, aim=5), "misses"),
        (Row(what="", unit="µs", ours=1, ratio=0.33, must=0.33, aim=0.5, better="more"), "holds"),
        (Row(what="", unit="µs", ours=1, ratio=0.32, must=0.33, aim=0.5, better="more"), "misses"),
        (Row(what="", unit="ms", ours=100, ratio=1.1, must=1.2), "holds"),
        (Row(what="", unit="ms", ours=100), ""),
    ],
)
def test_a_target_is_judged_in_its_direction_and_by_the_ratio_where_there_is_one(row: Row, verdict: str) -> None:
    assert verdict == row.verdict


def test_a_missed_target_is_seen_in_the_table_and_in_json() -> None:
    rows = [Row(what="ack", unit="ms", ours=1.07, limit=0.652, must=0.5, aim=0.2, runs=(1.0, 1.07))]
    assert ["ack", "0.652", "1.07", "ms", "–", "≤", "0.5", "≤", "0.2", "misses"] == table(rows).splitlines()[2].split()
    said = json.loads(as_json("latency", rows))
    assert ("latency", "misses", [1.0, 1.07]) == (said["bench"], said["rows"][0]["verdict"], said["rows"][0]["runs"])
