"""Trains in no time: fake_trainer.py MODELS [--find] [broken]."""

from __future__ import annotations

import sys
from pathlib import Path

models = Path(sys.argv[1])
model = models / "abc.tar.gz"
if "--find" in sys.argv:
    print(model if model.exists() else "")
    sys.exit(not model.exists())
if "broken" in sys.argv:
    print("intent greet has no examples", file=sys.stderr)
    sys.exit(2)
print("reading the data")
print("fitting the classifier")
models.mkdir(parents=True, exist_ok=True)
model.touch()
print(model)
