"""`python -m bench.in_process [EVENTS]`: `segue serve` with a bot in the same process that answers at once.

So only the router is measured: no second process, no HTTP to it. EVENTS as in bench/instant_bot.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from bench.instant_bot import body
from router.bot import Answer, Bot, Question
from segue.serve import serve
from segue.settings import load_settings


class NoBot(Bot):
    def __init__(self, events: int) -> None:
        super().__init__(Path("none"))
        self._said = msgspec.json.decode(body(events), type=Answer)

    async def ready(self) -> bool:
        return True

    async def ask(self, question: Question) -> Answer:
        return self._said


if __name__ == "__main__":
    sys.exit(serve(load_settings(), "all", NoBot(int(sys.argv[1]) if len(sys.argv) > 1 else 2)))
