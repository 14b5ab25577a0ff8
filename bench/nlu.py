"""`bin/segue bench nlu`: how well and how fast the shipped pipeline understands labelled messages (docs/nlu.md).

The work is the bot's (bot/measure.py), in its own environment; here it is only started, on one thread a process.
"""

from __future__ import annotations

import os
import sys


def become(arguments: list[str]) -> None:
    """Hands this process over; never returns."""
    from segue.places import bot_python

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    python = str(bot_python())
    os.execv(python, [python, "-W", "ignore", "-m", "bot.measure", *arguments])  # noqa: S606


if __name__ == "__main__":
    become(sys.argv[1:])
