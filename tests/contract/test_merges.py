"""Two customers become one, and two again: what goes along, and what stays."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from cases.merging import (
    NEW,
    NEWER,
    OLD,
    TELEGRAM,
    WHATSAPP,
    WIDGET,
    begun,
    delivered,
    linked,
    merged,
    reply,
    said,
    turn,
    two_who_talked,
    undone,
    waiting,
    write,
)
from fakes.redis_server import RedisServer
from fakes.waiting import until

from connectors.content import Choice, Text
from connectors.contract import Author, CustomerId, Identity
from router.merging import Merging
from router.store import Bucket, Busy, Commit, Entry, Lane, Merge, Moved, Moving, Store, connect, keys
from router.store.merges import HOLD


@pytest.fixture
async def two(store: Store) -> Store:
    await two_who_talked(store)
    return store


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


# ── what goes along ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_the_other_had_waiting_follows_in_its_order(two: Store) -> None:
    await write(two, OLD, TELEGRAM, "old waits")
    for text in ("one", "two"):
        await write(two, NEW, WIDGET, text)
    await write(two, NEW, WIDGET, content=Choice(text="Sim", button="yes"))
    record = await merged(two)
    assert await waiting(two, OLD) == ["old waits", "*", "one", "two", "Sim"]
    assert len(record.moved_seqs) == 3
    batches = []
    while claim := await two.claim(OLD):
        batches.append([row.entry.content.text if row.entry.content else "*" for row in claim.batch])
        await two.commit(claim, Commit())
    assert batches == [["old waits"], ["*"], ["one", "two"], ["Sim"]]


async def test_an_edit_of_a_waiting_message_goes_along_with_it(two: Store) -> None:
    waits = await write(two, NEW, WIDGET, 'it says "of":1 here')
    entry = Entry(
        kind="edit", author=Author("customer"), identity=str(WIDGET), content=Text('now "of":2'), of=waits.seq
    )
    await two.append(NEW, "edit-1", entry, audience="customer")
    record = await merged(two)
    edit = (await two.journal(OLD))[-1].entry
    assert (edit.kind, edit.of, edit.content) == ("edit", record.moved_seqs[waits.seq], Text('now "of":2'))


async def test_what_is_not_yet_sent_is_sent_once_and_in_order(two: Store) -> None:
    await linked(two, NEW, WHATSAPP)
    await write(two, NEW, WHATSAPP, "a")
    await turn(two, NEW, reply("A", WHATSAPP))
    await write(two, NEW, WHATSAPP, "b")
    await turn(two, NEW, reply("B", WHATSAPP, author="agent"))
    await write(two, OLD, TELEGRAM, "c")
    await turn(two, OLD, reply("C", TELEGRAM))
    await merged(two)
    assert await delivered(two, NEW, "whatsapp:br") == []
    assert await delivered(two, OLD, "whatsapp:br") == ["A", "B"]
    assert await delivered(two, OLD, "telegram:main") == ["C"], "the bot goes on speaking: its words are still good"


async def test_a_send_under_way_ends_first(two: Store) -> None:
    await linked(two, NEW, WHATSAPP)
    await write(two, NEW, WHATSAPP, "a")
    await turn(two, NEW, reply("A", WHATSAPP))
    attempt = await two.lanes.reserve(Lane(NEW, "whatsapp:br"), lease=45_000, safe=False, bucket=Bucket())
    assert attempt is not None
    merging = Merging(two)
    record = await merging.drive(await begun(two), within=0)
    assert record.phase == "intent"
    assert await two.lanes.settle(attempt, "sent", vendor_id="v1")
    assert (await merging.drive(record)).phase == "done"
    assert await two.lanes.receipt(OLD, "whatsapp:br", "v1", "delivered") > 0, "the kin know it"
    assert await two.lanes.states(NEW, [attempt.seq]) == {attempt.seq: "delivered"}


@pytest.mark.parametrize(("safe", "sent"), [(True, ["A"]), (False, [])])
async def test_a_send_that_died_is_repeated_only_where_that_is_safe(two: Store, safe: bool, sent: list[str]) -> None:
    await linked(two, NEW, WHATSAPP)
    await write(two, NEW, WHATSAPP, "a")
    await turn(two, NEW, reply("A", WHATSAPP))
    sleeper = await two.lanes.reserve(Lane(NEW, "whatsapp:br"), lease=1000, safe=False, bucket=Bucket())
    assert sleeper is not None
    two.offset += 1001
    await merged(two)
    assert not await two.lanes.settle(sleeper, "sent", vendor_id="v1"), "it slept through the merge"
    attempt = await two.lanes.reserve(Lane(OLD, "whatsapp:br"), lease=1000, safe=safe, bucket=Bucket())
    assert [attempt.entry.content] == [Text("A")] if safe else attempt is None
    if not safe:
        states = await two.client.hvals(keys.deliveries(OLD))
        assert sorted(states) == [b"sent", b"unknown"]


async def test_a_turn_under_way_ends_first(two: Store) -> None:
    await write(two, NEW, WIDGET, "cancel it")
    claim = await two.claim(NEW)
    assert claim is not None
    merging = Merging(two)
    record = await merging.drive(await begun(two), within=0)
    assert record.phase == "intent", "a turn that is run again under another id repeats its effects"
    await two.commit(claim, reply("cancelled"))
    await write(two, NEW, WIDGET, "thanks")
    assert await two.claim(NEW) is None, "held: nothing new begins"
    assert (await merging.drive(record)).phase == "done"
    assert await waiting(two, OLD) == ["*", "thanks"]


async def test_a_turn_of_the_survivor_ends_first_too(two: Store) -> None:
    await write(two, OLD, TELEGRAM, "redeems the code")
    claim = await two.claim(OLD)
    assert claim is not None
    merging = Merging(two)
    record = await merging.drive(await begun(two), within=0)
    assert (await write(two, NEW, WIDGET, "not frozen meanwhile")).seq
    await two.commit(claim, Commit())
    assert (await merging.drive(record)).phase == "done"
    assert await waiting(two, OLD) == ["*", "not frozen meanwhile"]


async def test_a_hold_that_nobody_renews_ends_by_itself(two: Store) -> None:
    await write(two, NEW, WIDGET, "oi")
    await two.merges.hold(NEW, "merge-1")
    assert await two.claim(NEW) is None
    two.offset += HOLD
    assert await two.claim(NEW) is not None


async def test_who_has_never_written_can_be_merged_from_either_side(store: Store) -> None:
    await write(store, NEW, WIDGET, "hello")
    await turn(store, NEW, reply("which order?", window=b"\x02new"))
    first = await Merging(store).begin("m1", maker=OLD, redeemer=NEW, source=TELEGRAM, to=WIDGET, reason="link")
    assert first is not None
    assert (await Merging(store).drive(first)).phase == "done"
    assert await store.client.smembers(keys.identities(OLD)) == {str(TELEGRAM).encode(), str(WIDGET).encode()}
    second = await Merging(store).begin("m2", maker=NEWER, redeemer=OLD, source=WHATSAPP, to=WIDGET, reason="link")
    assert second is not None
    assert (await Merging(store).drive(second)).phase == "done"
    assert await store.find_customer(WHATSAPP) == OLD
    assert (await store.state(OLD, "cid")) != {}


async def test_buttons_work_on_and_repeats_get_their_first_answer(two: Store) -> None:
    first = await write(two, NEW, WIDGET, "again", dedupe="again")
    await merged(two)
    button = await two.find_button(OLD, "yes")
    assert button is not None
    assert button.payload == "/affirm"
    for _ in range(2):
        repeat = await write(two, OLD, WIDGET, "again", dedupe="again")
        assert (repeat.id, repeat.repeated) == (first.id, True)
    assert (await write(two, OLD, WIDGET, "hello", dedupe="first")).repeated
    assert await two.find_message(OLD, "webchat:demo", "first") == (NEW, 1)
    customer, seq = await two.find_message(OLD, "webchat:demo", "again")
    assert (customer, await said(two, OLD)) == (OLD, ["bom dia", "olá", "again"])
    assert seq


async def test_receipts_find_their_message_before_and_behind_a_merge_and_its_undo(two: Store) -> None:
    await linked(two, NEW, WHATSAPP)
    await write(two, NEW, WHATSAPP, "a")
    await turn(two, NEW, reply("A", WHATSAPP))
    assert await delivered(two, NEW, "whatsapp:br") == ["A"]
    (old_vendor,) = [name.decode() for name in await two.client.zrange(keys.vendor_ids(NEW), 0, -1)]
    record = await merged(two, arrive=False)
    await write(two, OLD, WHATSAPP, "b")
    await turn(two, OLD, reply("B", WHATSAPP))
    assert await two.lanes.receipt(OLD, "whatsapp:br", "early", "delivered") == 0, "before our own record"
    attempt = await two.lanes.reserve(Lane(OLD, "whatsapp:br"), lease=1000, safe=False, bucket=Bucket())
    assert attempt is not None
    await two.lanes.settle(attempt, "sent", vendor_id="early")
    assert await two.lanes.states(OLD, [attempt.seq]) == {attempt.seq: "delivered"}
    assert await two.lanes.receipt(OLD, "whatsapp:br", old_vendor.partition("/")[2], "read") > 0
    await undone(two, record)
    assert await two.lanes.receipt(NEW, "whatsapp:br", "early", "read") > 0, "it was sent while they were one"
    assert await two.lanes.states(OLD, [attempt.seq]) == {attempt.seq: "read"}


async def test_handles_of_the_other_go_on_and_a_sign_out_stays(two: Store) -> None:
    await two.visitors.use(NEW, WIDGET, "v1", 3)
    await two.visitors.sign_out(NEW, "v2")
    record = await merged(two)
    with pytest.raises(Moved) as moved:
        await two.visitors.use(NEW, WIDGET, "v1", 3)
    assert moved.value.survivor == OLD
    assert await two.visitors.use(OLD, WIDGET, "v1", 2) == "passed"
    assert await two.visitors.use(OLD, WIDGET, "v2", 1) == "out"
    assert await two.visitors.use(OLD, WIDGET, "v1", 5) == "ok"
    await two.visitors.sign_out(OLD, "v3")
    await undone(two, record)
    assert await two.visitors.use(NEW, WIDGET, "v1", 4) == "passed"
    assert await two.visitors.use(NEW, WIDGET, "v2", 1) == "out"
    assert await two.visitors.use(NEW, WIDGET, "v3", 1) == "out"


async def test_words_about_a_person_are_both_kept_where_they_differ(two: Store) -> None:
    await two.visitors.tell(OLD, {"name": "Ana", "city": "Olinda"})
    await two.visitors.tell(NEW, {"name": "Ana Souza", "email": "a@b.c"})
    await merged(two)
    about = json.loads((await two.state(OLD, "about"))["about"])
    assert about == {"name": "Ana", "name.2": "Ana Souza", "city": "Olinda", "email": "a@b.c"}


async def test_timers_belong_to_the_new_number(redis_server: RedisServer) -> None:
    store = Store(connect(redis_server.url), idle=60_000)
    await two_who_talked(store)
    await merged(store, arrive=False)
    store.offset += 60_001
    due = await store.upkeep.due(range(keys.SHARDS))
    assert due == [(OLD, "idle")]
    assert await store.upkeep.fire(OLD, "idle", Entry(kind="control", author=Author("system")))
    assert await store.state(OLD, "open") == {"open": "0"}
    await store.close()


# ── control ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_CONTROL = Entry(kind="control", author=Author("system"))


async def _controlled(store: Store, customer: CustomerId, control: str) -> None:
    if control == "queued":
        await store.upkeep.queue(customer, _CONTROL)
    elif control != "bot":
        await store.upkeep.take(customer, control, _CONTROL)


@pytest.mark.parametrize(
    ("olds", "news", "expected"),
    [
        ("bot", "bot", {"ctl": "bot"}),
        ("queued", "bot", {"ctl": "queued"}),
        ("bot", "queued", {"ctl": "queued"}),
        ("eva", "queued", {"ctl": "human", "own": "eva"}),
        ("queued", "leo", {"ctl": "human", "own": "leo"}),
        ("bot", "leo", {"ctl": "human", "own": "leo"}),
        ("eva", "leo", {"ctl": "human", "own": "eva"}),
    ],
)
async def test_a_person_goes_over_the_queue_over_the_bot(
    two: Store, olds: str, news: str, expected: dict[str, str]
) -> None:
    await _controlled(two, OLD, olds)
    two.offset += 10
    await _controlled(two, NEW, news)
    numbers = [int((await two.state(customer, "cn"))["cn"]) for customer in (OLD, NEW)]
    await merged(two)
    assert await two.state(OLD, "ctl", "own") == expected
    assert await two.state(OLD, "cn") == {"cn": str(max(numbers) + 1)}


async def test_of_two_people_the_one_who_accepted_first_goes_on(two: Store) -> None:
    await two.upkeep.take(NEW, "leo", _CONTROL)
    two.offset += 10
    await two.upkeep.take(OLD, "eva", _CONTROL)
    await merged(two)
    assert await two.state(OLD, "own") == {"own": "leo"}


async def test_what_the_bot_had_not_yet_sent_is_dropped_when_a_person_takes_over_by_a_merge(two: Store) -> None:
    await write(two, OLD, TELEGRAM, "c")
    await turn(two, OLD, reply("C", TELEGRAM))
    await two.upkeep.take(NEW, "leo", _CONTROL)
    await merged(two)
    assert await delivered(two, OLD, "telegram:main") == []


async def test_what_the_bot_had_not_yet_sent_is_dropped_when_a_person_takes_over_behind_a_merge(two: Store) -> None:
    await write(two, OLD, TELEGRAM, "c")
    await turn(two, OLD, reply("C", TELEGRAM))
    await merged(two)
    await two.upkeep.take(OLD, "leo", _CONTROL)
    assert await delivered(two, OLD, "telegram:main") == []


# ── refused ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_while_one_is_moved_scripts_say_so_and_then_name_the_survivor(two: Store) -> None:
    merging = Merging(two)
    record = await begun(two)
    assert await merging._quiet_both(record)
    with pytest.raises(Moving):
        await write(two, NEW, WIDGET)
    with pytest.raises(Moving):
        await two.upkeep.take(NEW, "eva", _CONTROL)
    await merging.drive(record)
    with pytest.raises(Moved) as moved:
        await write(two, NEW, WIDGET)
    assert moved.value.survivor == OLD
    with pytest.raises(Moved):
        await two.upkeep.take(NEW, "eva", _CONTROL)
    with pytest.raises(Moved):
        await two.visitors.tell(NEW, {"name": "Ana"})
    with pytest.raises(Moved):
        await two.mark_read(NEW, WIDGET, 1, Entry(kind="status", author=Author("customer")))


async def test_one_merge_at_a_time_as_survivor_and_as_other(two: Store) -> None:
    await write(two, NEWER, WHATSAPP, "oi")
    merging = Merging(two)
    first = await begun(two)
    how: dict[str, Any] = {"source": WHATSAPP, "to": TELEGRAM, "reason": "link"}
    with pytest.raises(Busy):
        await merging.begin("merge-2", maker=NEWER, redeemer=OLD, **how)
    # A younger one may take over somebody while it waits to be taken over itself: the older merge waits for it.
    second = await merging.begin("merge-3", maker=NEWER, redeemer=NEW, **how)
    assert second is not None
    assert (await merging.drive(first, within=0)).phase == "intent"
    assert (await merging.drive(second)).phase == "done"
    assert (await merging.drive(first)).phase == "done"
    assert await two.kin.home(NEWER) == OLD


async def test_the_same_merge_is_begun_once(two: Store) -> None:
    record = await merged(two)
    assert await Merging(two).begin(
        record.id, maker=NEW, redeemer=OLD, source=WIDGET, to=TELEGRAM, reason="link"
    ) == await two.merges.get(OLD, record.id)
    other = await Merging(two).begin("other", maker=NEW, redeemer=OLD, source=WIDGET, to=TELEGRAM, reason="link")
    assert other is None, "they are one already"


async def _wanted_twice(store: Store, merging: Merging) -> Merge:
    """Both older ones want the youngest, and the oldest gets them: the merge that comes second."""
    await write(store, NEWER, WHATSAPP, "oi")
    how: dict[str, Any] = {"source": WHATSAPP, "to": TELEGRAM, "reason": "link", "maker": NEWER}
    first = await merging.begin("m-1", redeemer=OLD, **how)
    second = await merging.begin("m-2", redeemer=NEW, **how)
    assert first
    assert second
    assert (await merging.drive(first)).phase == "done"
    return second


async def test_two_merges_of_one_other_end_with_all_three_as_one(two: Store) -> None:
    """Both older ones want the youngest; who comes second takes over the first instead."""
    merging = Merging(two)
    second = await _wanted_twice(two, merging)
    assert (await merging.drive(second)).phase == "void"
    await asyncio.gather(*merging._driving)
    assert {await two.kin.home(one) for one in (OLD, NEW, NEWER)} == {OLD}
    await merging.close()


async def test_what_is_begun_instead_waits_for_a_merge_under_way(two: Store) -> None:
    newest, sms = CustomerId("0199aaaa-0000-7000-8000-00000000000f"), Identity("webhook:sms", "1")
    await write(two, newest, sms, "oi")
    merging = Merging(two)
    second = await _wanted_twice(two, merging)
    between = await merging.begin("m-3", maker=newest, redeemer=OLD, source=sms, to=TELEGRAM, reason="link")
    assert between
    assert (await merging.drive(second)).phase == "void"
    assert await two.kin.home(NEW) == NEW
    assert (await merging.drive(between)).phase == "done"

    async def joined() -> bool:
        return await two.kin.home(NEW) == OLD

    await until(joined)
    await merging.close()
