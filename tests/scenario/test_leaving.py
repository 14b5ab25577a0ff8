"""Who leaves takes the codes along: what is still on a screen somewhere opens nothing any more."""

from __future__ import annotations

import pytest
from fakes.waiting import until
from fakes.webhook_receiver import WebhookReceiver

from connectors.contract import Identity
from router.store import Store
from segue.settings import Settings

from .conftest import Visitor
from .moving import App, invited, sees, with_app

NO_GOOD = "Este código não vale mais"


@pytest.fixture
def settings(settings: Settings, receiver: WebhookReceiver) -> Settings:
    return with_app(settings, receiver)


async def post(visitor: Visitor, path: str, body: dict[str, str] | None = None) -> int:
    url = f"{visitor.url}/v1/widget/{path}"
    async with visitor.http.post(url, json=body, headers=visitor.headers) as response:
        return response.status


async def test_a_code_that_is_still_on_the_screen_is_dead_once_its_maker_has_signed_out(
    visitor: Visitor, app: App, store: Store
) -> None:
    await visitor.say("é segredo")
    code = (await invited(visitor))["code"]
    assert await post(visitor, "signout") == 204
    await app.says(code)
    await app.sees(NO_GOOD)
    assert not [text for text in app.shown if "segredo" in text]
    mine = await store.find_customer(Identity("webhook:main", app.person))
    assert mine
    assert len(await store.links.identities(mine)) == 1


async def test_without_signing_out_the_same_code_is_good(visitor: Visitor, app: App) -> None:
    """The control of the test above."""
    await visitor.say("oi")
    code = (await invited(visitor))["code"]
    await app.says(code)
    await app.sees("Continuamos por aqui")


async def test_a_code_is_dead_once_a_channel_was_disconnected(visitor: Visitor, app: App) -> None:
    await visitor.say("oi")
    await app.says((await invited(visitor))["code"])
    await sees(visitor, "Sua conversa foi aberta")
    still_shown = (await invited(visitor))["code"]
    headers = visitor.headers
    async with visitor.http.get(f"{visitor.url}/v1/widget/identities", headers=headers) as response:
        [other] = [one for one in (await response.json())["identities"] if not one["here"]]
    assert other["channel"] == "webhook"
    assert await post(visitor, "identities/unlink", {"id": other["id"]}) == 204
    before = len(app.shown)
    await app.says(still_shown)
    await until(lambda: any(NO_GOOD in text for text in app.shown[before:]))
