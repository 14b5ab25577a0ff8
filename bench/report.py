"""What a bench says: one table for people, one JSON line for machines."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal


class Broken(Exception):
    """The bench itself could not measure; says nothing about what was to be measured."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One number. `ratio` is judged when there is a limit, else `ours`; a row without `must` is there to be seen."""

    what: str
    unit: str
    ours: float
    limit: float | None = None
    ratio: float | None = None
    must: float | None = None
    aim: float | None = None
    better: Literal["less", "more"] = "less"
    runs: Sequence[float] = ()
    """The single runs behind the median, for who wants to see how they scatter."""

    @property
    def judged(self) -> float:
        return self.ours if self.ratio is None else self.ratio

    @property
    def verdict(self) -> str:
        if self.must is None:
            return ""
        if not self._reaches(self.must):
            return "misses"
        return "holds, aim too" if self.aim is not None and self._reaches(self.aim) else "holds"

    def _reaches(self, bound: float) -> bool:
        return self.judged <= bound if self.better == "less" else self.judged >= bound


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def table(rows: Sequence[Row]) -> str:
    """Aligned columns; what is not there is a dash."""
    heads = ("what", "limit", "ours", "unit", "ratio", "must", "aim", "")
    lines = [heads] + [
        (row.what, _shown(row.limit), _shown(row.ours), row.unit, _shown(row.ratio), _bound(row, row.must),
         _bound(row, row.aim), row.verdict)
        for row in rows
    ]  # fmt: skip
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    shown = [
        "  ".join(cell.ljust(width) if i in (0, 3, 7) else cell.rjust(width) for i, (cell, width) in pairs).rstrip()
        for pairs in (list(enumerate(zip(line, widths, strict=True))) for line in lines)
    ]
    return "\n".join([shown[0], "─" * max(map(len, shown)), *shown[1:]])


def as_json(name: str, rows: Sequence[Row]) -> str:
    return json.dumps({"bench": name, "rows": [{**asdict(row), "verdict": row.verdict} for row in rows]})


def _bound(row: Row, value: float | None) -> str:
    return "–" if value is None else f"{'≤' if row.better == 'less' else '≥'} {_shown(value)}"


def _shown(value: float | None) -> str:
    if value is None:
        return "–"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
