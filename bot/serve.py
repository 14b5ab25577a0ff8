"""`python -m bot.serve`: the turn server, on a unix socket that only its owner may open, or a pool of them."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import copy
import json
import logging
import os
import re
import signal
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

from bot.failure import TurnFailure
from bot.pool import DRAIN, Link, Pool, PoolFailed, default_workers, end_with

if TYPE_CHECKING:
    from bot.action_endpoint import ActionSocket
    from bot.turns import Turns

log = logging.getLogger("segue.bot")

MAX_REQUEST = 4_000_000

# Turns under way at once in one process. Each takes the processor for some milliseconds between its waits; hundreds of
# them in one round of the loop would keep the beat silent, and a worker that is only busy would be ended as hung.
AT_ONCE = 16
_TRACE = re.compile("[0-9a-f]{32}")


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _trace(metadata: dict[str, Any]) -> str:
    """The id that names this message's way in every log; only what has its shape is printed."""
    given = metadata.get("trace")
    return given if isinstance(given, str) and _TRACE.fullmatch(given) else ""


def _still_wanted(request: web.Request) -> None:
    """A turn that waited for its place until nobody waits for it is not taken: more work would help nobody."""
    if request.transport is None or request.transport.is_closing():
        raise TurnFailure("error", "waiting", "Whoever asked has gone.")


def build_app(turns: Any, *, model: str, fingerprint: str) -> web.Application:
    """The two routes over a loaded model."""
    from bot.request import parse_request

    places = asyncio.Semaphore(AT_ONCE)

    async def turn(request: web.Request) -> web.Response:
        started = time.monotonic()
        turn_id = trace = ""
        try:
            try:
                body = json.loads(await request.read())
            except web.HTTPRequestEntityTooLarge:
                raise TurnFailure("bad_request", "body", "The body is too large.") from None
            except ValueError:
                raise TurnFailure("bad_request", "body", "The body is not JSON.") from None
            asked = parse_request(body)
            turn_id, trace = asked.turn, _trace(asked.metadata)
            async with places:
                _still_wanted(request)
                answer = await turns.take(asked)
        except TurnFailure as failure:
            log.warning(
                "turn %s, trace %s failed: %s at %s: %s (%.0f ms)",
                turn_id or "-",
                trace or "-",
                failure.kind,
                failure.where or "-",
                failure.detail or "-",
                (time.monotonic() - started) * 1000,
            )
            return web.json_response(failure.as_problem(), status=failure.status, dumps=_dump)
        log.info(
            "turn %s, trace %s %s: %d events, %d responses (%.0f ms)",
            turn_id or "-",
            trace or "-",
            answer["outcome"],
            len(answer["events"]),
            len(answer["responses"]),
            (time.monotonic() - started) * 1000,
        )
        return web.json_response(answer, dumps=_dump)

    async def health(_: web.Request) -> web.Response:
        return web.json_response(
            {
                "ready": True,
                "model": model,
                "fingerprint": fingerprint,
                "windows": dict(turns.cuts),
                "process": os.getpid(),
            },
            dumps=_dump,
        )

    app = web.Application(client_max_size=MAX_REQUEST)
    app.add_routes([web.post("/turn", turn), web.get("/health", health)])
    return app


@dataclass(frozen=True)
class Assistant:
    """The model, ready to take turns, and nothing opened yet: it may be forked."""

    name: str
    turns: Turns
    actions: ActionSocket | None


def load(options: argparse.Namespace) -> Assistant:
    """Loads the model; that takes seconds."""
    from bot.action_endpoint import ActionSocket
    from bot.turns import Turns, quiet_rasa

    quiet_rasa()
    actions = ActionSocket(options.actions_socket) if options.actions_socket else None
    turns = Turns(
        options.model,
        actions=actions,
        brand=options.brand,
        turn_seconds=options.turn_seconds,
        action_seconds=options.action_seconds,
    )
    return Assistant(Path(options.model).name, turns, actions)


async def serve(assistant: Assistant, socket: Path, link: Link | None = None) -> None:
    """Listens until SIGTERM or SIGINT, then finishes the turns under way. `link`: to the pool it works for."""
    # Set by hand: a child started in the background inherits SIGINT as ignored.
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    model = assistant.name
    app = build_app(assistant.turns, model=model, fingerprint=model.split(".")[0].removeprefix("segue-"))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=DRAIN)
    await runner.setup()
    _remove(socket)
    # Never open to others, not even between bind and chmod.
    mask = os.umask(0o177)
    try:
        await web.UnixSite(runner, str(socket)).start()
    finally:
        os.umask(mask)
    log.info("ready: model %s on %s", model, socket)
    beating = asyncio.create_task(_beat(link, socket), name="beat") if link else None
    try:
        await stop.wait()
    finally:
        if beating:
            beating.cancel()
        # First the name, so that nobody new comes; then the turns that came by it.
        _remove(socket)
        await runner.cleanup()
        if assistant.actions:
            await assistant.actions.close()


def _remove(socket: Path) -> None:
    socket.unlink(missing_ok=True)


async def _beat(link: Link, socket: Path) -> None:
    """Tells the pool that this worker answers: once it has heard itself, then each second that its loop runs."""
    asyncio.get_running_loop().add_reader(link.fileno(), lambda: os._exit(1))  # the pool's parent is gone
    connector = aiohttp.UnixConnector(str(socket))
    async with aiohttp.ClientSession(connector=connector) as session, session.get("http://bot/health") as answer:
        answer.raise_for_status()
    while True:
        link.beat()
        await asyncio.sleep(1)


def work(assistant: Assistant, socket: Path, link: Link) -> None:
    """One worker of a pool, in its own process."""
    set_log_format(socket.stem)
    asyncio.run(serve(assistant, socket, link))


def serve_pool(assistant: Assistant, options: argparse.Namespace) -> None:
    """Forks the workers and looks after them."""
    options.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    warm_up(assistant.turns)
    count = options.workers or default_workers()
    Pool(options.folder, options.generation, count, partial(work, assistant), waits=options.wait).run()


def warm_up(turns: Turns) -> None:
    """A turn before the fork, so that every worker starts with what a first turn imports and computes."""
    from bot.request import TurnRequest

    alone = copy.copy(turns)
    alone._actions = None
    with contextlib.suppress(TurnFailure):
        asyncio.run(alone.take(TurnRequest(turn="warm.1", window=[], text="oi", dry_run=True)))


def set_log_format(worker: str = "") -> None:
    """Lines that say which worker wrote them."""
    who = f"{worker} " if worker else ""
    logging.basicConfig(
        level=os.environ.get("SEGUE_LOG_LEVEL", "INFO"),
        format=f"%(asctime)s %(levelname)s {who}%(name)s %(message)s",
        force=True,
    )
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def parse_options(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bot.serve", description="Serves turns of the assistant.")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--socket", type=Path, help="one worker, on this unix socket (up to 107 bytes)")
    place.add_argument("--folder", type=Path, help="several workers, on sockets in this folder")
    parser.add_argument("--workers", type=int, default=0, help="how many; 0: one less than cores, at least two")
    parser.add_argument("--generation", default="g1", help="letters and digits: the sockets' first name")
    parser.add_argument("--wait", action="store_true", help="leave new turns to another generation until SIGUSR1")
    parser.add_argument("--model", required=True, help="trained model file")
    parser.add_argument("--actions-socket", default="", help="unix socket of the action server")
    parser.add_argument("--brand", default="brand.toml", help="brand file")
    parser.add_argument("--turn-seconds", type=float, default=9.0, help="deadline of a whole turn")
    parser.add_argument("--action-seconds", type=float, default=5.0, help="time-out of one action")
    options = parser.parse_args(arguments)
    if not re.fullmatch(r"[A-Za-z0-9]{1,16}", options.generation):
        parser.error("A generation's name has up to 16 letters and digits.")
    if options.workers < 0:
        parser.error("There cannot be fewer than 0 workers.")
    longest = options.socket or options.folder / f"{options.generation}-{options.workers or default_workers()}.sock"
    if len(os.fsencode(longest)) > 107:
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
        # Threads would be of no use to sentences, and must not be there when workers are forked.
        ("OMP_NUM_THREADS", "1"),
        ("OPENBLAS_NUM_THREADS", "1"),
    ):
        os.environ.setdefault(name, value)
    options = parse_options(sys.argv[1:])
    set_log_format()
    end_with(os.getppid(), signal.SIGTERM)
    import warnings

    # Rasa's own, about its old dependencies; some quote what people write. A filter would not do: what it imports puts
    # its own filters in front.
    warnings.showwarning = lambda *_, **__: None
    from rasa.shared.exceptions import RasaException

    try:
        assistant = load(options)
        if options.folder:
            serve_pool(assistant, options)
        else:
            asyncio.run(serve(assistant, options.socket))
    except (RasaException, OSError, PoolFailed) as error:
        print(f"The bot cannot start: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
