"""Checks of customers who were merged and parted: what was written anew counts once, everything else as for anybody."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.chaos.links import is_apology, is_move
from bench.chaos.merger import all_merges, undone_merges
from bench.chaos.seen import Customer, Report

Place = tuple[str, int]
"""Customer and seq."""


@dataclass
class Merges:
    """What the records say: which rows stand anew elsewhere, and who belongs together."""

    anew: dict[Place, Place] = field(default_factory=dict)
    groups: dict[str, set[str]] = field(default_factory=dict)
    merged: int = 0
    undone: int = 0

    def first(self, place: Place) -> Place:
        """Where it was written at first."""
        back = {new: old for old, new in self.anew.items()}
        while place in back:
            place = back[place]
        return place

    def join(self, one: str, other: str) -> None:
        both = self.groups.get(one, {one}) | self.groups.get(other, {other})
        for customer in both:
            self.groups[customer] = both

    def group(self, customer: str) -> set[str]:
        return self.groups.get(customer, {customer})


async def read_merges(client: Any) -> Merges:
    found = Merges()
    for merge in await all_merges(client):
        if merge["phase"] in ("intent", "void"):
            continue
        found.merged += 1
        found.undone += merge["phase"] == "undone"
        found.join(merge["survivor"], merge["other"])
        for old, new in _pairs(merge["moved"]):
            found.anew[merge["other"], old] = (merge["survivor"], new)
    for merge in await undone_merges(client):
        for old, new in _pairs(merge["returned"]):
            found.anew[merge["survivor"], old] = (merge["other"], new)
    return found


def _pairs(text: str) -> list[tuple[int, int]]:
    return [(int(old), int(new)) for old, _, new in (pair.partition(":") for pair in text.split())]


def without_moved(customers: Iterable[Customer], merges: Merges) -> list[Customer]:
    """Every row where it stands last."""
    return [Customer(one.id, [row for row in one.rows if (one.id, row[0]) not in merges.anew]) for one in customers]


def check_together(report: Report, members: Sequence[Customer], windows: dict[str, list[Any]]) -> None:
    """The turns of all of them: each once; each identity's messages answered once, in the order of their acceptance."""
    said = _Said()
    rows = sorted(((entry["t"], one.id, seq), entry) for one in members for seq, _, entry in one.rows)
    for (_, customer, _), entry in rows:
        if entry["kind"] == "message":
            said.note(customer, entry)
    for who, numbers in said.turns.items():
        report.counts["answers"] += len(numbers)
        if len(set(numbers)) < len(numbers):
            report.add("doubled", f"the turns of {who}: {sorted(numbers)}")
    for identity, texts in said.texts.items():
        _heard(report, identity, texts, said.answered[identity], excused=identity in said.excused)
    known = {f"{who}.{number}" for who, numbers in said.turns.items() for number in numbers}
    for customer, window in windows.items():
        ids = [event["message_id"] for event in window]
        if len(set(ids)) < len(ids) or not set(ids) <= known:
            report.add("dialogue", f"the window of {customer} knows turns that nobody has seen")


@dataclass
class _Said:
    """By customer the numbers of turns; by identity what was said, and what of it answers name."""

    turns: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    texts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    answered: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    excused: set[str] = field(default_factory=set)

    def note(self, customer: str, entry: dict[str, Any]) -> None:
        match entry["author"]["kind"]:
            case "customer" if is_move(entry):
                pass
            case "customer":
                self.texts[entry["identity"]].append(entry["content"]["text"])
            case "bot":
                answer = json.loads(entry["content"]["text"])
                who, _, number = answer["turn"].rpartition(".")
                self.turns[who].append(int(number))
                self.answered[entry["identity"]] += answer["text"].split("\n")
            case _ if is_apology(entry):
                # An apology that was written anew stands with another customer than its turn.
                self.excused.add(entry["identity"])
            case _:
                pass


def _heard(report: Report, identity: str, texts: list[str], heard: list[str], *, excused: bool) -> None:
    report.counts["answered"] += len(heard)
    if len(set(heard)) < len(heard):
        report.add("doubled", f"{identity} was answered twice")
    if not set(heard) <= set(texts):
        report.add("doubled", f"{identity} was answered what it had not said")
    if not excused and (missing := [text for text in texts if text not in heard]):
        report.add("lost", f"{missing} of {identity} were never answered")
    if heard != sorted(heard, key=_number):
        report.add("reordered", f"{identity} was answered {heard}")


def _number(text: str) -> int:
    """Visitors number what they say."""
    return int(text.rpartition("-")[2])
