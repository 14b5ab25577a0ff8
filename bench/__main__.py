"""`python -m bench NAME [--json]`: one table. 0 also when a number misses; 1 when nothing could be measured."""

from __future__ import annotations

import argparse
import importlib
import os
import sys

from bench.report import Broken, as_json, table

BENCHES = {
    "ingest": "router CPU per message, against a bare aiohttp echo",
    "telegram": "the same for a message of Telegram: its webhook alone, and with the answer sent",
    "latency": "what a message waits at 200 a second",
    "turn": "the bot's CPU for one turn",
    "start": "from nothing to the first answer; a second start",
    "memory": "router and bot worker after real work, and what an idle one uses",
    "links": "what moving a conversation takes, and a turn of somebody on five channels",
    "widgets": "open streams, frames to them, a long conversation, and a real browser",
    "growth": "a message's cost with many customers, and after many turns",
}


def main() -> int:
    if sys.argv[1:2] in (["chaos"], ["soak"]):  # have options and verdicts of their own
        os.execv(sys.executable, [sys.executable, "-P", "-m", f"bench.{sys.argv[1]}", *sys.argv[2:]])  # noqa: S606
    if sys.argv[1:2] == ["nlu"]:
        importlib.import_module("bench.nlu").become(sys.argv[2:])
    parser = argparse.ArgumentParser(
        prog="segue bench",
        description="Measures one thing.",
        epilog="; ".join(f"{name}: {what}" for name, what in BENCHES.items())
        + "; chaos: kills, stops and cuts; soak: open widgets for twenty minutes; nlu: understanding",
    )
    parser.add_argument("name", choices=BENCHES)
    parser.add_argument("--json", action="store_true", help="one line of JSON behind the table, with the single runs")
    parser.add_argument("--rounds", type=int, default=0, help="how often everything is measured; the median counts")
    options = parser.parse_args()
    bench = importlib.import_module(f"bench.{options.name}")
    try:
        rows = bench.run(options.rounds) if options.rounds else bench.run()
    except Broken as error:
        print(f"bench {options.name}: {error}", file=sys.stderr)
        return 1
    print(table(rows))
    if options.json:
        print(as_json(options.name, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
