"""People become one and two again while they write: asked for here, done by the routers' own `Merging`.

The routers under test are a copy of ours; one more file in it takes what is asked for from a list in Redis. The product
has no such way in.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Collection
from contextlib import suppress
from typing import Any
from uuid import UUID

from redis.exceptions import RedisError

from bench.chaos.links import is_move

ASKED = "chaos:merges"

TAKES = '''"""Takes merges and undos from the chaos harness."""

import asyncio
import json

from connectors.contract import Identity
from router.merging import Merging


async def taken(store, merging: Merging) -> None:
    while True:
        try:
            asked = await store._call("LPOP", "chaos:merges")
            if asked is None:
                await asyncio.sleep(0.05)
                continue
            what = json.loads(asked)
            if "undo" in what:
                merging.soon(await merging.undo(what["survivor"], what["undo"]))
                continue
            source, to = Identity.parse(what["source"]), Identity.parse(what["to"])
            one, other = await store.find_customer(source), await store.find_customer(to)
            begun = await merging.begin(
                what["merge"], maker=one, redeemer=other, source=source, to=to, reason="link", arrive=False
            )
            if begun:
                merging.soon(begun)
        except Exception:
            await asyncio.sleep(0.05)
'''

HOOKED = {
    "sweeps.py": (
        ("LEASE = 15_000", "LEASE = 2_000"),
        (
            "        self._tasks = [\n",
            "        self._tasks = [\n            asyncio.create_task(taken(self._store, self._merging)),\n",
        ),
        ("log = structlog.get_logger()", "from router.chaos_takes import taken\n\nlog = structlog.get_logger()"),
    ),
    "store/merges.py": (("SWEEP_AFTER = 5_000", "SWEEP_AFTER = 1_000"),),
}
"""The sweep takes over sooner, and the list is read: nothing else differs from the product."""


class Merger:
    """`numbers` are the visitors who take part; `pause` the mean seconds between two."""

    def __init__(self, client: Any, dice: random.Random, numbers: Collection[int], pause: float) -> None:
        self._client = client
        self._dice = dice
        self._numbers = numbers
        self._pause = pause
        self._identities: dict[int, str] = {}

    async def run(self) -> None:
        while True:
            with suppress(RedisError, OSError):
                await self._ask()
            await asyncio.sleep(self._dice.uniform(0, 2 * self._pause))

    async def _ask(self) -> None:
        standing = await standing_merges(self._client)
        if standing and self._dice.random() < 0.4:
            merge = self._dice.choice(standing)
            await self._client.rpush(ASKED, json.dumps({"undo": merge["id"], "survivor": merge["survivor"]}))
            return
        if len(self._identities) < len(self._numbers):
            await self._meet()
        if len(self._identities) > 1:
            source, to = self._dice.sample(sorted(self._identities.values()), 2)
            merge_id = str(UUID(int=self._dice.getrandbits(128)))
            await self._client.rpush(ASKED, json.dumps({"merge": merge_id, "source": source, "to": to}))

    async def _meet(self) -> None:
        """Visitors name their number in all that they say."""
        async for key in self._client.scan_iter(match="{*}jr:*", count=1000):
            for _, row in await self._client.xrange(key, count=3):
                entry = json.loads(row[b"e"])
                if entry["kind"] == "message" and entry["author"]["kind"] == "customer" and not is_move(entry):
                    number = int(entry["content"]["text"].partition("-")[0].removeprefix("v"))
                    if number in self._numbers:
                        self._identities[number] = entry["identity"]


async def standing_merges(client: Any) -> list[dict[str, Any]]:
    return [merge for merge in await all_merges(client) if merge["phase"] == "done"]


async def all_merges(client: Any) -> list[dict[str, Any]]:
    """Records as their survivors keep them."""
    found = []
    async for key in client.scan_iter(match="{*}mg:*", count=1000):
        customer = key.decode().rpartition(":")[2]
        for record in await client.hvals(key):
            merge = json.loads(record)
            if merge["survivor"] == customer:
                found.append(merge)
    return found


async def undone_merges(client: Any) -> list[dict[str, Any]]:
    """Records as those keep them who came back."""
    found = []
    async for key in client.scan_iter(match="{*}mg:*", count=1000):
        customer = key.decode().rpartition(":")[2]
        for record in await client.hvals(key):
            merge = json.loads(record)
            if merge["other"] == customer:
                found.append(merge)
    return found


__all__ = ["HOOKED", "TAKES", "Merger", "all_merges", "standing_merges", "undone_merges"]
