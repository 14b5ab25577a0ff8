"""Settings: one TOML file, every value overridable by the environment (`SEGUE_SERVER__PORT=9000`), read once.

A wrong value is refused with a sentence that names it. Secrets have a type that prints as stars.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from connectors import registry
from router.masking import Kind, masked
from segue.look import Look

ROOT = Path(__file__).parent.parent


class SettingsError(Exception):
    """The settings cannot be used; the text says which one and what to write instead."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Server(_Part):
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    public_url: str = ""
    """Where the world reaches us, without a slash at the end; empty: http://<host>:<port>."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks whose X-Forwarded-For is believed."""
    rate_limits: bool = True
    """Off for load tests and browser tests only."""

    @field_validator("public_url")
    @classmethod
    def _no_slash(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("starts with http:// or https://")
        return url.rstrip("/")

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            ip_network(proxy, strict=False)
        return proxies


class RedisPart(_Part):
    url: str = "redis://127.0.0.1:6379/0"
    lease_seconds: Annotated[float, Field(ge=0.2, le=300)] = 15.0


class BotPart(_Part):
    socket: Path = Path("var/run/bot.sock")
    deadline_seconds: Annotated[float, Field(gt=0, le=60)] = 10.0
    workers: Annotated[int, Field(ge=0, le=64)] = 0
    """Processes that take turns under `segue up`; 0: one less than there are cores, at least two."""


class ActionsPart(_Part):
    socket: Path = Path("var/run/actions.sock")


class BrandPart(_Part):
    path: Path = ROOT / "brand.toml"


class Site(Look):
    """A web site that shows the widget."""

    origins: tuple[str, ...]
    """Exact, or https://*.example.com."""
    locale: Literal["pt-BR", "en"] = "pt-BR"
    identity_secrets: Annotated[tuple[SecretStr, ...], Field(max_length=2)] = ()
    """By which the site's server signs who is logged in; two while they are rotated. One alone: identity_secret."""
    enforce: bool = False
    """Only visitors whom the site vouches for may talk."""
    page: str = ""
    """The page that a link back to the chat opens; empty: the first of the origins."""

    @model_validator(mode="before")
    @classmethod
    def _one_secret_is_a_list(cls, values: Any) -> Any:
        if isinstance(values, dict) and "identity_secret" in values and "identity_secrets" not in values:
            values = {**values, "identity_secrets": [values["identity_secret"]]}
            del values["identity_secret"]
        return values

    @field_validator("identity_secrets")
    @classmethod
    def _are_long(cls, secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(secret.get_secret_value().encode()) < 32 for secret in secrets):
            raise ValueError("a secret needs at least 32 characters; `openssl rand -hex 32` makes one")
        return secrets

    @model_validator(mode="after")
    def _enforce_needs_a_secret(self) -> Self:
        if self.enforce and not self.identity_secrets:
            raise ValueError("enforce needs identity_secrets: nobody could talk")
        return self

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            scheme, _, host = origin.partition("://")
            if scheme not in ("http", "https") or not host or set(host) & set("/ ;,'\"?#@"):
                raise ValueError(f"{origin!r} is no origin; write https://shop.example")
        return origins


class Widget(Look):
    burst_ms: Annotated[int, Field(ge=0, le=1000)] = 300
    """Quick texts of this many milliseconds are one turn; 0 switches it off."""


class Conversation(_Part):
    burst_ms: Annotated[int, Field(ge=0, le=1000)] = 600
    """The widget's `burst_ms` for all other channels."""
    idle_hours: Annotated[float, Field(ge=0)] = 24.0
    """Quiet hours after which a conversation that the bot has is closed; 0 never."""


class Privacy(_Part):
    mask: tuple[Kind, ...] = ()
    """Numbers with right check digits, masked in what people write before it is stored; the bot sees them masked."""

    def masks(self) -> Callable[[str], str]:
        """What may be kept of words; `str` where nothing is masked."""
        return partial(masked, kinds=self.mask) if self.mask else str


class Api(_Part):
    tokens: Annotated[tuple[SecretStr, ...], Field(max_length=2)] = ()
    """Bearer tokens of the shop's own servers for /v1/customers; two while they are changed, none switches it off."""

    @field_validator("tokens")
    @classmethod
    def _are_long(cls, tokens: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(token.get_secret_value().encode()) < 32 for token in tokens):
            raise ValueError("a token needs at least 32 characters; `openssl rand -hex 32` makes one")
        return tokens


class Settings(BaseSettings):
    """All of them."""

    model_config = SettingsConfigDict(
        hide_input_in_errors=True,
        env_prefix="SEGUE_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    data_dir: Path = Path("var")
    environment: Literal["development", "production"] = "development"
    server: Server = Server()
    redis: RedisPart = RedisPart()
    bot: BotPart = BotPart()
    actions: ActionsPart = ActionsPart()
    brand: BrandPart = BrandPart()
    widget: Widget = Widget()
    conversation: Conversation = Conversation()
    sites: dict[str, Site] = {}
    api: Api = Api()
    privacy: Privacy = Privacy()
    channels: Annotated[dict[str, Any], AfterValidator(registry.checked)] = {}
    """By channel and account in the file; by "<channel>:<account>", typed by each channel, once read."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, config_file()))

    def public_url(self) -> str:
        return self.server.public_url or f"http://{self.server.host}:{self.server.port}"

    def shown_sites(self) -> dict[str, Site]:
        """The configured sites and, outside production, the demo page on our own origin."""
        if self.environment == "production" or "demo" in self.sites:
            return dict(self.sites)
        port = self.server.port
        origins = dict.fromkeys((f"http://localhost:{port}", f"http://127.0.0.1:{port}", _origin(self.public_url())))
        return {"demo": Site(origins=tuple(origins)), **self.sites}


def page_of(site: Site) -> str:
    """Where a link back to the chat leads; empty when no page is known."""
    exact = (origin for origin in site.origins if "*" not in origin)
    return site.page or next((f"{origin}/" for origin in exact), "")


def config_file() -> Path:
    return Path(os.environ.get("SEGUE_CONFIG") or "segue.toml")


def load_settings(**given: Any) -> Settings:
    """Raises `SettingsError` with one sentence per wrong value."""
    named = os.environ.get("SEGUE_CONFIG")
    if named and not Path(named).is_file():
        raise SettingsError(f"there is no settings file {named}: name another with --config, or leave it out.")
    try:
        return Settings(**given)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise SettingsError(f"the settings are wrong, correct {config_file()} or the environment: {wrong}.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{config_file()} is no TOML: {error}.") from None


def _origin(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.split('/', 1)[0]}"
