"""What a customer has waiting, read while nothing can change it, and packed for the script that writes it anew."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from connectors.contract import CustomerId
from router.store import keys
from router.store.runner import Runner

_PAGE = 500

_EDITED = re.compile(rb'"of":(\d+)')
"""In the JSON of an entry. Words cannot look like it: their quotes are escaped."""


class Message(NamedTuple):
    seq: int
    mode: str
    identity: str
    entry: bytes


class Send(NamedTuple):
    """`author`: a capital when its try died, then the parts taken. `control` is empty while the words are good."""

    seq: int
    account: str
    author: str
    control: str
    identity: str
    audience: str
    entry: bytes


class Edit(NamedTuple):
    seq: int
    of: int
    before: bytes
    behind: bytes


@dataclass(frozen=True, slots=True)
class Waiting:
    """Messages in the order of their mailbox; among them sends and edits in the order of their journal."""

    items: Sequence[Message | Send | Edit] = ()

    @property
    def accounts(self) -> list[str]:
        return sorted({item.account for item in self.items if isinstance(item, Send)})

    def packed(self, customer: CustomerId) -> list[Any]:
        """As `carry` of _shared.lua takes it, for this customer's lanes in the order of `accounts`."""
        accounts = self.accounts
        packed: list[Any] = [len(self.items)]
        for item in self.items:
            match item:
                case Message(seq, mode, identity, entry):
                    packed += ["m", seq, mode, identity, entry]
                case Send(seq, account, author, control, identity, audience, entry):
                    lane = accounts.index(account) + 1
                    member = keys.lane_member(customer, account)
                    packed += ["s", seq, lane, member, author, control, identity, audience, entry]
                case Edit(_, of, before, behind):
                    packed += ["e", of, before, behind]
        return packed


@dataclass(frozen=True, slots=True)
class Frozen:
    """Everything of a frozen customer that goes over to another."""

    state: Mapping[str, str]
    identities: Sequence[str]
    window: bytes
    timers: Mapping[str, int]
    accounts: Sequence[str]
    waiting: Waiting


async def accounts_of(runner: Runner, customer: CustomerId) -> list[str]:
    """Channel accounts that the customer has lanes on, or may have."""
    members = await runner.call("SMEMBERS", keys.identities(customer))
    found = {member.decode().partition("/")[0] for member in members}
    cursor: Any = 0
    while True:
        cursor, rows = await runner.call(
            "ZSCAN", keys.lanes_run(keys.shard_of(customer)), cursor, "MATCH", f"{customer} *", "COUNT", _PAGE
        )
        found |= {member.decode().split(" ", 1)[1] for member, _ in _pairs(rows)}
        if int(cursor) == 0:
            return sorted(found)


async def read_frozen(runner: Runner, customer: CustomerId) -> Frozen:
    """Of a customer whom every script refuses."""
    fields, members, window, items = await runner.call_all(
        [
            ("HGETALL", keys.state(customer)),
            ("SMEMBERS", keys.identities(customer)),
            ("GET", keys.tracker(customer)),
            ("LRANGE", keys.mailbox(customer), 0, -1),
        ]
    )
    state = {name.decode(): value.decode() for name, value in _pairs(fields)}
    accounts = state.get("mga", "").split()
    floor = int(state.get("cf", state.get("cn", 0)))
    queued = []
    for account in accounts:
        lane, head = keys.lane(customer, account), keys.lane_head(customer, account)
        lane_items, (phase, taken) = await runner.call_all([("LRANGE", lane, 0, -1), ("HMGET", head, "phase", "pd")])
        for place, item in enumerate(lane_items):
            seq, author, control, identity = item.decode().split(" ", 3)
            good = author[0] != "b" or int(control) >= floor
            if place == 0 and taken:
                author = author[0] + taken.decode()
            tried = place == 0 and phase == b"died"
            queued.append((account, int(seq), author.upper() if tried else author, "" if good else "0", identity))
    mail = [(int(seq), mode, identity) for seq, mode, identity in (item.decode().split(" ", 2) for item in items)]
    kinds = [name[2:] for name in state if name.startswith("t:")]
    shard = keys.shard_of(customer)
    dues = await runner.call_all([("ZSCORE", keys.timers(shard), f"{customer} {kind}") for kind in kinds])
    return Frozen(
        state=state,
        identities=sorted(member.decode() for member in members),
        window=window or b"",
        timers={kind: int(float(due)) for kind, due in zip(kinds, dues, strict=True) if due is not None},
        accounts=accounts,
        waiting=await read_waiting(runner, customer, mail, queued),
    )


async def read_waiting(
    runner: Runner,
    customer: CustomerId,
    mail: Sequence[tuple[int, str, str]],
    queued: Sequence[tuple[str, int, str, str, str]],
) -> Waiting:
    """`mail`: seq, mode, identity · `queued`: account, seq, author, control ('' still good), identity."""
    wanted = {seq for seq, _, _ in mail} | {seq for _, seq, _, _, _ in queued}
    if not wanted:
        return Waiting()
    rows: dict[int, tuple[str, bytes]] = {}
    edits: list[Edit] = []
    first = f"{min(wanted)}-0"
    while True:
        page = await runner.call("XRANGE", keys.journal(customer), first, "+", "COUNT", _PAGE)
        for number, row in page:
            seq = int(number.partition(b"-")[0])
            entry = row[b"e"]
            if seq in wanted:
                rows[seq] = (row[b"a"].decode(), entry)
            elif entry.startswith(b'{"kind":"edit"') and (named := _EDITED.search(entry)) and int(named[1]) in wanted:
                edits.append(Edit(seq, int(named[1]), entry[: named.start(1)], entry[named.end(1) :]))
        if len(page) < _PAGE:
            break
        first = f"({page[-1][0].decode()}"
    messages = [Message(seq, mode, identity, rows[seq][1]) for seq, mode, identity in mail if seq in rows]
    sends = [
        Send(seq, account, author, control, identity, *rows[seq])
        for account, seq, author, control, identity in queued
        if seq in rows
    ]
    return Waiting(_in_order(messages, [*sends, *edits]))


def _in_order(messages: Sequence[Message], others: Sequence[Send | Edit]) -> list[Message | Send | Edit]:
    """A batch that was given up and put back stands behind younger messages: the mailbox decides their order."""
    left = sorted(others, key=lambda item: item.seq)
    items: list[Message | Send | Edit] = []
    for message in messages:
        while left and left[0].seq < message.seq and not _edits_later(left[0], items):
            items.append(left.pop(0))
        items.append(message)
    return items + left


def _edits_later(item: Send | Edit, before: Sequence[Message | Send | Edit]) -> bool:
    """An edit comes behind what it edits."""
    return isinstance(item, Edit) and all(item.of != one.seq for one in before)


def _pairs(flat: Any) -> list[tuple[bytes, bytes]]:
    """Redis' hashes and scans, whether the client made pairs of them or not."""
    if isinstance(flat, dict):
        return list(flat.items())
    if flat and isinstance(flat[0], tuple):
        return list(flat)
    return list(zip(flat[::2], flat[1::2], strict=True))
