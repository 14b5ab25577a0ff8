"""`python -m bot.serve`: the turn server, on a unix socket that only its owner may open."""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.failure import TurnFailure

log = logging.getLogger("segue.bot")

MAX_REQUEST = 4_000_000


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def build_app(turns: Any, *, model: str, fingerprint: str) -> web.Application:
    """The two routes over a loaded model."""
    from bot.request import parse_request

    async def turn(request: web.Request) -> web.Response:
        started = time.monotonic()
        turn_id = ""
        try:
            try:
                body = json.loads(await request.read())
            except web.HTTPRequestEntityTooLarge:
                raise TurnFailure("bad_request", "body", "The body is too large.") from None
            except ValueError:
                raise TurnFailure("bad_request", "body", "The body is not JSON.") from None
            asked = parse_request(body)
            turn_id = asked.turn
            answer = await turns.take(asked)
        except TurnFailure as failure:
            log.warning(
                "turn %s failed: %s at %s: %s (%.0f ms)",
                turn_id or "-",
                failure.kind,
                failure.where or "-",
                failure.detail or "-",
                (time.monotonic() - started) * 1000,
            )
            return web.json_response(failure.as_problem(), status=failure.status, dumps=_dump)
        log.info(
            "turn %s %s: %d events, %d responses (%.0f ms)",
            turn_id or "-",
            answer["outcome"],
            len(answer["events"]),
            len(answer["responses"]),
            (time.monotonic() - started) * 1000,
        )
        return web.json_response(answer, dumps=_dump)

    async def health(_: web.Request) -> web.Response:
        return web.json_response(
            {"ready": True, "model": model, "fingerprint": fingerprint, "windows": dict(turns.cuts)}, dumps=_dump
        )

    app = web.Application(client_max_size=MAX_REQUEST)
    app.add_routes([web.post("/turn", turn), web.get("/health", health)])
    return app


def die_with_parent() -> None:
    """Asks Linux to end this process when the one that started it dies; elsewhere the launcher's signal must do."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    try:
        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGTERM, 0, 0, 0)
    except (OSError, AttributeError):
        return
    # It may have died before we asked.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


async def serve(options: argparse.Namespace) -> None:
    """Loads the model, listens, and ends on SIGTERM or SIGINT after the turns under way."""
    from bot.action_endpoint import ActionSocket
    from bot.turns import Turns, quiet_rasa

    quiet_rasa()
    # Set by hand: a child started in the background inherits SIGINT as ignored.
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    actions = ActionSocket(options.actions_socket) if options.actions_socket else None
    turns = Turns(
        options.model,
        actions=actions,
        brand=options.brand,
        turn_seconds=options.turn_seconds,
        action_seconds=options.action_seconds,
    )
    model = os.path.basename(options.model)  # noqa: PTH119 no file is touched
    app = build_app(turns, model=model, fingerprint=model.split(".")[0].removeprefix("segue-"))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=options.turn_seconds + 1)
    await runner.setup()
    _remove(options.socket)
    # Never open to others, not even between bind and chmod.
    mask = os.umask(0o177)
    try:
        await web.UnixSite(runner, options.socket).start()
    finally:
        os.umask(mask)
    log.info("ready: model %s on %s", model, options.socket)
    try:
        await stop.wait()
    finally:
        await runner.cleanup()
        if actions:
            await actions.close()
        _remove(options.socket)


def _remove(socket: str) -> None:
    Path(socket).unlink(missing_ok=True)


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bot.serve", description="Serves turns of the assistant.")
    parser.add_argument("--socket", required=True, help="unix socket to listen on (up to 107 bytes)")
    parser.add_argument("--model", required=True, help="trained model file")
    parser.add_argument("--actions-socket", default="", help="unix socket of the action server")
    parser.add_argument("--brand", default="brand.toml", help="brand file")
    parser.add_argument("--turn-seconds", type=float, default=9.0, help="deadline of a whole turn")
    parser.add_argument("--action-seconds", type=float, default=5.0, help="time-out of one action")
    options = parser.parse_args(arguments)
    if len(os.fsencode(options.socket)) > 107:
        parser.error("The socket's path is longer than 107 bytes; choose a shorter folder.")
    if not Path(options.model).is_file():
        parser.error(f"There is no model at {options.model}; train one with bin/segue train.")
    return options


def main() -> int:
    """Runs the server; 1 and one sentence when the model or the brand file cannot be used."""
    for name, value in (
        ("RASA_TELEMETRY_ENABLED", "false"),
        ("HF_HUB_OFFLINE", "1"),
        ("SQLALCHEMY_SILENCE_UBER_WARNING", "1"),
    ):
        os.environ.setdefault(name, value)
    options = parse_options(sys.argv[1:])
    logging.basicConfig(
        level=os.environ.get("SEGUE_LOG_LEVEL", "INFO"), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    die_with_parent()
    import warnings

    warnings.filterwarnings("ignore")  # Rasa's own, about its old dependencies; some quote what people write
    from rasa.shared.exceptions import RasaException

    try:
        asyncio.run(serve(options))
    except (RasaException, OSError) as error:
        print(f"The bot cannot start: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
