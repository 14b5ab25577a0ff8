"""`segue doctor`: what it says of an installation that is well, stopped, or wrong in one respect."""

from __future__ import annotations

import asyncio
import json
import os
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from contract.test_store import claimed, reply, write
from fakes.operator import Operator
from fakes.redis_server import RedisServer
from redis import Redis

from router.store import Store, connect
from segue import doctor_files, doctor_parts
from segue.doctor import Finding, examine, line
from segue.doctor_files import unknown_variables, weak_secrets
from segue.installation import Installation


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The data folder; no variable of ours is set, and the settings file is one that the test may write."""
    for name in [name for name in os.environ if name.startswith("SEGUE_") and name != "SEGUE_HOME"]:
        monkeypatch.delenv(name)
    (tmp_path / "segue.toml").write_text("")
    monkeypatch.chdir(tmp_path)  # put back afterwards: finding an installation goes to the checkout
    monkeypatch.setenv("SEGUE_CONFIG", str(tmp_path / "segue.toml"))
    return tmp_path / "var"


def settings(data: Path, text: str) -> Installation:
    (data.parent / "segue.toml").write_text(text)
    return Installation.find(data, None)


def told(findings: Iterator[Finding], level: str) -> str:
    """The lines of one level."""
    return "\n".join(line(finding) for finding in findings if finding.level == level)


# ── as a whole ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_stopped_system_is_told_of_and_is_no_fault(plain: Path) -> None:
    findings = list(examine(plain, None))
    assert {finding.part for finding in findings} >= {"python", "settings", "address", "disk", "redis", "router"}
    assert "router: does not answer" in told(iter(findings), "warn")
    assert [
        finding.says for finding in findings if finding.part in ("redis", "router") and finding.level == "fail"
    ] == []
    assert not plain.exists(), "looking makes no folder"


def test_every_line_that_is_not_well_has_one_sentence_of_remedy(plain: Path) -> None:
    (plain.parent / "segue.toml").write_text(
        '[server]\nhost = "0.0.0.0"\n[redis]\nurl = "unix:///nowhere/none.sock"\n[sites.a]\norigins = ["http://a.example"]\n'
    )
    findings = [finding for finding in examine(plain, None) if finding.level != "ok"]
    assert len(findings) >= 3
    assert [line(finding) for finding in findings if not finding.remedy.endswith(".")] == []


def test_settings_that_cannot_be_used_are_one_line_and_the_rest_is_looked_at(plain: Path) -> None:
    (plain.parent / "segue.toml").write_text("[server]\nprot = 1\n")
    findings = list(examine(plain, None))
    assert "settings: cannot be used – the settings are wrong, correct" in told(iter(findings), "fail")
    assert "server.prot" in told(iter(findings), "fail")
    assert {"disk", "memory", "python"} <= {finding.part for finding in findings}


def test_json_and_exit_code_say_the_same(stopped: Operator) -> None:
    stopped.environment["SEGUE_REDIS__URL"] = f"unix://{stopped.data}/none.sock"
    said, _ = stopped.run("doctor", "--json", code=1)
    answer = json.loads(said)
    assert answer["ok"] is False
    assert {"part", "level", "says", "remedy"} == set(answer["findings"][0])
    said, _ = stopped.run("doctor", code=1)
    assert "fail  redis: does not answer (" in said
    assert said.splitlines()[-1].split()[1:3] == ["to", "mend,"]


# ── settings, addresses, files, room ────────────────────────────────────────────────────────────────────────────────


def test_a_misspelt_variable_is_named() -> None:
    names = {"SEGUE_SERVR__PORT": "1", "SEGUE_SERVER__PORT": "1", "SEGUE_HOME": "x", "PATH": "y", "SEGUE_PROT": "1"}
    assert unknown_variables(names) == ["SEGUE_PROT", "SEGUE_SERVR__PORT"]


@pytest.mark.parametrize("secret", ["secret", "short-one", "aaaaaaaaaaaaaaaaaaaaaaaa", "whsec_ababababababababab"])
def test_what_is_short_or_one_letter_is_no_secret(secret: str) -> None:
    assert doctor_files.weak(secret)
    assert not doctor_files.weak("Zk3vX9q7Lw2TtY8bRr5NnE1m")


@pytest.mark.parametrize(("environment", "level"), [("development", "warn"), ("production", "fail")])
def test_a_weak_secret_is_named_and_not_shown(plain: Path, environment: str, level: str) -> None:
    text = f'environment = "{environment}"\n[channels.webhook.main]\nurl = "https://shop.example/in"\nsecret = "{{}}"\n'
    weak, good = ("whsec_" + b64encode(bytes_).decode() for bytes_ in (bytes(24), bytes(range(24))))
    said = told(doctor_files.settings(settings(plain, text.format(weak))), level)
    assert "channels.webhook.main.secret is short or of a few letters" in said
    assert weak not in said
    assert weak_secrets(settings(plain, text.format(good)).settings) == []


@pytest.mark.parametrize(
    ("text", "level", "says"),
    [
        ("", "ok", "http://127.0.0.1:8080, this machine only"),
        ('[server]\nhost = "0.0.0.0"', "warn", "nothing says where the world reaches it"),
        ('environment = "production"\n[server]\nhost = "0.0.0.0"', "fail", "nothing says where the world reaches it"),
        ('[server]\npublic_url = "http://shop.example"', "warn", "is not encrypted"),
        ('environment = "production"\n[server]\npublic_url = "http://shop.example"', "fail", "is not encrypted"),
        ('[server]\npublic_url = "https://shop.example"', "warn", "all visitors count as one address"),
        (
            '[server]\npublic_url = "https://shop.example"\ntrusted_proxies = ["127.0.0.1"]',
            "ok",
            "https://shop.example",
        ),
    ],
)
def test_the_address_is_encrypted_where_it_is_public(plain: Path, text: str, level: str, says: str) -> None:
    assert says in told(doctor_files.address(settings(plain, text)), level)


def test_a_channel_without_settings_is_off_and_said_to_be(plain: Path) -> None:
    said = told(doctor_files.channels(settings(plain, "")), "ok")
    assert "webhook: off, there is no [channels.webhook.<account>]" in said
    assert "webchat: demo" in said


def test_keys_that_others_may_read_are_named_with_their_remedy(plain: Path) -> None:
    plain.mkdir(mode=0o700)
    (plain / "keys.json").write_text("{}")
    (plain / "keys.json").chmod(0o644)
    assert f"Run `chmod 600 {plain}/keys.json`." in told(doctor_files.modes(settings(plain, "")), "fail")
    (plain / "keys.json").chmod(0o600)
    assert told(doctor_files.modes(settings(plain, "")), "fail") == ""


@pytest.mark.parametrize(("free", "level"), [(800, "ok"), (600, "warn"), (400, "fail")])
def test_a_disk_that_fills_is_told_before_messages_are_turned_away(
    plain: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: str
) -> None:
    installation = settings(plain, "")
    usage = type("Usage", (), {"free": free * 1_000_000})
    monkeypatch.setattr(doctor_files.shutil, "disk_usage", lambda path: usage)
    assert f"{free} MB free" in told(doctor_files.room(installation), level)


# ── Redis and the router ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def at(plain: Path, redis_server: RedisServer) -> Installation:
    return settings(plain, f'[redis]\nurl = "{redis_server.url}"\n')


@pytest.fixture
def server(redis_server: RedisServer) -> Iterator[Redis]:
    """Its settings are put back."""
    client = Redis(unix_socket_path=str(redis_server.socket))
    kept = {
        name: client.config_get(name)[name] for name in ("appendfsync", "maxmemory", "maxmemory-policy", "appendonly")
    }
    yield client
    for name, value in kept.items():
        client.config_set(name, value)
    client.close()


def test_durability_and_room_of_redis_are_told(at: Installation, server: Redis) -> None:
    server.config_set("maxmemory", 0)
    assert "appendfsync everysec" in told(doctor_parts.redis(at), "warn")
    assert "MB in use, no limit" in told(doctor_parts.redis(at), "warn")
    server.config_set("appendfsync", "always")
    server.config_set("maxmemory", 500_000_000)
    well = told(doctor_parts.redis(at), "ok")
    assert told(doctor_parts.redis(at), "warn") == ""
    assert "written to disk before each answer" in well
    assert "of 500 MB" in well
    server.config_set("maxmemory-policy", "allkeys-lru")
    assert "Set maxmemory-policy noeviction." in told(doctor_parts.redis(at), "fail")
    server.config_set("appendonly", "no")
    assert "a restart forgets messages" in told(doctor_parts.redis(at), "fail")


def test_a_nearly_full_redis_is_a_fault(at: Installation, server: Redis) -> None:
    def fill(part: float) -> None:
        # Looked at each time: what earlier tests left is freed in the background.
        used = int(server.info("memory")["used_memory"])  # type: ignore[index]  # a client that answers at once
        server.config_set("maxmemory", int(used / part))

    fill(0.9)
    assert "new messages are turned away" in told(doctor_parts.redis(at), "fail")
    fill(0.7)
    assert "Raise maxmemory in time." in told(doctor_parts.redis(at), "warn")


def test_what_waits_in_redis_is_told(at: Installation, redis_server: RedisServer) -> None:
    async def leave() -> None:
        store = Store(connect(redis_server.url))
        await store.check_format()
        await write(store)
        await store.commit(await claimed(store), reply("desculpe", dead="attempts"))
        store.offset = -61_000
        await write(store, dedupe="late")
        await store.upkeep.register("projector")
        await store.close()

    asyncio.run(leave())
    assert "1 dead letters wait – See `bin/segue dead list`" in told(doctor_parts.redis(at), "warn")
    assert "1 customers wait for longer than a minute" in told(doctor_parts.redis(at), "fail")
    assert "events: read by projector" in told(doctor_parts.redis(at), "ok")


@pytest.mark.parametrize(
    ("number", "remedy"), [(99, "Run the version that wrote it."), (0, "then follow CHANGELOG.md.")]
)
def test_data_of_another_format_are_a_fault(at: Installation, server: Redis, number: int, remedy: str) -> None:
    server.hset("segue:format", mapping={"format": number, "shards": 256})
    assert remedy in told(doctor_parts.redis(at), "fail")


def test_a_part_whose_process_is_gone_is_named(plain: Path) -> None:
    plain.mkdir(mode=0o700)
    record = {"launcher": os.getpid(), "url": "http://127.0.0.1:9/", "parts": {"bot": [2**22 + 1, "1"]}}
    (plain / "run.json").write_text(json.dumps(record))
    said = told(doctor_parts.router(settings(plain, "")), "fail")
    assert "bot: its process is gone" in said
    assert "router: does not answer at http://127.0.0.1:9" in said
