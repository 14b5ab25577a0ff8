"""Planted faults: a promise of the store's scripts, broken in its text. Our checkers must find each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Change(NamedTuple):
    script: str
    before: str
    after: str


@dataclass(frozen=True)
class Fault:
    name: str
    changes: tuple[Change, ...]


def _fault(name: str, *changes: tuple[str, str, str]) -> Fault:
    return Fault(name, tuple(Change(*change) for change in changes))


NO_DEDUPE = _fault("no dedupe", ("enqueue", "if seq then\n  -- Of a customer", "if false then\n  -- Of a customer"))
NO_LEASE_CHECK = _fault("no lease check", ("commit", "if s[2] ~= lease or ", "if "))
NO_FENCE = _fault(
    "no fence",
    ("commit", "if s[2] ~= lease or tonumber(s[3]) ~= turn or tonumber(s[4]) == 0 then", "if tonumber(s[4]) == 0 then"),
    ("renew", "redis.call('HGET', KEYS[1], 'ln') ~= ARGV[3] or", ""),
)
NO_TURN_CHECK = _fault(
    "no turn check",
    ("commit", "if s[5] == lease and tonumber(s[3]) == turn + 1 then", "if false then"),
    ("commit", "if s[2] ~= lease or tonumber(s[3]) ~= turn or tonumber(s[4]) == 0 then", "if s[2] ~= lease then"),
)
CONSUMED_AT_CLAIM = _fault(
    "consumed at claim",
    (
        "claim",
        "return {'ok', t, turn_needs",
        "redis.call('LTRIM', mb, length, -1)\nreturn {'ok', t, turn_needs",
    ),
    ("commit", "redis.call('LTRIM', mb, length, -1)", ""),
    ("claim", "'bl', length", "'bl', 1"),
    ("claim", "local length = tonumber(s[2] or 0)", "local length = 0"),
)
NOT_FROZEN = _fault("batch not frozen", ("claim", "local length = tonumber(s[2] or 0)", "local length = 0"))

CONTROLS = (NO_DEDUPE, NO_FENCE, NO_TURN_CHECK, CONSUMED_AT_CLAIM, NOT_FROZEN)
"""Those that a whole system shows under kills, stops and cuts. The lease alone is not among them: while nobody moves
control, the frozen batch and the turn's number already let only one commit through."""

FAULTS = (
    *CONTROLS,
    NO_LEASE_CHECK,
    _fault("a claim looks at no time", ("claim", "or tonumber(score) > t", "")),
    _fault("a burst never ends", ("enqueue", "math.min(t + window, began + 3 * window)", "t + window")),
    _fault("a message during a turn ends its lease", ("enqueue", "if not waiting or s[5] == 'window'", "if true")),
    _fault("a full mailbox takes more", ("enqueue", "if held >= call.most then", "if false then")),
    _fault(
        "a message is claimed before those that wait",
        ("enqueue", "ready == t and held == 0 and not waiting and call.lease > 0", "ready == t and call.lease > 0"),
    ),
    _fault(
        "an identity of nobody is taken",
        ("enqueue", "if known and redis.call('SISMEMBER', id, identity) == 0", "if false"),
    ),
    _fault("a given back lease still commits", ("retry", "redis.call('HINCRBY', st, 'ln', 1)", "")),
    _fault("a moment is said twice", ("interject", "or s[4] == ARGV[4]", "")),
    _fault("who saw an older control wins", ("control", "if seen ~= '' and seen ~= s[3] then", "if false then")),
    _fault("a hand-over leaves the lease", ("control", "redis.call('HINCRBY', st, 'ln', 1)", "")),
    _fault(
        "a bot speaks after a person took over",
        ("reserve", "tonumber(control) < tonumber(s[3] or s[4] or 0)", "false"),
    ),
    _fault("a dead worker's try is sent again", ("reserve", "if tried and safe == '0' then", "if false then")),
    _fault("a head is handed out twice", ("reserve", "if tonumber(due) > t then", "if false then")),
    _fault("the fence is not looked at", ("settle", "if h[1] ~= fence or ", "if ")),
    _fault("a result counts twice", ("settle", "if h[1] ~= fence or h[2] ~= 'sending' then", "if h[1] ~= fence then")),
    _fault("a status falls", ("receipt", "if not from then return true end", "if true then return true end")),
    _fault("an early receipt is lost", ("settle", "if waited then", "if false then")),
    _fault("a dead letter comes back twice", ("requeue", "redis.call('XDEL', dlq, ARGV[3])", "")),
    _fault(
        "a timer interrupts a turn",
        ("timer", "if not moved and redis.call('ZSCORE', run, customer) then", "if false then"),
    ),
    _fault("events go before they were read", ("trim", "if #done == 0 then", "if true then")),
)

NO_FREEZE = _fault(
    "a merge without a freeze",
    ("freeze", "'gone', 'moving ' .. merge, 'mga'", "'mga'"),
    ("alias", "if s[1] ~= 'moving ' .. ARGV[3] then return 0 end", "if s[1] then return 0 end"),
)
NO_WAIT = _fault(
    "a merge waits for no turn",
    ("hold", "{'held', tonumber(s[4] or 0)}", "{'held', 0}"),
    ("freeze", " or tonumber(s[4] or 0) > 0", ""),
    ("adopt", " or tonumber(s[3] or 0) > 0", ""),
)
LEFT_WAITING = _fault("what waited stays with the other, too", ("alias", "redis.call('DEL', mb)", ""))

MERGE_CONTROLS = (NO_WAIT, LEFT_WAITING, NO_FREEZE)
"""Those that a whole system shows when its people are merged and parted."""

LINK_CONTROLS = (
    _fault("a code counts for everybody", ("link_claim", "elseif s[3] ~= ARGV[2] then", "elseif false then")),
    _fault(
        "nobody is welcomed",
        ("adopt", "if arrives then redis.call('RPUSH', mb,", "if false then redis.call('RPUSH', mb,"),
    ),
)
"""Those that it shows when people go on elsewhere by codes."""

MERGE_FAULTS = (
    LEFT_WAITING,
    _fault("identities stay behind", ("adopt", "redis.call('SADD', id, identity)", "")),
    _fault(
        "what the other has seen is not seen",
        ("enqueue", "if seq then", "if seq and not string.find(seq, '%.') then"),
    ),
    _fault("an undo leaves what waited", ("split", "redis.call('LREM', mb, 1, item)", "")),
)
"""Found by the stateful test of merges within seconds."""

RARE_MERGE_FAULTS = (
    NO_FREEZE,
    NO_WAIT,
    _fault("an undo begins anywhere", ("unmerge", "if later.survivor == customer and", "if false and")),
    _fault("a try that died is forgotten", ("freeze", "'phase', 'died'", "'phase', ''")),
    _fault(
        "an undo waits for no turn",
        ("hold", "{'held', tonumber(s[4] or 0)}", "{'held', 0}"),
        ("split", " or tonumber(s[3] or 0) > 0", ""),
    ),
)
"""It meets them too seldom: tests/property/test_merge_paths.py goes where each of them shows."""

_HOLD = "if holder(s[2], t) ~= merge or tonumber(s[3] or 0) > 0 then return {'busy'} end"

TWICE_FAULTS = (
    _fault(
        "a merge is adopted twice",
        ("adopt", "if record.phase ~= 'intent' then return {'ok', written} end", ""),
        ("adopt", _HOLD, ""),
    ),
    _fault(
        "an undo parts twice",
        ("split", "if record.phase ~= 'undoing' then return {'ok', written} end", ""),
        ("split", _HOLD, ""),
    ),
    _fault(
        "who comes back comes twice",
        ("revive", "if redis.call('HEXISTS', mg, merge) == 1 then return {'ok'} end", ""),
        ("revive", "if s[1] ~= 'moved ' .. ARGV[4] then return {'gone', s[1] or ''} end", ""),
    ),
)
"""Shown by running every script of a merge and its undo twice."""


def broken(scripts: dict[str, str], fault: Fault) -> dict[str, str]:
    """The scripts with a fault in them. Raises `ValueError` for one that no longer fits: it would prove nothing."""
    texts = dict(scripts)
    for script, before, after in fault.changes:
        if before not in texts[script]:
            raise ValueError(f"{fault.name}: {script}.lua no longer holds {before!r}")
        texts[script] = texts[script].replace(before, after)
    return texts
