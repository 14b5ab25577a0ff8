"""The store's promises, on a real Redis."""

from __future__ import annotations

import asyncio
import itertools
import re
import zlib
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from fakes.redis_server import RedisServer, redis_binaries

from connectors.content import Choice, Text
from connectors.contract import Author, CustomerId, Generation, Identity
from router.store import (
    Claim,
    Commit,
    Enqueued,
    Entry,
    Erased,
    LeaseLost,
    MailboxFull,
    NewEntry,
    NotMine,
    OfferedButton,
    PassedOver,
    Store,
    StoreError,
    StoreUnavailable,
    keys,
)
from router.store.runner import SCRIPT_TEXTS, connect

ANA = CustomerId("0190b0c0-0000-7000-8000-000000000001")
WIDGET = Identity("webchat:demo", "ana")
TELEGRAM = Identity("telegram:main", "77")
_numbers = itertools.count()


async def write(
    store: Store,
    text: str = "oi",
    *,
    customer: CustomerId = ANA,
    identity: Identity = WIDGET,
    dedupe: str | None = None,
    joins: bool = True,
    window: int = 0,
    origin: Mapping[str, str] | None = None,
    shown: Generation | None = None,
) -> Enqueued:
    content = Text(text) if joins else Choice(text=text, button="b")
    entry = Entry(
        kind="message", author=Author("customer"), id=f"m{next(_numbers)}", identity=str(identity), content=content
    )
    return await store.enqueue(
        customer,
        identity,
        entry,
        dedupe=dedupe or f"d{next(_numbers)}",
        joins=joins,
        window=window,
        journal="00aa",
        conversation="conversation-1",
        locale="pt-BR",
        origin=origin or {},
        shown=shown,
    )


def reply(text: str, **more: object) -> Commit:
    entry = Entry(
        kind="message", author=Author("bot"), id=f"b{next(_numbers)}", identity=str(WIDGET), content=Text(text)
    )
    return Commit(entries=[NewEntry(entry)], **more)  # type: ignore[arg-type]


async def claimed(store: Store, customer: CustomerId = ANA) -> Claim:
    claim = await store.claim(customer)
    assert claim is not None
    return claim


async def texts(store: Store, customer: CustomerId = ANA) -> list[str]:
    return [row.entry.content.text for row in await store.journal(customer) if row.entry.content]


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("script", [*keys.SCRIPTS, *keys.LANE_SCRIPTS])
def test_all_keys_of_a_script_share_one_tag(script: str) -> None:
    given = keys.SCRIPTS[script](ANA) if script in keys.SCRIPTS else keys.LANE_SCRIPTS[script](ANA, "telegram:main")
    assert {key.partition("}")[0] for key in given} == {"{" + str(zlib.crc32(ANA.encode()) % 256)}


@pytest.mark.parametrize("script", [*keys.SCRIPTS, *keys.LANE_SCRIPTS])
def test_a_script_touches_no_key_that_it_was_not_given(script: str) -> None:
    text = SCRIPT_TEXTS[script].partition("-- Promise")[2]
    used = {int(number) for number in re.findall(r"KEYS\[(\d+)\]", text)}
    given = keys.SCRIPTS[script](ANA) if script in keys.SCRIPTS else keys.LANE_SCRIPTS[script](ANA, "telegram:main")
    assert used == set(range(1, len(given) + 1))
    assert not re.search(r"redis\.call\('\w+',\s*'", text)


# ── format ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_data_of_another_format_is_refused_with_a_remedy(store: Store) -> None:
    await store.client.hset(keys.FORMAT_KEY, "format", "99")
    with pytest.raises(StoreError, match=r"format 99.*another data folder"):
        await store.check_format()


# ── identities ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_two_at_once_agree_on_one_customer(store: Store) -> None:
    proposals = [CustomerId(f"customer-{i}") for i in range(20)]
    found = await asyncio.gather(*(store.adopt_identity(TELEGRAM, proposal) for proposal in proposals))
    assert len(set(found)) == 1


async def test_an_identity_that_moved_is_not_mine(store: Store) -> None:
    await write(store)
    with pytest.raises(NotMine):
        await write(store, identity=TELEGRAM)


async def test_a_stale_hint_goes_and_a_newer_one_stays(store: Store) -> None:
    await store.adopt_identity(WIDGET, ANA)
    await store.forget_identity(WIDGET, CustomerId("somebody else"))
    assert await store.find_customer(WIDGET) == ANA
    await store.forget_identity(WIDGET, ANA)
    assert await store.find_customer(WIDGET) is None


# ── enqueue ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_message_is_in_the_journal_and_in_the_mailbox(store: Store) -> None:
    enqueued = await write(store, "oi")
    assert (enqueued.seq, enqueued.journal, enqueued.repeated) == (1, "00aa", False)
    assert await texts(store) == ["oi"]
    assert [written.seq for written in (await claimed(store)).batch] == [1]


async def test_the_first_entry_of_a_conversation_carries_its_origin(store: Store) -> None:
    await write(store, origin={"page": "/frete"})
    await write(store)
    rows: Any = await store.client.xrange(keys.journal(ANA))
    assert {"page": "/frete", "locale": "pt-BR"} == msgspec.json.decode(rows[0][1][b"o"])
    assert b"o" not in rows[1][1]


async def test_a_message_is_written_for_a_generation_that_is_good_and_its_use_passes_over_those_before(
    store: Store,
) -> None:
    await write(store, "one", shown=Generation("v1", 1))
    await write(store, "two", shown=Generation("v1", 2))
    with pytest.raises(PassedOver):
        await write(store, "three", shown=Generation("v1", 1))
    await write(store, "four", shown=Generation("v2", 1))
    await store.visitors.sign_out(ANA, "v1")
    with pytest.raises(PassedOver):
        await write(store, "five", shown=Generation("v1", 3))
    assert ["one", "two", "four"] == await texts(store)


async def test_who_signed_out_before_the_first_message_writes_none(store: Store) -> None:
    await store.visitors.sign_out(ANA, "v1")
    with pytest.raises(PassedOver):
        await write(store, shown=Generation("v1", 1))
    assert [] == await store.journal(ANA)


async def test_a_second_delivery_gets_the_first_answer_and_changes_nothing(store: Store) -> None:
    first = await write(store, "oi", dedupe="x")
    again = await write(store, "oi", dedupe="x")
    assert (again.seq, again.id, again.repeated) == (first.seq, first.id, True)
    assert await texts(store) == ["oi"]


async def test_fifty_deliveries_at_once_are_one_message(store: Store) -> None:
    """The race of Chatwoot PR 13523: look, check, set in three steps let two through."""
    answers = await asyncio.gather(*(write(store, "oi", dedupe="x") for _ in range(50)))
    assert sum(not answer.repeated for answer in answers) == 1
    assert await texts(store) == ["oi"]


async def test_an_album_from_a_new_person_is_one_conversation(store: Store) -> None:
    """Chatwoot issue 13261: five pictures at once made several conversations."""
    await asyncio.gather(*(write(store, f"{i}") for i in range(5)))
    assert len({row.conversation for row in await store.journal(ANA)}) == 1


async def test_ids_of_messages_are_forgotten_after_eight_days_and_not_before(store: Store) -> None:
    day = 86_400_000
    await write(store, dedupe="old")
    for days in range(1, 9):
        store.offset = days * day
        await write(store, dedupe=f"day {days}")
        assert (await write(store, dedupe="old")).repeated
    store.offset = 9 * day
    await write(store, dedupe="day 9")
    assert not (await write(store, dedupe="old")).repeated
    assert (await write(store, dedupe="day 2")).repeated


async def test_a_full_mailbox_refuses_and_keeps_what_it_has(redis_server: RedisServer) -> None:
    store = Store(connect(redis_server.url), most_waiting=3)
    for i in range(3):
        await write(store, str(i))
    with pytest.raises(MailboxFull):
        await write(store, "3")
    assert await texts(store) == ["0", "1", "2"]
    await store.close()


async def test_an_erased_customer_is_respected_by_every_script(store: Store) -> None:
    await write(store)
    claim = await claimed(store)
    await store.client.hset(keys.state(ANA), "gone", "1")
    with pytest.raises(Erased):
        await write(store)
    with pytest.raises(LeaseLost):
        await store.commit(claim, reply("olá"))
    assert not await store.interject(claim, NewEntry(Entry(kind="message", author=Author("system"))))
    assert not await store.mark_read(ANA, WIDGET, 1, Entry(kind="status", author=Author("customer")))
    store.offset = 60_000
    assert await store.claim(ANA) is None


# ── bursts ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_quick_texts_are_one_batch_after_the_window(store: Store) -> None:
    await write(store, "oi", window=300)
    await write(store, "tudo bem?", window=300)
    assert await store.claim(ANA) is None
    store.offset = 301
    assert [w.entry.content and w.entry.content.text for w in (await claimed(store)).batch] == ["oi", "tudo bem?"]


async def test_a_burst_ends_after_three_windows_even_while_texts_keep_coming(store: Store) -> None:
    for step in range(4):
        store.offset = step * 250
        await write(store, str(step), window=300)
        assert await store.claim(ANA) is None
    store.offset = 920
    assert len((await claimed(store)).batch) == 4


async def test_a_button_is_never_delayed_and_stands_alone(store: Store) -> None:
    await write(store, "oi", window=300)
    await write(store, "Sim", joins=False, window=300)
    first = await claimed(store)
    assert [w.seq for w in first.batch] == [1]
    await store.commit(first, Commit())
    assert [w.seq for w in (await claimed(store)).batch] == [2]


async def test_texts_of_two_identities_are_two_turns(store: Store) -> None:
    await write(store, "oi")
    await store.client.sadd(keys.identities(ANA), str(TELEGRAM))
    await write(store, "oi do Telegram", identity=TELEGRAM)
    assert [w.seq for w in (await claimed(store)).batch] == [1]


async def test_a_text_in_the_middle_of_a_turn_waits_for_its_own_burst(store: Store) -> None:
    await write(store, "oi")
    claim = await claimed(store)
    await write(store, "e", window=300)
    assert (await store.commit(claim, reply("olá"))).waiting == 1
    assert await store.claim(ANA) is None
    store.offset = 301
    assert [w.seq for w in (await claimed(store)).batch] == [2]


# ── claim, renew, retry ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_of_many_workers_one_gets_the_customer(store: Store) -> None:
    await write(store)
    claims = await asyncio.gather(*(store.claim(ANA) for _ in range(20)))
    assert sum(claim is not None for claim in claims) == 1


async def test_ready_names_who_may_be_claimed(store: Store) -> None:
    await write(store)
    assert await store.ready(range(256)) == [ANA]
    await claimed(store)
    assert await store.ready(range(256)) == []


async def test_after_a_crash_the_same_batch_comes_back_although_more_has_arrived(store: Store) -> None:
    await write(store, "oi")
    first = await claimed(store)
    await write(store, "ainda aí?")
    store.offset = store.lease + 1
    second = await claimed(store)
    assert [w.seq for w in second.batch] == [w.seq for w in first.batch] == [1]
    assert (second.turn_id, second.attempts) == (first.turn_id, 2)


async def test_a_frozen_batch_comes_back_whole_although_batches_are_smaller_by_now(store: Store) -> None:
    for text in ("um", "dois", "três"):
        await write(store, text)
    await claimed(store)
    store.offset = store.lease + 1
    again = await store.claim(ANA, most=2)
    assert again is not None
    assert [w.seq for w in again.batch] == [1, 2, 3]


async def test_a_renewed_lease_is_kept(store: Store) -> None:
    await write(store)
    claim = await claimed(store)
    store.offset = store.lease - 100
    await store.renew(claim)
    store.offset = store.lease + 100
    assert await store.claim(ANA) is None


async def test_a_lease_that_passed_on_cannot_be_renewed_given_back_or_committed(store: Store) -> None:
    await write(store)
    zombie = await claimed(store)
    store.offset = store.lease + 1
    await claimed(store)
    for act in (store.renew(zombie), store.retry(zombie, delay=0, counts=True), store.commit(zombie, reply("tarde"))):
        with pytest.raises(LeaseLost):
            await act
    assert await texts(store) == ["oi"]


async def test_a_batch_given_back_waits_and_counts_only_when_told(store: Store) -> None:
    await write(store)
    claim = await claimed(store)
    await store.retry(claim, delay=1000, counts=False)
    assert await store.claim(ANA) is None
    store.offset = 1001
    again = await claimed(store)
    assert again.attempts == 1
    await store.retry(again, delay=0, counts=True)
    assert (await claimed(store)).attempts == 2
    with pytest.raises(LeaseLost):
        await store.commit(again, reply("zumbi"))


async def test_a_new_message_does_not_end_a_back_off(store: Store) -> None:
    await write(store)
    await store.retry(await claimed(store), delay=10_000, counts=True)
    await write(store, "Sim", joins=False)
    assert await store.claim(ANA) is None


# ── commit ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_commit_writes_everything_and_ends_the_batch(store: Store) -> None:
    await write(store)
    claim = await claimed(store)
    button = OfferedButton("id-1", "Sim", "/affirm")
    entry = Entry(kind="message", author=Author("bot"), id="b", identity=str(WIDGET), content=Text("olá"))
    committed = await store.commit(
        claim, Commit([NewEntry(entry, buttons=[button])], {"lang": "en", "ns": ""}, b"\x01window", ["turn.fallback"])
    )
    assert (committed.seqs, committed.waiting) == ((2,), 0)
    assert await store.find_button(ANA, "id-1") == button
    assert await store.state(ANA, "lang", "ns", "tn", "why") == {"lang": "en", "tn": "1"}
    await write(store)
    after = await claimed(store)
    assert (after.window, after.turn, after.attempts) == (b"\x01window", 1, 1)
    kinds = [fields["k"] for _, fields in (await store.events({keys.shard_of(ANA): "0-0"}))[keys.shard_of(ANA)]]
    assert kinds == ["conversation.opened", "message.created", "message.created", "turn.fallback", "message.created"]


async def test_a_repeated_commit_gets_the_first_answer_and_writes_nothing(store: Store) -> None:
    await write(store)
    claim = await claimed(store)
    first = await store.commit(claim, reply("olá"))
    assert await store.commit(claim, reply("olá")) == first
    assert await texts(store) == ["oi", "olá"]
    await write(store, "mais")
    assert await store.commit(claim, reply("olá")) == first
    await claimed(store)
    assert await store.commit(claim, reply("olá")) == first
    assert await texts(store) == ["oi", "olá", "mais"]


async def test_a_batch_given_up_is_kept_among_the_dead_letters_by_reference(store: Store) -> None:
    await write(store, "segredo")
    await write(store, "outro")
    await store.commit(await claimed(store), reply("desculpe", dead="attempts"))
    letters: Any = await store.client.xrange(keys.dead_letters(keys.shard_of(ANA)))
    [(_, letter)] = letters
    assert letter == {b"customer": ANA.encode(), b"turn": b"0", b"seqs": b"1 2", b"reason": b"attempts"}


async def test_the_last_two_hundred_buttons_are_kept(store: Store) -> None:
    for turn in range(26):
        await write(store)
        offered = [OfferedButton(f"{turn}-{i}", "Sim", "/affirm") for i in range(10)]
        entry = Entry(kind="message", author=Author("bot"), id="b", content=Text("?"))
        await store.commit(await claimed(store), Commit([NewEntry(entry, buttons=offered)]))
    assert await store.find_button(ANA, "25-9") is not None
    assert await store.find_button(ANA, "0-0") is None
    assert await store.client.hlen(keys.buttons(ANA)) <= 250


async def test_um_momento_is_said_once_a_turn_and_only_by_the_holder(store: Store) -> None:
    await write(store)
    zombie = await claimed(store)
    store.offset = store.lease + 1
    holder = await claimed(store)
    moment = NewEntry(Entry(kind="message", author=Author("system"), id="m", content=Text("um momento")))
    assert not await store.interject(zombie, moment)
    assert await store.interject(holder, moment)
    assert not await store.interject(holder, moment)
    assert await texts(store) == ["oi", "um momento"]


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_each_entry_knows_the_last_one_before_it_that_a_customer_may_see(store: Store) -> None:
    await write(store)
    note = Entry(kind="note", author=Author("agent"), content=Text("só nós"))
    answer = Entry(kind="message", author=Author("bot"), content=Text("olá"))
    await store.commit(await claimed(store), Commit([NewEntry(note, "agents"), NewEntry(answer)]))
    assert [(row.seq, row.prev, row.audience) for row in await store.journal(ANA)] == [
        (1, 0, "customer"),
        (2, 1, "agents"),
        (3, 1, "customer"),
    ]


async def test_what_was_read_stays_read(store: Store) -> None:
    await write(store)
    await store.commit(await claimed(store), reply("olá"))
    mark = Entry(kind="status", author=Author("customer"), of=2, status="read")
    assert await store.mark_read(ANA, WIDGET, 2, mark)
    assert not await store.mark_read(ANA, WIDGET, 1, mark)
    assert not await store.mark_read(ANA, WIDGET, 2, mark)
    assert await store.state(ANA, "rd") == {"rd": "2"}


async def test_nobody_reads_what_is_not_written_yet(store: Store) -> None:
    await write(store)
    await store.mark_read(ANA, WIDGET, 999, Entry(kind="status", author=Author("customer"), of=999, status="read"))
    assert await store.state(ANA, "rd") == {"rd": "1"}


# ── faults ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_scripts_that_redis_has_forgotten_are_sent_again(store: Store) -> None:
    await write(store)
    await store.client.script_flush()
    answers = await asyncio.gather(*(write(store, str(i)) for i in range(5)))
    assert sorted(answer.seq for answer in answers) == [2, 3, 4, 5, 6]


async def test_a_redis_that_is_gone_is_unavailable_and_comes_back_with_everything() -> None:
    server = RedisServer(redis_binaries()[0])
    store = Store(connect(server.url))
    try:
        await write(store, "antes")
        server.kill()
        with pytest.raises(StoreUnavailable):
            await write(store, "durante")
        server.start()
        await write(store, "depois")
        assert await texts(store) == ["antes", "depois"]
    finally:
        await store.close()
        server.close()


@pytest.mark.parametrize("binary", redis_binaries())
async def test_a_redis_without_room_is_unavailable_and_nothing_is_half_written(binary: str) -> None:
    server = RedisServer(binary, "--maxmemory", "3mb")
    store = Store(connect(server.url))
    try:
        await write(store, "cabe")
        await store.client.config_set("maxmemory", "1")
        with pytest.raises(StoreUnavailable):
            await write(store, "não cabe")
        await store.client.config_set("maxmemory", "100mb")
        assert await texts(store) == ["cabe"]
        assert len((await claimed(store)).batch) == 1
    finally:
        await store.close()
        server.close()
