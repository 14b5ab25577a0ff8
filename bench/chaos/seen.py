"""What the checkers read and say."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

SHARDS = 256

Client = Any
"""redis-py's: its types answer for both protocols and both kinds of reply at once."""


@dataclass
class Report:
    problems: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, what: str) -> None:
        self.counts[kind] += 1
        if self.counts[kind] <= 5:
            self.problems.append(f"{kind}: {what}")


@dataclass
class Customer:
    """One journal, read raw."""

    id: str
    rows: list[tuple[int, str, dict[str, Any]]]
    """seq, audience, entry"""

    def statuses(self) -> dict[int, str]:
        """By seq what the journal says last of a delivery."""
        return {e["of"]: e["status"] for _, _, e in self.rows if e["kind"] == "status"}

    def messages(self, author: str) -> list[tuple[int, dict[str, Any]]]:
        return [(n, e) for n, _, e in self.rows if e["kind"] == "message" and e["author"]["kind"] == author]
