"""`python -m actions.serve --socket S --data-dir D`: rasa-sdk's executor behind one aiohttp route on a unix socket.

What a person wrote passes through here and is never logged: a failure is a line with the action, the kind of error
and the place in our code. The process ends on SIGTERM, on SIGINT, and when the process that started it dies.
"""

import argparse
import asyncio
import contextlib
import ctypes
import logging
import os
import re
import signal
import socket
import sys
import traceback
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from rasa_sdk.executor import ActionExecutor  # type: ignore[import-untyped]  # ships no types
from rasa_sdk.interfaces import (  # type: ignore[import-untyped]  # ships no types
    ActionExecutionRejection,
    ActionMissingDomainException,
    ActionNotFoundException,
)

from actions import effects, fallback, order_form, orders
from actions.dialogue import Action
from actions.shop.demo import DemoShop
from actions.shop.port import Shop, ShopUnavailable

log = logging.getLogger("segue.actions")

_TRACE = re.compile("[0-9a-f]{32}")
_LARGEST_REQUEST = 8 * 1024 * 1024  # the whole window of a dialogue and the domain
_ACTION_SECONDS = 4.0
_LONGEST_SOCKET_PATH = 107


@dataclass
class Served:
    """Numbers for GET /health."""

    calls: int = 0
    failures: int = 0


def all_actions(shop: Shop) -> tuple[Action, ...]:
    return (
        order_form.VALIDATE,
        order_form.FORGET,
        orders.order_status(shop),
        fallback.COUNT_MISS,
    )


def make_app(shop: Shop, *, actions: Iterable[Action] | None = None) -> web.Application:
    """The action server. It owns the shop and closes it with itself."""
    executor = ActionExecutor()
    for action in all_actions(shop) if actions is None else actions:
        executor.register_function(action.name, action.run)
    served = Served()

    async def webhook(request: web.Request) -> web.Response:
        served.calls += 1
        try:
            call = await request.json()
            name, turn = str(call["next_action"]), _turn_of(request, call)
        except (ValueError, KeyError, TypeError, AttributeError):
            served.failures += 1
            return web.json_response({"error": "not an action call"}, status=422)
        try:
            with effects.during(turn):
                async with asyncio.timeout(_ACTION_SECONDS):
                    result = await executor.run(call)
        except ActionExecutionRejection:
            return web.json_response({"error": "rejected", "action_name": name}, status=400)
        except ActionNotFoundException:
            served.failures += 1
            log.error("unknown action %r, turn %s, trace %s", name[:80], turn.id, turn.trace)
            return web.json_response({"error": "unknown action", "action_name": name}, status=404)
        except ActionMissingDomainException:
            return web.json_response({"error": "send the domain", "action_name": name}, status=449)
        except Exception as problem:  # noqa: BLE001 - the door: a fault becomes a status, and the turn a failure
            served.failures += 1
            log.error(
                "action %r failed, turn %s, trace %s: %s at %s",
                name,
                turn.id,
                turn.trace,
                type(problem).__name__,
                _place_of(problem),
            )
            return web.json_response({"error": "the action failed", "action_name": name}, status=500)
        log.info("action %r done, turn %s, trace %s", name, turn.id, turn.trace)
        return web.json_response(result.model_dump() if result else None)

    async def health(request: web.Request) -> web.Response:
        return web.json_response({"ready": True, "calls": served.calls, "failures": served.failures})

    async def own_shop(app: web.Application) -> AsyncIterator[None]:
        yield
        await shop.close()

    app = web.Application(client_max_size=_LARGEST_REQUEST)
    app.router.add_post("/webhook", webhook)
    app.router.add_get("/health", health)
    app.cleanup_ctx.append(own_shop)
    return app


def _turn_of(request: web.Request, call: dict[str, Any]) -> effects.Turn:
    """From the headers; `rasa shell` sends none, there the message id has to do."""
    message = call["tracker"].get("latest_message") or {}
    turn_id = request.headers.get("X-Segue-Turn") or message.get("message_id") or ""
    if not turn_id:
        raise KeyError("turn id")
    trace = (message.get("metadata") or {}).get("trace")
    return effects.Turn(
        id=str(turn_id),
        dry_run=request.headers.get("X-Segue-Dry-Run") == "1",
        trace=trace if isinstance(trace, str) and _TRACE.fullmatch(trace) else "",
    )


def _place_of(problem: BaseException) -> str:
    """Where it happened, without the message: an exception's text may quote the person."""
    frames = traceback.extract_tb(problem.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"


def listen_on(path: Path) -> socket.socket:
    """A listening unix socket that only this account may open. Raises OSError with a sentence for the operator."""
    if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
        raise OSError(f"the socket's path has over {_LONGEST_SOCKET_PATH} bytes; choose a shorter folder: {path}")
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listener.bind(os.fspath(path))
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


def die_with_parent() -> None:
    """Ask Linux for SIGTERM when our parent dies. Elsewhere the launcher has to end us."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        raise SystemExit(0)


async def serve(socket_path: Path, data_dir: Path) -> None:
    """Answer until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for end in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(end, stop.set)
    runner = web.AppRunner(make_app(DemoShop(data_dir)), access_log=None, shutdown_timeout=_ACTION_SECONDS)
    await runner.setup()
    try:
        listener = listen_on(socket_path)
        await web.SockSite(runner, listener).start()
        log.info("actions ready")
        await stop.wait()
    finally:
        await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(prog="actions.serve", description="Run the assistant's actions.")
    parser.add_argument("--socket", type=Path, required=True, help="unix socket to listen on")
    parser.add_argument(
        "--data-dir",
        type=Path,
        required=True,
        help="folder of the demo shop's database",
    )
    arguments = parser.parse_args()
    die_with_parent()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("rasa_sdk").setLevel(logging.WARNING)  # at debug it prints what actions return
    try:
        asyncio.run(serve(arguments.socket, arguments.data_dir))
    except (OSError, ShopUnavailable) as problem:
        sys.exit(f"actions: {problem}")
    finally:
        arguments.socket.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
