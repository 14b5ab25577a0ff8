"""The signed webhook: what it believes, what it makes of it, what it sends."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from fakes.webhook_receiver import SECRET, Behaviour, WebhookReceiver, sign, signed_headers
from pydantic import SecretStr, ValidationError

from connectors.content import Choice, Text
from connectors.contract import (
    Accepted,
    Author,
    Identity,
    Inbound,
    Milliseconds,
    NotAuthentic,
    NotSupported,
    NotUnderstood,
    Outbound,
    RefusedForGood,
    StatusReport,
)
from connectors.webhook import Settings, Webhook, parsed, signature, signing_keys
from router.web import application

NEW = "whsec_" + "b" * 44
NOW = Milliseconds(1_790_000_000_000)
# The example of the specification's own libraries.
EXAMPLE_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EXAMPLE = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
EXAMPLE_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


class NoRefusal(Exception): ...


class Door:
    def __init__(self) -> None:
        self.accepted: list[Inbound] = []

    async def accept(self, inbound: Inbound) -> Accepted:
        self.accepted.append(inbound)
        return Accepted("m1", 7, "0.0", repeated=len(self.accepted) > 1)

    async def report(self, report: StatusReport) -> None: ...

    async def ready(self) -> bool:
        return True


def configured(url: str = "https://shop.example/segue", **more: Any) -> Settings:
    return Settings.model_validate({"secret": SECRET, "url": url, "timeout_seconds": 0.3, **more})


def made(url: str = "https://shop.example/segue", **more: Any) -> Webhook:
    return Webhook("main", configured(url, **more), Door())


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    receiver = WebhookReceiver()
    await receiver.start()
    yield receiver
    await receiver.stop()


def outbound(text: str = "Olá 👋🏽", key: str = "0190b0c0-0000-7000-8000-000000000001") -> Outbound:
    return Outbound(key, Identity("webhook:main", "ana"), (Text(text),), Author("agent", "Bia"), 1)


# ── signatures ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_specification_and_we_sign_alike() -> None:
    (key,) = signing_keys(SecretStr(EXAMPLE_SECRET))
    assert EXAMPLE_SIGNATURE == signature(key, *EXAMPLE)
    assert EXAMPLE_SIGNATURE == sign(EXAMPLE_SECRET, *EXAMPLE)


def verified(webhook: Webhook, headers: dict[str, str], body: bytes = b"{}") -> bool:
    try:
        webhook.verify(headers, body)
    except NotAuthentic:
        return False
    return True


def test_either_secret_opens_while_one_replaces_the_other() -> None:
    both = made(secret=f"{NEW} {SECRET}")
    assert verified(both, signed_headers(SECRET, "1", b"{}"))
    assert verified(both, signed_headers(NEW, "1", b"{}"))
    assert not verified(made(secret=NEW), signed_headers(SECRET, "1", b"{}"))


def test_one_good_signature_among_others_is_enough() -> None:
    headers = signed_headers(SECRET, "1", b"{}")
    headers["webhook-signature"] = f"v1a,AAAA v1,AAAA {headers['webhook-signature']} v2,BBBB"
    assert verified(made(), headers)


def test_so_many_signatures_that_one_may_be_guessed_are_not_looked_at() -> None:
    headers = signed_headers(SECRET, "1", b"{}")
    headers["webhook-signature"] = "v1,AAAA " * 10 + headers["webhook-signature"]
    assert not verified(made(), headers)


@pytest.mark.parametrize(("seconds", "holds"), [(-299, True), (-302, False), (299, True), (302, False)])
def test_a_time_stamp_counts_for_five_minutes_both_ways(seconds: int, holds: bool) -> None:
    webhook = Webhook("main", configured(), Door(), clock=lambda: 1_790_000_000.0)
    assert holds == verified(webhook, signed_headers(SECRET, "1", b"{}", at=1_790_000_000 + seconds))


@pytest.mark.parametrize("stamp", ["", "now", "-1", "1e9", "٣", "9" * 40, "NaN"])
def test_a_time_stamp_that_is_none_is_refused_even_when_signed(stamp: str) -> None:
    headers = {"webhook-id": "1", "webhook-timestamp": stamp, "webhook-signature": sign(SECRET, "1", stamp, b"{}")}
    assert not verified(made(), headers)


def test_what_we_sent_is_nothing_to_us_when_it_is_sent_back() -> None:
    body = json.dumps({"type": "message", "id": "1", "to": {"id": "ana"}, "author": {"kind": "bot"}, "parts": []})
    with pytest.raises(NotUnderstood):
        parsed(body.encode(), "webhook:main", NOW)


# ── parsing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def message(**more: Any) -> Inbound:
    body = {"type": "message", "id": "in-1", "from": {"id": "ana"}, "text": "oi", **more}
    inbound = parsed(json.dumps(body).encode(), "webhook:main", NOW)
    assert isinstance(inbound, Inbound)
    return inbound


def test_a_message_is_translated_with_everything_that_came_with_it() -> None:
    origin = {"page": "https://l.example/p/1?cpf=1#x", "utm_source": "mail", "email": "a@b.example"}
    assert Inbound(
        identity=Identity("webhook:main", "ana"),
        content=Text("oi"),
        dedupe="in-1",
        at=Milliseconds(NOW - 5),
        locale="pt-BR",
        origin={"page": "https://l.example/p/1", "utm_source": "mail"},
    ) == message(at=NOW - 5, locale="pt-BR", origin=origin, unknown={"to": "us"})


def test_a_button_is_a_choice_with_or_without_its_title() -> None:
    assert Choice("Sim", "b1") == message(text="Sim", button="b1").content
    assert Choice("", "b1") == message(text=None, button="b1").content


def test_a_message_without_a_time_or_from_the_future_is_of_now() -> None:
    assert NOW == message().at
    assert NOW == message(at=NOW + 60_000).at


def test_a_report_is_translated_and_its_reason_kept_short() -> None:
    told = {"type": "status", "message": "x", "to": {"id": "ana"}, "status": "failed", "reason": "a\n" * 300}
    report = parsed(json.dumps(told).encode(), "webhook:main", NOW)
    assert StatusReport(Identity("webhook:main", "ana"), "x", "failed", ("a " * 100)) == report


def test_an_event_of_another_type_is_not_supported() -> None:
    with pytest.raises(NotSupported):
        parsed(b'{"type": "typing"}', "webhook:main", NOW)


def test_a_refusal_names_the_field_and_quotes_nobody() -> None:
    with pytest.raises(NotUnderstood) as raised:
        parsed(b'{"type": "message", "id": "1", "from": {"id": 5}, "text": "meu segredo"}', "webhook:main", NOW)
    assert "$.from.id" in str(raised.value)
    assert "segredo" not in str(raised.value)


# ── the door ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def posted(webhook: Webhook, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
    server = TestServer(application(webhook.routes(), NoRefusal))
    async with TestClient(server) as http, http.post(path, data=body, headers=headers) as response:
        return response.status, await response.json(content_type=None)


async def test_an_accepted_message_is_answered_with_its_id_and_seq() -> None:
    body = b'{"type": "message", "id": "1", "from": {"id": "ana"}, "text": "oi"}'
    webhook = made()
    got = [await posted(webhook, "/channels/webhook/main", body, signed_headers(SECRET, "1", body)) for _ in "12"]
    assert [(200, {"id": "m1", "seq": 7, "repeated": False}), (200, {"id": "m1", "seq": 7, "repeated": True})] == got


@pytest.mark.parametrize(
    ("person", "status", "known"),
    [("5511 8765-4321", 200, "+5511987654321"), ("+5511987654321", 200, "+5511987654321"), ("ana", 400, None)],
)
async def test_where_people_are_numbers_the_ninth_digit_makes_no_other_person(
    person: str, status: int, known: str | None
) -> None:
    door = Door()
    webhook = Webhook("main", configured(people="phone"), door)  # type: ignore[arg-type]
    body = json.dumps({"type": "message", "id": "1", "from": {"id": person}, "text": "oi"}).encode()
    assert status == (await posted(webhook, "/channels/webhook/main", body, signed_headers(SECRET, "1", body)))[0]
    assert [known] * bool(known) == [one.identity.id for one in door.accepted]


async def test_an_account_that_is_not_configured_is_not_there() -> None:
    body = b'{"type": "typing"}'
    status, _ = await posted(made(), "/channels/webhook/other", body, signed_headers(SECRET, "1", body))
    assert 404 == status


async def test_a_packed_body_is_refused_unread() -> None:
    body = gzip.compress(b"{}")
    headers = signed_headers(SECRET, "1", body) | {"Content-Encoding": "gzip"}
    status, _ = await posted(made(), "/channels/webhook/main", body, headers)
    assert 415 == status


# ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_message_arrives_signed_under_our_id(receiver: WebhookReceiver) -> None:
    async with made(receiver.url) as webhook:
        receipt = await webhook.send(outbound())
    assert 0 == receiver.forged
    (key, sent), *_ = receiver.executed.items()
    assert f"their-{key}" == receipt.vendor_id
    assert {
        "type": "message",
        "id": key,
        "to": {"id": "ana"},
        "author": {"kind": "agent", "name": "Bia"},
        "parts": [{"type": "text", "text": "Olá 👋🏽"}],
    } == sent


async def test_while_secrets_change_we_sign_with_both(receiver: WebhookReceiver) -> None:
    async with made(receiver.url, secret=f"{NEW} {SECRET}") as webhook:
        await webhook.send(outbound())
    assert 0 == receiver.forged


@pytest.mark.parametrize(
    ("body", "vendor_id"),
    [(b"", None), (b"ok", None), (b"[]", None), (b'{"id": null}', None), (b'{"id": 12}', "12"), (b'{"id": "x"}', "x")],
)
async def test_a_receiver_may_name_the_message_or_leave_it_to_us(
    receiver: WebhookReceiver, body: bytes, vendor_id: str | None
) -> None:
    receiver.behaviour = Behaviour(202, {}, body)
    async with made(receiver.url) as webhook:
        receipt = await webhook.send(outbound(key="ours"))
    assert (vendor_id or "ours") == receipt.vendor_id


async def test_an_answer_without_end_is_left_and_the_message_counts_as_taken(receiver: WebhookReceiver) -> None:
    receiver.behaviour = Behaviour(fault="endless")
    async with made(receiver.url) as webhook, asyncio.timeout(5):
        assert "ours" == (await webhook.send(outbound(key="ours"))).vendor_id


@pytest.mark.parametrize(("idempotent", "connections"), [(True, 1), (False, 3)])
async def test_what_must_not_be_repeated_never_meets_a_connection_that_may_be_closing(
    receiver: WebhookReceiver, idempotent: bool, connections: int
) -> None:
    async with made(receiver.url, idempotent=idempotent) as webhook:
        for number in range(3):
            await webhook.send(outbound(key=f"m{number}"))
    assert connections == len(receiver.connections)


async def test_half_a_character_is_refused_for_good(receiver: WebhookReceiver) -> None:
    async with made(receiver.url) as webhook:
        with pytest.raises(RefusedForGood):
            await webhook.send(outbound("\ud83d"))
    assert {} == receiver.executed


async def test_the_fake_receiver_reports_as_the_channel_expects(receiver: WebhookReceiver) -> None:
    webhook = made()
    async with TestServer(application(webhook.routes(), NoRefusal)) as server, aiohttp.ClientSession() as http:
        url = str(server.make_url("/channels/webhook/main"))
        assert 200 == await receiver.report(http, url, message="m1", person="ana", status="read")
        assert 400 == await receiver.report(http, url, message="m1", person="ana", status="eaten")


# ── settings ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "values",
    [
        {"secret": "hunter2hunter2hunter2hunter2hunter2"},
        {"secret": "whsec_c2hvcnQ="},
        {"secret": "whsec_not base64 at all, is it"},
        {"secret": ""},
        {"url": "ftp://shop.example"},
        {"url": "https://user:pass@shop.example/"},
        {"url": "http://shop.example/segue"},
        {"url": "http://[::1"},
        {"timeout_seconds": 60},
        {"burst": 0},
        {"shows": ["smell"]},
        {"sceret": "x"},
    ],
)
def test_settings_that_cannot_work_are_refused_and_never_quoted(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        Settings.model_validate({"secret": SECRET, "url": "https://shop.example/segue"} | values)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("url", ["http://localhost:9000/x", "http://crm:8080", "http://10.0.0.5/", "http://[::1]/"])
def test_http_is_for_receivers_nearby(url: str) -> None:
    assert url == configured(url).url


def test_text_is_always_shown() -> None:
    assert {"text", "image"} == made(shows=["image"]).capabilities.shows


def test_limits_come_from_the_settings() -> None:
    assert (5, 10) == (made(per_second=5, burst=10).account_limit.per_second, made(burst=10).account_limit.burst)
    assert 0 == made().person_limit.per_second
