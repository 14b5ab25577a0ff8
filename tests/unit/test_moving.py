"""The rules of links and routes, without any store: who is asked, and where a reply goes."""

from __future__ import annotations

import pytest

from connectors.contract import CustomerId, Identity
from router.conversation import Side, link_verdict, route, signed_logins

WEB, TELEGRAM, HOOK = Identity("webchat:demo", "v"), Identity("telegram:main", "7"), Identity("webhook:main", "z")
ANA, BIA = frozenset({"webchat:demo/u%3Aana"}), frozenset({"webchat:demo/u%3Abia"})
NOBODY: frozenset[str] = frozenset()


def _side(customer: str, logins: frozenset[str], fresh: bool) -> Side:
    return Side(CustomerId(customer), logins, fresh)


@pytest.mark.parametrize(
    ("redeemer", "maker", "agreed", "verdict"),
    [
        (_side("b", NOBODY, True), _side("a", NOBODY, False), False, "merge"),
        (_side("b", NOBODY, False), _side("a", NOBODY, False), False, "ask_redeemer"),
        (_side("b", NOBODY, False), _side("a", NOBODY, False), True, "merge"),
        (_side("b", NOBODY, True), _side("a", ANA, False), False, "ask_maker"),
        (_side("b", NOBODY, False), _side("a", ANA, False), False, "ask_redeemer"),
        (_side("b", NOBODY, False), _side("a", ANA, False), True, "ask_maker"),
        (_side("b", BIA, True), _side("a", NOBODY, False), False, "ask_redeemer"),
        (_side("b", BIA, True), _side("a", NOBODY, False), True, "merge"),
        (_side("b", BIA, True), _side("a", ANA, False), False, "two_logins"),
        (_side("b", BIA, True), _side("a", ANA, False), True, "two_logins"),
        (_side("a", ANA, False), _side("a", ANA, False), False, "same"),
    ],
)
def test_who_has_something_to_disclose_is_asked(redeemer: Side, maker: Side, agreed: bool, verdict: str) -> None:
    assert verdict == link_verdict(redeemer, maker, agreed=agreed)


def test_only_a_shops_signature_makes_a_login() -> None:
    signed = Identity("webchat:demo", "u:ana")
    assert {str(signed)} == signed_logins([signed, WEB, Identity("telegram:main", "u:ana")])


def test_a_reply_goes_where_the_customer_wrote_last() -> None:
    assert (TELEGRAM, "used") == _to(route(TELEGRAM, None, [WEB], {}))


def test_unless_they_chose_another_channel() -> None:
    assert (WEB, "chosen") == _to(route(TELEGRAM, WEB, [WEB], {}))
    assert (TELEGRAM, "used") == _to(route(TELEGRAM, WEB, [WEB], {WEB: "gone"}))


def test_a_channel_that_cannot_receive_yields_to_the_next_by_last_use() -> None:
    assert (HOOK, "unreachable") == _to(route(TELEGRAM, None, [HOOK, WEB], {TELEGRAM: "blocked"}))
    assert (WEB, "unreachable") == _to(route(TELEGRAM, TELEGRAM, [HOOK, WEB], {TELEGRAM: "blocked", HOOK: "gone"}))


def test_when_nobody_can_be_written_to_it_is_held() -> None:
    assert (None, "held") == _to(route(TELEGRAM, None, [WEB], {TELEGRAM: "blocked", WEB: "gone"}))


def _to(found: object) -> tuple[object, object]:
    return found.to, found.why  # type: ignore[attr-defined]
