"""Requests made up from the API's description, right and wrong: no route answers 5xx, or what it does not describe."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from scenario.conftest import House, Visitor
from scenario.moving import OPERATOR
from schemathesis import GenerationMode, openapi

from router.openapi import description

EXAMPLES = 12
"""Of each operation and mode; see that all of it stays under forty seconds."""

HURRY = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
)
OPERATIONS = sorted((path, method.upper()) for path, methods in description()["paths"].items() for method in methods)
SCHEMA = openapi.from_dict(description())
ASKED = [
    (path, method, mode)
    for path, method in OPERATIONS
    for mode in GenerationMode
    # What takes nothing cannot be asked wrongly.
    if mode == GenerationMode.POSITIVE
    or {"parameters", "requestBody"} & description()["paths"][path][method.lower()].keys()
]

# The router runs in another thread meanwhile, and may draw there.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")


def examined(path: str, method: str, mode: GenerationMode, url: str, token: str) -> list[tuple[int, str]]:
    """Status and body of everything that was asked."""
    found: list[tuple[int, str]] = []
    operation = SCHEMA[path][method]

    @HURRY
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        if path == "/v1/widget/stream":
            # A stream has no end: a poll of no time stands for it, unless the wait is what is wrong.
            wait = str((case.query or {}).get("wait", "0"))
            case.query = {**(case.query or {}), "wait": "0" if wait.isdigit() else wait}
        response = case.call(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=10)
        found.append((response.status_code, response.text))

    ask()
    return found


@pytest.mark.parametrize(("path", "method", "mode"), ASKED)
async def test_a_route_answers_only_what_it_describes(
    house: House, visitor: Visitor, path: str, method: str, mode: GenerationMode
) -> None:
    token = OPERATOR if path.startswith("/v1/customers") else visitor.token
    found = await asyncio.to_thread(examined, path, method, mode, house.url, token)
    described = {int(status) for status in description()["paths"][path][method.lower()]["responses"]}
    assert found
    for status, body in found:
        assert status in described, (status, body)
        assert status < 500 or path == "/readyz", body
        if status >= 400:
            problem = json.loads(body)
            assert (problem["status"], bool(problem["detail"])) == (status, True)


any_json: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
KEYS = (
    "site",
    "handle",
    "identity",
    "locale",
    "page",
    "answers",
    "text",
    "button",
    "upload",
    "seq",
    "on",
    "format",
    "channel",
    "token",
    "code",
    "id",
)
bodies = st.one_of(
    st.binary(max_size=200),
    any_json.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(st.sampled_from(KEYS), any_json, max_size=5).map(lambda value: json.dumps(value).encode()),
    st.integers(1, 4000).map(lambda deep: b"[" * deep),
)
POSTS = [path for path, method in OPERATIONS if method == "POST" and "{" not in path and path != "/v1/widget/signout"]


async def test_no_body_whatever_makes_a_route_fail(house: House, visitor: Visitor, http: aiohttp.ClientSession) -> None:
    samples: list[bytes] = []

    @settings(HURRY, max_examples=150)
    @given(bodies)
    def sample(body: bytes) -> None:
        samples.append(body)

    sample()
    statuses = set()
    for body in samples:
        for path in POSTS:
            headers = {
                **visitor.headers,
                "Idempotency-Key": "0" * 32,
                "Content-Type": "multipart/form-data; boundary=x" if path.endswith("uploads") else "application/json",
            }
            async with http.post(house.url + path, data=body, headers=headers) as response:
                statuses.add(response.status)
                assert response.status < 500, (path, body)
    assert 400 in statuses


async def test_a_planted_fault_is_seen(house: House, visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*given: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("router.feed.JournalFeed.read", broken)
    found = await asyncio.to_thread(
        examined, "/v1/widget/read", "POST", GenerationMode.POSITIVE, house.url, visitor.token
    )
    assert 500 in {status for status, _ in found}
