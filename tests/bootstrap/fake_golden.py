"""Golden dialogues that pass, or one that differs: fake_golden.py GENERATION [differs]."""

from __future__ import annotations

import sys

if "differs" in sys.argv:
    print("«oi», turn 1: understood as goodbye, not greet")
    print("1 of 2 golden dialogues differ")
    sys.exit(1)
print("2 golden dialogues passed")
