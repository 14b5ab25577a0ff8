"""Compares what was acknowledged, asked, answered and shown. It reads Redis itself: the store is not believed."""

from __future__ import annotations

import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.chaos.shop import SAFE, Receiver
from bench.chaos.visitors import Visitor

SHARDS = 256

Client = Any
"""redis-py's: its types answer for both protocols and both kinds of reply at once."""


@dataclass
class Report:
    problems: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, what: str) -> None:
        self.counts[kind] += 1
        if self.counts[kind] <= 5:
            self.problems.append(f"{kind}: {what}")


@dataclass
class Customer:
    """One journal, read raw."""

    id: str
    rows: list[tuple[int, str, dict[str, Any]]]
    """seq, audience, entry"""

    def messages(self, author: str) -> list[tuple[int, dict[str, Any]]]:
        return [(n, e) for n, _, e in self.rows if e["kind"] == "message" and e["author"]["kind"] == author]


ByText = dict[str, list[tuple[Customer, int, str]]]


async def everything(client: Client, visitors: Sequence[Visitor], asked: Path, receiver: Receiver) -> Report:
    report = Report()
    customers = await read_customers(client)
    by_text = said_by_text(customers)
    for visitor in visitors:
        check_accepted(report, visitor, by_text)
    dead = await _dead_turns(client)
    for customer in customers:
        check_journal(report, customer)
        window = await client.get(b"{%d}tr:%s" % (zlib.crc32(customer.id.encode()) % SHARDS, customer.id.encode()))
        _turns(report, customer, dead, json.loads(_unpacked(window)) if window else [])
    for customer in customers:
        await _delivered(report, client, customer, receiver)
    by_id = {customer.id: customer for customer in customers}
    for visitor in visitors:
        if visitor.watches and visitor.accepted:
            check_view(report, visitor, by_id[by_text[next(iter(visitor.accepted))][0][0].id])
    _asked(report, asked)
    await check_nothing_left(report, client)
    report.counts["letters"] = len(dead)
    return report


async def read_customers(client: Client) -> list[Customer]:
    return [Customer(key.decode().rpartition(":")[2], await _rows(client, key)) async for key in _keys(client, "jr")]


def said_by_text(customers: Iterable[Customer]) -> ByText:
    """What customers said: who, at which seq, under which id."""
    found: ByText = defaultdict(list)
    for customer in customers:
        for seq, entry in customer.messages("customer"):
            found[entry["content"]["text"]].append((customer, seq, entry["id"]))
    return found


def check_accepted(report: Report, visitor: Visitor, by_text: ByText) -> None:
    before = 0
    for wrong in visitor.wrong:
        report.add("refused", wrong)
    for gap in visitor.view.gaps:
        report.add("gap", f"visitor {visitor.number}: {gap}")
    for text, (number, seq) in visitor.accepted.items():
        found = by_text.get(text, [])
        report.counts["accepted"] += 1
        if not found:
            report.add("lost", f"{text} was accepted and is in no journal")
        elif len(found) > 1:
            report.add("doubled", f"{text} is {len(found)} times in the journal")
        elif found[0][1:] != (seq, number):
            report.add("doubled", f"{text} was answered with {seq} and is {found[0][1]}")
        if seq <= before:
            report.add("reordered", f"{text} has seq {seq}, the one before it {before}")
        before = seq


def check_journal(report: Report, customer: Customer) -> None:
    if [seq for seq, _, _ in customer.rows] != list(range(1, len(customer.rows) + 1)):
        report.add("gap", f"the seqs of {customer.id}")
    for number, times in Counter(e["id"] for _, _, e in customer.rows if e.get("id")).items():
        if times > 1:
            report.add("doubled", f"id {number} is {times} times in the journal")


def _turns(report: Report, customer: Customer, dead: set[tuple[str, int]], window: list[dict[str, Any]]) -> None:
    """Each turn has one answer, each message is in one turn, in order; the dialogue knows what was answered."""
    texts = [entry["content"]["text"] for _, entry in customer.messages("customer")]
    apologies = {e.get("turn", 0) for _, e in customer.messages("system") if e["content"]["type"] == "buttons"}
    moments = Counter(e.get("turn", 0) for _, e in customer.messages("system") if e["content"]["type"] == "text")
    answers = [json.loads(entry["content"]["text"]) for _, entry in customer.messages("bot")]
    report.counts["answers"] += len(answers)
    report.counts["apologies"] += len(apologies)
    for turn, times in moments.items():
        if times > 1:
            report.add("doubled", f"turn {turn} of {customer.id} said one moment {times} times")
    turns = [answer["turn"] for answer in answers]
    numbers = sorted([int(turn.rpartition(".")[2]) for turn in turns] + list(apologies))
    if numbers != list(range(len(numbers))):
        report.add("doubled" if len(set(numbers)) < len(numbers) else "lost", f"the turns of {customer.id}: {numbers}")
    if [event["message_id"] for event in window] != turns:
        report.add("dialogue", f"{customer.id} was answered {len(turns)} times, its window knows {len(window)}")
    for turn in dead - {(customer.id, number) for number in apologies}:
        if turn[0] == customer.id:
            report.add("lost", f"dead turn {turn} has no apology")
    _answered(report, customer.id, texts, answers, apologies)


def _answered(
    report: Report, customer: str, texts: list[str], answers: Iterable[dict[str, str]], apologies: set[int]
) -> None:
    """Only an apology may stand for messages that no answer names."""
    at, excused = 0, 0 in apologies
    for answer in answers:
        said, turn = answer["text"].split("\n"), int(answer["turn"].rpartition(".")[2])
        excused = turn - 1 in apologies
        if said[0] not in texts:
            report.add("doubled", f"turn {turn} of {customer} answers {said[0]!r}")
            continue
        begin = texts.index(said[0])
        if begin < at:
            report.add("doubled", f"{said[0]} is answered again in turn {turn}")
        elif begin > at and not excused:
            report.add("lost", f"{texts[at]} to {texts[begin - 1]} were never answered")
        elif begin == at and excused:
            report.add("reordered", f"turn {turn - 1} of {customer} is an apology for nothing")
        if texts[begin : begin + len(said)] != said:
            report.add("reordered", f"turn {turn} of {customer} answers {said}")
        at = max(at, begin + len(said))
        report.counts["answered"] += len(said)
    last = max(apologies, default=-1)
    if at < len(texts) and last != len(list(answers)) + len(apologies) - 1:
        report.add("lost", f"{texts[at]} and what follows were never answered")


MOST_STATES = 500
"""Delivery states of a customer that Redis keeps at least (router/store/keys.py)."""


def check_view(report: Report, visitor: Visitor, customer: Customer) -> None:
    """What the widget showed is what the customer may see, once and in order."""
    shown = [(seq, e["id"]) for seq, audience, e in customer.rows if audience == "c" and e["kind"] == "message"]
    report.counts["shown"] += len(visitor.view.frames)
    report.counts["streams"] += visitor.view.connections
    if visitor.view.frames != shown:
        report.add("gap", f"visitor {visitor.number} was shown {len(visitor.view.frames)} messages of {len(shown)}")


def _unpacked(window: bytes) -> bytes:
    """The dialogue's window by its format byte (router/store/keys.py): 1 is zlib, 2 plain."""
    return zlib.decompress(window[1:]) if window[0] == 1 else window[1:]


async def _delivered(report: Report, client: Client, customer: Customer, receiver: Receiver) -> None:
    """What was said to a shop's person came there: by the safe account at least once, by the other at most once."""
    said = sorted([*customer.messages("bot"), *customer.messages("system")])
    account, _, person = said[0][1]["identity"].partition("/") if said else ("", "", "")
    if not account.startswith("webhook:"):
        return
    states = await client.hgetall(b"{%d}ds:%s" % (zlib.crc32(customer.id.encode()) % SHARDS, customer.id.encode()))
    came, sure = receiver.came[account.partition(":")[2]], []
    kept = {seq for seq, _ in said[-MOST_STATES:]}
    for seq, entry in said:
        state, times = states.get(b"%d" % seq, b"none").decode(), came[entry["id"]]
        if state == "none" and seq not in kept and times:
            state = "sent"  # Redis forgot it by now; the receiver did not
        report.counts["delivered"] += times > 0
        report.counts["repeated"] += max(0, times - 1)
        if state == "unknown":
            report.counts["unknown"] += 1
        elif state != "sent":
            report.add("lost", f"message {seq} to {account} stays {state}")
        elif not times:
            report.add("lost", f"message {seq} to {account} is sent and never came")
        else:
            sure.append(entry["id"])
        if times > 1 and account != f"webhook:{SAFE}":
            report.add("doubled", f"message {seq} came {times} times to {account}")
    if [number for number in receiver.order[f"{account}/{person}"] if number in set(sure)] != sure:
        report.add("reordered", f"what came to {account}/{person}")


def _asked(report: Report, log: Path) -> None:
    """A turn that is asked again is the same turn: the batch was frozen."""
    known: dict[str, str] = {}
    for line in log.read_text("utf-8").splitlines():
        try:
            asked = json.loads(line)
        except ValueError:  # the bot was killed in the middle of a line
            continue
        report.counts["asked"] += 1
        if known.setdefault(asked["turn"], asked["text"]) != asked["text"]:
            report.add(
                "thawed", f"turn {asked['turn']} was asked with {known[asked['turn']]!r}, then {asked['text']!r}"
            )


async def check_nothing_left(report: Report, client: Client) -> None:
    for shard in range(SHARDS):
        for name in ("run", "out:run", "tmr"):
            if left := await client.zcard(f"{{{shard}}}{name}"):
                report.add("left", f"{left} in {{{shard}}}{name}")
    for name in ("mb", "out"):
        async for key in _keys(client, name):
            report.add("left", key.decode())


async def _dead_turns(client: Client) -> set[tuple[str, int]]:
    letters = [fields for shard in range(SHARDS) for _, fields in await client.xrange(f"{{{shard}}}dlq")]
    return {(fields[b"customer"].decode(), int(fields[b"turn"])) for fields in letters}


async def _rows(client: Client, key: bytes) -> list[tuple[int, str, dict[str, Any]]]:
    rows = await client.xrange(key)
    return [(int(number.partition(b"-")[0]), f[b"a"].decode(), json.loads(f[b"e"])) for number, f in rows]


def _keys(client: Client, name: str) -> Any:
    return client.scan_iter(match=f"{{*}}{name}:*", count=1000)
