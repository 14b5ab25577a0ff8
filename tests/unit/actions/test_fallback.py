import pytest
from unit.actions.support import Said, dialogue, slots_set

from actions.fallback import COUNT_MISS


@pytest.mark.parametrize(
    ("before", "after"), [(None, "once"), ("never", "once"), ("once", "twice"), ("twice", "twice")]
)
async def test_misses_are_counted_up_to_twice(before: str | None, after: str) -> None:
    assert slots_set(await COUNT_MISS.run(Said(), dialogue(misses=before), {})) == {"misses": after}
