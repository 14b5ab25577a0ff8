"""A merge taken back: who left has what is theirs, who stays keeps what goes on."""

from __future__ import annotations

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

from connectors.contract import Author, CustomerId, Identity
from router.merging import Merging
from router.store import Bucket, Busy, Commit, Entry, Lane, Moved, NotMine, NotUndone, Store, keys

DAY = 86_400_000


@pytest.fixture
async def two(store: Store) -> Store:
    await two_who_talked(store)
    return store


async def chained(store: Store) -> tuple[Any, Any]:
    """NEW took NEWER over, then OLD took NEW over."""
    await write(store, NEWER, WHATSAPP, "oi")
    merging = Merging(store)
    first = await merging.begin("first", maker=NEWER, redeemer=NEW, source=WHATSAPP, to=WIDGET, reason="link")
    assert first is not None
    return await merging.drive(first), await merged(store, merge="second")


async def test_who_left_has_identities_journal_and_dialogue_of_their_own_again(two: Store) -> None:
    record = await merged(two, maker=OLD, redeemer=NEW, arrive=False)
    await write(two, OLD, WIDGET, "said as one")
    await turn(two, OLD, reply("answered as one", window=b"\x02live"))
    after = await undone(two, record)
    assert await two.client.smembers(keys.identities(OLD)) == {str(TELEGRAM).encode()}
    assert await two.client.smembers(keys.identities(NEW)) == {str(WIDGET).encode()}
    assert await two.find_customer(WIDGET) == NEW
    assert await two.client.get(keys.tracker(NEW)) == b"\x02new"
    assert await two.client.get(keys.tracker(OLD)) == b"\x02live"
    assert await said(two, NEW) == ["hello", "which order?"]
    assert [merge.phase for merge in await two.merges.all(NEW)] == ["undone"]
    assert after.left == str(WIDGET)
    assert (await two.journal(OLD))[-1].entry.kind == "unmerged"


async def test_of_a_disputed_merge_the_makers_dialogue_goes_with_the_maker_alone(two: Store) -> None:
    """The finder of a code is the older one, and survives: what the maker's form knew is not left to them."""
    before = await two.state(OLD, "form", "lang", "cid", "slots")
    record = await merged(two, maker=NEW, redeemer=OLD, arrive=False)
    known = {"slots": '{"order_number": "4821"}', "form": "order"}
    await write(two, OLD, TELEGRAM, "said as one")
    await turn(two, OLD, reply("answered as one", TELEGRAM, window=b"\x02live", state=known))
    assert known.items() <= (await two.state(OLD, "form", "slots")).items()
    await undone(two, record, disputed=True)
    assert await two.client.get(keys.tracker(OLD)) == b"\x02old"
    assert await two.state(OLD, "form", "lang", "cid", "slots") == before
    assert await two.client.get(keys.tracker(NEW)) == b"\x02new"
    assert await two.client.keys("*rest:*") == []


async def test_a_finder_who_had_no_dialogue_has_none_again(two: Store) -> None:
    await two.client.delete(keys.tracker(OLD))
    await two.client.hdel(keys.state(OLD), "form", "lang")
    record = await merged(two, maker=NEW, redeemer=OLD, arrive=False)
    await undone(two, record, disputed=True)
    assert await two.client.get(keys.tracker(OLD)) is None
    assert await two.state(OLD, "form", "slots", "ask") == {}


@pytest.mark.parametrize(("maker", "disputed"), [(OLD, True), (NEW, False)])
async def test_else_the_live_dialogue_stays_with_who_stays(two: Store, maker: CustomerId, disputed: bool) -> None:
    record = await merged(two, maker=maker, redeemer=OLD if maker == NEW else NEW, arrive=False)
    await write(two, OLD, TELEGRAM, "said as one")
    await turn(two, OLD, reply("answered as one", TELEGRAM, window=b"\x02live"))
    await undone(two, record, disputed=disputed)
    assert await two.client.get(keys.tracker(OLD)) == b"\x02live"


async def test_both_go_on_by_themselves(two: Store) -> None:
    record = await merged(two, arrive=False)
    await undone(two, record)
    await write(two, NEW, WIDGET, "for me")
    await turn(two, NEW, reply("and me"))
    await write(two, OLD, TELEGRAM, "alone")
    assert await waiting(two, OLD) == ["alone"]
    assert await waiting(two, NEW) == []
    with pytest.raises(NotMine):
        await write(two, OLD, WIDGET, "not theirs any more")
    assert await two.merges.owner_of(OLD, WIDGET) == NEW


async def test_what_the_leaving_had_waiting_goes_with_them(two: Store) -> None:
    await linked(two, NEW, WHATSAPP)
    record = await merged(two, arrive=False)
    await write(two, OLD, WHATSAPP, "a")
    await turn(two, OLD, reply("A", WHATSAPP))
    await write(two, OLD, TELEGRAM, "b")
    await turn(two, OLD, reply("B", TELEGRAM))
    await write(two, OLD, WIDGET, "theirs waits")
    await write(two, OLD, TELEGRAM, "mine waits")
    await undone(two, record)
    assert await waiting(two, OLD) == ["mine waits"]
    assert await waiting(two, NEW) == ["theirs waits"]
    assert await delivered(two, OLD, "whatsapp:br") == []
    assert await delivered(two, NEW, "whatsapp:br") == ["A"]
    assert await delivered(two, OLD, "telegram:main") == ["B"]


async def test_an_arrival_that_nobody_has_welcomed_is_forgotten(two: Store) -> None:
    record = await merged(two, maker=OLD, redeemer=NEW)
    assert await waiting(two, OLD) == ["*"]
    await undone(two, record)
    assert await waiting(two, OLD) == await waiting(two, NEW) == []


async def test_control_stays_and_the_bot_has_the_one_who_left(two: Store) -> None:
    entry = Entry(kind="control", author=Author("system"))
    await two.upkeep.take(NEW, "leo", entry)
    record = await merged(two, arrive=False)
    await undone(two, record)
    assert await two.state(OLD, "ctl", "own") == {"ctl": "human", "own": "leo"}
    assert await two.state(NEW, "ctl", "own") == {"ctl": "bot"}


async def test_messages_seen_while_they_were_one_are_seen_by_who_left(two: Store) -> None:
    record = await merged(two, arrive=False)
    first = await write(two, OLD, WIDGET, "once", dedupe="once")
    await turn(two, OLD, reply("sure", button="button-2"))
    await undone(two, record)
    repeat = await write(two, NEW, WIDGET, "once", dedupe="once")
    assert (repeat.id, repeat.repeated) == (first.id, True)
    assert await two.find_button(NEW, "button-2") is not None
    assert await waiting(two, NEW) == []


async def test_a_message_that_waited_through_merge_and_undo_is_answered_as_at_first(two: Store) -> None:
    first = await write(two, NEW, WIDGET, "patient", dedupe="patient")
    record = await merged(two, arrive=False)
    await undone(two, record)
    assert await waiting(two, NEW) == ["patient"]
    repeat = await write(two, NEW, WIDGET, "patient", dedupe="patient")
    assert (repeat.id, repeat.repeated) == (first.id, True)


async def test_a_send_under_way_to_who_leaves_ends_first(two: Store) -> None:
    await linked(two, NEW, WHATSAPP)
    record = await merged(two, arrive=False)
    await write(two, OLD, WHATSAPP, "a")
    await turn(two, OLD, reply("A", WHATSAPP))
    attempt = await two.lanes.reserve(Lane(OLD, "whatsapp:br"), lease=45_000, safe=False, bucket=Bucket())
    assert attempt is not None
    merging = Merging(two)
    begun_ = await merging.undo(OLD, record.id)
    assert (await merging.drive(begun_, within=0)).phase == "undoing"
    await two.lanes.settle(attempt, "sent")
    assert (await merging.drive(begun_)).phase == "undone"
    assert await delivered(two, NEW, "whatsapp:br") == []


async def test_a_send_that_died_is_unknown_for_who_leaves(two: Store) -> None:
    await linked(two, NEW, WHATSAPP)
    record = await merged(two, arrive=False)
    await write(two, OLD, WHATSAPP, "a")
    await turn(two, OLD, reply("A", WHATSAPP))
    sleeper = await two.lanes.reserve(Lane(OLD, "whatsapp:br"), lease=1000, safe=False, bucket=Bucket())
    assert sleeper is not None
    two.offset += 1001
    await undone(two, record)
    assert not await two.lanes.settle(sleeper, "sent")
    assert await delivered(two, NEW, "whatsapp:br") == []
    assert b"unknown" in await two.client.hvals(keys.deliveries(NEW))


async def test_parts_that_were_taken_stay_so_through_a_merge_and_its_undo(two: Store) -> None:
    await linked(two, NEW, WHATSAPP)
    await write(two, NEW, WHATSAPP, "a")
    await turn(two, NEW, reply("A", WHATSAPP, author="agent"))

    async def tried(customer: CustomerId) -> int:
        attempt = await two.lanes.reserve(Lane(customer, "whatsapp:br"), lease=1000, safe=False, bucket=Bucket())
        assert attempt is not None
        assert await two.lanes.settle(attempt, "retry", taken=attempt.taken + 1)
        return attempt.taken

    assert await tried(NEW) == 0
    record = await merged(two, arrive=False)
    assert [await tried(OLD), await tried(OLD)] == [1, 2]
    await undone(two, record)
    assert await tried(NEW) == 3


async def test_a_turn_under_way_ends_first(two: Store) -> None:
    record = await merged(two, arrive=False)
    await write(two, OLD, WIDGET, "wait")
    claim = await two.claim(OLD)
    assert claim is not None
    merging = Merging(two)
    begun_ = await merging.undo(OLD, record.id)
    assert (await merging.drive(begun_, within=0)).phase == "undoing"
    await two.commit(claim, Commit())
    assert (await merging.drive(begun_)).phase == "undone"


async def test_they_can_be_merged_again(two: Store) -> None:
    await undone(two, await merged(two, arrive=False))
    await write(two, NEW, WIDGET, "between")
    again = await merged(two, merge="merge-2", arrive=False)
    await write(two, OLD, WIDGET, "as one again", dedupe="x")
    assert await waiting(two, OLD) == ["between", "as one again"]
    await undone(two, again)
    assert await waiting(two, NEW) == ["between", "as one again"]
    assert await two.find_customer(WIDGET) == NEW


# ── chains ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_identities_that_the_other_had_taken_over_go_along(two: Store) -> None:
    await chained(two)
    assert {await two.kin.home(one) for one in (OLD, NEW, NEWER)} == {OLD}
    for identity in (WIDGET, WHATSAPP, TELEGRAM):
        assert await two.find_customer(identity) == OLD
        await write(two, OLD, identity, "oi")


async def test_repeats_are_answered_through_a_chain(two: Store) -> None:
    first = await write(two, NEWER, WHATSAPP, "oi", dedupe="deep")
    await turn(two, NEWER, Commit())
    await chained(two)
    repeat = await write(two, OLD, WHATSAPP, "oi", dedupe="deep")
    assert (repeat.id, repeat.repeated) == (first.id, True)


async def test_a_chain_is_undone_last_first(two: Store) -> None:
    first, second = await chained(two)
    merging = Merging(two)
    with pytest.raises(Moved) as moved:
        await merging.undo(NEW, first.id)
    assert moved.value.survivor == OLD
    await undone(two, second)
    assert await two.find_customer(WHATSAPP) == NEW
    await undone(two, first)
    assert await two.find_customer(WHATSAPP) == NEWER
    await write(two, NEWER, WHATSAPP, "myself")


async def test_of_two_merges_the_later_is_undone_first(two: Store) -> None:
    first = await merged(two, arrive=False)
    await write(two, NEWER, WHATSAPP, "oi")
    merging = Merging(two)
    begun_ = await merging.begin("later", maker=NEWER, redeemer=OLD, source=WHATSAPP, to=TELEGRAM, reason="link")
    assert begun_ is not None
    later = await merging.drive(begun_)
    with pytest.raises(NotUndone, match=r"^A later merge of this customer stands: undo that one first\.$"):
        await merging.undo(OLD, first.id)
    await undone(two, later)
    await undone(two, first)


# ── refused ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_after_thirty_days_a_merge_stands(two: Store) -> None:
    record = await merged(two, arrive=False)
    two.offset += 30 * DAY - 60_000
    await undone(two, record)
    again = await merged(two, merge="merge-2", arrive=False)
    two.offset += 30 * DAY + 60_000
    with pytest.raises(NotUndone, match=r"^A merge can be undone for 30 days, and this one is older\.$"):
        await Merging(two).undo(OLD, again.id)


async def test_what_never_was_cannot_be_undone(two: Store) -> None:
    record = await merged(two, arrive=False)
    for customer, merge in ((OLD, "other"), (CustomerId("nobody"), record.id)):
        with pytest.raises(NotUndone, match=r"^There is no such merge of this customer\.$"):
            await Merging(two).undo(customer, merge)
    await undone(two, record)
    with pytest.raises(NotUndone):
        await Merging(two).undo(NEW, "nothing")


async def test_an_undo_waits_for_another_merge_of_the_survivor(two: Store) -> None:
    record = await merged(two, arrive=False)
    await write(two, NEWER, WHATSAPP, "oi")
    merging = Merging(two)
    other = await merging.begin("other", maker=NEWER, redeemer=OLD, source=WHATSAPP, to=TELEGRAM, reason="link")
    assert other is not None
    with pytest.raises(Busy):
        await merging.undo(OLD, record.id)
    with pytest.raises(Busy):
        await merging.undo(OLD, other.id)


async def test_the_same_undo_is_begun_once(two: Store) -> None:
    record = await merged(two, arrive=False)
    merging = Merging(two)
    first = await merging.undo(OLD, record.id)
    assert await merging.undo(OLD, record.id) == first
    done = await merging.drive(first)
    assert await merging.undo(OLD, record.id) == done


async def test_an_identity_that_was_unlinked_meanwhile_does_not_come_back(two: Store) -> None:
    await linked(two, NEW, WHATSAPP)
    record = await merged(two, arrive=False)
    await two.visitors.leave(OLD, WHATSAPP)
    after = await undone(two, record)
    assert after.left.split() == [str(WIDGET)]
    assert await two.client.smembers(keys.identities(NEW)) == {str(WIDGET).encode()}


async def test_what_is_known_of_an_identity_goes_with_it(two: Store) -> None:
    await two.reachable(NEW, WIDGET, "blocked")
    record = await merged(two, arrive=False)
    assert await two.state(OLD, f"un:{WIDGET}") == {f"un:{WIDGET}": "blocked"}
    await two.reachable(OLD, WIDGET, "token dead")
    await two.reachable(OLD, TELEGRAM, "window shut")
    await undone(two, record)
    assert await two.state(NEW, f"un:{WIDGET}", f"un:{TELEGRAM}") == {f"un:{WIDGET}": "token dead"}
    assert await two.state(OLD, f"un:{WIDGET}", f"un:{TELEGRAM}") == {f"un:{TELEGRAM}": "window shut"}


def test_identities_with_blanks_fit_into_a_record() -> None:
    assert " " not in str(Identity("webchat:demo", "a b\nc"))


async def test_a_merge_that_is_under_way_cannot_be_undone_yet(two: Store) -> None:
    record = await begun(two)
    with pytest.raises(Busy):
        await Merging(two).undo(OLD, record.id)


async def test_where_replies_go_is_nobody_who_left(two: Store) -> None:
    await two.client.hset(keys.state(NEW), "to", str(WIDGET))
    record = await merged(two, arrive=False)
    assert await two.state(OLD, "to", "via") == {"to": str(WIDGET), "via": str(TELEGRAM)}
    await write(two, OLD, WIDGET, "oi")
    await undone(two, record)
    assert "to" not in await two.state(OLD, "to")
    assert await two.state(OLD, "via") == {"via": str(TELEGRAM)}
    assert await two.state(NEW, "via") == {"via": str(WIDGET)}


async def test_a_repeat_gets_its_first_answer_also_by_way_of_a_third(two: Store) -> None:
    """Who came and went knows the names of all that they saw, and asks those who were there."""
    merging = Merging(two)
    await write(two, NEWER, WHATSAPP, "oi")
    await turn(two, NEWER, Commit())
    third = await merging.begin(
        "third", maker=NEWER, redeemer=OLD, source=WHATSAPP, to=TELEGRAM, reason="link", arrive=False
    )
    assert third is not None
    await merging.drive(third)
    first = await write(two, NEW, WIDGET, "patient", dedupe="patient")
    record = await merged(two, arrive=False)
    await undone(two, record)
    await undone(two, third)
    await two.client.hset(keys.state(OLD), "kin", f"{NEWER} {NEW}")
    await two.client.zadd(keys.seen(NEWER), {"webchat:demo/patient": 99.5})
    again = await merged(two, merge="again", arrive=False)
    assert again.moved_seqs
    repeat = await write(two, OLD, WIDGET, "patient", dedupe="patient")
    assert (repeat.id, repeat.seq, repeat.journal) == (first.id, first.seq, first.journal)


async def test_what_waited_is_found_where_it_stands_by_now(two: Store) -> None:
    await write(two, NEW, WIDGET, "patient", dedupe="patient")
    record = await merged(two, arrive=False)
    customer, seq = await two.find_message(OLD, "webchat:demo", "patient")
    assert (customer, seq) == (OLD, next(iter(record.moved_seqs.values())))
    after = await undone(two, record)
    (mine,) = [one for one in await two.merges.all(NEW) if one.id == after.id]
    assert await two.find_message(NEW, "webchat:demo", "patient") == (NEW, mine.returned_seqs[seq])
    await write(two, OLD, TELEGRAM, "other", dedupe="other")
