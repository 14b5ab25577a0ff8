"""Two customers who are merged: what they say, what they have waiting, and a store that dies at a chosen call."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

from connectors.content import Content, Text
from connectors.contract import Author, CustomerId, Identity
from router.merging import Merging
from router.store import (
    Bucket,
    Claim,
    Commit,
    Enqueued,
    Entry,
    Lane,
    Merge,
    NewEntry,
    OfferedButton,
    Store,
    keys,
)

OLD = CustomerId("0190b0c0-0000-7000-8000-000000000001")
NEW = CustomerId("0190b0c0-0000-7000-8000-000000000002")
NEWER = CustomerId("0190b0c0-0000-7000-8000-000000000003")
TELEGRAM = Identity("telegram:main", "77")
WIDGET = Identity("webchat:demo", "ana")
WHATSAPP = Identity("whatsapp:br", "5511")
_numbers = itertools.count(1)


async def write(
    store: Store,
    customer: CustomerId,
    identity: Identity,
    text: str = "oi",
    *,
    dedupe: str = "",
    content: Content | None = None,
) -> Enqueued:
    number = next(_numbers)
    await store.adopt_identity(identity, customer)
    entry = Entry(
        kind="message",
        author=Author("customer"),
        id=f"m{number}",
        identity=str(identity),
        content=content or Text(text),
    )
    return await store.enqueue(
        customer,
        identity,
        entry,
        dedupe=dedupe or f"d{number}",
        joins=content is None,
        window=0,
        journal=f"{customer[-2:]:0>16}",
        conversation=f"conversation-{customer[-1]}",
        locale="pt-BR",
        origin={},
    )


def reply(
    text: str,
    to: Identity | None = None,
    *,
    author: Any = "bot",
    button: str = "",
    window: bytes | None = None,
    state: dict[str, str] | None = None,
) -> Commit:
    entry = Entry(
        kind="message",
        author=Author(author),
        id=f"b{next(_numbers)}",
        identity=str(to or WIDGET),
        content=Text(text),
    )
    offered = [OfferedButton(button, "Sim", "/affirm")] if button else []
    return Commit(entries=[NewEntry(entry, buttons=offered, to=[to] if to else [])], window=window, state=state or {})


async def turn(store: Store, customer: CustomerId, commit: Commit) -> Claim:
    claim = await store.claim(customer)
    assert claim is not None
    await store.commit(claim, commit)
    return claim


async def said(store: Store, customer: CustomerId) -> list[str]:
    return [row.entry.content.text for row in await store.journal(customer) if row.entry.content]


async def waiting(store: Store, customer: CustomerId) -> list[str]:
    """The texts in the mailbox, `*` for an arrival."""
    items = await store.client.lrange(keys.mailbox(customer), 0, -1)
    rows = {row.seq: row.entry for row in await store.journal(customer, limit=1000)}
    found = [rows[int(item.split(b" ")[0])] for item in items]
    return ["*" if entry.kind == "merged" else entry.content.text if entry.content else "" for entry in found]


async def begun(
    store: Store, *, maker: CustomerId = NEW, redeemer: CustomerId = OLD, merge: str = "merge-1", arrive: bool = True
) -> Merge:
    """By default somebody on the website, who is newer, goes on in Telegram."""
    source, to = (WIDGET, TELEGRAM) if maker == NEW else (TELEGRAM, WIDGET)
    record = await Merging(store).begin(
        merge, maker=maker, redeemer=redeemer, source=source, to=to, reason="link", arrive=arrive
    )
    assert record is not None
    return record


async def merged(store: Store, **how: Any) -> Merge:
    record = await Merging(store).drive(await begun(store, **how))
    assert record.phase == "done"
    return record


async def undone(store: Store, record: Merge, *, disputed: bool = False) -> Merge:
    merging = Merging(store)
    after = await merging.drive(await merging.undo(record.survivor, record.id, disputed=disputed))
    assert after.phase == "undone"
    return after


async def two_who_talked(store: Store) -> None:
    """Telegram's is the older one; both have talked with the bot, and wait for nothing."""
    await write(store, OLD, TELEGRAM, "bom dia")
    await turn(store, OLD, reply("olá", TELEGRAM, window=b"\x02old", state={"form": "old_form", "lang": "pt-BR"}))
    await delivered(store, OLD, "telegram:main")
    await write(store, NEW, WIDGET, "hello", dedupe="first")
    await turn(
        store, NEW, reply("which order?", window=b"\x02new", button="yes", state={"form": "order", "lang": "en"})
    )


async def delivered(store: Store, customer: CustomerId, account: str) -> list[str]:
    """Sends everything in the lane that may be sent: the texts."""
    texts = []
    while attempt := await store.lanes.reserve(Lane(customer, account), lease=45_000, safe=False, bucket=Bucket()):
        content = attempt.entry.content
        assert content is not None
        texts.append(content.text)
        await store.lanes.settle(attempt, "sent", vendor_id=f"v{attempt.entry.id}")
    return texts


async def linked(store: Store, customer: CustomerId, identity: Identity) -> None:
    """As a link of before would have left it."""
    await store.client.sadd(keys.identities(customer), str(identity))
    await store.adopt_identity(identity, customer)


class Killed(Exception):
    """The process is not there any more."""


class Mortal:
    """A store of a process that dies behind its nth call (or before it, its reply never seen), counted from 1."""

    def __init__(self, store: Store, calls: int, *, behind: bool = True) -> None:
        self.calls = 0
        self._runner = store._runner
        self._dies_at = calls
        self._behind = behind
        self._call, self._call_all = store._runner.call, store._runner.call_all
        store._runner.call = self._one  # type: ignore[assignment]
        store._runner.call_all = self._many  # type: ignore[assignment]

    async def _one(self, *command: Any) -> Any:
        return await self._through(lambda: self._call(*command))

    async def _many(self, commands: Any) -> Any:
        return await self._through(lambda: self._call_all(commands))

    async def _through(self, call: Callable[[], Awaitable[Any]]) -> Any:
        self.calls += 1
        if self.calls > self._dies_at or (self.calls == self._dies_at and not self._behind):
            raise Killed
        answer = await call()
        if self.calls == self._dies_at:
            raise Killed
        return answer


TIMES = {"hold", "days", "w0", "wu", "ca", "last", "mga"}


async def picture(store: Store, *customers: CustomerId) -> dict[str, Any]:
    """Everything that is kept of them, but for times."""
    seen: dict[str, Any] = {}
    for customer in customers:
        client, rows = store.client, await store.journal(customer, limit=1000)
        texts = {row.seq: row.entry.content.text if row.entry.content else row.entry.kind for row in rows}
        lanes = {}
        for account in ("telegram:main", "whatsapp:br"):
            items = await client.lrange(keys.lane(customer, account), 0, -1)
            member = keys.lane_member(customer, account)
            ready = await client.zscore(keys.lanes_run(keys.shard_of(customer)), member) is not None
            lanes[account] = ([(texts[int(i.split(b" ")[0])], i.split(b" ", 1)[1]) for i in items], ready)
        state = await client.hgetall(keys.state(customer))
        seen[customer] = {
            "journal": [(row.audience, row.entry.kind, texts[row.seq], row.entry.of, row.prev) for row in rows],
            "mailbox": [
                (texts[int(i.split(b" ")[0])], i.split(b" ", 1)[1])
                for i in await client.lrange(keys.mailbox(customer), 0, -1)
            ],
            "lanes": lanes,
            "state": {k.decode(): v.decode() for k, v in state.items() if k.decode() not in TIMES},
            "identities": await client.smembers(keys.identities(customer)),
            "seen": await client.zcard(keys.seen(customer)),
            "buttons": sorted(await client.hkeys(keys.buttons(customer))),
            "window": await client.get(keys.tracker(customer)),
            "claimable": await client.zscore(keys.run(keys.shard_of(customer)), customer) is not None,
            "under way": await client.zrange(keys.merges_under_way(keys.shard_of(customer)), 0, -1),
            "timers": await client.zrange(keys.timers(keys.shard_of(customer)), 0, -1),
        }
    for identity in (TELEGRAM, WIDGET, WHATSAPP):
        seen[str(identity)] = await store.find_customer(identity)
    return seen


def differences(before: dict[str, Any], after: dict[str, Any], where: str = "") -> list[str]:
    """What is not the same in two pictures."""
    found = []
    for key in sorted({*before, *after}):
        one, other = before.get(key), after.get(key)
        if isinstance(one, dict) and isinstance(other, dict):
            found += differences(one, other, f"{where}{key[-4:]}.")
        elif one != other:
            found.append(f"{where}{key}: {one} → {other}")
    return found
