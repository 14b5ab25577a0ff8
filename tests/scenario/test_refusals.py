"""Every refusal has a sentence, a status, and leaves nothing behind."""

from __future__ import annotations

import json
import uuid
from typing import Any

import aiohttp
import pytest
from fakes.bot import FakeBot
from fakes.redis_server import RedisServer

from .conftest import House, Visitor


async def ask(
    visitor: Visitor, method: str, path: str, **more: Any
) -> tuple[int, dict[str, Any], aiohttp.ClientResponse]:
    async with visitor.http.request(method, visitor.url + path, **more) as response:
        raw = await response.text()
        assert response.content_type == "application/problem+json", raw
        return response.status, json.loads(raw), response


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"{", "the body is no JSON"),
        (b"\xff\xfe", "the body is no JSON"),
        (b"[]", "Expected `object`, got `array`"),
        (b'{"text": 5}', "Expected `str | null`, got `int` - at `$.text`"),
        (b"{}", "text or button is needed"),
        (b'{"text": "   "}', "an empty message"),
        (json.dumps({"text": "x" * 4097}).encode(), "a message of more than 4096 characters"),
        (b'{"text": "oi", "customer": "me"}', "Object contains unknown field `customer`"),
    ],
)
async def test_a_message_that_cannot_be_taken_is_refused_with_a_reason(
    visitor: Visitor, body: bytes, detail: str
) -> None:
    headers = {**visitor.headers, "Idempotency-Key": str(uuid.uuid4())}
    status, problem, _ = await ask(visitor, "POST", "/v1/widget/messages", data=body, headers=headers)
    assert (status, problem["detail"]) == (400, detail)
    assert await visitor.texts() == []


async def test_a_body_that_is_too_large_is_refused(visitor: Visitor) -> None:
    headers = {**visitor.headers, "Idempotency-Key": str(uuid.uuid4())}
    status, _, _ = await ask(visitor, "POST", "/v1/widget/messages", data=b"x" * 70_000, headers=headers)
    assert status == 413


async def test_a_message_without_a_key_is_refused(visitor: Visitor) -> None:
    status, problem, _ = await ask(visitor, "POST", "/v1/widget/messages", json={"text": "oi"}, headers=visitor.headers)
    assert (status, problem["detail"]) == (400, "the header Idempotency-Key must be a UUID")


@pytest.mark.parametrize("token", ["", "Bearer", "Bearer x", "Basic abc", "Bearer " + "A" * 200])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "messages"), ("GET", "messages"), ("GET", "stream"), ("POST", "read")]
)
async def test_without_our_token_nothing_is_shown_or_taken(
    visitor: Visitor, token: str, method: str, path: str
) -> None:
    status, _, _ = await ask(visitor, method, f"/v1/widget/{path}", headers={"Authorization": token})
    assert status == 401


async def test_a_handle_is_no_token(visitor: Visitor) -> None:
    headers = {"Authorization": f"Bearer {visitor.session['handle']}"}
    status, _, _ = await ask(visitor, "GET", "/v1/widget/messages", headers=headers)
    assert status == 401


async def test_an_unknown_site_is_refused(visitor: Visitor) -> None:
    status, problem, _ = await ask(visitor, "POST", "/v1/widget/session", json={"site": "nobody"})
    assert (status, problem["detail"]) == (404, "no such site")


@pytest.mark.parametrize(
    "query", ["after=x", "before=ffff.1", "limit=0", "limit=101", "limit=²", "after=1&before=2", "after=-1"]
)
async def test_a_page_that_cannot_be_is_refused(visitor: Visitor, query: str) -> None:
    await visitor.say("oi")
    status, _, _ = await ask(visitor, "GET", f"/v1/widget/messages?{query}", headers=visitor.headers)
    assert status == 400


async def test_without_redis_the_answer_is_503_with_a_time_and_nothing_is_lost(
    house: House, visitor: Visitor, redis_server: RedisServer
) -> None:
    key = str(uuid.uuid4())
    redis_server.kill()
    try:
        headers = {**visitor.headers, "Idempotency-Key": key}
        status, _, response = await ask(visitor, "POST", "/v1/widget/messages", json={"text": "oi"}, headers=headers)
        assert (status, response.headers["Retry-After"]) == (503, "1")
    finally:
        redis_server.start()
    assert (await visitor.post({"text": "oi"}, key))[0] == 201


@pytest.mark.parametrize(
    "path", ["/nothing", "/embed/nobody", "/assets/widget/manifest.json", "/assets/%2e%2e%2fembed.html"]
)
async def test_what_is_not_there_is_a_404_problem(visitor: Visitor, path: str) -> None:
    status, _, _ = await ask(visitor, "GET", path)
    assert status == 404


async def test_a_wrong_method_says_which_are_right(visitor: Visitor) -> None:
    status, _, response = await ask(visitor, "DELETE", "/v1/widget/session")
    assert (status, response.headers["Allow"]) == (405, "POST")


async def test_readiness_names_the_missing_part(house: House, visitor: Visitor, bot: FakeBot) -> None:
    async with visitor.http.get(f"{house.url}/readyz") as response:
        assert (response.status, (await response.json())["parts"]["bot"]) == (200, "ok")
    await bot.stop()
    await house.restart()
    async with visitor.http.get(f"{house.url}/readyz") as response:
        state = await response.json()
    assert (response.status, state["ready"]) == (503, False)
    missing = {"bot": "starting, or its model is being trained"}
    assert state["parts"] == {"redis": "ok", **missing, "actions": "ok", "room": "ok"}
