"""A tiny pool of one worker: fake_pool.py FOLDER GENERATION [waits] and the words of fake_part.py."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import fake_part

folder, generation, how = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
folder.mkdir(exist_ok=True)


def take_over(*_: object) -> None:
    (folder / "current").write_text(generation)


signal.signal(signal.SIGUSR1, signal.SIG_IGN if "deaf" in how else take_over)
if "waits" not in how:
    take_over()
fake_part.main(str(folder / f"{generation}-0.sock"), *how)
