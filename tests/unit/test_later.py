"""One timer for everything that waits equally long."""

from __future__ import annotations

import asyncio
from functools import partial

from router.later import Later


async def test_what_was_not_called_off_happens_in_its_order() -> None:
    later, happened = Later(0.01), []
    ended = asyncio.get_running_loop().create_future()
    first, second, third = (partial(happened.append, name) for name in "abc")
    for what in (first, second, third, partial(ended.set_result, None)):
        later.call(what)
    later.cancel(second)
    await ended
    assert ["a", "c"] == happened


async def test_it_waits_anew_after_a_pause_and_from_within() -> None:
    later, ended = Later(0.01), asyncio.get_running_loop().create_future()
    later.call(lambda: later.call(partial(ended.set_result, "from within")))
    assert "from within" == await ended
    again = asyncio.get_running_loop().create_future()
    later.call(partial(again.set_result, "after a pause"))
    assert "after a pause" == await again


async def test_what_is_called_off_is_kept_by_nobody_and_may_have_happened() -> None:
    later, happened = Later(0.01), asyncio.Event()
    later.call(happened.set)
    await happened.wait()
    later.cancel(happened.set)
    later.call(happened.clear)
    later.cancel(happened.clear)
    assert not later._waiting
