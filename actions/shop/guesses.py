"""Counts wrong guesses in the shop's database, so that a restart forgives nobody.

Three things are counted: the asker, the order number (many askers may try one order) and the proof (one known e-mail
may be tried with many numbers, by many fresh visitors). Numbers that exist and numbers that do not are counted alike.
"""

import hashlib
import sqlite3
from dataclasses import dataclass

from actions.shop.port import Asker, Cpf, OrderNumber, Proof

SCHEMA = """
CREATE TABLE IF NOT EXISTS guesses (
    turn TEXT NOT NULL, key BLOB NOT NULL, at REAL NOT NULL, PRIMARY KEY (turn, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS guesses_by_key ON guesses (key, at);
"""


@dataclass(frozen=True)
class Limits:
    """Wrong guesses that are allowed within `window` seconds."""

    by_asker: int = 5
    by_number: int = 8
    by_proof: int = 8
    window: float = 900.0


class Guesses:
    """Lives inside the shop's transaction: `is_too_many` and `count` are one step for everybody else."""

    def __init__(self, database: sqlite3.Connection, limits: Limits) -> None:
        self._database = database
        self._limits = limits

    def is_too_many(self, keys: "Keys", *, turn: str, now: float) -> bool:
        """Guesses of this very turn do not count: a repeated turn hears what it heard before."""
        most = self._limits
        counted = [(keys.asker, most.by_asker), (keys.number, most.by_number), (keys.proof, most.by_proof)]
        return any(self._recent(key, turn=turn, now=now) >= limit for key, limit in counted)

    def count(self, keys: "Keys", *, turn: str, now: float) -> None:
        rows = [(turn, key, now) for key in (keys.asker, keys.number, keys.proof)]
        self._database.executemany("INSERT OR IGNORE INTO guesses (turn, key, at) VALUES (?, ?, ?)", rows)
        self._database.execute("DELETE FROM guesses WHERE at < ?", (now - self._limits.window,))

    def _recent(self, key: bytes, *, turn: str, now: float) -> int:
        query = "SELECT count(*) FROM guesses WHERE key = ? AND at > ? AND turn <> ?"
        return int(self._database.execute(query, (key, now - self._limits.window, turn)).fetchone()[0])


@dataclass(frozen=True)
class Keys:
    """Hashes: a table of attempts needs no list of other people's e-mails."""

    asker: bytes
    number: bytes
    proof: bytes


def keys_of(number: OrderNumber, proof: Proof, asker: Asker) -> Keys:
    kind = "cpf" if isinstance(proof, Cpf) else "email"
    return Keys(
        asker=_hash("asker", asker),
        number=_hash("number", number),
        proof=_hash(kind, proof.value),
    )


def _hash(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode()).digest()
