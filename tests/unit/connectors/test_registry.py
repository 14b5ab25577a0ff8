"""Settings become connectors, and a wrong setting a sentence."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from fakes.webhook_receiver import SECRET

from connectors import registry
from connectors.contract import Accepted, Edited, Identity, Inbound, Ports, StatusReport
from connectors.media import MediaFolder
from connectors.webhook import Settings

GOOD = {"secret": SECRET, "url": "https://shop.example/segue"}


class NoDoor:
    async def accept(self, inbound: Inbound) -> Accepted:
        raise NotImplementedError

    async def report(self, report: StatusReport) -> None:
        raise NotImplementedError

    async def edited(self, edited: Edited) -> None:
        raise NotImplementedError

    async def reachable(self, identity: Identity, yes: bool, reason: str = "") -> None:
        raise NotImplementedError

    async def ready(self) -> bool:
        return False


def test_each_configured_account_is_a_connector_with_a_route_of_its_own() -> None:
    settings = registry.checked({"webhook": {"main": GOOD, "loja-2": GOOD}})
    built = registry.connectors(settings, Ports(NoDoor(), MediaFolder(Path("nowhere"))))
    assert ["webhook:main", "webhook:loja-2"] == list(built)
    assert list(built) == [connector.account for connector in built.values()]
    paths = [route.path for connector in built.values() for route in connector.routes()]
    assert ["/channels/webhook/main", "/channels/webhook/loja-2"] == paths


@pytest.mark.parametrize(
    ("tables", "names"),
    [
        ({"pigeon": {"main": {}}}, "pigeon"),
        ({"webchat": {"main": {}}}, "webchat"),
        ({"webhook": {"main": {"secret": SECRET}}}, "webhook.main.url: Field required"),
        ({"webhook": {"main": {**GOOD, "secert": 1}}}, "webhook.main.secert"),
        ({"webhook": {"main": {**GOOD, "secret": "hunter2"}}}, "webhook.main.secret: a secret is whsec_"),
        ({"webhook": {"Main": GOOD}}, "webhook.Main"),
        ({"webhook": {"a/b": GOOD}}, "webhook.a/b"),
        ({"webhook": {"main": "hunter2"}}, "webhook.main"),
        ({"webhook": "hunter2"}, "webhook"),
    ],
)
def test_a_wrong_setting_is_named_and_no_value_is_shown(tables: Any, names: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011  its words are looked at below
        registry.checked(tables)
    assert names in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_values_of_the_environment_are_text_and_understood() -> None:
    (settings,) = registry.checked(
        {"webhook": {"main": {**GOOD, "idempotent": "false", "shows": "text, image"}}}
    ).values()
    assert isinstance(settings, Settings)
    assert (False, ["image", "text"]) == (settings.idempotent, sorted(settings.shows))


def test_the_widget_is_registered_and_live() -> None:
    assert registry.CHANNELS["webchat"].live
    assert not registry.CHANNELS["webhook"].live


def test_a_channel_that_nobody_configured_is_not_imported() -> None:
    program = "import connectors.registry, sys; sys.exit('connectors.webhook' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", program], check=False).returncode


def test_every_channel_stands_in_the_import_contracts() -> None:
    """A channel's file knows neither the router nor another channel: `pyproject.toml` says so by name."""
    told = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8"))
    contracts = told["tool"]["importlinter"]["contracts"]
    [apart] = [contract["modules"] for contract in contracts if contract["type"] == "independence"]
    [router] = [
        c["forbidden_modules"] for c in contracts if "knows the connectors' contract and no connector" in c["name"]
    ]
    modules = {channel.module for channel in registry.CHANNELS.values()}
    assert (modules - set(apart), modules - set(router)) == (set(), set())
