"""Merges and their undo, as scripts: each step may be run twice, and a step out of its turn changes nothing.

`router/merging.py` walks them in order; docs/decisions/0005 says what each leaves behind if it is the last.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from connectors.contract import CustomerId, Identity
from router.store import keys
from router.store.frozen import Frozen, Waiting, accounts_of, read_frozen, read_waiting
from router.store.runner import Runner
from router.store.types import Busy, Entry, Moved, NotUndone, StoreError, why_gone

HOLD = 10_000
"""Milliseconds for which a customer is held when nobody renews it."""

SWEEP_AFTER = 5_000
"""Milliseconds behind its last step after which a sweep goes on with a merge."""

UNDO_LIFE = 30 * 86_400_000

DIALOGUE = ("slots", "form", "ask", "num", "lang", "lv", "loc", "ns", "cid", "open")
"""Fields of the state that belong to the dialogue and travel with it, beside its window."""

LOGIN = "login"
"""Reason of a merge for which the site signed: nobody redeemed a code."""

_PART = 500

_entry_json = msgspec.json.Encoder()

Phase = Literal["intent", "adopted", "done", "void", "undoing", "split", "undone"]


class Merge(msgspec.Struct, frozen=True):
    """The record of a merge. Lists are joined by spaces or lines: Lua's JSON cannot tell an empty one from an object.

    `source` is the identity that made the code, `to` the one that redeemed it; `maker` whose dialogue goes on.
    """

    id: str
    survivor: CustomerId
    other: CustomerId
    maker: CustomerId
    source: str
    to: str
    reason: str
    arrive: bool
    said: int = 0
    """Seq of the message that redeemed it, with whom it was written: from there on the other side may read along."""
    phase: Phase = "intent"
    at: int = 0
    """When it was begun."""
    base: int = 0
    merged: int = 0
    """When it took effect; `seq` is the entry `merged` of the survivor, `last` the other's last seq then."""
    seq: int = 0
    last: int = 0
    identities: str = ""
    moved: str = ""
    """"<their seq>:<ours> …" of what was written anew."""
    undo: int = 0
    disputed: bool = False
    """The undo is the maker's refusal: the survivor gets the dialogue that rested, and keeps nothing of the maker's."""
    split: int = 0
    """The entry `unmerged`."""
    left: str = ""
    back: str = "{}"
    messages: str = ""
    sends: str = ""
    revived: int = 0
    """The other's last seq before the undo; behind it they speak for themselves."""
    returned: str = ""

    @property
    def is_over(self) -> bool:
        return self.phase in ("done", "void", "undone")

    @property
    def moved_seqs(self) -> dict[int, int]:
        return _mapping(self.moved)

    @property
    def returned_seqs(self) -> dict[int, int]:
        return _mapping(self.returned)


def _mapping(pairs: str) -> dict[int, int]:
    return {int(old): int(new) for old, _, new in (pair.partition(":") for pair in pairs.split())}


_read = msgspec.json.Decoder(Merge)


@dataclass(frozen=True, slots=True)
class Held:
    """What came of holding somebody: nothing is under way, something still is, they are frozen, or it is not for us."""

    what: Literal["quiet", "working", "frozen", "busy", "over"]


class Merges:
    def __init__(self, runner: Runner, *, idle: int) -> None:
        self._runner = runner
        self._idle = idle

    # ── records ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def get(self, customer: CustomerId, merge: str) -> Merge | None:
        found = await self._runner.call("HGET", keys.merges(customer), merge)
        return _read.decode(found) if found else None

    async def all(self, customer: CustomerId) -> list[Merge]:
        """Every merge that this customer took part in and knows of, oldest first."""
        found = await self._runner.call("HVALS", keys.merges(customer))
        return sorted((_read.decode(record) for record in found), key=lambda merge: (merge.at, merge.id))

    async def due(self, shards: Iterable[int], most: int = 16) -> list[tuple[CustomerId, str]]:
        """Merges and undos that nobody has gone on with for a while."""
        upto = int(time.time() * 1000) + self._runner.offset
        calls = [("ZRANGEBYSCORE", keys.merges_under_way(s), "-inf", upto, "LIMIT", 0, most) for s in shards]
        members = [member.decode().split(" ", 1) for found in await self._runner.call_all(calls) for member in found]
        return [(CustomerId(customer), merge) for customer, merge in members]

    async def begin(self, merge: Merge, *, journal: str, conversation: str) -> Merge:
        """Writes the intent down, once by its id. Raises `Busy`, `Moving`, `Moved`, `Erased`."""
        own = merge.source if merge.maker == merge.survivor else merge.to
        record = msgspec.json.encode(merge)
        answer = await self._run(
            "merge_begin", merge.survivor, merge.id, record, SWEEP_AFTER, journal, conversation, own
        )
        if answer[0] == b"busy":
            raise Busy(merge.survivor)
        return self._record(merge.survivor, answer)

    async def end(self, merge: Merge, before: Phase, phase: Phase, event: str) -> Merge:
        answer = await self._run("merge_end", merge.survivor, merge.id, before, phase, event)
        if answer[0] != b"ok":
            raise StoreError(f"merge {merge.id} is not {before}")
        return _read.decode(answer[1])

    # ── becoming quiet ──────────────────────────────────────────────────────────────────────────────────────────────

    async def hold(self, customer: CustomerId, merge: str) -> Held:
        """No new batch and no new try for `HOLD`. Raises `Moving`, `Moved`, `Erased`."""
        answer = await self._run("hold", customer, merge, HOLD)
        match answer[0]:
            case b"held":
                return Held("working" if answer[1] else "quiet")
            case b"frozen":
                return Held("frozen")
            case b"busy":
                return Held("busy")
            case b"over":
                return Held("over")
            case _:
                raise why_gone(customer, answer[1])

    async def sending(self, customer: CustomerId) -> bool:
        """Whether a try of theirs is under way."""
        accounts = await accounts_of(self._runner, customer)
        shard = keys.shard_of(customer)
        now = int(time.time() * 1000) + self._runner.offset
        calls: list[tuple[Any, ...]] = []
        for account in accounts:
            calls.append(("HGET", keys.lane_head(customer, account), "phase"))
            calls.append(("ZSCORE", keys.lanes_run(shard), keys.lane_member(customer, account)))
        found = await self._runner.call_all(calls)
        tries = zip(found[::2], found[1::2], strict=True)
        return any(phase == b"sending" and due is not None and float(due) > now for phase, due in tries)

    async def freeze(self, customer: CustomerId, merge: str) -> bool:
        """False while something is under way. Raises `Moving`, `Moved`, `Erased`."""
        accounts = await accounts_of(self._runner, customer)
        touched = (*keys.for_freeze(customer), *(keys.lane_head(customer, account) for account in accounts))
        members = [keys.lane_member(customer, account) for account in accounts]
        answer = await self._runner.run("freeze", touched, customer, merge, " ".join(accounts), *members)
        if answer[0] == b"gone":
            raise why_gone(customer, answer[1])
        return bool(answer[0] == b"frozen")

    async def frozen(self, customer: CustomerId) -> Frozen:
        return await read_frozen(self._runner, customer)

    # ── taking over ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def share_seen(self, source: CustomerId, to: CustomerId, score: int, *, behind: int = 0) -> None:
        """The platforms' ids that one has seen count as seen by the other, and buttons go on working.

        `score` is a seq of the other's: so long they are kept. `behind` leaves out what is older than a seq.
        """
        half = f"{score}.5"
        first = 0
        while True:
            names = await self._runner.call(
                "ZRANGEBYSCORE", keys.seen(source), f"({behind}" if behind else "-inf", "+inf", "LIMIT", first, _PART
            )
            if names:
                await self._runner.call("ZADD", keys.seen(to), "NX", *(part for name in names for part in (half, name)))
            if len(names) < _PART:
                break
            first += _PART
        offered = await self._runner.call("HGETALL", keys.buttons(source))
        pairs = offered.items() if isinstance(offered, dict) else zip(offered[::2], offered[1::2], strict=True)
        fresh: list[Any] = []
        for button, value in pairs:
            seq, _, meaning = value.partition(b" ")
            if int(seq) > behind:
                fresh += [button, b"%d %b" % (score, meaning)]
        if fresh:
            await self._runner.call("HSET", keys.buttons(to), *fresh)
            await self._runner.call("PEXPIRE", keys.buttons(to), UNDO_LIFE)

    async def adopt(self, merge: Merge, frozen: Frozen, entry: Entry) -> Merge | None:
        """The survivor takes over all that was read; None while it is not quiet. Raises `Erased` and the like."""
        state, waiting = frozen.state, frozen.waiting
        theirs = merge.maker == merge.other and "jid" in state
        own = merge.source if merge.maker == merge.other else merge.to
        identities = sorted({*frozen.identities, own})
        dialogue = {field: state[field] for field in DIALOGUE if field in state}
        touched = (
            *keys.for_adopt(merge.survivor, merge.id),
            *(keys.lane(merge.survivor, account) for account in waiting.accounts),
        )
        answer = await self._runner.run(
            "adopt",
            touched,
            merge.survivor,
            merge.id,
            merge.other,
            _entry_json.encode(entry),
            merge.to,
            int(merge.arrive),
            int(theirs),
            frozen.window if theirs else b"",
            state.get("n", "0"),
            state.get("ctl", "bot"),
            state.get("own", ""),
            state.get("ca", "0"),
            state.get("cn", "0"),
            state.get("about", "{}"),
            self._idle,
            UNDO_LIFE,
            *_counted([*DIALOGUE, "tr_seq"]),
            *_counted(identities),
            *_paired(dialogue),
            *_paired(_of_identities(state, identities)),
            *_paired({kind: str(due) for kind, due in frozen.timers.items()}),
            *waiting.packed(merge.survivor),
        )
        if answer[0] == b"busy":
            return None
        return self._record(merge.survivor, answer)

    async def alias(self, merge: Merge, frozen: Frozen) -> bool:
        """The other names the survivor from now on. False when it was not frozen by this merge (any more)."""
        other = merge.other
        timers = [f"{other} {kind}" for kind in frozen.timers]
        touched = list(keys.for_alias(other))
        for account in frozen.accounts:
            touched += [keys.lane(other, account), keys.lane_head(other, account)]
        members = [keys.lane_member(other, account) for account in frozen.accounts]
        return bool(
            await self._runner.run("alias", touched, other, merge.id, merge.survivor, len(timers), *timers, *members)
        )

    async def repoint(self, identities: Iterable[str], before: CustomerId, after: CustomerId) -> None:
        for identity in identities:
            await self._runner.run("repoint", [keys.identity(Identity.parse(identity))], before, after)

    async def thaw(self, customer: CustomerId, merge: str) -> bool:
        """Takes a freeze back."""
        accounts = (await self._runner.call("HGET", keys.state(customer), "mga") or b"").decode().split()
        touched = (*keys.for_thaw(customer), *(keys.lane(customer, account) for account in accounts))
        members = [keys.lane_member(customer, account) for account in accounts]
        return bool(await self._runner.run("thaw", touched, customer, merge, *members))

    # ── undo ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def unmerge(self, survivor: CustomerId, merge: str, *, disputed: bool = False) -> Merge:
        """Begins the undo. Raises `NotUndone` with a sentence, `Busy`, `Moving`, `Moved`, `Erased`.

        `disputed`: what the maker's dialogue knows goes with the maker alone.
        """
        answer = await self._run("unmerge", survivor, merge, SWEEP_AFTER, UNDO_LIFE, int(disputed))
        match answer[0]:
            case b"busy":
                raise Busy(survivor)
            case b"later":
                raise NotUndone("A later merge of this customer stands: undo that one first.")
            case b"late":
                raise NotUndone("A merge can be undone for 30 days, and this one is older.")
            case b"none":
                raise NotUndone("There is no such merge of this customer.")
            case _:
                return self._record(survivor, answer)

    async def split(self, merge: Merge, entry: Entry) -> Merge | None:
        """The other's identities leave the survivor; None while it is not quiet. Raises `Erased` and the like."""
        survivor = merge.survivor
        accounts = await accounts_of(self._runner, survivor)
        touched = list(keys.for_split(survivor, merge.id))
        for account in accounts:
            touched += [keys.lane(survivor, account), keys.lane_head(survivor, account)]
        members = [keys.lane_member(survivor, account) for account in accounts]
        fields = " ".join((*DIALOGUE, "tr_seq"))
        written = _entry_json.encode(entry)
        answer = await self._runner.run("split", touched, survivor, merge.id, written, fields, *members)
        if answer[0] == b"busy":
            return None
        return self._record(survivor, answer)

    async def taken_out(self, merge: Merge) -> Waiting:
        """What `split` took out of the survivor's mailbox and lanes."""
        mail = [
            (int(seq), mode, identity)
            for seq, mode, identity in (item.split(" ", 2) for item in merge.messages.split("\n") if item)
        ]
        queued = [
            (account, int(seq), author, {"-": ""}.get(control, "0") if author[0] == "b" else control, identity)
            for account, seq, author, control, identity in (
                item.split(" ", 4) for item in merge.sends.split("\n") if item
            )
        ]
        return await read_waiting(self._runner, merge.survivor, mail, queued)

    async def revive(self, merge: Merge, waiting: Waiting) -> None:
        """The other is somebody of their own again. Raises `Erased`, `Moved`."""
        other, left = merge.other, merge.left.split()
        back = msgspec.json.decode(merge.back, type=dict[str, str])
        last_used = merge.to if merge.to in left else merge.source if merge.source in left else next(iter(left), "")
        touched = (*keys.for_revive(other), *(keys.lane(other, account) for account in waiting.accounts))
        record = msgspec.json.encode(msgspec.structs.replace(merge, phase="undone", back="{}", messages="", sends=""))
        answer = await self._runner.run(
            "revive",
            touched,
            other,
            merge.id,
            merge.survivor,
            record,
            self._idle,
            last_used,
            *_counted(left),
            *_paired(back),
            *waiting.packed(other),
        )
        if answer[0] == b"gone":
            raise why_gone(other, answer[1])

    async def only_from_now_on(self, customer: CustomerId, identity: Identity, merge: str) -> None:
        """This identity is not shown what the other side of that merge had said before it."""
        await self._run("word", customer, f"vf:{identity}", merge)

    # ── following ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def owner_of(self, customer: CustomerId, identity: Identity) -> CustomerId | None:
        """Whom an identity went back to by an undo, though a hint still names this customer."""
        for merge in reversed(await self.all(customer)):
            if merge.phase == "undone" and merge.survivor == customer and str(identity) in merge.left.split():
                return merge.other
        return None

    async def _run(self, script: str, customer: CustomerId, *arguments: Any) -> Any:
        return await self._runner.run(script, keys.SCRIPTS[script](customer), customer, *arguments)

    def _record(self, customer: CustomerId, answer: Any) -> Merge:
        match answer[0]:
            case b"ok":
                return _read.decode(answer[1])
            case b"gone":
                raise why_gone(customer, answer[1])
            case _:
                raise StoreError(f"there is no such merge of {customer}")


def _counted(words: Iterable[str]) -> list[Any]:
    listed = list(words)
    return [len(listed), *listed]


def _paired(fields: Mapping[str, str]) -> list[Any]:
    return [len(fields), *(part for pair in fields.items() for part in pair)]


def _of_identities(state: Mapping[str, str], identities: Iterable[str]) -> dict[str, str]:
    """What is known of each identity, `<what>:<identity>`, the one chosen for replies, and which handles are good."""
    known = set(identities)
    return {
        field: value
        for field, value in state.items()
        if field == "to" or field.partition(":")[2] in known or field.startswith("hg:")
    }


__all__ = ["DIALOGUE", "HOLD", "LOGIN", "Busy", "Held", "Merge", "Merges", "Moved", "Phase"]
