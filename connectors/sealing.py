"""Sealed values that leave our hands and come back: encrypted, authenticated, bound to a purpose.

AES-256-GCM by `cryptography` (NIST SP 800-38D). The first key seals, all of them open, so that keys can rotate.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_Sealed = TypeVar("_Sealed", bound=msgspec.Struct)

KEY_BYTES = 32
_NONCE = 12

_MOST_REMEMBERED = 4096
_LONGEST_REMEMBERED = 2048


class SealBroken(Exception):
    """Not sealed by us, for this purpose, with a key that still lives."""


class Seals:
    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"sealing needs keys of {KEY_BYTES} bytes")
        self._ciphers = [AESGCM(key) for key in keys]
        self._keys = tuple(keys)
        self._opened: dict[tuple[str, str], msgspec.Struct] = {}

    def seal(self, purpose: str, value: msgspec.Struct) -> str:
        nonce = secrets.token_bytes(_NONCE)
        sealed = self._ciphers[0].encrypt(nonce, msgspec.json.encode(value), purpose.encode())
        return urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()

    def unseal(self, purpose: str, text: str, kind: type[_Sealed]) -> _Sealed:
        """Raises `SealBroken`. What was opened is remembered: frozen values, so whoever asks again gets the same."""
        opened = self._opened.get((purpose, text))
        if type(opened) is kind:
            return opened
        value = self._unsealed(purpose, text, kind)
        if kind.__struct_config__.frozen and len(text) <= _LONGEST_REMEMBERED:
            if len(self._opened) >= _MOST_REMEMBERED:
                self._opened.clear()
            self._opened[(purpose, text)] = value
        return value

    def _unsealed(self, purpose: str, text: str, kind: type[_Sealed]) -> _Sealed:
        try:
            raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError as error:
            raise SealBroken("not base64") from error
        for cipher in self._ciphers:
            try:
                return msgspec.json.decode(cipher.decrypt(raw[:_NONCE], raw[_NONCE:], purpose.encode()), type=kind)
            except (InvalidTag, ValueError):
                continue
        raise SealBroken(purpose)

    def digest(self, purpose: str, text: str) -> str:
        """A keyed hash (HMAC-SHA256): names something without telling what, and cannot be made by others."""
        return _digest(self._keys[0], purpose, text)

    def is_digest(self, purpose: str, text: str, digest: str) -> bool:
        """Whether `digest` is ours, by any key that lives; in constant time."""
        fits = [
            hmac.compare_digest(_digest(key, purpose, text).encode(), digest.encode("utf-8", "surrogatepass"))
            for key in self._keys
        ]
        return any(fits)


def _digest(key: bytes, purpose: str, text: str) -> str:
    # The purpose has a fixed place before a byte that it never holds, so that no two purposes share a text.
    made = hmac.digest(key, b"digest " + purpose.encode() + b"\0" + text.encode("utf-8", "surrogatepass"), "sha256")
    return urlsafe_b64encode(made[:18]).decode()
