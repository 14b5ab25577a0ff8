import asyncio
import contextlib
import io
import json
import logging
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from rasa_sdk.interfaces import ActionExecutionRejection  # type: ignore[import-untyped]  # ships no types

from actions import effects
from actions.dialogue import Action, Dispatcher, Event, Tracker
from actions.serve import listen_on, make_app
from actions.shop.demo import DemoShop

ROOT = Path(__file__).parents[3]


async def _broken(dispatcher: Dispatcher, tracker: Tracker, domain: Mapping[str, Any]) -> list[Event]:
    raise ValueError(f"cannot read {tracker.latest_message['text']}")


async def _rejecting(dispatcher: Dispatcher, tracker: Tracker, domain: Mapping[str, Any]) -> list[Event]:
    raise ActionExecutionRejection("action_rejecting")


async def _which_turn(dispatcher: Dispatcher, tracker: Tracker, domain: Mapping[str, Any]) -> list[Event]:
    turn = effects.current_turn()
    dispatcher.utter_message(response="utter_turn", turn=turn.id, dry_run=turn.dry_run)
    return []


ACTIONS = (Action("action_broken", _broken), Action("action_rejecting", _rejecting), Action("action_turn", _which_turn))


def call(action: str, *, text: str = "oi", **slots: Any) -> dict[str, Any]:
    message = {"text": text, "intent": {"name": "greet"}, "message_id": "from-the-message"}
    tracker = {"sender_id": "customer-1", "slots": slots, "latest_message": message, "events": []}
    return {"next_action": action, "sender_id": "customer-1", "tracker": tracker, "domain": {"slots": {}}}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[TestClient[Any, Any]]:
    async with TestClient(TestServer(make_app(DemoShop(tmp_path), actions=ACTIONS))) as client:
        yield client


@pytest.fixture
async def real(tmp_path: Path) -> AsyncIterator[TestClient[Any, Any]]:
    async with TestClient(TestServer(make_app(DemoShop(tmp_path)))) as client:
        yield client


async def test_an_order_is_told_over_http_as_rasa_asks(real: TestClient[Any, Any]) -> None:
    asked = call("action_order_status", order_number="1001", order_proof="ana@exemplo.com.br", language="pt-BR")
    answer = await real.post("/webhook", json=asked, headers={"X-Segue-Turn": "customer-1.1"})
    body = await answer.json()
    assert answer.status == 200
    assert [response["response"] for response in body["responses"]] == ["utter_order_shipped"]
    assert {event["name"] for event in body["events"]} == {"order_number", "order_proof", "order_misses"}


async def test_a_dry_run_header_reaches_the_shop(real: TestClient[Any, Any]) -> None:
    asked = call("action_order_status", order_number="1001", order_proof="x@example.com")
    for turn in range(12):
        headers = {"X-Segue-Turn": f"customer-1.{turn}", "X-Segue-Dry-Run": "1"}
        body = await (await real.post("/webhook", json=asked, headers=headers)).json()
        assert body["responses"][0]["response"] == "utter_order_not_found"


async def test_the_turn_travels_in_headers_or_else_in_the_message(client: TestClient[Any, Any]) -> None:
    headers = {"X-Segue-Turn": "customer-1.7", "X-Segue-Dry-Run": "1"}
    with_headers = await (await client.post("/webhook", json=call("action_turn"), headers=headers)).json()
    without = await (await client.post("/webhook", json=call("action_turn"))).json()
    assert (with_headers["responses"][0]["turn"], with_headers["responses"][0]["dry_run"]) == ("customer-1.7", True)
    assert (without["responses"][0]["turn"], without["responses"][0]["dry_run"]) == ("from-the-message", False)


async def test_a_rejection_is_400_with_the_action_name(client: TestClient[Any, Any]) -> None:
    answer = await client.post("/webhook", json=call("action_rejecting"))
    assert (answer.status, (await answer.json())["action_name"]) == (400, "action_rejecting")


async def test_an_unknown_action_is_404(client: TestClient[Any, Any]) -> None:
    answer = await client.post("/webhook", json=call("action_nobody_wrote"))
    assert (answer.status, (await answer.json())["action_name"]) == (404, "action_nobody_wrote")


async def test_a_call_without_a_domain_is_asked_to_send_it(client: TestClient[Any, Any]) -> None:
    asked = {**call("action_turn"), "domain": None}
    assert (await client.post("/webhook", json=asked)).status == 449


@pytest.mark.parametrize(
    "body", [b"", b"not json", b"[]", b"{}", b'{"next_action": "x"}', b'{"next_action": 1, "tracker": 2}']
)
async def test_what_is_no_action_call_is_neither_a_rejection_nor_an_answer(
    client: TestClient[Any, Any], body: bytes
) -> None:
    assert (await client.post("/webhook", data=body)).status == 422


async def test_a_failure_is_500_and_neither_log_nor_answer_quotes_the_person(
    client: TestClient[Any, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "meu cpf é 529.982.247-25"
    answer = await client.post("/webhook", json=call("action_broken", text=secret, order_proof="ana@exemplo.com.br"))
    assert answer.status == 500
    written = caplog.text + await answer.text()
    assert "529.982" not in written
    assert "ana@exemplo" not in written
    assert "action_broken" in caplog.text
    assert "ValueError" in caplog.text
    assert "test_serve.py:" in caplog.text


async def test_a_long_window_fits(client: TestClient[Any, Any]) -> None:
    asked = call("action_turn")
    asked["tracker"]["events"] = [{"event": "user", "text": "x" * 1000}] * 3000
    body = io.BytesIO(json.dumps(asked).encode())
    assert (await client.post("/webhook", data=body)).status == 200


async def test_health_counts_calls_and_failures(client: TestClient[Any, Any]) -> None:
    await client.post("/webhook", json=call("action_turn"))
    await client.post("/webhook", json=call("action_broken"))
    assert await (await client.get("/health")).json() == {"ready": True, "calls": 2, "failures": 1}


def test_a_socket_path_that_is_too_long_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="shorter folder"):
        listen_on(tmp_path / ("s" * 120))


async def _started(folder: Path) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "actions.serve", "--socket", str(folder / "a"), "--data-dir", str(folder)),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    async with asyncio.timeout(20):
        while b"actions ready" not in (line := await process.stderr.readline()):
            assert line, "actions.serve ended before it was ready"
    return process


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
async def test_the_process_serves_a_private_socket_until_it_is_told_to_end(
    short_folder: Path, end: signal.Signals
) -> None:
    process = await _started(short_folder)
    try:
        assert stat.S_IMODE((short_folder / "a").stat().st_mode) == 0o600
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(short_folder / "a"))) as session:
            assert json.loads(await (await session.get("http://actions/health")).text())["ready"] is True
    finally:
        process.send_signal(end)
        async with asyncio.timeout(10):
            status = await process.wait()
    assert status == 0
    assert not (short_folder / "a").exists()


async def test_the_process_ends_when_its_parent_dies(short_folder: Path) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux tells a child that its parent died")
    script = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-m', 'actions.serve', '--socket', {str(short_folder / 'a')!r},"
        f" '--data-dir', {str(short_folder)!r}], stderr=subprocess.PIPE)\n"
        "while b'actions ready' not in child.stderr.readline(): pass\n"
        "print(child.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    async with asyncio.timeout(20):
        child = int(await parent.stdout.readline())
    watch = os.pidfd_open(child)  # before the parent dies, so that it can be no other process
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(watch, ended.set)
    try:
        parent.kill()
        await parent.wait()
        async with asyncio.timeout(10):
            await ended.wait()
    finally:
        asyncio.get_running_loop().remove_reader(watch)
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(watch, signal.SIGKILL)  # a failing test leaves nobody behind
        os.close(watch)
