"""`python -m bot.golden`: plays golden dialogues to a running worker, before customers meet a new model.

They are Rasa's test stories: what is said, the intent that it has, the actions that follow. Each is played as a
customer's turns with `dry_run`: the real actions answer and refuse every effect. The last line says how it went.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import ruamel.yaml

# What Rasa does by itself, and no story names.
UNNAMED = frozenset({"action_listen", "action_session_start", "action_extract_slots"})
SHOWN = 5
TURN_WITHIN = 15.0

_ENTITY = re.compile(r"\[(?P<text>[^\]]+)\](?:\((?:[^()]*)\)|\{(?:[^{}]*)\})(?:\[[^\]]*\])?")


class Unreadable(Exception):
    """One sentence: why there is nothing to play."""


@dataclass(frozen=True)
class Step:
    """One turn: what is said, the intent it must have ("": any) and the actions that must follow."""

    text: str
    intent: str
    actions: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Dialogue:
    """A golden dialogue."""

    name: str
    steps: list[Step]


def read_dialogues(folder: Path) -> list[Dialogue]:
    """All of them, from every file of test stories in the folder."""
    files = sorted(file for file in folder.rglob("*") if file.suffix in (".yml", ".yaml")) if folder.is_dir() else []
    dialogues = [dialogue for file in files for dialogue in _in_file(file)]
    if not dialogues:
        raise Unreadable(
            f"there are no golden dialogues in {folder}: write a test story, as Rasa's documentation shows"
        )
    return dialogues


def _in_file(file: Path) -> Iterator[Dialogue]:
    try:
        content = ruamel.yaml.YAML(typ="safe").load(file)
        for story in (content or {}).get("stories") or []:
            yield Dialogue(str(story["story"]), _steps(story["steps"]))
    except (ruamel.yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise Unreadable(f"{file} does not read as test stories ({type(error).__name__})") from error


def _steps(given: list[dict[str, Any]]) -> list[Step]:
    steps: list[Step] = []
    for step in given:
        if "user" in step:
            steps.append(Step(_ENTITY.sub(r"\g<text>", step["user"]).strip(), str(step.get("intent") or "")))
        elif "action" in step and steps and _is_named(step["action"]):
            steps[-1].actions.append(step["action"])
    return steps


def _is_named(action: str) -> bool:
    return action not in UNNAMED and not action.startswith("validate_")


async def play(session: aiohttp.ClientSession, dialogue: Dialogue, customer: str) -> str:
    """What differs in the first turn that differs; empty when the dialogue went as it is written.

    Says which turn, never what was said in it: stories may come from real conversations.
    """
    window: list[dict[str, Any]] = []
    language: dict[str, Any] = {"current": None, "votes": 0, "locale": "pt-BR"}
    for number, step in enumerate(dialogue.steps, 1):
        body = {
            "window": window,
            "message": {"id": f"{customer}.{number}", "text": step.text, "metadata": {"channel": "golden"}},
            "language": language,
            "dry_run": True,
        }
        async with session.post("http://bot/turn", json=body) as response:
            answer = await response.json()
        if response.status != 200:
            return f"turn {number}: failed, {answer.get('type')} at {answer.get('where') or '-'}"
        intent = (answer["nlu"].get("intent") or {}).get("name")
        if step.intent and intent != step.intent:
            return f"turn {number}: understood as {intent}, not {step.intent}"
        done = [event["name"] for event in answer["events"] if event["event"] == "action" and _is_named(event["name"])]
        if done != step.actions:
            return f"turn {number}: did {', '.join(done) or 'nothing'}; {', '.join(step.actions) or 'nothing'} was due"
        window = answer.get("window") or window + answer["events"]
        language = {**language, **answer["language"]}
    return ""


async def play_all(socket: Path, dialogues: list[Dialogue]) -> list[str]:
    """What differs, one line a dialogue."""
    timeout = aiohttp.ClientTimeout(total=TURN_WITHIN)
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket)), timeout=timeout) as session:
        differences = []
        for number, dialogue in enumerate(dialogues, 1):
            difference = await play(session, dialogue, f"golden-{number}")
            if difference:
                differences.append(f"«{dialogue.name}», {difference}")
        return differences


def main(arguments: list[str] | None = None) -> int:
    """0 when every dialogue went as it is written; 1 with what differs; 2 when nothing could be played."""
    parser = argparse.ArgumentParser(prog="python -m bot.golden", description="Plays golden dialogues to a worker.")
    parser.add_argument("--socket", type=Path, required=True, help="unix socket of the worker")
    parser.add_argument("--stories", type=Path, required=True, help="folder of Rasa test stories")
    options = parser.parse_args(arguments)
    try:
        dialogues = read_dialogues(options.stories)
        differences = asyncio.run(play_all(options.socket, dialogues))
    except Unreadable as sentence:
        print(sentence)
        return 2
    except (OSError, aiohttp.ClientError, asyncio.TimeoutError) as error:
        print(f"the worker does not answer ({type(error).__name__})")
        return 2
    for difference in differences[:SHOWN]:
        print(difference)
    if differences:
        print(f"{len(differences)} of {len(dialogues)} golden dialogues differ")
        return 1
    print(f"{len(dialogues)} golden dialogues passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
