"""What every connector that delivers promises, as checks that run against a connector between a door and a platform."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.test_utils import TestClient, TestServer
from fakes.webhook_receiver import QUOTED
from prometheus_client import REGISTRY
from unit.connectors.samples import SAMPLES, beyond

from cases import TEXTS, Case, Request
from connectors import registry
from connectors.content import Choice, Content, Text
from connectors.contract import (
    Accepted,
    Author,
    ConnectorError,
    Edited,
    Identity,
    Inbound,
    Outbound,
    Ports,
    Receipt,
    StatusReport,
    TryAgain,
)
from connectors.fallback import rendered
from connectors.media import MediaFolder
from connectors.registry import Connector
from router.web import application


class RecordingDoor:
    """The router's side: every inbound once by its key, every report."""

    def __init__(self) -> None:
        self.accepted: list[Inbound] = []
        self.reports: list[StatusReport] = []
        self.edits: list[Edited] = []
        self.reach: list[tuple[Identity, bool]] = []
        self.names: set[str] = set()
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

    async def edited(self, edited: Edited) -> None:
        if self.refusal:
            raise self.refusal
        self.edits.append(edited)

    async def reachable(self, identity: Identity, yes: bool, reason: str = "") -> None:
        if self.refusal:
            raise self.refusal
        self.reach.append((identity, yes))

    async def ready(self) -> bool:
        return True

    async def once(self, name: str, seconds: float) -> bool:
        first = name not in self.names
        self.names.add(name)
        return first


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
        to = Identity(self.connector.account, self.case.people[0])
        return await self.connector.send(Outbound(key, to, parts or (Text("oi"),), Author("bot", "Aurora"), tries))


Build = Callable[[str, Any, Ports], Connector]


@contextlib.asynccontextmanager
async def rigged(channel: str, case: Case, build: Build | None = None) -> AsyncIterator[Rig]:
    await case.start()
    folder = tempfile.TemporaryDirectory()
    try:
        door = RecordingDoor()
        (values,) = registry.checked({channel: {case.account: case.settings()}}).values()
        build = build or registry.CHANNELS[channel].load().connector
        connector = build(case.account, values, Ports(door, MediaFolder(Path(folder.name)), once=door.once))
        app = application(connector.routes(), _NoRefusal)
        async with connector, TestClient(TestServer(app)) as http:
            yield Rig(case, connector, door, http)
    finally:
        folder.cleanup()
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
        for person in rig.case.people:
            body = rig.case.message(key=f"in-{number}-{person}", person=person, text=text)
            assert 200 == await rig.post(rig.case.signed(body))
            assert Text(text) == rig.door.accepted[-1].content
            assert Identity(rig.connector.account, person) == rig.door.accepted[-1].identity


@promise
async def a_redelivery_has_the_same_key_and_another_message_another(rig: Rig) -> None:
    first = rig.case.message(key="in-1", person=rig.case.people[0], text="oi")
    second = rig.case.message(key="in-2", person=rig.case.people[0], text="oi")
    for body in (first, first, second):
        assert 200 == await rig.post(rig.case.signed(body))
    one, again, other = [inbound.dedupe for inbound in rig.door.accepted]
    assert one == again
    assert one != other


@promise
async def a_tap_names_its_button_and_its_title(rig: Rig) -> None:
    body = rig.case.tap(key="in-1", person=rig.case.people[0], button="aB3_-aB3_-aB3_-a", title="Sim")
    if body is None:
        return
    assert 200 == await rig.post(rig.case.signed(body))
    assert Choice(text="Sim", button="aB3_-aB3_-aB3_-a") == rig.door.accepted[-1].content


@promise
async def what_is_not_from_the_platform_is_refused(rig: Rig) -> None:
    body = rig.case.message(key="in-1", person=rig.case.people[0], text="oi")
    for name, request in rig.case.forged(body).items():
        assert 401 == await rig.post(request), name
    assert [] == rig.door.accepted


@promise
async def an_old_request_is_refused(rig: Rig) -> None:
    request = rig.case.old(rig.case.message(key="in-1", person=rig.case.people[0], text="oi"))
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
    body = rig.case.message(key="in-1", person=rig.case.people[0], text="oi")
    assert 503 == await rig.post(rig.case.signed(body))
    assert "2" == rig.retry_after
    rig.door.refusal = None
    assert 200 == await rig.post(rig.case.signed(body))
    assert 1 == len(rig.door.accepted)


@promise
async def a_report_names_the_message_as_its_receipt_did(rig: Rig) -> None:
    receipt = await rig.send(key="out-1")
    for status in sorted(rig.connector.capabilities.receipts):
        body = rig.case.report(vendor_id=receipt.vendor_id, person=rig.case.people[0], status=status)
        assert body is not None, "receipts are declared and none can come"
        assert 200 == await rig.post(rig.case.signed(body))
        told = rig.door.reports[-1]
        assert (Identity(rig.connector.account, rig.case.people[0]), receipt.vendor_id, status) == (
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
        before = len(rig.case.executed())
        await rig.send(*parts, key=f"out-{name}")
        assert len(rig.case.executed()) > before, name
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
