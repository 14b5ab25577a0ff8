"""While two customers become one, and two again: what people see, through the door and on open streams."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

import aiohttp
import pytest
from fakes.waiting import until
from fakes.webhook_receiver import SECRET, WebhookReceiver, signed_headers

from connectors.contract import Identity
from router.merging import Merging
from router.store import Merge, Store
from segue.serve import Files
from segue.settings import Settings

from .conftest import Clock, House, Visitor
from .moving import App, with_app

APP = Identity("webhook:main", "ana")


@pytest.fixture
def settings(settings: Settings, receiver: WebhookReceiver) -> Settings:
    return with_app(settings, receiver)


async def widget_identity(store: Store) -> Identity:
    """Of the one visitor of this test."""
    for key in await store.client.keys("identity:webchat*"):
        return Identity.parse(key.decode().removeprefix("identity:"))
    raise AssertionError("nobody has written yet")


async def merged(store: Store) -> Merge:
    """The visitor made the code, the app redeemed it; nobody is welcomed."""
    source = await widget_identity(store)
    maker, redeemer = await store.find_customer(source), await store.find_customer(APP)
    assert maker
    assert redeemer
    merging = Merging(store)
    begun = await merging.begin(
        str(uuid.uuid4()), maker=maker, redeemer=redeemer, source=source, to=APP, reason="link", arrive=False
    )
    assert begun is not None
    done = await merging.drive(begun, within=10)
    assert done.phase == "done"
    return done


async def counts(visitor: Visitor, number: int) -> bool:
    return len(await visitor.texts()) == number


async def test_14_old_ids_lead_to_the_survivor_and_an_undo_restores_both(
    visitor: Visitor, app: App, store: Store, clock: Clock
) -> None:
    await app.says("do app")
    await app.sees("echo: do app")
    await visitor.say("do site")
    await until(lambda: counts(visitor, 2))
    record = await merged(store)
    clock.forward(601)
    await visitor.say("junto")
    everything = ["do app", "echo: do app", "do site", "echo: do site", "junto", "echo: junto"]
    await until(lambda: counts(visitor, 6))
    assert await visitor.texts() == everything
    assert {await store.kin.home(one) for one in (record.survivor, record.other)} == {record.survivor}
    merging = Merging(store)
    undone = await merging.drive(await merging.undo(record.survivor, record.id), within=10)
    assert undone.phase == "undone"
    assert await visitor.texts() == ["do site", "echo: do site", "junto", "echo: junto"]
    await visitor.say("só eu")
    await until(lambda: counts(visitor, 6))
    await app.says("sozinha")
    await app.sees("echo: sozinha")
    assert "só eu" not in "".join(app.shown)


async def test_who_arrived_is_welcomed_also_when_both_are_taken_over_before_that(
    settings: Settings, files: Files, http: aiohttp.ClientSession, receiver: WebhookReceiver, store: Store
) -> None:
    """The welcome waits in the mailbox when the survivor becomes part of somebody older."""
    house = House(settings, files, "edge")
    await house.start()
    bia, ana = (App(house, receiver, http, person) for person in ("bia", "ana"))
    await bia.says("antes")
    visitor = await Visitor(http, house.url).arrive(locale="pt-BR")
    await visitor.say("do site")
    await ana.says("oi")
    source, last = await widget_identity(store), Identity("webhook:main", "bia")
    merging = Merging(store)
    for frm, to, arrive in ((source, APP, True), (source, last, False)):
        maker, redeemer = await store.find_customer(frm), await store.find_customer(to)
        assert maker
        assert redeemer
        begun = await merging.begin(
            str(uuid.uuid4()), maker=maker, redeemer=redeemer, source=frm, to=to, reason="link", arrive=arrive
        )
        assert begun
        assert (await merging.drive(begun, within=10)).phase == "done"
    assert await store.find_customer(source) == await store.find_customer(last) != maker
    await house.stop()
    whole = House(settings, files)
    await whole.start()
    try:
        await ana.sees("Continuamos por aqui")
        visitor.url = whole.url
        await until(lambda: has(visitor, "Se não foi você, avise agora."))
        assert 1 == sum("Continuamos" in one for one in ana.shown)
    finally:
        await whole.stop()


async def has(visitor: Visitor, words: str) -> bool:
    return any(words in text for text in await visitor.texts())


async def test_17_open_tabs_lose_and_double_nothing_across_a_merge_and_a_restart(
    house: House, http: aiohttp.ClientSession, app: App, store: Store
) -> None:
    await app.says("do app")  # first: who is older survives, and the widget's streams have to change over
    first = await Visitor(http, house.url).arrive()
    await first.say("do site")
    await until(lambda: counts(first, 2))
    second = Visitor(http, house.url, first.token, first.session)
    cursor = (await first.history())["cursor"]
    async with first.stream(cursor) as one, second.stream(cursor) as two:
        await merged(store)
        for stream in (one, two):
            assert (await stream.next("reset")).data == {"reason": "moved"}
    page = await first.history()
    async with first.stream(page["cursor"]) as one, second.stream(page["cursor"]) as two:
        await app.says("ao vivo")
        assert await one.texts(2) == await two.texts(2) == ["ao vivo", "echo: ao vivo"]
    await house.restart()
    first.url = house.url
    messages = (await first.history())["messages"]
    assert [message["text"] for message in messages] == ["do site", "echo: do site", "ao vivo", "echo: ao vivo"]
    assert len({message["id"] for message in messages}) == 4


async def test_19_one_event_five_times_at_two_processes_is_one_message_one_turn_one_reply(
    house: House, settings: Settings, files: Files, http: aiohttp.ClientSession, app: App, store: Store
) -> None:
    other = House(settings, files)
    await other.start()
    try:
        body = json.dumps({"type": "message", "id": "once", "from": {"id": "ana"}, "text": "oi"}).encode()
        headers = signed_headers(SECRET, "once", body)

        async def deliver(url: str) -> tuple[int, Any]:
            async with http.post(f"{url}/channels/webhook/main", data=body, headers=headers) as response:
                return response.status, (await response.json())["id"]

        urls = (house.url, other.url, house.url, other.url, house.url)
        answers = await asyncio.gather(*(deliver(url) for url in urls))
        assert {status for status, _ in answers} == {200}
        assert len({number for _, number in answers}) == 1
        await app.sees("echo: oi")
        customer = await store.find_customer(APP)
        assert customer
        rows = await store.journal(customer)
        said = [row.entry.content.text for row in rows if row.entry.kind == "message" and row.entry.content]
        assert said == ["oi", "echo: oi"]
        assert app.shown == ["echo: oi"]
    finally:
        await other.stop()


async def test_21_what_each_says_while_they_are_merged_is_answered_once_and_in_its_order(
    visitor: Visitor, app: App, store: Store
) -> None:
    await app.says("a0")
    await visitor.say("v0")

    async def talks(say: Any, name: str) -> None:
        for number in range(1, 12):
            await say(f"{name}{number}")

    talking = asyncio.gather(talks(visitor.say, "v"), talks(app.says, "a"))
    record = await merged(store)
    await Merging(store).drive(await Merging(store).undo(record.survivor, record.id), within=10)
    await merged(store)
    await talking
    await until(lambda: app.shown[-1:] == ["echo: a11"])
    assert app.shown == [f"echo: a{number}" for number in range(12)]

    async def answered() -> bool:
        return "echo: v11" in await visitor.texts()

    await until(answered)
    mine = [text for text in await visitor.texts() if text.startswith("echo: v")]
    assert mine == [f"echo: v{number}" for number in range(12)]
