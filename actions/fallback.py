"""Two steps when we do not understand: ask for other words, then offer a person. The rules choose by a counter."""

from collections.abc import Mapping
from typing import Any

from actions.dialogue import Action, Dispatcher, Event, Tracker, set_slot

COUNTER = "misses"


async def count_miss(dispatcher: Dispatcher, tracker: Tracker, domain: Mapping[str, Any]) -> list[Event]:
    """never → once → twice. Any understood turn sets it back: a slot mapping in domain.yml does that."""
    return [set_slot(COUNTER, "once" if tracker.slots.get(COUNTER) in (None, "never") else "twice")]


COUNT_MISS = Action("action_count_miss", count_miss)
