"""Settings are read once, and refused with a sentence."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from segue.keys import load_keys
from segue.serve import load_brand
from segue.settings import SettingsError, load_settings


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("SEGUE_CONFIG", "SEGUE_DATA_DIR", "SEGUE_SERVER__PORT"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_file_everything_has_a_default() -> None:
    settings = load_settings()
    assert (settings.server.host, settings.server.port, settings.public_url()) == (
        "127.0.0.1",
        8080,
        "http://127.0.0.1:8080",
    )


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "segue.toml").write_text('[server]\nport = 1000\npublic_url = "https://chat.example/"\n')
    monkeypatch.setenv("SEGUE_SERVER__PORT", "2000")
    settings = load_settings()
    assert (settings.server.port, settings.public_url()) == (2000, "https://chat.example")


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[server]\nport = 99999", "server.port"),
        ('[server]\npublic_url = "chat.example"', "server.public_url: starts with http"),
        ("[server]\nprot = 1", "server.prot"),
        ('[sites.shop]\norigins = ["shop.example"]', "write https://shop.example"),
        ('[sites.shop]\norigins = ["https://a.example; script-src *"]', "is no origin"),
        ("[server", "is no TOML"),
        ('[server]\ntrusted_proxies = ["all"]', "server.trusted_proxies"),
    ],
)
def test_a_wrong_value_is_named_with_what_to_do(tmp_path: Path, toml: str, said: str) -> None:
    (tmp_path / "segue.toml").write_text(toml)
    with pytest.raises(SettingsError, match=r"^[^\n]+$") as refused:
        load_settings()
    assert said in str(refused.value)


def test_a_named_file_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_CONFIG", "nowhere.toml")
    with pytest.raises(SettingsError, match=r"no settings file nowhere\.toml"):
        load_settings()


def test_a_wrong_secret_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_SERVER__PORT", "hunter2")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert "hunter2" not in str(refused.value)


def test_channel_secrets_are_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "whsec_" + "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0"
    monkeypatch.setenv("SEGUE_CHANNELS__WEBHOOK__MAIN__SECRET", secret)
    monkeypatch.setenv("SEGUE_CHANNELS__WEBHOOK__MAIN__URL", "https://shop.example/segue")
    settings = load_settings()
    assert list(settings.channels) == ["webhook:main"]
    assert secret not in repr(settings) + str(settings)
    monkeypatch.setenv("SEGUE_CHANNELS__WEBHOOK__MAIN__URL", "nowhere")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert secret not in str(refused.value)


def test_the_demo_site_is_on_our_own_origins_and_off_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    origins = load_settings().shown_sites()["demo"].origins
    assert origins == ("http://localhost:8080", "http://127.0.0.1:8080")
    monkeypatch.setenv("SEGUE_ENVIRONMENT", "production")
    assert load_settings().shown_sites() == {}


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_keys_are_made_once_and_readable_by_us_alone(tmp_path: Path) -> None:
    first = load_keys(tmp_path / "data")
    assert load_keys(tmp_path / "data") == first
    assert stat.S_IMODE((tmp_path / "data" / "keys.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"sealing": []}', json.dumps({"sealing": ["AAAA"]})])
def test_a_broken_key_file_is_refused_with_a_remedy(tmp_path: Path, content: str) -> None:
    (tmp_path / "keys.json").write_text(content)
    with pytest.raises(SettingsError, match="backup"):
        load_keys(tmp_path)


# ── brand ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("toml", "said"), [("name = ", "cannot be read"), ('name = "Loja"', "lacks 'assistant'")])
def test_a_brand_that_cannot_be_used_is_refused_with_a_remedy(tmp_path: Path, toml: str, said: str) -> None:
    (tmp_path / "brand.toml").write_text(toml)
    with pytest.raises(SettingsError, match=said):
        load_brand(tmp_path / "brand.toml")
