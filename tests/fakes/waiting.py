"""Waiting for what happens elsewhere, with a bound."""

from __future__ import annotations

import asyncio


async def until(condition: object, seconds: float = 10) -> None:
    """Waits for a condition (a callable, async or not) by looking at it; fails when it does not come true in time."""
    assert callable(condition)
    async with asyncio.timeout(seconds):
        while True:
            true = condition()
            if asyncio.iscoroutine(true):
                true = await true
            if true:
                return
            await asyncio.sleep(0.005)
