"""What doctor asks of the parts: the model, Redis, the router and through it bot and actions."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from router.store import StoreUnavailable
from router.store.keys import FORMAT
from router.store.server import Facts, look
from segue import embedded
from segue.doctor import Finding, Level, ask, run
from segue.installation import Installation
from segue.places import bot_python, process_identity

CLOCKS_APART = 2_000
FULL = 0.8
"""Part of maxmemory from which messages are turned away (router/room.py)."""


def model(installation: Installation) -> Iterator[Finding]:
    """The trained model of today's data, and whether what config.yml names can run here."""
    code, said = run([bot_python(), "-c", _REFUSED_COMPONENTS])
    refused = json.loads(said) if code == 0 and said else None
    if refused:
        yield Finding(
            "assistant",
            "fail",
            f"config.yml names {', '.join(refused)}, which need TensorFlow",
            "Take other components (docs name those that come along), or install TensorFlow into the bot environment.",
        )
    elif refused is None:
        yield Finding("assistant", "fail", "config.yml cannot be read", "Run `bin/segue rasa data validate`.")
    code, said = run([bot_python(), "-m", "bot.train", "--models", str(installation.models), "--find"])
    trained = Path(said.splitlines()[-1]) if code == 0 and said else None
    if trained:
        yield Finding("assistant", "ok", f"{trained.name} is trained and up to date")
    elif kept := sorted(installation.models.glob("*.tar.gz")):
        yield Finding(
            "assistant",
            "warn",
            f"none of {len(kept)} trained models is of today's data",
            "Run `bin/segue train`; `bin/segue up` does it too.",
        )
    else:
        yield Finding("assistant", "warn", "no model is trained", "Run `bin/segue train`; `bin/segue up` does it too.")


# The stand-in for TensorFlow lives in the assistant's environment and knows what it refuses; its own list is asked.
_REFUSED_COMPONENTS = """
import importlib.util, json, ruamel.yaml, segue_rasa_shim as shim
config = ruamel.yaml.YAML(typ="safe").load(open("config.yml", encoding="utf-8")) or {}
named = [str(part.get("name", "")) for group in ("pipeline", "policies") for part in config.get(group) or []]
refused = [name for name in named if name.rpartition(".")[2] in shim.TENSORFLOW_COMPONENTS]
print(json.dumps([] if importlib.util.find_spec("tensorflow") else refused))
"""


def redis(installation: Installation) -> Iterator[Finding]:
    """Version, durability, room, clock, format, and what waits in it."""
    url = installation.redis_url
    if url is None:
        server = embedded.find_server(installation.data / "redis")
        version = embedded.server_version(server) or ()
        yield Finding("redis", "ok", f"not running; `bin/segue up` starts {server} {'.'.join(map(str, version))}")
        return
    try:
        facts = asyncio.run(look(url))
    except StoreUnavailable as error:
        yield Finding("redis", "fail", f"does not answer ({error})", "See that it runs and that [redis] url is right.")
        return
    yield _version(facts)
    yield from _durability(facts)
    yield from _memory(facts)
    yield _clock(facts)
    yield _format(facts)
    yield from _waiting(facts)


def _version(facts: Facts) -> Finding:
    number = tuple(int(part) for part in facts.version.split(".")[:2])
    if number < embedded.OLDEST:
        return Finding("redis", "fail", f"version {facts.version}", "Use Redis or Valkey 6.2 or newer.")
    return Finding("redis", "ok", f"version {facts.version} answers")


def _durability(facts: Facts) -> Iterator[Finding]:
    if not facts.append_only:
        yield Finding(
            "redis", "fail", "no append-only file: a restart forgets messages", "Set appendonly yes in its settings."
        )
    elif facts.fsync == "always":
        yield Finding("redis", "ok", "append-only file, written to disk before each answer")
    else:
        told = f"appendfsync {facts.fsync}" if facts.fsync else "its appendfsync is not told"
        yield Finding(
            "redis",
            "warn",
            f"append-only file, {told}",
            "Set appendfsync always, or accept that a power cut costs 1 s.",
        )
    if facts.writes_fail:
        yield Finding("redis", "fail", "its last write to disk failed", "Look at its log and at the disk.")
    if facts.policy != "noeviction":
        yield Finding(
            "redis",
            "fail",
            f"maxmemory-policy {facts.policy} throws data away when memory is short",
            "Set maxmemory-policy noeviction.",
        )


def _memory(facts: Facts) -> Iterator[Finding]:
    used = f"{facts.used / 1e6:,.0f} MB in use"
    if not facts.most:
        yield Finding(
            "redis", "warn", f"{used}, no limit", "Set maxmemory, so that messages are turned away before memory ends."
        )
        return
    part = facts.used / facts.most
    told = f"{used} of {facts.most / 1e6:,.0f} MB"
    if part >= FULL:
        yield Finding(
            "redis", "fail", f"{told}: new messages are turned away", "Raise maxmemory, or move to more memory."
        )
    elif part >= FULL - 0.2:
        yield Finding("redis", "warn", f"{told}; from {FULL:.0%} messages are turned away", "Raise maxmemory in time.")
    else:
        yield Finding("redis", "ok", told)


def _clock(facts: Facts) -> Finding:
    if abs(facts.ahead) > CLOCKS_APART:
        return Finding(
            "clock",
            "warn",
            f"Redis' clock is {facts.ahead / 1000:+.1f} s from ours",
            "Let both machines set their clocks by the network (chrony, systemd-timesyncd).",
        )
    now = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
    return Finding("clock", "ok", f"{now}, Redis {facts.ahead:+d} ms")


def _format(facts: Facts) -> Finding:
    if facts.format in (None, FORMAT):
        told = f"format {FORMAT}" if facts.format else "nothing written yet"
        return Finding("data", "ok", told)
    newer = (facts.format or 0) > FORMAT
    remedy = "Run the version that wrote it." if newer else "Start the version that wrote it, then follow CHANGELOG.md."
    return Finding("data", "fail", f"format {facts.format}, this version reads {FORMAT}", remedy)


def _waiting(facts: Facts) -> Iterator[Finding]:
    if facts.dead_letters:
        yield Finding(
            "data",
            "warn",
            f"{facts.dead_letters} dead letters wait",
            "See `bin/segue dead list`, mend the cause, then `bin/segue dead requeue all`.",
        )
    else:
        yield Finding("data", "ok", "no dead letters")
    if facts.late:
        yield Finding(
            "data",
            "fail",
            f"{facts.late} customers wait for longer than a minute",
            "See that a worker and the bot run.",
        )
    if facts.late_sends:
        yield Finding(
            "data",
            "warn",
            f"{facts.late_sends} deliveries are late",
            "See that a worker runs, and the platforms' state.",
        )
    readers = ", ".join(facts.readers)
    told = f"read by {readers}" if readers else "read by nobody: the last 500 of each shard are kept"
    yield Finding("events", "ok", told)


def router(installation: Installation) -> Iterator[Finding]:
    """The router's own word on each part, and whether the launcher's processes are there."""
    for name, (pid, identity) in installation.record.get("parts", {}).items():
        if name != "train" and process_identity(pid) != identity:
            yield Finding(
                name, "fail", "its process is gone", f"It is started again by itself; see {_log(installation, name)}."
            )
    url = urlsplit(installation.web_url)
    status, answer = ask(url.hostname or "127.0.0.1", url.port or 80, "/readyz")
    if status == 0:
        level: Level = "fail" if installation.running else "warn"
        yield Finding("router", level, f"does not answer at {installation.web_url}", "Start it with `bin/segue up`.")
        return
    parts = answer.get("parts")
    if not isinstance(parts, dict):
        remedy = "Give Segue another port with --port."
        yield Finding("router", "fail", f"something else answers at {installation.web_url}", remedy)
        return
    for name, state in parts.items():
        if state == "ok":
            yield Finding(str(name), "ok", "answers the router")
        else:
            yield Finding(str(name), "fail", str(state), f"Wait while it starts, else see {_log(installation, name)}.")
    yield Finding("router", "ok" if status == 200 else "fail", f"{installation.web_url}/readyz answers {status}")


def _log(installation: Installation, part: object) -> str:
    return str(installation.data / "log" / f"{part}.log") if installation.running else f"the log of {part}"
