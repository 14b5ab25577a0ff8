"""Memory over time, and whether it is flat."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from bench.report import median

FLAT = 0.05
"""What a process may hold more in the last quarter of a run than in the second one …"""
SHORT, STILL_WARM = 300, 40.0
"""… and, in a run of less than so many seconds, so many MB: caches still fill."""
BYTES_A_MESSAGE = 2600
"""By which Redis may grow for a message with its answer (docs/operations.md)."""


@dataclass
class Samples:
    """What was held when. Times are seconds since the widgets were open."""

    processes: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    """name → time, MB"""
    redis: list[tuple[float, int, int]] = field(default_factory=list)
    """time, bytes that Redis counts as data and overhead, messages accepted so far"""

    def note(self, at: float, processes: dict[str, float], used: int, accepted: int) -> None:
        for name, held in processes.items():
            self.processes[name].append((at, held))
        self.redis.append((at, used, accepted))

    def grown(self) -> list[str]:
        """A line for each process that is not flat. Redis holds the data: it is judged by the message."""
        found = []
        for name, held in self.processes.items():
            if name == "redis":
                continue
            before, after, seconds = _quarters(held)
            allowed = before * FLAT + (STILL_WARM if seconds < SHORT else 0)
            if after - before > allowed:
                found.append(f"{name} held {before:.0f} MB in the second quarter and {after:.0f} in the last")
        if self.bytes_a_message > BYTES_A_MESSAGE:
            found.append(
                f"Redis grew by {self.bytes_a_message:,.0f} bytes a message, documented are {BYTES_A_MESSAGE:,}"
            )
        return found

    def lines(self) -> list[str]:
        """For people: second quarter → last one."""
        told = [
            f"{name}: {_quarters(held)[0]:.1f} → {_quarters(held)[1]:.1f} MB" for name, held in self.processes.items()
        ]
        return [*told, f"Redis: {self.bytes_a_message:,.0f} bytes a message"]

    @property
    def bytes_a_message(self) -> float:
        """Over the last three quarters of the run."""
        cut = self.redis[len(self.redis) // 4 :]
        (_, used, said), (_, used_then, said_then) = cut[0], cut[-1]
        return (used_then - used) / max(1, said_then - said)


def _quarters(held: list[tuple[float, float]]) -> tuple[float, float, float]:
    """Medians of the second and of the last quarter, and how long the run was."""
    quarter = max(1, len(held) // 4)
    second = median(value for _, value in held[quarter : 2 * quarter] or held)
    return second, median(value for _, value in held[-quarter:]), held[-1][0] - held[0][0]
