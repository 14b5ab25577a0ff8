"""Identities that a shop's server signed: a JWT (RFC 7519) of one fixed kind, HS256, checked by PyJWT.

The algorithm is ours, never the token's. Every claim that we rely on is required; a token says who for an hour at
most, and once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jwt

from connectors.phone import NotANumber, canonical

LONGEST = 8 * 1024
LONGEST_LIFE = 3600
SKEW = 60
_CLAIMS = ("sub", "aud", "iat", "exp", "jti")
_TOLD = ("name", "email", "phone")


class IdentityRefused(Exception):
    """Not a good identity; the text says why without quoting it."""


@dataclass(frozen=True, slots=True)
class Person:
    """Whom the site vouches for. `told` holds name, email and phone where they were given."""

    sub: str
    jti: str
    exp: int
    told: dict[str, str]


def verified(token: str, secrets: Sequence[str], site: str) -> Person:
    """Raises `IdentityRefused`. Whether `jti` is new is for the caller to ask."""
    if not secrets:
        raise IdentityRefused("this site takes no signed identities")
    if len(token) > LONGEST:
        raise IdentityRefused("the identity is too long")
    claims = _opened(token, secrets, site)
    now = time.time()
    if claims["exp"] - claims["iat"] > LONGEST_LIFE or claims["exp"] > now + LONGEST_LIFE + SKEW:
        raise IdentityRefused(f"the identity lives for more than {LONGEST_LIFE} s")
    if claims["aud"] != site:
        raise IdentityRefused("the identity is for somebody else")
    for name in ("sub", "jti"):
        if not isinstance(claims[name], str) or not 1 <= len(claims[name]) <= 200 or not claims[name].isprintable():
            raise IdentityRefused(f"{name} must be a text of 1 to 200 characters")
    told = {}
    for name in _TOLD:
        value = claims.get(name, "")
        if not isinstance(value, str) or len(value) > 200 or not (value == "" or value.isprintable()):
            raise IdentityRefused(f"{name} must be a text of at most 200 characters")
        if value:
            told[name] = value
    if "phone" in told:
        told["phone"] = _number(told["phone"])
    return Person(claims["sub"], claims["jti"], int(claims["exp"]), told)


def _opened(token: str, secrets: Sequence[str], site: str) -> dict[str, Any]:
    """By the first secret that fits: two live while they are rotated."""
    why = "the signature does not hold"
    for secret in secrets:
        try:
            claims: dict[str, Any] = jwt.decode(
                token, secret, algorithms=["HS256"], audience=site, leeway=SKEW, options={"require": list(_CLAIMS)}
            )
        except jwt.InvalidSignatureError:
            continue
        except jwt.ExpiredSignatureError:
            why = "the identity has expired"
        except jwt.ImmatureSignatureError:
            why = "the identity is of the future"
        except jwt.InvalidAudienceError:
            why = "the identity is for somebody else"
        except jwt.MissingRequiredClaimError as error:
            why = f"the identity lacks {error.claim}"
        except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError, RecursionError):
            why = "the identity is no JWT of HS256 with sub, aud, iat, exp and jti"
        else:
            if not all(type(claims[name]) in (int, float) for name in ("iat", "exp")):
                raise IdentityRefused("iat and exp must be numbers")
            return claims
        break
    raise IdentityRefused(why)


def _number(written: str) -> str:
    """In the one form of this number where it is one; it is told to the desk, and joins nobody."""
    try:
        return canonical(written)
    except NotANumber:
        return written
