"""Planted faults that only time or a close look shows. The soak must find each, or it proves nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Fault:
    """Text of a file, and what stands there instead. `shows` is the kind of problem that it must be found as."""

    name: str
    shows: str
    file: str
    before: str
    after: str

    def fits(self, checkout: Path) -> bool:
        return self.before in (checkout / self.file).read_text("utf-8")

    def plant(self, checkout: Path) -> None:
        """Raises `ValueError` where it no longer fits: it would prove nothing."""
        if not self.fits(checkout):
            raise ValueError(f"{self.name}: {self.file} no longer holds {self.before!r}")
        file = checkout / self.file
        file.write_text(file.read_text("utf-8").replace(self.before, self.after, 1), "utf-8")


FRAME_LOST = Fault(
    "a frame in fifty is not sent",
    "gap",
    "router/feed.py",
    'if row.audience == "customer" and own and own.holds(row):',
    'if row.audience == "customer" and own and own.holds(row) and hash(row.entry.id) % 50:',
)
ANSWERED_TWICE = Fault(
    "a batch in twenty is not taken from its mailbox",
    "doubled",
    "router/store/scripts/commit.lua",
    "redis.call('LTRIM', mb, length, -1)",
    "if t % 20 > 0 then redis.call('LTRIM', mb, length, -1) end",
)
TIMER_LEFT = Fault(
    "a timer is forgotten",
    "left",
    "router/store/scripts/commit.lua",
    "redis.call('LTRIM', mb, length, -1)",
    "redis.call('LTRIM', mb, length, -1)\n"
    "redis.call('ZADD', '{' .. shard(st) .. '}tmr', t + 86400000, customer .. ' forgotten')",
)
ROUTER_GROWS = Fault(
    "the router keeps what it has sent",
    "grown",
    "router/feed.py",
    "def _frame(row: Written, journal: str) -> Created | Updated:\n",
    "_kept: list[bytes] = []\n\n\ndef _frame(row: Written, journal: str) -> Created | Updated:\n"
    '    _kept.append(b"x" * 300_000)\n',
)
REDIS_GROWS = Fault(
    "a journal entry is four times as long",
    "grown",
    "router/store/scripts/_shared.lua",
    "local fields = {'e', entry,",
    "local fields = {'x', string.rep('x', 3000), 'e', entry,",
)
STREAM_LEFT = Fault(
    "a stream is not counted out",
    "left",
    "connectors/webchat/streams.py",
    "STREAMS.dec()",
    "pass",
)

CONTROLS = (FRAME_LOST, ANSWERED_TWICE, TIMER_LEFT, ROUTER_GROWS, REDIS_GROWS, STREAM_LEFT)
