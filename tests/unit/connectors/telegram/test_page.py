"""docs/channels/telegram.md and the code say the same."""

from __future__ import annotations

from pathlib import Path

from connectors.telegram import Settings
from connectors.telegram.checking import PORTS
from connectors.telegram.sending import CAPABILITIES
from connectors.telegram.updates import COMMANDS

PAGE = (Path(__file__).parents[4] / "docs" / "channels" / "telegram.md").read_text(encoding="utf-8")


def test_every_setting_and_command_is_on_the_page() -> None:
    assert [] == [name for name in Settings.model_fields if f"`{name}`" not in PAGE]
    assert [] == [name for name in COMMANDS if f"`/{name}`" not in PAGE]


def test_its_numbers_are_those_of_the_code() -> None:
    assert f"{CAPABILITIES.longest_text:,} characters" in PAGE
    assert f"over {CAPABILITIES.longest_caption:,}" in PAGE
    assert all(str(port) in PAGE for port in PORTS)
