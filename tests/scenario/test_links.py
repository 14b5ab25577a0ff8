"""The customer carries the conversation: link codes through the HTTP door, each behaviour of the note by its name."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

import aiohttp
import jwt
import pytest
from fakes.bot import FakeBot, says
from fakes.waiting import until
from fakes.webhook_receiver import WebhookReceiver

from connectors.contract import Identity
from router.merging import Merging
from router.store import Busy, Store
from segue.settings import Settings, Site

from .conftest import Clock, House, Visitor
from .moving import ASK, App, ask, in_form, invited, known, redeemed, sees, taps, with_app

SIGNS = "a site's secret of thirty-two letters"


@pytest.fixture
def settings(settings: Settings, receiver: WebhookReceiver) -> Settings:
    site = Site(origins=("http://127.0.0.1:8080",), identity_secrets=(SIGNS,))  # type: ignore[arg-type]
    return with_app(settings.model_copy(update={"sites": {"demo": site}}), receiver, introduce=True)


async def test_mid_form_the_conversation_goes_on_elsewhere_and_only_the_pending_question_is_said_again(
    visitor: Visitor, app: App, bot: FakeBot
) -> None:
    bot.rule = in_form
    await visitor.say("cadê meu pedido")
    await sees(visitor, ASK)
    code = (await invited(visitor))["code"]
    await app.says(f"oi, meu código é {code} 😀")
    await app.sees(ASK)
    greeting, *rest = app.shown
    assert greeting.startswith("Olá. Sou Aurora")
    assert ["Continuamos por aqui.", ASK] == rest
    assert 1 == len(bot.asked)  # the bot was not asked for it
    await app.says("AU-4821")
    await app.sees("achei, depois de: cadê meu pedido, AU-4821")
    assert "Sua conversa foi aberta no aplicativo" in (await sees(visitor, "Sua conversa foi aberta"))["text"]
    assert "achei, depois de: cadê meu pedido, AU-4821" in await visitor.texts()


async def test_the_code_stands_nowhere_in_what_is_kept(visitor: Visitor, app: App, store: Store) -> None:
    await visitor.say("oi")
    invitation = await invited(visitor)
    await app.says(f"código {invitation['code']}")
    await app.sees("Continuamos por aqui")
    plain = invitation["code"].replace("-", "")
    for key in await store.client.keys("*"):
        kind = await store.client.type(key)
        if kind == b"stream":
            held = repr(await store.client.xrange(key))
        elif kind == b"hash":
            held = repr(await store.client.hgetall(key))
        elif kind == b"string":
            held = repr(await store.client.get(key))
        else:
            held = ""
        assert plain not in held + key.decode()
        assert invitation["code"] not in held + key.decode()


async def test_the_way_back_is_a_click_on_the_page(
    visitor: Visitor, app: App, http: aiohttp.ClientSession, bot: FakeBot
) -> None:
    await app.says("oi")
    await app.sees("echo: oi")
    bot.rule = lambda asked: says("Certo.", requests=[{"kind": "continue", "reason": "True"}])
    await app.says("quero continuar no site")
    await app.sees("#segue=")
    offer = next(text for text in app.shown if "#segue=" in text)
    token = offer.partition("#segue=")[2].split()[0]
    bot.rule = in_form
    await redeemed(visitor, token=token)
    await sees(visitor, "Continuamos por aqui")
    await app.sees("Sua conversa foi aberta no site")
    await visitor.say("pedido 4821")
    await sees(visitor, "achei, depois de: pedido 4821")


async def test_three_hops_keep_what_the_bot_knows(
    visitor: Visitor, app: App, bot: FakeBot, http: aiohttp.ClientSession
) -> None:
    bot.rule = in_form
    await visitor.say("um")
    await sees(visitor, ASK)
    await app.says((await invited(visitor))["code"])
    await app.sees(ASK)
    await app.says("dois")
    await until(lambda: 2 == len(bot.asked))
    other = await Visitor(http, visitor.url).arrive(locale="pt-BR")
    await redeemed(other, code=(await invited(visitor, "webhook"))["code"])
    await sees(other, "Continuamos por aqui")
    await other.say("tres")
    await until(lambda: 3 == len(bot.asked))
    await app.says("4821")
    await app.sees("achei, depois de: um, dois, tres, 4821")


@pytest.mark.parametrize("how", ["used", "unknown", "expired", "signed out"])
async def test_a_code_that_is_no_good_gets_the_same_polite_sentence_and_joins_nobody(
    visitor: Visitor,
    app: App,
    store: Store,
    clock: Clock,
    http: aiohttp.ClientSession,
    house: House,
    receiver: WebhookReceiver,
    how: str,
) -> None:
    await visitor.say("oi")
    code = (await invited(visitor))["code"]
    if how == "used":
        other = App(house, receiver, http, person="bia")
        await other.says(code)
        await other.sees("Continuamos")
    elif how == "unknown":
        code = "ABCD-2345"
    elif how == "expired":
        clock.forward(601)
    else:
        async with http.post(f"{visitor.url}/v1/widget/signout", headers=visitor.headers) as response:
            assert response.status == 204
    await app.says(code)
    await app.sees("Este código não vale mais.")
    why = {"used": "used", "unknown": "unknown"}.get(how, "expired")
    events = [str(await store.client.xrange(key)) for key in await store.client.keys("{*}ev")]
    assert any(f"link.{why}" in one for one in events)
    ana = await store.find_customer(Identity("webhook:main", "ana"))
    assert ana
    assert 1 == len(await store.links.identities(ana))


async def test_codes_cannot_be_guessed_for_long(app: App) -> None:
    for i in range(7):
        await app.says(f"ABCD-234{'56789AB'[i]}")
    await app.sees("Foram muitas tentativas")
    assert 5 == sum("não vale mais" in one for one in app.shown)


async def test_the_same_delivery_five_times_and_at_once_links_once(visitor: Visitor, app: App, store: Store) -> None:
    await visitor.say("oi")
    code = (await invited(visitor))["code"]
    await app.says(code, number="same")
    await asyncio.gather(*(app.deliver(*app.sent[-1]) for _ in range(4)))
    await app.sees("Continuamos por aqui")
    await app.says("mais")
    await app.sees("echo: mais")
    assert 1 == sum("Continuamos" in one for one in app.shown)
    ana = await store.find_customer(Identity("webhook:main", "ana"))
    assert ana
    assert 2 == len(await store.links.identities(ana))


async def test_a_leaked_code_is_refused_by_who_made_it_within_ten_minutes(
    visitor: Visitor, app: App, store: Store
) -> None:
    await visitor.say("oi")
    await sees(visitor, "echo: oi")
    await app.says((await invited(visitor))["code"])
    await sees(visitor, "Se não foi você")
    await taps(visitor, "Não fui eu")
    await sees(visitor, "Pronto. A conversa no aplicativo foi separada")
    mine = await store.find_customer(Identity("webhook:main", "ana"))

    async def apart() -> bool:
        theirs = await store.find_customer(Identity("webhook:main", "ana"))
        identities = await store.links.identities(theirs) if theirs else ()
        return identities == (Identity("webhook:main", "ana"),)

    await until(apart)
    await app.says("e agora")
    await app.sees("echo: e agora")
    assert "e agora" not in await visitor.texts(), mine


async def test_a_victim_who_pastes_an_attackers_code_is_asked_first(visitor: Visitor, app: App) -> None:
    """The attacker is the visitor; the victim has a history in the app and is told to send this code."""
    await app.says("meu pedido 99 não chegou")
    await app.sees("echo: meu pedido 99")
    await visitor.say("oi")
    await app.says((await invited(visitor))["code"])
    await app.sees("Encontrei uma conversa no site (127.0.0.1:8080)")
    assert not any("99" in text for text in await visitor.texts())
    await app.taps("Não")
    await app.sees("As conversas continuam separadas.")
    assert not any("99" in text for text in await visitor.texts())


async def test_who_has_a_history_and_agrees_is_joined(visitor: Visitor, app: App, bot: FakeBot) -> None:
    await app.says("antes")
    await app.sees("echo: antes")
    bot.rule = in_form
    await visitor.say("cadê")
    await sees(visitor, ASK)
    await app.says((await invited(visitor))["code"])
    await app.sees("Encontrei uma conversa")
    await app.taps("Sim, fui eu")
    await app.sees(ASK)
    await app.says("4821")
    await app.sees("achei, depois de: cadê, 4821")


async def signed(visitor: Visitor, sub: str) -> Visitor:
    now = int(time.time())
    claims = {"sub": sub, "aud": "demo", "iat": now, "exp": now + 600, "jti": uuid.uuid4().hex}
    return await visitor.arrive(locale="pt-BR", identity=jwt.encode(claims, SIGNS, "HS256"))


async def test_a_maker_who_is_logged_in_confirms_on_their_own_channel(
    house: House, http: aiohttp.ClientSession, app: App
) -> None:
    ana = await signed(Visitor(http, house.url), "ana")
    await ana.say("oi")
    await sees(ana, "echo: oi")
    await app.says((await invited(ana))["code"])
    await app.sees("Falta confirmar no site.")
    await sees(ana, "Alguém quer continuar esta conversa no aplicativo")
    await taps(ana, "Sim, fui eu")
    await app.sees("Continuamos por aqui")


async def test_a_maker_who_says_no_keeps_everything(house: House, http: aiohttp.ClientSession, app: App) -> None:
    ana = await signed(Visitor(http, house.url), "ana")
    await ana.say("oi")
    await app.says((await invited(ana))["code"])
    await sees(ana, "Alguém quer continuar")
    await taps(ana, "Não fui eu")
    await app.sees("Do outro lado não confirmaram.")
    await sees(ana, "As conversas continuam separadas.")


async def test_two_logins_are_never_joined_by_themselves(
    house: House, http: aiohttp.ClientSession, store: Store
) -> None:
    ana = await signed(Visitor(http, house.url), "ana")
    bia = await signed(Visitor(http, house.url), "bia")
    await ana.say("oi")
    await bia.say("oi")
    await redeemed(bia, code=(await invited(ana))["code"])
    await sees(bia, "duas contas diferentes")
    customer = await store.find_customer(Identity("webchat:demo", "u:ana"))
    assert customer
    assert ["two_logins"] == list((await store.links.suspected(customer)).values())
    # Who decides sees it, with the reason.
    told = await known(house, Identity("webchat:demo", "u:bia"))
    assert [{"customer": customer, "reason": "two_logins"}] == told["possible_same_person"]


@pytest.mark.parametrize("claim", ["meu e-mail é ana@example.com", "meu telefone é +55 11 98765-4321", "sou Ana Souza"])
async def test_11_typing_somebodys_mail_phone_or_name_joins_nobody(
    visitor: Visitor, app: App, store: Store, claim: str
) -> None:
    await visitor.say(claim)
    await app.says(f"{claim}, a mesma pessoa do site")
    await app.sees(f"echo: {claim}")
    ana = await store.find_customer(Identity("webhook:main", "ana"))
    assert ana
    assert (Identity("webhook:main", "ana"),) == await store.links.identities(ana)


async def test_a_channel_that_leaves_begins_anew(
    visitor: Visitor, app: App, http: aiohttp.ClientSession, store: Store
) -> None:
    await visitor.say("oi")
    await app.says((await invited(visitor))["code"])
    await app.sees("Continuamos")
    async with http.get(f"{visitor.url}/v1/widget/identities", headers=visitor.headers) as response:
        listed = (await response.json())["identities"]
    assert {("webchat", True), ("webhook", False)} == {(one["channel"], one["here"]) for one in listed}
    there = next(one["id"] for one in listed if not one["here"])
    async with http.post(
        f"{visitor.url}/v1/widget/identities/unlink", json={"id": there}, headers=visitor.headers
    ) as response:
        assert response.status == 204
    await app.sees("foi desconectada desta")
    await app.says("quem é você")
    await app.sees("echo: quem é você")
    assert "quem é você" not in await visitor.texts()


async def test_a_reply_goes_where_the_customer_wrote_last_and_the_other_channel_is_told_once(
    visitor: Visitor, app: App
) -> None:
    await visitor.say("oi")
    await app.says((await invited(visitor))["code"])
    await app.sees("Continuamos")
    await app.says("daqui")
    await app.sees("echo: daqui")
    await visitor.say("de volta")
    await sees(visitor, "echo: de volta")
    await app.sees("A conversa continua no site.")
    before = len(app.shown)
    await visitor.say("mais uma")
    await sees(visitor, "echo: mais uma")
    assert before == len(app.shown)
    assert not any("echo: de volta" in one or "echo: mais uma" in one for one in app.shown)


async def test_replies_go_to_the_channel_that_the_customer_chose(
    visitor: Visitor, app: App, http: aiohttp.ClientSession
) -> None:
    await visitor.say("oi")
    await app.says((await invited(visitor))["code"])
    await app.sees("Continuamos")
    async with http.get(f"{visitor.url}/v1/widget/identities", headers=visitor.headers) as response:
        there = next(one["id"] for one in (await response.json())["identities"] if not one["here"])
    async with http.post(
        f"{visitor.url}/v1/widget/identities/choose", json={"id": there}, headers=visitor.headers
    ) as response:
        assert response.status == 204
    await visitor.say("responda lá")
    await app.sees("echo: responda lá")
    await visitor.say("de novo")
    await app.sees("echo: de novo")
    notices = [text for text in await visitor.texts() if "Respondo no aplicativo" in text]
    assert 1 == len(notices)


async def test_after_three_days_a_nudge_continues_the_open_form(
    visitor: Visitor, bot: FakeBot, clock: Clock, store: Store
) -> None:
    bot.rule = in_form
    await visitor.say("cadê meu pedido")
    await sees(visitor, ASK)
    mine = await store.find_customer(Identity("webchat:demo", (await visitor_id(store))))
    assert mine
    clock.forward(3 * 24 * 3600)

    async def closed() -> bool:
        return (await store.state(mine, "open")).get("open") == "0"

    await until(closed)
    await visitor.say("e aí?")
    await sees(visitor, "Continuamos de onde paramos.")
    assert not bot.asked[-1]["new_session"]
    await visitor.say("4821")
    await sees(visitor, "achei, depois de: cadê meu pedido, e aí?, 4821")


async def visitor_id(store: Store) -> str:
    (key,) = await store.client.keys("identity:webchat:demo/*")
    return str(key.decode().partition("/")[2])


async def test_a_merge_that_meets_another_waits_for_it_and_says_nothing_twice(
    visitor: Visitor, app: App, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real, tried = Merging.begin, []

    async def busy_at_first(self: Merging, merge: str, **more: Any) -> Any:
        tried.append(merge)
        if len(tried) < 3:
            raise Busy(merge)
        return await real(self, merge, **more)

    monkeypatch.setattr(Merging, "begin", busy_at_first)
    await visitor.say("oi")
    await app.says((await invited(visitor))["code"])
    await app.sees("Continuamos por aqui")
    assert (3, 1) == (len(tried), len(set(tried)))
    assert 1 == sum("Continuamos" in one for one in app.shown)
    assert "turn.crashed" not in capsys.readouterr().out


async def taps_oldest(visitor: Visitor, title: str) -> None:
    messages = (await visitor.history())["messages"]
    buttons = [button for one in messages for button in (one["content"] or {}).get("buttons", ())]
    button = next(one for one in buttons if one["title"] == title)
    status, answer = await visitor.post({"button": button["id"], "text": title})
    assert status == 201, answer


async def alone(store: Store, *people: str) -> bool:
    """Whether each of these people of the app has nobody beside them."""
    for person in people:
        identity = Identity("webhook:main", person)
        customer = await store.find_customer(identity)
        if customer is None or await store.links.identities(customer) != (identity,):
            return False
    return True


async def test_a_refusal_that_meets_a_merge_which_waits_for_it_takes_both_back(
    house: House,
    http: aiohttp.ClientSession,
    receiver: WebhookReceiver,
    visitor: Visitor,
    app: App,
    store: Store,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who began the second merge died; the tap is the batch that this merge waits for, and that waits for it."""
    bia = App(house, receiver, http, person="bia")
    await visitor.say("oi")
    await app.says((await invited(visitor))["code"])
    await sees(visitor, "Se não foi você")
    with monkeypatch.context() as patched:
        patched.setattr(Merging, "soon", lambda self, merge: None)
        await bia.says((await invited(visitor))["code"])
        mine = await store.find_customer(Identity("webhook:main", "ana"))
        assert mine

        async def under_way() -> bool:
            return bool(await store.state(mine, "mgo"))

        await until(under_way)
        await taps_oldest(visitor, "Não fui eu")

        async def waits() -> bool:
            return (await store.state(mine, "why")).get("why") == "backoff"

        await until(waits)
    clock.forward(6)
    await bia.sees("foi desconectada desta")
    await sees(visitor, "Pronto. A conversa no aplicativo foi separada")
    await until(lambda: alone(store, "ana", "bia"))
    await app.says("e agora")
    await app.sees("echo: e agora")
    assert "e agora" not in await visitor.texts()


async def test_a_leaked_code_is_refused_also_when_its_finder_has_moved_on_to_somebody_older(
    house: House, http: aiohttp.ClientSession, receiver: WebhookReceiver, app: App, store: Store
) -> None:
    """The finder takes the maker along to an older customer of theirs: the refusal goes back the same way."""
    bia = App(house, receiver, http, person="bia")
    await bia.says("muito antes")
    await bia.sees("echo: muito antes")
    victim = await Visitor(http, house.url).arrive(locale="pt-BR")
    await victim.say("oi")
    await app.says((await invited(victim))["code"])
    await sees(victim, "Se não foi você")
    found = await known(house, Identity("webhook:main", "ana"))
    _, made = await ask(house, "POST", f"/{found['id']}/links", {"channel": "webhook"})
    await bia.says(made["code"])
    await bia.sees("Encontrei uma conversa")
    await bia.taps("Sim, fui eu")
    await bia.sees("Continuamos por aqui")
    older = await known(house, Identity("webhook:main", "bia"))
    assert (3, True) == (len(older["identities"]), older["id"] < found["id"])
    await taps_oldest(victim, "Não fui eu")
    await sees(victim, "Pronto. A conversa no aplicativo foi separada")
    await until(lambda: alone(store, "ana", "bia"))
    await victim.say("só eu")
    await sees(victim, "echo: só eu")
    for finder in (app, bia):
        await finder.says("e agora")
        await finder.sees("echo: e agora")
        assert not any("só eu" in one for one in finder.shown)
    assert "e agora" not in await victim.texts()


async def test_each_channel_says_since_when_it_is_known(
    house: House, http: aiohttp.ClientSession, app: App, store: Store
) -> None:
    """Not since when the customer is, who may have been somebody else before."""
    await app.says("oi")
    await app.sees("echo: oi")
    await asyncio.sleep(0.01)  # ids count in milliseconds
    visitor = await Visitor(http, house.url).arrive(locale="pt-BR")
    await visitor.say("oi")
    apps = await known(house, Identity("webhook:main", "ana"))
    (key,) = await store.client.keys("identity:webchat:demo/*")
    pages = await known(house, Identity.parse(key.decode().removeprefix("identity:")))
    await app.says((await invited(visitor))["code"])
    await app.sees("Encontrei uma conversa")
    await app.taps("Sim, fui eu")
    await app.sees("Continuamos por aqui")
    async with http.get(f"{visitor.url}/v1/widget/identities", headers=visitor.headers) as response:
        listed = (await response.json())["identities"]
    assert {"webhook": apps["since"], "webchat": pages["since"]} == {one["channel"]: one["since"] for one in listed}
    assert apps["since"] < pages["since"]
