"""Checks of codes: each joined one person or was answered as no good, and who arrived was told so once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from bench.chaos.linker import Newcomer, sentence
from bench.chaos.seen import Customer, Report

MOMENT = sentence("moment")
_APOLOGY = sentence("apology")
_ARRIVED = sentence("arrived")
_TOLD = sentence("told_maker")
_NO_GOOD = sentence("link_not_good")


def is_move(entry: dict[str, Any]) -> bool:
    """A code, or a tap on a button of the router's own: the bot is not asked."""
    return bool(entry.get("link")) or entry["content"]["type"] == "choice"


def is_apology(entry: dict[str, Any]) -> bool:
    return said(entry, _APOLOGY)


def is_no_good(entry: dict[str, Any]) -> bool:
    return said(entry, _NO_GOOD)


def said(entry: dict[str, Any], sentence: tuple[str, ...]) -> bool:
    return entry["author"]["kind"] == "system" and (entry["content"].get("text") or "").startswith(sentence)


def check_links(
    report: Report, customers: Iterable[Customer], newcomers: Sequence[Newcomer], records: dict[str, dict[str, Any]]
) -> None:
    """`customers` hold every row where it stands last; `records` the merges by id, as their survivors keep them."""
    codes: dict[str, list[tuple[str, str]]] = defaultdict(list)
    ids: Counter[str] = Counter()
    heard: dict[str, Counter[str]] = defaultdict(Counter)
    told = 0
    for customer in customers:
        for _, entry in [*customer.messages("customer"), *customer.messages("system")]:
            if entry.get("link"):
                codes[entry["link"]].append((entry["identity"], entry["id"]))
                ids[entry["id"]] += 1
            for name, words in (("arrived", _ARRIVED), ("no good", _NO_GOOD)):
                heard[entry["identity"]][name] += said(entry, words)
            told += said(entry, _TOLD)
    report.counts["codes"] = len(codes)
    for newcomer in newcomers:
        if newcomer.sent and ids[newcomer.sent[0]] != 1:
            report.add("lost", f"a code of {newcomer.number} was accepted and is {ids[newcomer.sent[0]]} times there")
    arrived = 0
    for link, uses in codes.items():
        joined = standing(link[:22], records)
        for identity, _ in uses:
            here = joined is not None and joined["to"] == identity
            if here and joined is not None:
                report.counts["linked"] += 1
                least = 0 if joined["phase"] == "undone" else 1
                if not least <= heard[identity]["arrived"] <= 1:
                    report.add("arrival", f"{identity} was welcomed {heard[identity]['arrived']} times")
                arrived += heard[identity]["arrived"]
                if heard[identity]["no good"]:
                    report.add("doubled", f"{identity} is joined and was told that its code is no good")
            elif heard[identity] != {"no good": 1, "arrived": 0}:
                report.add("lost", f"the code of {identity} was neither good nor no good: {dict(heard[identity])}")
    if told != arrived:
        report.add("arrival", f"{arrived} arrived, and {told} makers were told so")


def standing(merge: str, records: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """The merge that a code led to: of one that could not be, the one that was begun in its place."""
    found = records.get(merge)
    while found is not None and found["phase"] == "void":
        found = records.get(str(uuid5(NAMESPACE_OID, found["id"])))
    return found if found is not None and found["phase"] in ("done", "undone") else None
