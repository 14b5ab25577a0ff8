"""One suite for every channel that delivers: a registered connector is tested by it without being named here.

What a platform looks like stands in tests/cases/<channel>.py, what a connector promises in tests/cases/promises.py. At
the end some connectors that break a promise are caught by it.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from cases import Request, case_of
from cases.promises import PROMISES, Build, RecordingDoor, rigged
from cases.webhook import WebhookCase
from fakes.webhook_receiver import QUOTED, SECRET
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import registry
from connectors.content import Text
from connectors.contract import (
    Accepted,
    Capabilities,
    ConnectorError,
    Identity,
    Inbound,
    NotAuthentic,
    Outbound,
    Receipt,
    RefusedForGood,
    StatusReport,
    TryAgain,
)
from connectors.webhook import Webhook

CHANNELS = sorted(channel.name for channel in registry.CHANNELS.values() if not channel.live)
_numbers = itertools.count()


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
        await self._door.report(msgspec.structs.replace(report, vendor_id=report.vendor_id.upper()))

    async def ready(self) -> bool:
        return True


def _trimmed(inbound: Inbound) -> Inbound:
    return msgspec.structs.replace(inbound, content=Text(inbound.content.text.strip()))


def _everybody_is_one(inbound: Inbound) -> Inbound:
    identity = Identity(inbound.identity.account, inbound.identity.id.lower())
    return msgspec.structs.replace(inbound, identity=identity)


def _new_key_each_time(inbound: Inbound) -> Inbound:
    return msgspec.structs.replace(inbound, dedupe=f"{inbound.dedupe}-{next(_numbers)}")


def _no_key(inbound: Inbound) -> Inbound:
    return msgspec.structs.replace(inbound, dedupe="always")


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
    return lambda account, values, ports: Webhook(account, values, meddle(ports.door))


def _from(connector: type[Webhook]) -> Build:
    return lambda account, values, ports: connector(account, values, ports.door)


FAULTS: dict[str, tuple[Build, str]] = {
    "trusts everybody": (_from(TrustsEverybody), "what_is_not_from_the_platform_is_refused"),
    "forgets the clock": (_from(ForgetsTheClock), "an_old_request_is_refused"),
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
    "calls it sent": (_from(CallsItSent), "each_failure_is_one_of_our_errors"),
    "raises its own errors": (_from(RaisesItsOwn), "each_failure_is_one_of_our_errors"),
    "quotes what a person wrote": (_from(RefusesEverything), "each_failure_is_one_of_our_errors"),
    "promises too much": (_from(PromisesTooMuch), "every_content_arrives_within_the_declared_limits"),
    "names each try anew": (_from(NamesEachTryAnew), "a_repeated_send_is_shown_once_where_that_is_declared"),
    "shows its secret": (_from(ShowsItsSecret), "its_secrets_are_not_shown"),
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
