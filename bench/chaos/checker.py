"""Compares what was acknowledged, asked, answered and shown. It reads Redis itself: the store is not believed."""

from __future__ import annotations

import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.chaos import together
from bench.chaos.linker import Newcomer
from bench.chaos.links import MOMENT, check_links, is_apology, is_move, is_no_good, said
from bench.chaos.merger import all_merges
from bench.chaos.seen import SHARDS, Client, Customer, Report
from bench.chaos.shop import SAFE, Receiver
from bench.chaos.together import Merges
from bench.chaos.visitors import Visitor

ByText = dict[str, list[tuple[Customer, int, str]]]


async def everything(
    client: Client,
    visitors: Sequence[Visitor],
    asked: Path,
    receiver: Receiver,
    newcomers: Sequence[Newcomer] = (),
) -> Report:
    report = Report()
    customers = await read_customers(client)
    for customer in customers:
        check_seqs(report, customer)
    merges = await together.read_merges(client)
    report.counts["merges"], report.counts["undos"] = merges.merged, merges.undone
    customers = together.without_moved(customers, merges)
    for customer in customers:
        check_ids(report, customer)
    by_text = said_by_text(customers)
    for visitor in (*visitors, *newcomers):
        check_accepted(report, visitor, by_text, merges)
    check_links(report, customers, newcomers, {merge["id"]: merge for merge in await all_merges(client)})
    dead = await _dead_turns(client)
    windows = {customer.id: await _window(client, customer.id) for customer in customers}
    by_id = {customer.id: customer for customer in customers}
    for customer in customers:
        group = merges.group(customer.id)
        if len(group) == 1:
            _turns(report, customer, dead, windows[customer.id])
        elif customer.id == min(group):
            members = [by_id[one] for one in sorted(group) if one in by_id]
            together.check_together(report, members, {one.id: windows[one.id] for one in members})
    for together_ones in {frozenset(merges.group(customer.id)) for customer in customers}:
        members = [by_id[one] for one in sorted(together_ones) if one in by_id]
        await _delivered(report, client, members, receiver)
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
            if is_move(entry):
                continue
            found[entry["content"]["text"]].append((customer, seq, entry["id"]))
    return found


def check_accepted(report: Report, visitor: Visitor, by_text: ByText, merges: Merges | None = None) -> None:
    """The seqs of one journal rise; who was merged has written into several, and their answers show the order."""
    before, journal = 0, ""
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
            continue
        place = (found[0][0].id, found[0][1]) if found else (journal, seq)
        customer, first = merges.first(place) if merges else place
        if found and (first, found[0][2]) != (seq, number):
            report.add("doubled", f"{text} was answered with {seq} and is {first}")
        if seq <= before and customer == journal:
            report.add("reordered", f"{text} has seq {seq}, the one before it {before}")
        before, journal = seq, customer


def check_journal(report: Report, customer: Customer) -> None:
    check_seqs(report, customer)
    check_ids(report, customer)


def check_seqs(report: Report, customer: Customer) -> None:
    if [seq for seq, _, _ in customer.rows] != list(range(1, len(customer.rows) + 1)):
        report.add("gap", f"the seqs of {customer.id}")


def check_ids(report: Report, customer: Customer) -> None:
    for number, times in Counter(e["id"] for _, _, e in customer.rows if e.get("id")).items():
        if times > 1:
            report.add("doubled", f"id {number} is {times} times in the journal")


def _turns(report: Report, customer: Customer, dead: set[tuple[str, int]], window: list[dict[str, Any]]) -> None:
    """Each turn has one answer, each message is in one turn, in order; the dialogue knows what was answered."""
    texts = [entry["content"]["text"] for _, entry in customer.messages("customer") if not is_move(entry)]
    system = [entry for _, entry in customer.messages("system")]
    apologies = {entry.get("turn", 0) for entry in system if is_apology(entry)}
    codes = {entry.get("turn", 0) for entry in system if is_no_good(entry)}
    moments = Counter(entry.get("turn", 0) for entry in system if said(entry, MOMENT))
    answers = [json.loads(entry["content"]["text"]) for _, entry in customer.messages("bot")]
    report.counts["answers"] += len(answers)
    report.counts["apologies"] += len(apologies)
    for turn, times in moments.items():
        if times > 1:
            report.add("doubled", f"turn {turn} of {customer.id} said one moment {times} times")
    turns = [answer["turn"] for answer in answers]
    numbers = sorted([int(turn.rpartition(".")[2]) for turn in turns] + [*apologies, *codes])
    if numbers != list(range(len(numbers))):
        report.add("doubled" if len(set(numbers)) < len(numbers) else "lost", f"the turns of {customer.id}: {numbers}")
    if [event["message_id"] for event in window] != turns:
        report.add("dialogue", f"{customer.id} was answered {len(turns)} times, its window knows {len(window)}")
    for turn in dead - {(customer.id, number) for number in apologies}:
        if turn[0] == customer.id:
            report.add("lost", f"dead turn {turn} has no apology")
    _answered(report, customer.id, texts, answers, apologies, len(codes))


def _answered(
    report: Report,
    customer: str,
    texts: list[str],
    answers: Iterable[dict[str, str]],
    apologies: set[int],
    others: int,
) -> None:
    """Only an apology may stand for messages that no answer names. `others` are turns in which no bot was asked."""
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
    if at < len(texts) and last != len(list(answers)) + len(apologies) + others - 1:
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


async def _delivered(report: Report, client: Client, members: Sequence[Customer], receiver: Receiver) -> None:
    """What was said to a shop's people came there: by the safe account at least once, by the other at most once."""
    said: dict[str, list[tuple[int, str, int, dict[str, Any]]]] = defaultdict(list)
    states: dict[str, dict[bytes, bytes]] = {}
    for customer in members:
        key = b"{%d}ds:%s" % (zlib.crc32(customer.id.encode()) % SHARDS, customer.id.encode())
        states[customer.id] = await client.hgetall(key)
        for seq, entry in [*customer.messages("bot"), *customer.messages("system")]:
            if entry["identity"].startswith("webhook:"):
                said[entry["identity"]].append((entry["t"], customer.id, seq, entry))
    for customer in members:
        # What Redis has forgotten by now stands in the journal all the same.
        forgotten = _forgotten(states[customer.id])
        told = {seq: status for seq, status in customer.statuses().items() if seq < forgotten}
        states[customer.id] |= {b"%d" % seq: status.encode() for seq, status in told.items()}
    for identity, those in said.items():
        ordered = [row[1:] for row in sorted(those, key=lambda row: row[:3])]
        _came(report, identity, ordered, states, receiver)


def _forgotten(states: dict[bytes, bytes]) -> int:
    """The seq below which Redis has no state any more: it keeps the last ones of a customer, of all who were joined."""
    seqs = [int(field) for field in states if field.isdigit()]
    return min(seqs) if len(seqs) >= MOST_STATES else 0


def _came(
    report: Report,
    identity: str,
    said: Sequence[tuple[str, int, dict[str, Any]]],
    states: dict[str, dict[bytes, bytes]],
    receiver: Receiver,
) -> None:
    account, _, person = identity.partition("/")
    came, sure = receiver.came[account.partition(":")[2]], []
    for customer, seq, entry in said:
        state, times = states[customer].get(b"%d" % seq, b"none").decode(), came[entry["id"]]
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
    turn_of: dict[str, str] = {}
    for line in log.read_text("utf-8").splitlines():
        try:
            asked = json.loads(line)
        except ValueError:  # the bot was killed in the middle of a line
            continue
        report.counts["asked"] += 1
        for text in asked["text"].split("\n"):
            if turn_of.setdefault(text, asked["turn"]) != asked["turn"]:
                report.add("rerun", f"{text!r} was asked in turn {turn_of[text]} and in {asked['turn']}")
        if known.setdefault(asked["turn"], asked["text"]) != asked["text"]:
            report.add(
                "thawed", f"turn {asked['turn']} was asked with {known[asked['turn']]!r}, then {asked['text']!r}"
            )


async def check_nothing_left(report: Report, client: Client) -> None:
    for shard in range(SHARDS):
        for name in ("run", "out:run", "tmr", "mgr"):
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
    return [
        (int(number.partition(b"-")[0]), f[b"a"].decode(), {**json.loads(f[b"e"]), "t": int(f[b"t"])})
        for number, f in rows
    ]


async def _window(client: Client, customer: str) -> list[dict[str, Any]]:
    window = await client.get(b"{%d}tr:%s" % (zlib.crc32(customer.encode()) % SHARDS, customer.encode()))
    return json.loads(_unpacked(window)) if window else []


def _keys(client: Client, name: str) -> Any:
    return client.scan_iter(match=f"{{*}}{name}:*", count=1000)


__all__ = [
    "SHARDS",
    "Client",
    "Customer",
    "Report",
    "check_accepted",
    "check_journal",
    "check_nothing_left",
    "check_view",
    "everything",
    "read_customers",
    "said_by_text",
]
