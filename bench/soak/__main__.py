"""`bin/segue bench soak`: widgets stay open and talk for a while; 0 when nothing was lost and nothing left behind.

`--controls` plants faults as well, one after the other, in short runs: each must be found as what it is.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from bench.chaos.checker import Report
from bench.report import Broken
from bench.soak.planted import CONTROLS, Fault
from bench.soak.run import Plan, run

CONTROL = Plan(minutes=0.3, rate=15, widgets=150, drain=20)


def main() -> int:
    parser = argparse.ArgumentParser(prog="segue bench soak", description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--rate", type=float, default=50, help="messages a second, over all widgets")
    parser.add_argument("--widgets", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--instant-bot", action="store_true", help="router and Redis alone: no assistant, no actions")
    parser.add_argument("--controls", action="store_true", help="also plant each fault; all must be found")
    parser.add_argument("--control", choices=[fault.name for fault in CONTROLS], help="plant this one alone")
    options = parser.parse_args()
    plan = Plan(options.minutes, options.rate, options.widgets, options.seed, options.instant_bot)
    try:
        failed = False
        if not options.control:
            failed = bool(_shown(asyncio.run(run(plan))).problems)
        for fault in CONTROLS:
            if options.controls or fault.name == options.control:
                failed |= not _found(fault)
    except Broken as error:
        print(f"bench soak: {error}", file=sys.stderr)
        return 2
    return int(failed)


def _found(fault: Fault) -> bool:
    print(f"── planted: {fault.name}")
    report = _shown(asyncio.run(run(CONTROL, fault)))
    found = shows(report, fault)
    print(f"   {'found' if found else 'NOT FOUND: the soak proves nothing'}")
    return found


def shows(report: Report, fault: Fault) -> bool:
    return any(problem.startswith(f"{fault.shows}:") for problem in report.problems)


def _shown(report: Report) -> Report:
    for problem in report.problems:
        print(f"  {problem[:300]}")
    if not report.problems:
        print("  nothing lost, nothing left behind")
    print(f"  load of the machine: {', '.join(f'{load:.1f}' for load in os.getloadavg())}")
    return report


if __name__ == "__main__":
    sys.exit(main())
