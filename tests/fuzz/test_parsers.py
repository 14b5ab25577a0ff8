"""What a stranger's bytes meet first never fails in a way of its own: it reads, or refuses by name."""

from __future__ import annotations

import contextlib
import string
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import assume, given
from hypothesis import strategies as st

from connectors.contract import NotUnderstood
from connectors.media import _by_magic, _is_plain_text, plain_name
from connectors.sealing import SealBroken, Seals
from connectors.webchat import bodies, transcript
from connectors.webchat.limits import counted
from connectors.webchat.ports import FormField
from connectors.webchat.signed import IdentityRefused, verified
from connectors.webchat.visitors import Token, Visitor

SEALS = Seals([b"k" * 32])
PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
any_text = st.text(st.characters(), max_size=300)
any_address = st.one_of(st.ip_addresses().map(str), any_text)
FORM = tuple(
    FormField(kind, {}, type=kind, options=("a",) if kind == "choice" else ())  # type: ignore[arg-type]
    for kind in ("text", "email", "tel", "choice")
)


@given(any_text)
def test_no_text_opens_as_sealed(text: str) -> None:
    for kind in (Visitor, Token):
        with pytest.raises(SealBroken):
            SEALS.unseal("handle", text, kind)


@given(any_text, any_text)
def test_no_text_passes_for_a_digest(text: str, digest: str) -> None:
    assert not SEALS.is_digest("media", text, digest)
    assert SEALS.is_digest("media", text, SEALS.digest("media", text))


@given(any_text)
def test_no_text_is_an_identity(text: str) -> None:
    with pytest.raises(IdentityRefused):
        verified(text, ("s" * 64,), "demo")


@given(any_address, st.lists(any_address, max_size=30))
def test_an_address_is_always_found_and_a_strangers_word_never_counts(peer: str, hops: list[str]) -> None:
    try:
        trusted = any(ip_address(peer) in proxy for proxy in PROXIES)
    except ValueError:
        trusted = False
    assume(not trusted and not peer.startswith("::ffff:"))
    assert counted(peer, hops, PROXIES) == counted(peer, [], PROXIES)


@given(st.lists(any_address, max_size=5), st.ip_addresses(v=4))
def test_what_stands_left_of_the_last_stranger_changes_nothing(made_up: list[str], stranger: Any) -> None:
    assume(not any(stranger in proxy for proxy in PROXIES if proxy.version == 4))
    assert counted("10.0.0.1", [*made_up, str(stranger)], PROXIES) == str(stranger)


@given(any_text, any_text)
def test_an_origin_never_holds_a_query_but_utm(page: str, referrer: str) -> None:
    found = bodies.origin(bodies.SessionBody(site="demo", page=page, referrer=referrer))
    assert all(len(value) <= 200 for value in found.values())
    for key in ("page", "referrer"):
        assert not set("?#") & set(found.get(key, ""))


@given(st.dictionaries(st.one_of(st.sampled_from([field.key for field in FORM]), any_text), any_text, max_size=6))
def test_a_forms_answers_are_read_or_refused(answers: dict[str, str]) -> None:
    try:
        found = bodies.answers(answers, FORM)
    except NotUnderstood:
        return
    assert all(value.isprintable() and 0 < len(value) <= bodies.LONGEST_ANSWER for value in found.values())


@given(any_text)
def test_numbers_of_a_query_are_read_or_refused(text: str) -> None:
    for read, most in ((bodies.limit, 100), (bodies.wait, 25)):
        try:
            number = read(text)
        except NotUnderstood:
            continue
        assert number is not None
        assert 0 <= number <= most


@given(st.text(string.printable, max_size=60).filter(lambda text: "\n" not in text and "\r" not in text))
def test_a_key_is_a_uuid_or_refused(text: str) -> None:
    request = make_mocked_request("POST", "/", headers={"Idempotency-Key": text})
    with contextlib.suppress(NotUnderstood):
        assert len(bodies.idempotency_key(request)) == 36


@given(st.binary(max_size=400))
def test_any_bytes_have_a_kind_or_none(content: bytes) -> None:
    kind = _by_magic(content) or ("text/plain" if _is_plain_text(content) else None)
    assert kind not in ("text/html", "image/svg+xml")
    if kind == "text/plain":
        assert b"<script" not in content.lower()
        assert b"\0" not in content


@given(any_text)
def test_a_files_name_is_no_path(name: str) -> None:
    plain = plain_name(name)
    assert plain
    assert not set("/\\\0\r\n") & set(plain)


@given(st.lists(st.tuples(any_text, any_text, any_text), max_size=5), any_text)
def test_no_words_are_markup_in_a_transcript(rows: list[tuple[str, str, str]], title: str) -> None:
    page = transcript.page(title, rows, "pt-BR")
    assert page.count("<") == transcript.page("", [("", "", "")] * len(rows), "pt-BR").count("<")
    lines = transcript.text("", [("at", "who", words) for _, _, words in rows]).splitlines()
    assert sum(line == "[at] who:" for line in lines) == len(rows)
