"""What a shop's own server asks about its customers, and does for them, by a token of the operator's."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from fakes.waiting import until
from fakes.webhook_receiver import WebhookReceiver

from connectors.contract import Identity
from router.store import Store
from segue.settings import Api, Settings

from .conftest import House, Visitor
from .moving import OPERATOR, App, ask, invited, known, sees, with_app

ANA = Identity("webhook:main", "ana")


@pytest.fixture
def settings(settings: Settings, receiver: WebhookReceiver) -> Settings:
    return with_app(settings, receiver)


async def linked(visitor: Visitor, app: App) -> None:
    await visitor.say("segredo do site")
    await app.says((await invited(visitor))["code"])
    await app.sees("Continuamos")


async def test_a_person_is_found_by_any_identity_with_channels_and_no_words(
    house: House, visitor: Visitor, app: App
) -> None:
    await linked(visitor, app)
    found = await known(house, ANA)
    assert ["webchat", "webhook"] == sorted(one["channel"] for one in found["identities"])
    assert [False, True] == sorted(one["last_used"] for one in found["identities"])
    assert {"bot"} == {found["control"]["by"]}
    assert ["done"] == [one["phase"] for one in found["merges"]]
    assert "segredo" not in json.dumps(found)
    assert found == (await ask(house, "GET", f"/{found['id']}"))[1]


async def test_an_id_that_was_merged_is_answered_with_the_one_that_it_is_now(
    house: House, visitor: Visitor, app: App
) -> None:
    await linked(visitor, app)
    found = await known(house, ANA)
    status, now = await ask(house, "GET", f"/{found['merges'][0]['other']}")
    assert (200, found["id"]) == (status, now["id"])


async def test_two_that_a_person_found_to_be_one_are_joined_and_parted_again(
    house: House, visitor: Visitor, app: App, store: Store
) -> None:
    await visitor.say("oi")
    await app.says("oi")
    await app.sees("echo: oi")
    mine = await known(house, ANA)
    (key,) = await store.client.keys("identity:webchat:demo/*")
    theirs = (await store.client.get(key)).decode()
    status, joined = await ask(house, "POST", f"/{mine['id']}/merges", {"other": theirs})
    assert 202 == status

    async def phase(expected: str) -> bool:
        _, now = await ask(house, "GET", f"/{joined['customer']}")
        return bool([one["phase"] for one in now["merges"]] == [expected])

    await until(lambda: phase("done"))
    assert 2 == len((await known(house, ANA))["identities"])
    status, _ = await ask(house, "POST", f"/{joined['customer']}/merges/{joined['merge']}/undo")
    assert 202 == status
    await until(lambda: phase("undone"))
    assert 1 == len((await known(house, ANA))["identities"])
    assert 400 == (await ask(house, "POST", f"/{joined['customer']}/merges/{joined['merge']}x/undo"))[0]


async def test_somebody_is_not_joined_with_themselves(house: House, app: App) -> None:
    await app.says("oi")
    await app.sees("echo: oi")
    mine = await known(house, ANA)
    assert 400 == (await ask(house, "POST", f"/{mine['id']}/merges", {"other": mine["id"]}))[0]


async def test_a_code_for_the_customers_eyes_moves_the_conversation(
    house: House, visitor: Visitor, app: App, store: Store
) -> None:
    await visitor.say("oi")
    await sees(visitor, "echo: oi")
    (key,) = await store.client.keys("identity:webchat:demo/*")
    customer = (await store.client.get(key)).decode()
    status, made = await ask(house, "POST", f"/{customer}/links", {"channel": "webhook"})
    assert (200, "webhook:main", "") == (status, made["account"], made["url"])
    await app.says(made["code"])
    await app.sees("Continuamos")
    assert 400 == (await ask(house, "POST", f"/{customer}/links", {"channel": "pigeon"}))[0]


async def test_a_channel_is_taken_off_once(house: House, visitor: Visitor, app: App) -> None:
    await linked(visitor, app)
    found = await known(house, ANA)
    path = f"/{found['id']}/identities/{quote(str(ANA), safe='')}"
    assert 204 == (await ask(house, "DELETE", path))[0]
    assert 400 == (await ask(house, "DELETE", path))[0]
    await app.sees("foi desconectada desta")


@pytest.mark.parametrize("token", ["", "wrong", OPERATOR[:-1], "ç" * 50])
async def test_without_the_operators_token_nothing_is_told(house: House, app: App, token: str) -> None:
    await app.says("oi")
    for method, path in (("GET", "?identity=webhook:main/ana"), ("GET", "/x"), ("POST", "/x/merges")):
        assert 401 == (await ask(house, method, path, token=quote(token)))[0]


async def test_nobody_is_404_and_nonsense_400(house: House) -> None:
    assert 404 == (await ask(house, "GET", "?identity=webhook:main/nobody"))[0]
    assert 404 == (await ask(house, "GET", "/0190b0c0-0000-7000-8000-000000000001"))[0]
    assert 400 == (await ask(house, "GET", "?identity=nonsense"))[0]


async def test_where_no_token_is_set_there_is_no_such_api(house: House) -> None:
    await house.stop()
    house.settings = house.settings.model_copy(update={"api": Api()})
    await house.start()
    assert 404 == (await ask(house, "GET", "?identity=webhook:main/ana"))[0]
