"""A shorter list of events that means the same to rules and forms: base + tail, checked before it is used.

The tail is raw events from a turn's beginning on. The base rebuilds what came before: slots, an open form, and
the last few states, folded as Rasa folds them. Both trackers are compared; when they differ, more is kept.
Exact for RulePolicy and forms. MemoizationPolicy looks back without limit, so it has no place in config.yml.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rasa.shared.core.constants import ACTION_LISTEN_NAME, ACTION_SESSION_START_NAME
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import (
    ActionExecuted,
    ActionExecutionRejected,
    ActiveLoop,
    BotUttered,
    ConversationPaused,
    Event,
    SessionStarted,
    SlotSet,
)
from rasa.shared.core.trackers import DialogueStateTracker

# A window is shortened when it is longer than LONG; TAIL raw events stay.
LONG = 100
TAIL = 60
_STATES = 4
_MOST_STATES = 128


@dataclass(frozen=True)
class Cut:
    """A window and how many past states it took; `exact` is false when what came out shorter was not the same."""

    events: list[Event]
    states: int
    exact: bool = True


def shorten(events: list[Event], domain: Domain, *, rule_length: int, tail: int = TAIL, states: int = _STATES) -> Cut:
    """A shorter window that leaves the same state behind; the events as they were when there is none."""
    start = _turn_start(events, tail)
    if start == 0:
        return Cut(events, 0)
    past, kept = events[:start], events[start:]
    applied = _tracker(domain, past).applied_events()
    whole = _state(domain, events, rule_length)
    while states <= _MOST_STATES:
        shorter = _base(domain, past, applied, states) + kept
        if len(shorter) >= len(events):
            # Keeping more states would only make it longer.
            return Cut(events, states)
        if _state(domain, shorter, rule_length) == whole:
            return Cut(shorter, states)
        states *= 2
    return Cut(events, 0, exact=False)


def longest_rule(lookup: dict[str, Any]) -> int:
    """States that the longest rule looks at, from RulePolicy's own tables; those of unhappy paths are rules too."""
    tables = ("rules", "rules_for_loop_unhappy_path")
    return max((len(json.loads(key)) for table in tables for key in lookup.get(table, {})), default=1)


def _turn_start(events: list[Event], tail: int) -> int:
    for place in range(len(events) - tail, 0, -1):
        before = events[place - 1]
        if isinstance(before, ActionExecuted) and before.action_name == ACTION_LISTEN_NAME:
            return place
    return 0


def _base(domain: Domain, past: list[Event], applied: list[Event], states: int) -> list[Event]:
    at = _stretch_start(applied, states)
    stretch = applied[at:]
    # Slots and form as they were where the stretch begins: everything before it, as it happened.
    before = _tracker(domain, _raw_before(past, applied[at]) if stretch else past)
    base: list[Event] = [ActionExecuted(ACTION_SESSION_START_NAME), SessionStarted()]
    base += [SlotSet(name, slot.value) for name, slot in before.slots.items() if slot.has_been_set]
    if before.is_paused():
        base.append(ConversationPaused())
    loop = before.active_loop
    if loop is not None and loop.name:
        base += [ActionExecuted(loop.name), ActiveLoop(loop.name)]
        if loop.rejected:
            base.append(ActionExecutionRejected(loop.name))
    base.append(ActionExecuted(ACTION_LISTEN_NAME))
    first = min((event.timestamp for event in stretch), default=past[-1].timestamp)
    for event in base:
        event.timestamp = first
    return base + _without_leftovers(stretch)


def _without_leftovers(stretch: list[Event]) -> list[Event]:
    """Folding a form leaves its slot and bot events behind; of these only the last value before an action counts."""
    kept: list[Event] = []
    later: set[str] = set()
    for event in reversed(stretch):
        if isinstance(event, BotUttered) or (isinstance(event, SlotSet) and event.key in later):
            continue
        if isinstance(event, SlotSet):
            later.add(event.key)
        elif event.type_name != "active_loop":
            later.clear()
        kept.append(event)
    return kept[::-1]


def _stretch_start(applied: list[Event], states: int) -> int:
    """Where the last `states` actions begin, moved back to the beginning of their turn."""
    count = 0
    for place in range(len(applied) - 1, -1, -1):
        if not isinstance(applied[place], ActionExecuted):
            continue
        count += 1
        if count > states and applied[place].action_name == ACTION_LISTEN_NAME:
            return place + 1
    return 0


def _raw_before(past: list[Event], event: Event) -> list[Event]:
    for place, candidate in enumerate(past):
        if candidate is event:
            return past[:place]
    return past


def _tracker(domain: Domain, events: Iterable[Event]) -> DialogueStateTracker:
    return DialogueStateTracker.from_events("window", list(events), domain.slots)


def _state(domain: Domain, events: list[Event], rule_length: int) -> tuple[Any, ...]:
    """All that a rule or a form can see of a tracker."""
    tracker = _tracker(domain, events)
    loop = tracker.active_loop
    message = tracker.latest_message
    # More states than the longest rule, so that a rule "from the conversation's start" cannot match at the cut.
    seen = domain.states_for_tracker_history(tracker)[-(rule_length + 2) :]
    return (
        {name: (slot.value, slot.has_been_set) for name, slot in tracker.slots.items()},
        (loop.name, loop.is_interrupted, loop.rejected) if loop is not None else None,
        tracker.is_paused(),
        tracker.followup_action,
        tracker.latest_action,
        (message.text, message.intent, message.entities, message.message_id) if message else None,
        len(seen),
        list(itertools.chain(seen)),
    )
