"""The widget's door to other channels: what is offered, asked, refused and handed on; the router's part is played."""

from __future__ import annotations

import functools
import uuid
from typing import Any
from xml.etree import ElementTree as ET

import aiohttp
import pytest
from fakes.links import TOKEN, StandInLinks
from pydantic import SecretStr

from connectors.content import Command
from connectors.contract import Accepted, Inbound
from router.ingest import Ingest
from segue.settings import Server, Settings, Site
from segue.widget import widget

from .conftest import Clock, House, Visitor


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> StandInLinks:
    links = StandInLinks()
    monkeypatch.setattr("segue.serve.widget", functools.partial(_with, links))
    return links


def _with(played: StandInLinks | None, /, *given: Any, **more: Any) -> Any:
    return widget(*given, **{**more, "links": played})


@pytest.fixture
def accepted(monkeypatch: pytest.MonkeyPatch) -> list[Inbound]:
    """What went through the router's door, which stays as it is."""
    seen: list[Inbound] = []
    real = Ingest.accept

    async def watched(self: Ingest, inbound: Inbound) -> Accepted:
        seen.append(inbound)
        return await real(self, inbound)

    monkeypatch.setattr(Ingest, "accept", watched)
    return seen


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    if "clock" in request.fixturenames and "limits" in request.node.name:
        return settings.model_copy(update={"server": Server()})
    return settings


async def ask(
    visitor: Visitor, path: str, body: Any = None, key: str = "", method: str = "POST"
) -> tuple[int, dict[str, Any]]:
    headers = {**visitor.headers, "Idempotency-Key": key or str(uuid.uuid4())}
    url = f"{visitor.url}/v1/widget/{path}"
    async with visitor.http.request(method, url, json=body, headers=headers) as response:
        return response.status, await response.json() if response.status != 204 else {}


# ── there ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_session_says_where_a_conversation_can_go_on(links: StandInLinks, visitor: Visitor) -> None:
    assert visitor.session["config"]["links"] == [
        {"channel": "telegram", "account": "telegram:main"},
        {"channel": "telegram", "account": "telegram:second"},
        {"channel": "slack", "account": "slack:main"},
    ]


@pytest.mark.parametrize(
    ("asked", "account"),
    [("telegram", "telegram:main"), ("telegram:second", "telegram:second"), ("slack", "slack:main")],
)
async def test_a_channel_is_named_by_itself_or_by_its_account(
    links: StandInLinks, visitor: Visitor, asked: str, account: str
) -> None:
    status, answer = await ask(visitor, "links", {"channel": asked})
    assert (status, answer["account"]) == (200, account)
    assert [(str(identity).partition("/")[0], to) for identity, _, to in links.asked] == [("webchat:demo", account)]


async def test_an_invitation_has_link_picture_code_and_end(links: StandInLinks, visitor: Visitor) -> None:
    _, answer = await ask(visitor, "links", {"channel": "telegram"})
    assert answer["url"] == f"https://t.me/segue_bot?start={TOKEN}"
    assert (answer["code"], answer["expires_at"]) == ("ABCD-2345", 1_790_000_600_000)
    picture = ET.fromstring(answer["qr_svg"])
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    assert picture.get("viewBox")
    assert {node.tag.rpartition("}")[2] for node in picture.iter()} == {"svg", "path"}


async def test_where_a_code_is_typed_the_picture_still_differs_by_code_and_language(
    links: StandInLinks, house: House, http: aiohttp.ClientSession
) -> None:
    found = []
    for locale in ("pt-BR", "en"):
        visitor = await Visitor(http, house.url).arrive(locale=locale)
        _, answer = await ask(visitor, "links", {"channel": "slack"})
        assert answer["url"] == ""
        found.append(answer["qr_svg"])
    assert found[0] != found[1]


async def test_a_code_is_kept_by_nobody_on_the_way(links: StandInLinks, visitor: Visitor) -> None:
    headers = visitor.headers
    url = f"{visitor.url}/v1/widget/links"
    async with visitor.http.post(url, json={"channel": "slack"}, headers=headers) as response:
        assert response.headers["Cache-Control"] == "no-store"
    assert TOKEN not in repr(await links.invite(*links.asked[0]))


@pytest.mark.parametrize("body", [{"channel": "pigeon"}, {"channel": "telegram:nobody"}, {}, {"channel": 1}, [], None])
async def test_a_channel_that_is_not_offered_is_not_understood(
    links: StandInLinks, visitor: Visitor, body: Any
) -> None:
    assert (await ask(visitor, "links", body))[0] == 400
    assert links.asked == []


# ── and back ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("body", "link"),
    [
        ({"token": TOKEN}, TOKEN),
        ({"code": "ABCD-2345"}, "ABCD-2345"),
        ({"code": " abcd 2345. "}, "ABCD-2345"),
        ({"code": "abcd\N{EN DASH}2345"}, "ABCD-2345"),
    ],
)
async def test_a_link_code_enters_as_a_message_and_beside_its_words(
    links: StandInLinks, visitor: Visitor, accepted: list[Inbound], body: dict[str, str], link: str
) -> None:
    status, answer = await ask(visitor, "links/redeem", body)
    assert (status, set(answer)) == (201, {"id", "seq", "cursor"})
    [inbound] = accepted
    assert inbound.link == link
    assert inbound.content == Command(text="Continuar aqui", name="start")
    assert link not in str(await visitor.history())
    assert (await visitor.history())["messages"][0]["text"] == "Continuar aqui"


async def test_redeeming_twice_with_one_key_is_one_message(links: StandInLinks, visitor: Visitor) -> None:
    key = str(uuid.uuid4())
    first = await ask(visitor, "links/redeem", {"token": TOKEN}, key)
    again = await ask(visitor, "links/redeem", {"token": TOKEN}, key)
    assert (first[0], again[0]) == (201, 200)
    assert first[1] == again[1]


async def test_it_is_said_in_the_visitors_language(
    links: StandInLinks, house: House, http: aiohttp.ClientSession, accepted: list[Inbound]
) -> None:
    await ask(await Visitor(http, house.url).arrive(locale="en"), "links/redeem", {"token": TOKEN})
    assert accepted[0].content == Command(text="Continue here", name="start")


@pytest.mark.parametrize("body", [{}, {"token": TOKEN, "code": "ABCD-2345"}, {"token": None}, {"words": "x"}, []])
async def test_a_body_that_is_neither_token_nor_code_is_not_understood(
    links: StandInLinks, visitor: Visitor, accepted: list[Inbound], body: Any
) -> None:
    assert (await ask(visitor, "links/redeem", body))[0] == 400
    assert accepted == []


@pytest.mark.parametrize(
    "body",
    [{"token": "short"}, {"token": TOKEN + "x"}, {"code": "ABCD-234"}, {"code": "ABCD-0O1I"}, {"code": ""}],
)
async def test_what_can_be_no_code_is_refused_with_a_sentence_and_said_to_nobody(
    links: StandInLinks, visitor: Visitor, accepted: list[Inbound], body: dict[str, str]
) -> None:
    status, problem = await ask(visitor, "links/redeem", body)
    assert status == 422
    assert problem["detail"].startswith("Este código não está completo.")
    assert accepted == []


async def test_redeeming_needs_a_key_and_a_token(links: StandInLinks, visitor: Visitor) -> None:
    assert (await ask(visitor, "links/redeem", {"token": TOKEN}, key="mine"))[0] == 400
    visitor.token = "nobody's"
    assert (await ask(visitor, "links/redeem", {"token": TOKEN}))[0] == 401


async def test_an_address_with_a_code_in_it_does_nothing(
    links: StandInLinks, visitor: Visitor, accepted: list[Inbound]
) -> None:
    assert (await ask(visitor, f"links/redeem?token={TOKEN}", method="GET"))[0] == 405
    async with visitor.http.get(f"{visitor.url}/#segue={TOKEN}") as page:
        assert page.status == 200
    assert accepted == []


# ── who one is, and where replies go ────────────────────────────────────────────────────────────────────────────────


async def test_identities_are_listed_with_the_one_that_asks(links: StandInLinks, visitor: Visitor) -> None:
    status, answer = await ask(visitor, "identities", method="GET")
    assert status == 200
    assert answer["identities"] == [
        {"id": "w", "channel": "webchat", "account": "webchat:demo", "here": True, "chosen": False, "since": 1},
        {"id": "t", "channel": "telegram", "account": "telegram:main", "here": False, "chosen": True, "since": 2},
    ]


async def test_one_is_disconnected_once(links: StandInLinks, visitor: Visitor) -> None:
    assert (await ask(visitor, "identities/unlink", {"id": "t"}))[0] == 204
    status, problem = await ask(visitor, "identities/unlink", {"id": "t"})
    assert (status, problem["detail"]) == (404, "Este canal já não está conectado.")
    assert [one["id"] for one in (await ask(visitor, "identities", method="GET"))[1]["identities"]] == ["w"]


async def test_replies_go_where_they_are_wanted(links: StandInLinks, visitor: Visitor) -> None:
    assert (await ask(visitor, "identities/choose", {"id": "w"}))[0] == 204
    assert [one.chosen for one in links.known] == [True, False]
    assert (await ask(visitor, "identities/choose", {"id": ""}))[0] == 204
    assert [one.chosen for one in links.known] == [False, False]
    assert (await ask(visitor, "identities/choose", {"id": "somebody's"}))[0] == 400


# ── how often ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_limits_ten_codes_an_hour(links: StandInLinks, clock: Clock, visitor: Visitor) -> None:
    assert [(await ask(visitor, "links", {"channel": "slack"}))[0] for _ in range(10)] == [200] * 10
    status, problem = await ask(visitor, "links", {"channel": "slack"})
    assert (status, problem["detail"]) == (429, "Você já pediu muitos códigos. Tente de novo em alguns minutos.")
    clock.forward(360)
    assert (await ask(visitor, "links", {"channel": "slack"}))[0] == 200


async def test_limits_five_tries_of_a_code_in_ten_minutes(links: StandInLinks, clock: Clock, visitor: Visitor) -> None:
    # What can be no code at all counts as well.
    bodies = [{"code": "ABCD-2345"}, {"code": "no"}, {"token": TOKEN}, {"code": "ABCD-2346"}, {"code": "ABCD-2347"}]
    assert [(await ask(visitor, "links/redeem", body))[0] for body in bodies] == [201, 422, 201, 201, 201]
    status, problem = await ask(visitor, "links/redeem", {"code": "ABCD-2348"})
    assert status == 429
    assert problem["detail"].startswith("Muitos códigos foram tentados.")
    clock.forward(120)
    assert (await ask(visitor, "links/redeem", {"code": "ABCD-2348"}))[0] == 201


async def test_limits_ten_changes_a_minute(links: StandInLinks, clock: Clock, visitor: Visitor) -> None:
    found = [(await ask(visitor, "identities/choose", {"id": ""}))[0] for _ in range(11)]
    assert found == [204] * 10 + [429]


# ── where nothing can be continued ──────────────────────────────────────────────────────────────────────────────────


async def test_without_other_channels_nothing_is_offered_and_every_route_is_404(
    house: House, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.stop()
    monkeypatch.setattr("segue.serve.widget", functools.partial(_with, None))
    await house.start()
    visitor = await Visitor(visitor.http, house.url).arrive()
    assert visitor.session["config"]["links"] == []
    routes = {
        "links": {"channel": "telegram"},
        "links/redeem": {"token": TOKEN},
        "identities/unlink": {"id": "t"},
        "identities/choose": {"id": ""},
    }
    for path, body in routes.items():
        assert (await ask(visitor, path, body))[0] == 404, path
    assert (await ask(visitor, "identities", method="GET"))[0] == 404


async def test_a_site_that_wants_verified_visitors_lets_nobody_else_link(
    settings: Settings, files: Any, links: StandInLinks, http: aiohttp.ClientSession
) -> None:
    open_site = Site(origins=("https://shop.example",), identity_secrets=(SecretStr("s" * 64),))
    house = House(settings.model_copy(update={"sites": {"shop": open_site}}), files)
    await house.start()
    visitor = await Visitor(http, house.url).arrive(site="shop")
    assert (await ask(visitor, "links", {"channel": "slack"}))[0] == 200
    await house.stop()
    closed = open_site.model_copy(update={"enforce": True})
    house = House(settings.model_copy(update={"sites": {"shop": closed}}), files)
    await house.start()
    try:
        visitor.url = house.url
        assert (await ask(visitor, "links", {"channel": "slack"}))[0] == 401
        assert (await ask(visitor, "links/redeem", {"token": TOKEN}))[0] == 401
    finally:
        await house.stop()


async def test_the_newest_page_says_where_the_stream_goes_on_and_others_do_not(visitor: Visitor) -> None:
    assert (await visitor.history())["cursor"] == "0.0"
    answer = await visitor.say("oi")
    async with visitor.stream(answer["cursor"]) as stream:
        await stream.next("message.created")
    page = await visitor.history()
    assert page["cursor"] == page["messages"][-1]["cursor"]
    assert "cursor" not in await visitor.history(after=answer["cursor"])
    assert "cursor" not in await visitor.history(before=answer["cursor"])
