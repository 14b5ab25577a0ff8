"""A shop that needs nothing else: SQLite in the data folder, a few orders dated around today."""

import asyncio
import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from actions import effects
from actions.shop.demo_orders import DEMO_ORDERS, DemoOrder
from actions.shop.guesses import SCHEMA as GUESSES_SCHEMA
from actions.shop.guesses import Guesses, Limits, keys_of
from actions.shop.port import (
    Asker,
    Cpf,
    Email,
    Found,
    NotFound,
    Order,
    OrderNumber,
    Proof,
    ShopUnavailable,
    Stage,
    Wait,
)

# `locks` is the only way to an order: its key is a hash of number and proof together, so an unknown number and a
# wrong proof are the same missing row, found missing by the same step in the same time.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    number TEXT PRIMARY KEY, stage TEXT NOT NULL, items TEXT NOT NULL, pending TEXT NOT NULL,
    day TEXT NOT NULL, carrier TEXT
);
CREATE TABLE IF NOT EXISTS locks (key BLOB PRIMARY KEY, number TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_BUSY_SECONDS = 2.0
_ITEM_BREAK = "\n"

T = TypeVar("T")


class DemoShop:
    """All database work happens on one thread of its own, never on the event loop."""

    def __init__(
        self,
        folder: Path,
        *,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = folder / "shop.sqlite3"
        self._limits = limits or Limits()
        self._clock = clock
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="shop")
        self._database: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Create and seed the database if needed. Raises ShopUnavailable; the first question would do it otherwise."""
        await self._on_thread(self._opened)

    async def find_order(self, number: OrderNumber, proof: Proof, *, asker: Asker) -> Found | NotFound | Wait:
        turn = effects.current_turn()
        try:
            key: str | None = effects.permit("count a wrong guess")
        except effects.EffectRefused:
            key = None
        return await self._on_thread(partial(self._find, number, proof, asker, turn=turn.id, count_as=key))

    async def close(self) -> None:
        """Close the database; a later question opens it again. The thread ends with this object."""
        await self._on_thread(self._close)

    async def _on_thread(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, OSError) as problem:
            # The kind only: a database may quote values in the text of its errors.
            raise ShopUnavailable(f"{self._path}: {type(problem).__name__}") from None

    def _find(
        self, number: OrderNumber, proof: Proof, asker: Asker, *, turn: str, count_as: str | None
    ) -> Found | NotFound | Wait:
        with self._transaction() as database:
            guesses = Guesses(database, self._limits)
            keys, now = keys_of(number, proof, asker), self._clock()
            if guesses.is_too_many(keys, turn=turn, now=now):
                return Wait()
            row = database.execute(
                "SELECT o.number, stage, items, pending, day, carrier FROM locks JOIN orders o USING (number)"
                " WHERE key = ?",
                (_lock(number, proof),),
            ).fetchone()
            if row is not None:
                return Found(_order(row))
            if count_as is not None:
                guesses.count(keys, turn=count_as, now=now)
            return NotFound()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        database = self._opened()
        database.execute("BEGIN IMMEDIATE")
        try:
            yield database
        except BaseException:
            database.execute("ROLLBACK")
            raise
        database.execute("COMMIT")

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            self._database = self._connect()
        return self._database

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Made before SQLite does, so that it never was readable by others; WAL files take over these rights.
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        self._path.chmod(0o600)
        database = sqlite3.connect(
            self._path,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            database.executescript(_SCHEMA + GUESSES_SCHEMA)
            _seed(
                database,
                datetime.fromtimestamp(self._clock(), ZoneInfo("America/Sao_Paulo")).date(),
            )
        except BaseException:
            database.close()
            raise
        return database

    def _close(self) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None


def _seed(database: sqlite3.Connection, today: date) -> None:
    """Write the demo orders; on a later day again, so that nothing in the demo is for ever due last month."""
    database.execute("BEGIN IMMEDIATE")
    seeded = database.execute("SELECT value FROM meta WHERE name = 'seeded_on'").fetchone()
    if seeded is None or seeded[0] != today.isoformat():
        for order in DEMO_ORDERS:
            _write(database, order, today)
        database.execute("INSERT OR REPLACE INTO meta VALUES ('seeded_on', ?)", (today.isoformat(),))
    database.execute("COMMIT")


def _write(database: sqlite3.Connection, order: DemoOrder, today: date) -> None:
    number, day = OrderNumber(order.number), today + timedelta(days=order.days)
    database.execute(
        "INSERT OR REPLACE INTO orders (number, stage, items, pending, day, carrier) VALUES (?, ?, ?, ?, ?, ?)",
        (
            number,
            order.stage.value,
            _ITEM_BREAK.join(order.items),
            _ITEM_BREAK.join(order.pending),
            day.isoformat(),
            order.carrier,
        ),
    )
    for proof in (Email(order.email), Cpf(order.cpf)):
        database.execute(
            "INSERT OR REPLACE INTO locks (key, number) VALUES (?, ?)",
            (_lock(number, proof), number),
        )


def _lock(number: OrderNumber, proof: Proof) -> bytes:
    kind = "cpf" if isinstance(proof, Cpf) else "email"
    return hashlib.sha256(f"{number}\0{kind}\0{proof.value}".encode()).digest()


def _order(row: tuple[str, str, str, str, str, str | None]) -> Order:
    number, stage, items, pending, day, carrier = row
    return Order(
        number=OrderNumber(number),
        stage=Stage(stage),
        items=_lines(items),
        pending=_lines(pending),
        day=date.fromisoformat(day),
        carrier=carrier,
    )


def _lines(text: str) -> tuple[str, ...]:
    return tuple(text.split(_ITEM_BREAK)) if text else ()
