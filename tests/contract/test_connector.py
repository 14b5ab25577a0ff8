"""One suite for every channel that delivers: a registered connector is tested by it without being named here.

What a platform looks like stands in tests/cases/<channel>.py. Each `promise` below is run for each channel, and at the
end some connectors that break one are caught by it.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from cases import Case, Request, case_of
from cases.webhook import WebhookCase
from fakes.webhook_receiver import QUOTED, SECRET
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from unit.connectors.samples import SAMPLES, beyond

from connectors import registry
from connectors.contract import (
    Accepted,
    Author,
    Capabilities,
    Choice,
    ConnectorError,
    Content,
    Identity,
    Inbound,
    NotAuthentic,
    Outbound,
    Receipt,
    RefusedForGood,
    StatusReport,
    Text,
    TryAgain,
)
from connectors.fallback import rendered
from connectors.registry import Connector
from connectors.webhook import Settings, Webhook
from router.web import application

CHANNELS = sorted(channel.name for channel in registry.CHANNELS.values() if not channel.live)
TEXTS = (
    "oi",
    "  com espaço dos dois lados\n",
    "👨‍👩‍👧‍👦 👍🏽 🇧🇷",
    "שלום \u202eעולם",
    "e\u0301 é",
    "a\u0000b",
    "/start {} <b>&amp;",
    "ç" * 4000,
)
_numbers = itertools.count()
PEOPLE = ("ana", "5511987654321", "ANA", "josé/ünï %2F:1")


class RecordingDoor:
    """The router's side: every inbound once by its key, every report."""

    def __init__(self) -> None:
        self.accepted: list[Inbound] = []
        self.reports: list[StatusReport] = []
        self.refusal: ConnectorError | None = None

    async def accept(self, inbound: Inbound) -> Accepted:
        if self.refusal:
            raise self.refusal
        repeated = any(one.dedupe == inbound.dedupe for one in self.accepted)
        self.accepted.append(inbound)
        return Accepted(f"m{len(self.accepted)}", len(self.accepted), "0.0", repeated)

    async def report(self, report: StatusReport) -> None:
        if self.refusal:
            raise self.refusal
        self.reports.append(report)

    async def ready(self) -> bool:
        return True


@dataclasses.dataclass
class Rig:
    case: Case
    connector: Connector
    door: RecordingDoor
    http: TestClient[Any, Any]

    async def post(self, request: Request) -> int:
        async with self.http.post(request.path, data=request.body, headers=dict(request.headers)) as response:
            await response.read()
            self.retry_after = response.headers.get("Retry-After")
            return response.status

    async def send(self, *parts: Content, key: str = "out-1", tries: int = 1) -> Receipt:
        to = Identity(self.connector.account, "ana")
        return await self.connector.send(Outbound(key, to, parts or (Text("oi"),), Author("bot", "Aurora"), tries))


Build = Callable[[str, Any, RecordingDoor], Connector]


@contextlib.asynccontextmanager
async def rigged(channel: str, case: Case, build: Build | None = None) -> AsyncIterator[Rig]:
    await case.start()
    try:
        door = RecordingDoor()
        (values,) = registry.checked({channel: {case.account: case.settings()}}).values()
        build = build or registry.CHANNELS[channel].load().connector
        connector = build(case.account, values, door)
        app = application(connector.routes(), _NoRefusal)
        async with connector, TestClient(TestServer(app)) as http:
            yield Rig(case, connector, door, http)
    finally:
        await case.stop()


class _NoRefusal(Exception):
    pass


Promise = Callable[[Rig], Awaitable[None]]
PROMISES: dict[str, Promise] = {}


def promise(check: Promise) -> Promise:
    PROMISES[check.__name__] = check
    return check


# ── what comes in ───────────────────────────────────────────────────────────────────────────────────────────────────


@promise
async def text_and_person_arrive_exactly(rig: Rig) -> None:
    for number, text in enumerate(TEXTS):
        for person in PEOPLE:
            body = rig.case.message(key=f"in-{number}-{person}", person=person, text=text)
            assert 200 == await rig.post(rig.case.signed(body))
            assert Text(text) == rig.door.accepted[-1].content
            assert Identity(rig.connector.account, person) == rig.door.accepted[-1].identity


@promise
async def a_redelivery_has_the_same_key_and_another_message_another(rig: Rig) -> None:
    first = rig.case.message(key="in-1", person="ana", text="oi")
    second = rig.case.message(key="in-2", person="ana", text="oi")
    for body in (first, first, second):
        assert 200 == await rig.post(rig.case.signed(body))
    one, again, other = [inbound.dedupe for inbound in rig.door.accepted]
    assert one == again
    assert one != other


@promise
async def a_tap_names_its_button_and_its_title(rig: Rig) -> None:
    body = rig.case.tap(key="in-1", person="ana", button="aB3_-aB3_-aB3_-a", title="Sim")
    if body is None:
        return
    assert 200 == await rig.post(rig.case.signed(body))
    assert Choice(text="Sim", button="aB3_-aB3_-aB3_-a") == rig.door.accepted[-1].content


@promise
async def what_is_not_from_the_platform_is_refused(rig: Rig) -> None:
    body = rig.case.message(key="in-1", person="ana", text="oi")
    for name, request in rig.case.forged(body).items():
        assert 401 == await rig.post(request), name
    assert [] == rig.door.accepted


@promise
async def an_old_request_is_refused(rig: Rig) -> None:
    request = rig.case.old(rig.case.message(key="in-1", person="ana", text="oi"))
    if request is None:
        return
    assert 401 == await rig.post(request)
    assert [] == rig.door.accepted


@promise
async def what_is_not_supported_is_acknowledged_and_counted(rig: Rig) -> None:
    def counted() -> float:
        channel = rig.connector.account.partition(":")[0]
        return REGISTRY.get_sample_value("segue_unsupported_total", {"channel": channel}) or 0

    for body in rig.case.unsupported():
        before = counted()
        assert 200 == await rig.post(rig.case.signed(body))
        assert before + 1 == counted()
    assert [] == rig.door.accepted
    assert [] == rig.door.reports


@promise
async def nonsense_is_refused(rig: Rig) -> None:
    for body in rig.case.nonsense():
        assert rig.case.nonsense_status == await rig.post(rig.case.signed(body)), body[:80]
    assert [] == rig.door.accepted
    assert [] == rig.door.reports


@promise
async def nothing_is_acknowledged_that_was_not_written_down(rig: Rig) -> None:
    rig.door.refusal = TryAgain("the store does not answer", after=2)
    body = rig.case.message(key="in-1", person="ana", text="oi")
    assert 503 == await rig.post(rig.case.signed(body))
    assert "2" == rig.retry_after
    rig.door.refusal = None
    assert 200 == await rig.post(rig.case.signed(body))
    assert 1 == len(rig.door.accepted)


@promise
async def a_report_names_the_message_as_its_receipt_did(rig: Rig) -> None:
    receipt = await rig.send(key="out-1")
    for status in sorted(rig.connector.capabilities.receipts):
        body = rig.case.report(vendor_id=receipt.vendor_id, person="ana", status=status)
        assert body is not None, "receipts are declared and none can come"
        assert 200 == await rig.post(rig.case.signed(body))
        told = rig.door.reports[-1]
        assert (Identity(rig.connector.account, "ana"), receipt.vendor_id, status) == (
            told.identity,
            told.vendor_id,
            told.status,
        )


@promise
async def a_body_without_end_is_not_read(rig: Rig) -> None:
    request = rig.case.signed(b" " * (8 * 1024 * 1024))
    try:
        async with rig.http.post(
            request.path, data=io.BytesIO(request.body), headers=dict(request.headers)
        ) as response:
            assert 413 == response.status
    except aiohttp.ClientError:
        pass  # hung up on while we were still writing


# ── what goes out ───────────────────────────────────────────────────────────────────────────────────────────────────


@promise
async def every_content_arrives_within_the_declared_limits(rig: Rig) -> None:
    for name, content in SAMPLES.items():
        parts = rendered(content, rig.connector.capabilities, "pt-BR")
        assert [] == beyond(parts, rig.connector.capabilities), name
        await rig.send(*parts, key=f"out-{name}")
        assert f"out-{name}" in rig.case.executed()
    assert [] == list(rig.case.complaints())


@promise
async def a_repeated_send_is_shown_once_where_that_is_declared(rig: Rig) -> None:
    await rig.send(key="out-1", tries=1)
    await rig.send(key="out-1", tries=2)
    if rig.connector.capabilities.idempotent:
        assert 1 == list(rig.case.executed()).count("out-1")


@promise
async def each_failure_is_one_of_our_errors(rig: Rig) -> None:
    for name, failure in rig.case.failures().items():
        if name == "nobody there":
            continue
        rig.case.fail(name)
        raised = await _raised(rig)
        assert failure.error is type(raised), f"{name}: {raised!r}"
        if isinstance(raised, TryAgain) and failure.after is not None:
            assert abs(failure.after - raised.after) < 3, name
        assert QUOTED not in str(raised), name
        assert not [secret for secret in rig.case.secrets if secret in str(raised)], name
    rig.case.fail("")
    await rig.send(key="out-healed")


@promise
async def a_platform_that_is_not_there_is_tried_again(rig: Rig) -> None:
    failure = rig.case.failures()["nobody there"]
    await rig.case.stop()
    assert failure.error is type(await _raised(rig))


async def _raised(rig: Rig) -> BaseException:
    try:
        async with asyncio.timeout(20):
            receipt = await rig.send()
    except Exception as error:  # noqa: BLE001  which one it is, is the question
        return error
    return AssertionError(f"sent: {receipt}")


@promise
async def its_secrets_are_not_shown(rig: Rig) -> None:
    (values,) = registry.checked({rig.connector.account.partition(":")[0]: {"main": rig.case.settings()}}).values()
    for shown in (repr(values), str(values), repr(rig.connector)):
        assert not [secret for secret in rig.case.secrets if secret in shown]


# ── the suite ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("name", PROMISES)
async def test_a_connector_keeps_the_contract(channel: str, name: str) -> None:
    async with rigged(channel, case_of(channel)) as rig:
        await PROMISES[name](rig)


async def test_a_webhook_that_cannot_drop_repeats_keeps_it_too() -> None:
    for name in ("each_failure_is_one_of_our_errors", "a_platform_that_is_not_there_is_tried_again"):
        async with rigged("webhook", WebhookCase(idempotent=False)) as rig:
            await PROMISES[name](rig)


def _json_like() -> st.SearchStrategy[bytes]:
    """What a platform of another version might send: our keys with anything behind them."""
    keys = st.sampled_from(
        ["type", "id", "from", "to", "text", "button", "at", "status", "message", "origin", "locale"]
    )
    words = st.sampled_from(["message", "status", "read", "", "a\u0000", "pt-BR"])
    leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), words, st.text(max_size=5))
    values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=8)
    return st.dictionaries(keys, values).map(lambda made: json.dumps(made).encode())


@pytest.mark.parametrize("channel", CHANNELS)
def test_whatever_comes_in_is_answered_and_never_with_a_fault_of_ours(channel: str) -> None:
    with asyncio.Runner() as runner:
        case = case_of(channel)
        house = contextlib.AsyncExitStack()
        rig = runner.run(house.enter_async_context(rigged(channel, case)))

        @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
        @given(st.one_of(st.binary(max_size=200), _json_like()))
        def answered(body: bytes) -> None:
            assert runner.run(rig.post(case.signed(body))) in (200, 400)
            assert runner.run(rig.post(Request(case.signed(body).path, body))) == 401

        try:
            answered()
        finally:
            runner.run(house.aclose())


@pytest.mark.parametrize("channel", CHANNELS)
def test_whatever_a_platform_answers_is_a_receipt_or_one_of_our_errors(channel: str) -> None:
    with asyncio.Runner() as runner:
        case = case_of(channel)
        house = contextlib.AsyncExitStack()
        rig = runner.run(house.enter_async_context(rigged(channel, case)))
        bodies = st.one_of(st.binary(max_size=200), _json_like(), st.just(b'{"id": ' * 5000), st.just(b"a" * 200_000))

        @settings(max_examples=100, deadline=None)
        @given(st.sampled_from([200, 201, 202, 204, 300, 304, 400, 404, 409, 418, 451, 500, 599]), bodies)
        def understood(status: int, body: bytes) -> None:
            case.answers(status, b"" if status in (204, 304) else body)
            with contextlib.suppress(ConnectorError):
                assert isinstance(runner.run(rig.send()), Receipt)

        try:
            understood()
        finally:
            runner.run(house.aclose())


# ── planted faults ──────────────────────────────────────────────────────────────────────────────────────────────────


class TrustsEverybody(Webhook):
    def verify(self, headers: Any, body: bytes) -> None:
        return


class ForgetsTheClock(Webhook):
    def verify(self, headers: Any, body: bytes) -> None:
        try:
            super().verify(headers, body)
        except NotAuthentic as error:
            if "time stamp" not in str(error):
                raise


class _Meddling:
    """A door whose inbound is changed on the way."""

    def __init__(self, door: RecordingDoor, change: Callable[[Inbound], Inbound]) -> None:
        self._door, self._change = door, change

    async def accept(self, inbound: Inbound) -> Accepted:
        return await self._door.accept(self._change(inbound))

    async def report(self, report: StatusReport) -> None:
        await self._door.report(dataclasses.replace(report, vendor_id=report.vendor_id.upper()))

    async def ready(self) -> bool:
        return True


def _trimmed(inbound: Inbound) -> Inbound:
    return dataclasses.replace(inbound, content=Text(inbound.content.text.strip()))


def _everybody_is_one(inbound: Inbound) -> Inbound:
    identity = Identity(inbound.identity.account, inbound.identity.id.lower())
    return dataclasses.replace(inbound, identity=identity)


def _new_key_each_time(inbound: Inbound) -> Inbound:
    return dataclasses.replace(inbound, dedupe=f"{inbound.dedupe}-{next(_numbers)}")


def _no_key(inbound: Inbound) -> Inbound:
    return dataclasses.replace(inbound, dedupe="always")


class _Careless:
    """Answers before anything is written down."""

    def __init__(self, door: RecordingDoor) -> None:
        self._door = door

    async def accept(self, inbound: Inbound) -> Accepted:
        with contextlib.suppress(TryAgain):
            return await self._door.accept(inbound)
        return Accepted("m", 1, "0.0", False)

    async def report(self, report: StatusReport) -> None:
        return

    async def ready(self) -> bool:
        return True


class CallsItSent(Webhook):
    async def send(self, outbound: Outbound) -> Receipt:
        try:
            return await super().send(outbound)
        except ConnectorError:
            return Receipt("sent")


class RaisesItsOwn(Webhook):
    async def send(self, outbound: Outbound) -> Receipt:
        try:
            return await super().send(outbound)
        except TryAgain as error:
            raise OSError(str(error)) from error


class RefusesEverything(Webhook):
    async def send(self, outbound: Outbound) -> Receipt:
        try:
            return await super().send(outbound)
        except ConnectorError as error:
            raise RefusedForGood(QUOTED) from error


class PromisesTooMuch(Webhook):
    @property
    def capabilities(self) -> Capabilities:
        return dataclasses.replace(super().capabilities, longest_text=100_000, most_buttons=100, longest_button=100)


class NamesEachTryAnew(Webhook):
    async def send(self, outbound: Outbound) -> Receipt:
        return await super().send(dataclasses.replace(outbound, id=f"{outbound.id}-{outbound.tries}"))


class ShowsItsSecret(Webhook):
    def __repr__(self) -> str:
        return f"Webhook({SECRET})"


def _with(meddle: Callable[[RecordingDoor], Any]) -> Build:
    return lambda account, values, door: Webhook(account, values, meddle(door))


FAULTS: dict[str, tuple[Build, str]] = {
    "trusts everybody": (TrustsEverybody, "what_is_not_from_the_platform_is_refused"),
    "forgets the clock": (ForgetsTheClock, "an_old_request_is_refused"),
    "trims texts": (_with(lambda door: _Meddling(door, _trimmed)), "text_and_person_arrive_exactly"),
    "mixes people up": (_with(lambda door: _Meddling(door, _everybody_is_one)), "text_and_person_arrive_exactly"),
    "makes a new key each time": (
        _with(lambda door: _Meddling(door, _new_key_each_time)),
        "a_redelivery_has_the_same_key_and_another_message_another",
    ),
    "makes one key for all": (
        _with(lambda door: _Meddling(door, _no_key)),
        "a_redelivery_has_the_same_key_and_another_message_another",
    ),
    "answers too early": (_with(_Careless), "nothing_is_acknowledged_that_was_not_written_down"),
    "garbles reports": (
        _with(lambda door: _Meddling(door, lambda inbound: inbound)),
        "a_report_names_the_message_as_its_receipt_did",
    ),
    "calls it sent": (CallsItSent, "each_failure_is_one_of_our_errors"),
    "raises its own errors": (RaisesItsOwn, "each_failure_is_one_of_our_errors"),
    "quotes what a person wrote": (RefusesEverything, "each_failure_is_one_of_our_errors"),
    "promises too much": (PromisesTooMuch, "every_content_arrives_within_the_declared_limits"),
    "names each try anew": (NamesEachTryAnew, "a_repeated_send_is_shown_once_where_that_is_declared"),
    "shows its secret": (ShowsItsSecret, "its_secrets_are_not_shown"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_connector_that_breaks_a_promise_is_caught(fault: str) -> None:
    build, name = FAULTS[fault]
    async with rigged("webhook", case_of("webhook"), build) as rig:
        with pytest.raises(AssertionError):
            await PROMISES[name](rig)


def test_a_channel_without_a_case_is_noticed() -> None:
    with pytest.raises(AssertionError, match="tests/cases/pigeon"):
        case_of("pigeon")


def test_the_settings_of_a_planted_connector_are_those_of_the_webhook() -> None:
    assert registry.CHANNELS["webhook"].load().Settings is Settings
