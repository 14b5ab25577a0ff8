"""Runs in the bot environment only: `<bot env>/bin/python -m pytest tests/bot`."""

from __future__ import annotations

import os
import sys

os.environ.setdefault("RASA_TELEMETRY_ENABLED", "false")
os.environ.setdefault("SQLALCHEMY_SILENCE_UBER_WARNING", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

if sys.version_info[:2] != (3, 10):
    collect_ignore_glob = ["*"]
