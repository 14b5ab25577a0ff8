"""Who a shop's server vouches for is a person; everything that only looks like it starts nothing."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from fakes.waiting import until
from pydantic import SecretStr

from connectors.contract import Identity
from router.store import Store
from segue.serve import Files
from segue.settings import Server, Settings, Site

from .conftest import Clock, House, Visitor

SECRET = "a shop keeps this to itself, and it is long enough for every algorithm of the family"
NEXT = "the next secret while they are being rotated, as long"
SITES = {
    "demo": Site(origins=("https://shop.example",), identity_secrets=(SecretStr(NEXT), SecretStr(SECRET))),
    "staff": Site(origins=("https://staff.example",), identity_secrets=(SecretStr(SECRET),), enforce=True),
    "open": Site(origins=("https://open.example",)),
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"sites": SITES})


def claims(**other: Any) -> dict[str, Any]:
    now = int(time.time())
    base = {"sub": "77", "aud": "demo", "iat": now, "exp": now + 300, "jti": str(uuid.uuid4())}
    return {key: value for key, value in {**base, **other}.items() if value is not None}


def signed(secret: str = SECRET, **other: Any) -> str:
    return jwt.encode(claims(**other), secret, algorithm="HS256")


def by_hand(header: dict[str, Any], signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(claims()).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


async def session(house: House, http: aiohttp.ClientSession, **body: Any) -> tuple[int, dict[str, Any]]:
    async with http.post(f"{house.url}/v1/widget/session", json={"site": "demo", **body}) as response:
        return response.status, await response.json()


async def person(house: House, http: aiohttp.ClientSession, **body: Any) -> Visitor:
    return await Visitor(http, house.url).arrive(**{"identity": signed(), **body})


async def test_a_signed_visitor_is_verified_and_known_by_name(house: House, http: aiohttp.ClientSession) -> None:
    visitor = await person(house, http, identity=signed(name="Ana"))
    assert visitor.session["visitor"] == {"verified": True, "name": "Ana"}
    assert visitor.session["restarted"] is False


@pytest.mark.parametrize("secret", [SECRET, NEXT])
async def test_two_secrets_live_while_they_are_rotated(house: House, http: aiohttp.ClientSession, secret: str) -> None:
    assert (await session(house, http, identity=signed(secret)))[0] == 200


async def test_a_person_has_one_conversation_in_every_browser(house: House, http: aiohttp.ClientSession) -> None:
    phone, desk = await person(house, http), await person(house, http)
    await phone.say("do telefone")
    await desk.say("da mesa")
    for visitor in (phone, desk):
        await until(lambda visitor=visitor: _count(visitor, 4))
    assert await phone.texts() == await desk.texts()


async def test_who_signs_in_keeps_what_was_said_before(house: House, http: aiohttp.ClientSession) -> None:
    visitor = await Visitor(http, house.url).arrive()
    await visitor.say("antes")
    await until(lambda: _count(visitor, 2))
    known = await person(house, http, handle=visitor.session["handle"])
    assert known.session["restarted"] is False
    assert await known.texts() == ["antes", "echo: antes"]
    elsewhere = await person(house, http)
    assert await elsewhere.texts() == ["antes", "echo: antes"]


async def test_who_is_known_already_takes_along_what_was_said_before_signing_in(
    house: House, http: aiohttp.ClientSession
) -> None:
    home = await person(house, http)
    await home.say("meu pedido")
    await until(lambda: _count(home, 2))
    cafe = await Visitor(http, house.url).arrive()
    await cafe.say("anônimo")
    await until(lambda: _count(cafe, 2))
    known = await person(house, http, handle=cafe.session["handle"])
    assert known.session["restarted"] is False
    everything = ["meu pedido", "echo: meu pedido", "anônimo", "echo: anônimo"]
    assert await known.texts() == await home.texts() == everything
    await known.say("e agora?")
    await until(lambda: _count(home, 6))
    assert await known.texts() == await home.texts() == [*everything, "e agora?", "echo: e agora?"]


async def test_the_browser_alone_is_not_shown_what_the_person_had_said_before(
    house: House, http: aiohttp.ClientSession
) -> None:
    home = await person(house, http)
    await home.say("meu pedido")
    await until(lambda: _count(home, 2))
    cafe = await Visitor(http, house.url).arrive()
    await cafe.say("anônimo")
    await until(lambda: _count(cafe, 2))
    await person(house, http, handle=cafe.session["handle"])
    assert await cafe.texts() == ["anônimo", "echo: anônimo"]


async def test_two_signed_people_of_one_browser_stay_two(house: House, http: aiohttp.ClientSession) -> None:
    bia = await person(house, http, identity=signed(sub="88"))
    await bia.say("de bia")
    anonymous = await Visitor(http, house.url).arrive()
    await anonymous.say("de ana")
    await until(lambda: _count(anonymous, 2))
    await person(house, http, handle=anonymous.session["handle"])
    late = await person(house, http, handle=anonymous.session["handle"], identity=signed(sub="88"))
    assert late.session["restarted"] is True
    await until(lambda: _count(late, 2))
    assert await late.texts() == ["de bia", "echo: de bia"]


async def test_another_person_on_the_same_browser_sees_nothing_of_the_first(
    house: House, http: aiohttp.ClientSession
) -> None:
    ana = await person(house, http)
    await ana.say("segredo")
    bia = await person(house, http, handle=ana.session["handle"], identity=signed(sub="88"))
    assert bia.session["restarted"] is True
    assert await bia.texts() == []


async def test_an_anonymous_handle_does_not_lead_a_second_person_to_the_first(
    house: House, http: aiohttp.ClientSession
) -> None:
    anonymous = await Visitor(http, house.url).arrive()
    await anonymous.say("segredo")
    await person(house, http, handle=anonymous.session["handle"])
    bia = await person(house, http, handle=anonymous.session["handle"], identity=signed(sub="88"))
    assert bia.session["restarted"] is True
    assert await bia.texts() == []


async def test_a_verified_handle_stays_verified_for_a_day(
    house: House, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = await person(house, http)
    await ana.say("segredo")
    back = await Visitor(http, house.url).arrive(handle=ana.session["handle"])
    assert back.session["visitor"]["verified"] is True
    monkeypatch.setattr("connectors.webchat.visitors.VERIFIED_LIFE", -1)
    late = await Visitor(http, house.url).arrive(handle=back.session["handle"])
    assert (late.session["visitor"]["verified"], late.session["restarted"]) == (False, True)
    assert await late.texts() == []


NOW = int(time.time())


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"exp": NOW - 120, "iat": NOW - 300}, "the identity has expired"),
        ({"iat": NOW + 600, "exp": NOW + 900}, "the identity is of the future"),
        ({"aud": "staff"}, "the identity is for somebody else"),
        ({"aud": ["demo", "staff"]}, "the identity is for somebody else"),
        ({"exp": NOW + 7200}, "the identity lives for more than 3600 s"),
        ({"exp": NOW + 300, "iat": NOW - 7200}, "the identity lives for more than 3600 s"),
        ({"sub": ""}, "sub must be a text of 1 to 200 characters"),
        ({"sub": "x" * 201}, "sub must be a text of 1 to 200 characters"),
        ({"sub": "a\nb"}, "sub must be a text of 1 to 200 characters"),
        ({"name": "x" * 201}, "name must be a text of at most 200 characters"),
        ({"name": {"$ne": None}}, "name must be a text of at most 200 characters"),
        *(({claim: None}, f"the identity lacks {claim}") for claim in ("sub", "aud", "iat", "exp", "jti")),
    ],
)
async def test_a_wrong_claim_starts_nothing(
    house: House, http: aiohttp.ClientSession, store: Store, other: dict[str, Any], why: str
) -> None:
    status, problem = await session(house, http, identity=signed(**other))
    assert (status, problem["detail"]) == (401, why)
    assert not await store.client.keys("once:*")


async def test_the_algorithm_is_never_the_tokens_choice(house: House, http: aiohttp.ClientSession) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    forged = [
        by_hand({"alg": "none", "typ": "JWT"}),
        by_hand({"alg": "None", "typ": "JWT"}, b"x"),
        by_hand({"alg": "HS256", "typ": "JWT"}),
        by_hand({"alg": "HS256", "typ": "JWT"}, b"x" * 32),
        jwt.encode(claims(), pem, algorithm="RS256"),
        jwt.encode(claims(), SECRET, algorithm="HS512"),
        signed("another shop's secret, which is long enough too"),
        signed()[:-3] + "AAA",
    ]
    for identity in forged:
        assert (await session(house, http, identity=identity))[0] == 401, identity


@pytest.mark.parametrize("identity", ["", "x", "a.b.c", "." * 50, "é.é.é", "A" * 9000, "\ud800"])
async def test_what_is_no_jwt_is_401(house: House, http: aiohttp.ClientSession, identity: str) -> None:
    assert (await session(house, http, identity=identity))[0] in (400, 401)


async def test_an_identity_is_good_once(house: House, http: aiohttp.ClientSession) -> None:
    identity = signed()
    assert (await session(house, http, identity=identity))[0] == 200
    status, problem = await session(house, http, identity=identity)
    assert (status, problem["detail"]) == (401, "the identity was used before")


async def test_a_site_without_a_secret_takes_no_identity(house: House, http: aiohttp.ClientSession) -> None:
    status, problem = await session(house, http, site="open", identity=signed(aud="open"))
    assert (status, problem["detail"]) == (401, "this site takes no signed identities")


async def test_an_enforcing_site_talks_to_verified_visitors_only(
    settings: Settings, files: Files, house: House, http: aiohttp.ClientSession
) -> None:
    assert (await session(house, http, site="staff"))[0] == 401
    assert (await session(house, http, site="staff", handle="x"))[0] == 401
    known = await Visitor(http, house.url).arrive(site="staff", identity=signed(aud="staff"))
    await known.say("oi")
    # A token from before the site began to enforce.
    lax = {**SITES, "staff": SITES["staff"].model_copy(update={"enforce": False})}
    before = House(settings.model_copy(update={"sites": lax}), files)
    await before.start()
    try:
        stranger = await Visitor(http, before.url).arrive(site="staff")
    finally:
        await before.stop()
    stranger.url = house.url
    assert (await stranger.post({"text": "oi"}))[0] == 401


async def test_five_wrong_identities_shut_the_door_for_fifteen_minutes(
    clock: Clock, settings: Settings, files: Files, http: aiohttp.ClientSession
) -> None:
    house = House(settings.model_copy(update={"server": Server()}), files)
    await house.start()
    try:
        wrong = [(await session(house, http, identity="x"))[0] for _ in range(7)]
        assert wrong == [401] * 5 + [429] * 2
        assert (await session(house, http, identity=signed()))[0] == 429
        clock.forward(890)
        assert (await session(house, http, identity=signed()))[0] == 429
        clock.forward(15)
        assert (await session(house, http, identity=signed()))[0] == 200
    finally:
        await house.stop()


async def test_what_the_site_says_of_a_person_is_kept_for_the_desk(
    house: House, http: aiohttp.ClientSession, store: Store
) -> None:
    visitor = await person(house, http, identity=signed(name="Ana", email="ana@example.com"))
    await visitor.say("oi")
    customer = await store.find_customer(Identity("webchat:demo", "u:77"))
    assert customer
    about = json.loads((await store.state(customer, "about"))["about"])
    assert about == {"name": "Ana", "email": "ana@example.com", "verified": "site"}


async def _count(visitor: Visitor, number: int) -> bool:
    return len(await visitor.texts()) == number


@pytest.fixture
async def house(settings: Settings, files: Files) -> AsyncIterator[House]:
    house = House(settings, files)
    await house.start()
    yield house
    await house.stop()
