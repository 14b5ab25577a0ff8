"""Link codes in the store, sentences outside a turn, messages sent elsewhere, identities that leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from fakes.redis_server import RedisServer

from connectors.content import Text
from connectors.contract import Author, CustomerId, Identity, Milliseconds
from router.store import Entry, NewEntry, OfferedButton, Store
from router.store.links import LIFE, REMEMBERED, Link
from router.store.runner import connect

ANA = CustomerId("0190b0c0-0000-7000-8000-000000000001")
BIA = CustomerId("0190b0c0-0000-7000-8000-000000000002")
WEB, TELEGRAM, OTHER = Identity("webchat:demo", "v"), Identity("telegram:main", "7"), Identity("telegram:main", "8")
US = Author("system", "Aurora")


@pytest.fixture
async def store(_shared_redis: RedisServer) -> AsyncIterator[Store]:
    client = connect(_shared_redis.url)
    await client.flushall()
    store = Store(client)
    yield store
    await store.close()


def link(name: str = "hash", **changes: object) -> Link:
    values: dict[str, object] = {
        "name": name,
        "state": "open",
        "maker": ANA,
        "identity": WEB,
        "conversation": "c1",
        "generation": 0,
        "account": "telegram:main",
        "place": "loja.example",
        "made": Milliseconds(5),
        "expires": Milliseconds(0),
        **changes,
    }
    return Link(**values)  # type: ignore[arg-type]


async def write(store: Store, customer: CustomerId, identity: Identity, dedupe: str) -> int:
    entry = Entry("message", Author("customer"), id=dedupe, identity=str(identity), content=Text("oi"))
    await store.adopt_identity(identity, customer)
    done = await store.enqueue(
        customer, identity, entry, dedupe=dedupe, joins=False, window=0, journal="j" + customer[-1], conversation="c1",
        locale="pt-BR", origin={},
    )  # fmt: skip
    return done.seq


async def test_a_code_is_claimed_by_one_message_and_the_same_message_gets_the_same_answer(store: Store) -> None:
    expires = await store.links.make(link(), "typed")
    assert expires
    assert "hash" == await store.links.named("typed")
    first = await store.links.claim("hash", "m1", BIA, TELEGRAM)
    assert isinstance(first, Link)
    assert (ANA, WEB, BIA, TELEGRAM) == (first.maker, first.identity, first.redeemer, first.redeemed_by)
    assert first == await store.links.claim("hash", "m1", BIA, TELEGRAM)
    assert "used" == await store.links.claim("hash", "m2", BIA, TELEGRAM)


async def test_fifty_who_try_at_once_are_one(store: Store) -> None:
    await store.links.make(link(), "typed")
    answers = await asyncio.gather(*(store.links.claim("hash", f"m{i}", BIA, TELEGRAM) for i in range(50)))
    assert 1 == sum(isinstance(answer, Link) for answer in answers)


async def test_a_code_lasts_ten_minutes_and_is_told_apart_from_nonsense_for_a_day(store: Store) -> None:
    await store.links.make(link(), "typed")
    store.offset = LIFE + 1000
    assert "expired" == await store.links.claim("hash", "m1", BIA, TELEGRAM)
    assert "unknown" == await store.links.claim("never", "m1", BIA, TELEGRAM)
    assert 0 < await store.client.pttl("link:hash") <= REMEMBERED
    assert 0 < await store.client.pttl("link:typed") <= REMEMBERED


async def test_a_claim_just_before_the_end_is_good_afterwards_too(store: Store) -> None:
    await store.links.make(link(), "typed")
    await store.links.claim("hash", "m1", BIA, TELEGRAM)
    store.offset = LIFE + 1000
    assert isinstance(await store.links.claim("hash", "m1", BIA, TELEGRAM), Link)


async def test_what_became_of_a_code_is_decided_once(store: Store) -> None:
    await store.links.make(link(), "typed")
    await store.links.claim("hash", "m1", BIA, TELEGRAM)
    assert await store.links.settle("hash", ["claimed"], "done")
    assert not await store.links.settle("hash", ["claimed", "asked"], "refused")
    assert await store.links.settle("hash", ["claimed"], "done")
    assert not await store.links.settle("never", ["claimed"], "done")


async def test_two_codes_never_share_a_hash(store: Store) -> None:
    assert await store.links.make(link(), "typed")
    assert 0 == await store.links.make(link(), "other")
    assert 0 == await store.links.make(link("second"), "typed")


def said(text: str, to: Identity, buttons: Sequence[OfferedButton] = (), *, live: bool = False) -> NewEntry:
    return NewEntry(
        Entry("message", US, id=text, identity=str(to), content=Text(text)), buttons=buttons, to=() if live else (to,)
    )


async def test_a_sentence_outside_a_turn_is_said_once_and_its_buttons_count(store: Store) -> None:
    await write(store, ANA, TELEGRAM, "1")
    new = said("foi você?", TELEGRAM, [OfferedButton("b1", "Sim", "segue:link:allow:x")])
    first, again = await asyncio.gather(
        store.links.announce(ANA, "ask/x", new), store.links.announce(ANA, "ask/x", new)
    )
    assert {2, 0} == {first, again}
    assert "segue:link:allow:x" == (await store.find_button(ANA, "b1")).payload  # type: ignore[union-attr]
    assert 1 == len(await store.lanes.ready(range(256)))
    assert 0 == await store.links.announce(BIA, "ask/x", new)


async def test_on_a_live_channel_a_sentence_needs_no_lane(store: Store) -> None:
    await write(store, ANA, WEB, "1")
    assert await store.links.announce(ANA, "ask/x", said("foi você?", WEB, live=True))
    assert [] == await store.lanes.ready(range(256))


async def test_a_message_that_failed_is_sent_elsewhere_once(store: Store) -> None:
    await write(store, ANA, WEB, "1")
    seq = await store.links.announce(ANA, "a", said("resposta", WEB, live=True))
    why = Entry("note", US, identity=str(TELEGRAM), of=seq, reason="unreachable: blocked")
    assert await store.links.relane(ANA, "reroute/1", seq, why, TELEGRAM)
    assert not await store.links.relane(ANA, "reroute/1", seq, why, TELEGRAM)
    (lane,) = await store.lanes.ready(range(256))
    assert ("telegram:main", ANA) == (lane.account, lane.customer)
    assert ["message", "message", "note"] == [row.entry.kind for row in await store.journal(ANA)]


async def test_a_message_that_nobody_can_get_is_noted_as_held(store: Store) -> None:
    await write(store, ANA, WEB, "1")
    why = Entry("note", US, identity=str(WEB), of=1, reason="held: blocked")
    assert await store.links.relane(ANA, "reroute/1", 1, why, None)
    assert [] == await store.lanes.ready(range(256))
    assert "agents" == (await store.journal(ANA))[-1].audience


async def test_an_identity_leaves_and_what_it_made_and_chose_goes_too(store: Store) -> None:
    await write(store, ANA, WEB, "1")
    await store.links.join_fresh(ANA, TELEGRAM)
    await store.links.choose(ANA, TELEGRAM)
    note = Entry("note", US, identity=str(TELEGRAM), reason="unlinked")
    assert await store.links.part(ANA, TELEGRAM, note)
    assert not await store.links.part(ANA, TELEGRAM, note)
    assert (WEB,) == await store.links.identities(ANA)
    assert {"lk": "1"} == await store.state(ANA, "lk", "to")


async def test_the_last_identity_cannot_leave(store: Store) -> None:
    await write(store, ANA, WEB, "1")
    assert not await store.links.part(ANA, WEB, Entry("note", US, reason="unlinked"))
    assert (WEB,) == await store.links.identities(ANA)


async def test_who_cannot_be_written_to_is_known_with_the_reason(store: Store) -> None:
    await write(store, ANA, WEB, "1")
    await store.reachable(ANA, TELEGRAM, "blocked")
    assert {TELEGRAM: "blocked"} == await store.links.barred(ANA, [WEB, TELEGRAM, OTHER])
    assert {} == await store.links.barred(ANA, [])
