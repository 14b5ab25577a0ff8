"""What an operator sets for one account: a token, and rarely more."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from connectors import http


class Settings(BaseModel):
    """[channels.telegram.<account>]"""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    token: SecretStr
    """As @BotFather gave it."""
    secret: SecretStr = SecretStr("")
    """What Telegram repeats in a header of each request; empty: made from the token. While it is changed: the new
    one, a blank, the old one."""
    base_url: str = "https://api.telegram.org"
    """Of the Bot API; `/bot<token>/` and `/file/bot<token>/` are appended."""
    receive: Literal["auto", "webhook", "polling"] = "auto"
    """auto: by webhook where [server] public_url is an https address, else by asking."""
    per_second: Annotated[float, Field(ge=0)] = 30
    """Messages that the account sends, to all people together; 0 is no limit."""
    timeout_seconds: Annotated[float, Field(gt=0, le=20)] = 10.0

    @field_validator("token")
    @classmethod
    def _is_a_token(cls, token: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[0-9]{1,20}:[A-Za-z0-9_-]{1,200}", token.get_secret_value()):
            raise ValueError("copy the token as @BotFather gave it: digits, a colon, letters")
        return token

    @field_validator("secret")
    @classmethod
    def _fits_a_header(cls, secret: SecretStr) -> SecretStr:
        given = secret.get_secret_value().split()
        if len(given) > 2 or any(not re.fullmatch(r"[A-Za-z0-9_-]{16,256}", one) for one in given):
            raise ValueError("a secret has 16 to 256 of A-Z, a-z, 0-9, _ and -; leave it out to have one made")
        return secret

    @field_validator("base_url")
    @classmethod
    def _is_safe(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise ValueError("write an address like https://api.telegram.org, without a name or password in it")
        if parts.scheme == "http" and not http.is_near(parts.hostname):
            raise ValueError("what customers write travels by https; http is for a server in your own network")
        return url.rstrip("/")

    def secrets(self) -> tuple[str, ...]:
        """What the header may hold; the first is told to Telegram."""
        if given := self.secret.get_secret_value().split():
            return tuple(given)
        # Whoever knows the token can read everything anyway, so a secret made from it gives nothing away.
        made = hmac.new(self.token.get_secret_value().encode(), b"segue telegram webhook", hashlib.sha256)
        return (made.hexdigest(),)

    def polls(self, public_url: str) -> bool:
        if self.receive == "auto":
            return not public_url.startswith("https://")
        return self.receive == "polling"
