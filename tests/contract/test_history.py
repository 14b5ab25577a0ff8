"""One conversation over several journals: everything once, in its order, and to nobody who may not see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from cases.merging import (
    NEW,
    NEWER,
    OLD,
    TELEGRAM,
    WHATSAPP,
    WIDGET,
    delivered,
    merged,
    reply,
    turn,
    two_who_talked,
    undone,
    write,
)

from connectors.contract import Created, CustomerId, Identity, NotUnderstood, Reset
from router.feed import JournalFeed
from router.history import DISPUTE, History
from router.merging import Merging
from router.store import Commit, Store, connect, keys
from router.store.hints import Hints

BEFORE_OLD, BEFORE_NEW = ["bom dia", "olá"], ["hello", "which order?"]


@pytest.fixture
async def two(store: Store) -> Store:
    await two_who_talked(store)
    return store


@pytest.fixture
async def feed(two: Store, redis_server: Any) -> AsyncIterator[JournalFeed]:
    hints = Hints(connect(redis_server.url))
    yield JournalFeed(two, hints)
    await hints.close()


async def shown(feed: JournalFeed, identity: Identity, known: CustomerId = OLD, **bounds: Any) -> list[str]:
    asked = {"after": None, "before": None, "limit": 100, **bounds}
    return [message.text for message in (await feed.page(identity, known, **asked)).messages]


async def for_agents(store: Store, customer: CustomerId) -> list[str]:
    history = History(store)
    sources = await history.sources(customer, None)
    rows, _ = await history.page(
        sources, after=None, before=None, limit=100, shown=lambda row: row.entry.kind == "message"
    )
    return [one.row.entry.content.text for one in rows if one.row.entry.content]


async def as_one(store: Store) -> None:
    for identity, word in ((TELEGRAM, "t"), (WIDGET, "w")):
        await write(store, OLD, identity, word)
        await turn(store, OLD, reply(word.upper(), identity))
    await delivered(store, OLD, "telegram:main")


TOGETHER = ["t", "T", "w", "W"]


# ── order and pages ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_pages_over_journals_have_everything_once_in_its_order(two: Store, feed: JournalFeed, limit: int) -> None:
    for number in range(6):
        customer, identity = ((NEW, WIDGET), (OLD, TELEGRAM))[number % 2]
        two.offset += 1 + number % 3
        await write(two, customer, identity, f"{number}")
        await turn(two, customer, Commit())
    await merged(two, arrive=False)
    await as_one(two)
    two.offset += DISPUTE
    everything = [*BEFORE_OLD, *BEFORE_NEW, *"012345", *TOGETHER]
    assert await shown(feed, WIDGET) == everything
    back: list[str] = []
    before: str | None = None
    while True:
        page = await feed.page(WIDGET, OLD, after=None, before=before, limit=limit)
        back = [message.text for message in page.messages] + back
        if not page.more:
            break
        before = page.messages[0].cursor
    assert back == everything
    onward: list[str] = []
    first = await feed.page(WIDGET, OLD, after=None, before=None, limit=100)
    after = first.messages[2].cursor
    assert after.startswith(f"{int(NEW[-2:]):016}")
    while True:
        page = await feed.page(WIDGET, OLD, after=after, before=None, limit=limit)
        onward += [message.text for message in page.messages]
        if not page.more:
            break
        after = page.messages[-1].cursor
        if not after.startswith(f"{int(NEW[-2:]):016}"):
            break
    assert onward == everything[3 : 3 + len(onward)]
    assert onward


async def test_behind_a_cursor_of_the_live_journal_comes_the_live_journal_alone(two: Store, feed: JournalFeed) -> None:
    """A page that fills a gap of its stream puts what it gets behind what it has."""
    cursor = await feed.cursor(TELEGRAM, OLD)
    await write(two, NEW, WIDGET, "later")
    await turn(two, NEW, Commit())
    await merged(two, arrive=False)
    await as_one(two)
    two.offset += DISPUTE
    assert await shown(feed, TELEGRAM, after=cursor) == TOGETHER


async def test_what_waited_through_the_merge_is_shown_once(two: Store, feed: JournalFeed) -> None:
    await write(two, NEW, WIDGET, "waits")
    await merged(two, arrive=False)
    two.offset += DISPUTE
    assert await shown(feed, WIDGET) == [*BEFORE_OLD, *BEFORE_NEW, "waits"]


async def test_states_of_both_journals_are_shown(two: Store, feed: JournalFeed) -> None:
    await feed.read(WIDGET, NEW, 2)
    await merged(two, arrive=False)
    two.offset += DISPUTE
    page = await feed.page(WIDGET, OLD, after=None, before=None, limit=100)
    assert {message.text: message.status for message in page.messages}["which order?"] == "read"
    page = await feed.page(TELEGRAM, OLD, after=None, before=None, limit=100)
    assert {message.text: message.status for message in page.messages}["olá"] == "sent"


@pytest.mark.parametrize("cursor", ["ffff.1", "nonsense", "1.2.x"])
async def test_a_cursor_of_nobody_is_refused(two: Store, feed: JournalFeed, cursor: str) -> None:
    await merged(two, arrive=False)
    for bounds in ({"after": cursor}, {"before": cursor}):
        with pytest.raises(NotUnderstood, match=r"^an unknown cursor$"):
            await shown(feed, WIDGET, **bounds)


async def test_who_asks_by_the_id_of_before_is_answered_by_the_survivor(two: Store, feed: JournalFeed) -> None:
    await two.client.delete(keys.identity(WIDGET))
    await merged(two, arrive=False)
    await two.client.delete(keys.identity(WIDGET))
    await as_one(two)
    assert await shown(feed, WIDGET, NEW) == [*BEFORE_NEW, *TOGETHER]
    assert await feed.cursor(WIDGET, NEW) == await feed.cursor(TELEGRAM, OLD)
    await feed.read(WIDGET, NEW, 99)
    assert await feed.unread(WIDGET, NEW) == 0


# ── who sees what ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_until_a_merge_is_undisputed_each_side_sees_its_own_history_alone(two: Store, feed: JournalFeed) -> None:
    await merged(two, arrive=False)
    await as_one(two)
    assert await shown(feed, WIDGET) == [*BEFORE_NEW, *TOGETHER]
    assert await shown(feed, TELEGRAM) == [*BEFORE_OLD, *TOGETHER]
    assert await for_agents(two, OLD) == [*BEFORE_OLD, *BEFORE_NEW, *TOGETHER]
    two.offset += DISPUTE
    assert await shown(feed, WIDGET) == await shown(feed, TELEGRAM) == [*BEFORE_OLD, *BEFORE_NEW, *TOGETHER]


@pytest.mark.parametrize("redeemer", [OLD, NEW])
async def test_what_the_redeemer_says_behind_the_code_is_for_both(
    two: Store, feed: JournalFeed, redeemer: CustomerId
) -> None:
    """Also what was answered before the merge took effect."""
    mine, theirs = (TELEGRAM, WIDGET) if redeemer == OLD else (WIDGET, TELEGRAM)
    code = await write(two, redeemer, mine, "ABCD")
    await turn(two, redeemer, Commit())
    await write(two, redeemer, mine, "quickly")
    await turn(two, redeemer, Commit())
    maker = NEW if redeemer == OLD else OLD
    merging = Merging(two)
    begun = await merging.begin(
        "m", maker=maker, redeemer=redeemer, source=theirs, to=mine, reason="link", arrive=False, said=code.seq
    )
    assert begun is not None
    await merging.drive(begun)
    before = BEFORE_NEW if maker == NEW else BEFORE_OLD
    assert await shown(feed, theirs) == [*before, "ABCD", "quickly"]
    await two.merges.only_from_now_on(OLD, theirs, "m")
    assert await shown(feed, theirs) == before


async def test_a_cursor_opens_nothing_that_is_not_to_be_seen(two: Store, feed: JournalFeed) -> None:
    record = await merged(two, arrive=False)
    await as_one(two)
    old_journal = f"{int(OLD[-2:]):016}"
    assert await shown(feed, WIDGET, after=f"{old_journal}.0") == TOGETHER
    assert await shown(feed, WIDGET, before=f"{old_journal}.{record.seq}") == BEFORE_NEW
    frames = feed.follow(WIDGET, OLD, f"{old_journal}.0")
    first = [await anext(frames) for _ in range(4)]
    assert [frame.message.text for frame in first if isinstance(frame, Created)] == TOGETHER
    await frames.aclose()  # type: ignore[attr-defined]


async def test_only_from_now_on_stays_so_for_that_identity(two: Store, feed: JournalFeed) -> None:
    record = await merged(two, arrive=False)
    await two.merges.only_from_now_on(OLD, TELEGRAM, record.id)
    await as_one(two)
    two.offset += DISPUTE
    assert await shown(feed, TELEGRAM) == [*BEFORE_OLD, *TOGETHER]
    assert await shown(feed, WIDGET) == [*BEFORE_OLD, *BEFORE_NEW, *TOGETHER]


async def test_what_is_not_shown_is_not_counted_as_unread(two: Store, feed: JournalFeed) -> None:
    assert await feed.unread(TELEGRAM, OLD) == 1
    await merged(two, arrive=False)
    assert await feed.unread(WIDGET, OLD) == 0
    await as_one(two)
    assert await feed.unread(WIDGET, OLD) == 2


async def test_in_a_chain_each_merge_has_its_own_time(two: Store, feed: JournalFeed) -> None:
    await write(two, NEWER, WHATSAPP, "oi")
    await turn(two, NEWER, Commit())
    merging = Merging(two)
    first = await merging.begin(
        "first", maker=NEWER, redeemer=NEW, source=WHATSAPP, to=WIDGET, reason="link", arrive=False
    )
    assert first is not None
    await merging.drive(first)
    two.offset += DISPUTE
    await merged(two, arrive=False)
    assert await shown(feed, WIDGET) == [*BEFORE_NEW, "oi"]
    assert await shown(feed, WHATSAPP) == [*BEFORE_NEW, "oi"]
    assert await shown(feed, TELEGRAM) == BEFORE_OLD
    assert await for_agents(two, OLD) == [*BEFORE_OLD, *BEFORE_NEW, "oi"]
    two.offset += DISPUTE
    assert await shown(feed, TELEGRAM) == [*BEFORE_OLD, *BEFORE_NEW, "oi"]


async def test_who_comes_second_does_not_see_who_came_first(two: Store, feed: JournalFeed) -> None:
    await merged(two, arrive=False)
    await write(two, NEWER, WHATSAPP, "oi")
    await turn(two, NEWER, Commit())
    merging = Merging(two)
    second = await merging.begin(
        "second", maker=OLD, redeemer=NEWER, source=TELEGRAM, to=WHATSAPP, reason="link", arrive=False
    )
    assert second is not None
    await merging.drive(second)
    assert await shown(feed, WHATSAPP) == ["oi"]
    two.offset += DISPUTE
    assert await shown(feed, WHATSAPP) == [*BEFORE_OLD, *BEFORE_NEW, "oi"]


# ── behind an undo ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_behind_an_undo_each_has_what_is_theirs(two: Store, feed: JournalFeed) -> None:
    record = await merged(two, arrive=False)
    await as_one(two)
    await write(two, OLD, WIDGET, "waits")
    two.offset += DISPUTE
    await undone(two, record)
    await write(two, NEW, WIDGET, "alone")
    assert await shown(feed, WIDGET, NEW) == [*BEFORE_NEW, "w", "W", "waits", "alone"]
    assert await shown(feed, TELEGRAM) == [*BEFORE_OLD, "t", "T"]
    assert await for_agents(two, OLD) == [*BEFORE_OLD, "t", "T"]
    assert await for_agents(two, NEW) == [*BEFORE_NEW, "w", "W", "waits", "alone"]


async def test_merged_again_everything_is_there_once(two: Store, feed: JournalFeed) -> None:
    record = await merged(two, arrive=False)
    await as_one(two)
    await write(two, OLD, WIDGET, "waits")
    await undone(two, record)
    await merged(two, merge="again", arrive=False)
    two.offset += DISPUTE
    everything = sorted([*BEFORE_OLD, *BEFORE_NEW, *TOGETHER, "waits"])
    assert sorted(await shown(feed, WIDGET)) == everything
    assert sorted(await shown(feed, TELEGRAM)) == everything
    assert sorted(await for_agents(two, OLD)) == everything


# ── following ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_open_stream_of_who_is_taken_over_is_told_to_load_anew(two: Store, feed: JournalFeed) -> None:
    feed.start()
    frames = feed.follow(WIDGET, NEW, await feed.cursor(WIDGET, NEW))
    await write(two, NEW, WIDGET, "live")
    assert isinstance(await anext(frames), Created)
    await turn(two, NEW, Commit())
    await merged(two, arrive=False)
    assert await anext(frames) == Reset("moved")
    with pytest.raises(StopAsyncIteration):
        await anext(frames)
    frames = feed.follow(WIDGET, NEW, await feed.cursor(WIDGET, NEW))
    await write(two, OLD, TELEGRAM, "t")
    frame = await anext(frames)
    assert isinstance(frame, Created)
    assert frame.message.text == "t"
    await frames.aclose()  # type: ignore[attr-defined]
    await feed.stop()


async def test_an_open_stream_of_who_leaves_ends_before_it_shows_anything_more(two: Store, feed: JournalFeed) -> None:
    record = await merged(two, arrive=False)
    feed.start()
    frames = feed.follow(WIDGET, OLD, await feed.cursor(WIDGET, OLD))
    await write(two, OLD, TELEGRAM, "as one")
    assert isinstance(await anext(frames), Created)
    await turn(two, OLD, Commit())
    await undone(two, record)
    await write(two, OLD, TELEGRAM, "not for them")
    assert await anext(frames) == Reset("moved")
    await feed.stop()


async def test_an_old_cursor_of_who_was_taken_over_is_told_to_load_anew(two: Store, feed: JournalFeed) -> None:
    cursor = await feed.cursor(WIDGET, NEW)
    await merged(two, arrive=False)
    frames = feed.follow(WIDGET, NEW, cursor)
    assert isinstance(await anext(frames), Reset)
    await frames.aclose()  # type: ignore[attr-defined]
