"""Two customers become one, and two again: nothing lost, doubled or reordered, wherever the process dies."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

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
        origin="{}",
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


async def undone(store: Store, record: Merge) -> Merge:
    merging = Merging(store)
    after = await merging.drive(await merging.undo(record.survivor, record.id))
    assert after.phase == "undone"
    return after


@pytest.fixture
async def two(store: Store) -> Store:
    """Telegram's is the older one; both have talked with the bot, and wait for nothing."""
    await write(store, OLD, TELEGRAM, "bom dia")
    await turn(store, OLD, reply("olá", TELEGRAM, window=b"\x02old", state={"form": "old_form", "lang": "pt-BR"}))
    await delivered(store, OLD, "telegram:main")
    await write(store, NEW, WIDGET, "hello", dedupe="first")
    await turn(
        store, NEW, reply("which order?", window=b"\x02new", button="yes", state={"form": "order", "lang": "en"})
    )
    return store


async def delivered(store: Store, customer: CustomerId, account: str) -> list[str]:
    """Sends everything in the lane that may be sent: the texts."""
    texts = []
    while attempt := await store.lanes.reserve(Lane(customer, account), lease=45_000, safe=False, bucket=Bucket()):
        content = attempt.entry.content
        assert content is not None
        texts.append(content.text)
        await store.lanes.settle(attempt, "sent", vendor_id=f"v{attempt.entry.id}")
    return texts


# ── one ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_older_survives_with_the_dialogue_of_who_made_the_code(two: Store) -> None:
    record = await merged(two)
    assert (record.survivor, record.other) == (OLD, NEW)
    assert await two.client.get(keys.tracker(OLD)) == b"\x02new"
    state = await two.state(OLD, "form", "lang", "via", "cid", "tr_seq")
    assert state == {
        "form": "order", "lang": "en", "via": str(TELEGRAM), "cid": "conversation-2", "tr_seq": str(record.seq)
    }  # fmt: skip
    rests = await two.client.hgetall(keys.resting(OLD, record.id))
    assert (rests[b"form"], rests[b"window"]) == (b"old_form", b"\x02old")
    assert await two.client.smembers(keys.identities(OLD)) == {str(TELEGRAM).encode(), str(WIDGET).encode()}
    assert await two.find_customer(WIDGET) == OLD
    assert await waiting(two, OLD) == ["*"]


async def test_the_older_keeps_its_own_dialogue_when_it_made_the_code(two: Store) -> None:
    record = await merged(two, maker=OLD, redeemer=NEW)
    assert record.survivor == OLD
    assert await two.client.get(keys.tracker(OLD)) == b"\x02old"
    assert (await two.state(OLD, "form", "via")) == {"form": "old_form", "via": str(WIDGET)}
    assert not await two.client.exists(keys.resting(OLD, record.id))


async def test_an_arrival_has_a_turn_of_its_own(two: Store) -> None:
    record = await merged(two)
    claim = await two.claim(OLD)
    assert claim is not None
    assert [row.entry.kind for row in claim.batch] == ["merged"]
    assert (claim.identity, claim.batch[0].entry.reason) == (TELEGRAM, record.id)


async def test_without_an_arrival_nothing_waits(two: Store) -> None:
    await merged(two, arrive=False)
    assert await waiting(two, OLD) == []
    assert await two.claim(OLD) is None


async def test_a_journal_is_never_copied(two: Store) -> None:
    before = await two.journal(NEW)
    await merged(two)
    assert await two.journal(NEW) == before
    assert await said(two, OLD) == ["bom dia", "olá"]
