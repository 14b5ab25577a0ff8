"""The bot's CPU for one turn: a window of 60 events, after 500 events, and with an action."""

from __future__ import annotations

from typing import Any

from bench.assistant import Assistant, Dialogue
from bench.processes import House
from bench.report import Broken, Row, median

WINDOW = 60
LONG = 500
TURNS = 20
"""Of one kind in one round."""

PLAIN = "qual o horário da loja?"
ASKS_ORDER = "cadê meu pedido?"


def run(rounds: int = 5) -> list[Row]:
    """Every kind in every round, so that a noisy neighbour meets them all."""
    with House() as house, Assistant(house.folder) as assistant:
        kinds = {
            "window": _talked(assistant, WINDOW).body(PLAIN),
            "long": _talked(assistant, LONG).body(PLAIN),
            "action": _before_an_action(assistant),
        }
        for body in kinds.values():
            _cost(assistant, body)  # caches fill
        runs: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _ in range(rounds):
            for kind, body in kinds.items():
                runs[kind].append(_cost(assistant, body))
        held = len(kinds["long"]["window"])
        longer = [long / short for long, short in zip(runs["long"], runs["window"], strict=True)]
        return [
            Row(what=f"turn, window of {len(kinds['window']['window'])} events, no action", unit="ms",
                ours=median(runs["window"]), runs=runs["window"], must=8, aim=5),
            Row(what=f"after {LONG} events (the window holds {held}), against it", unit="ms",
                limit=median(runs["window"]), ours=median(runs["long"]), ratio=median(longer), runs=longer,
                must=1.2, aim=1.1),
            Row(what=f"turn with an action, window of {len(kinds['action']['window'])}", unit="ms",
                ours=median(runs["action"]), runs=runs["action"], must=13, aim=9),
        ]  # fmt: skip


def _cost(assistant: Assistant, body: dict[str, Any]) -> float:
    """ms of the bot's CPU. The same turn again and again: a turn changes nothing."""
    before = assistant.bot.cpu()
    for _ in range(TURNS):
        assistant.ask(body)
    return (assistant.bot.cpu() - before) / TURNS * 1000


def _talked(assistant: Assistant, events: int) -> Dialogue:
    """A dialogue with as many events behind it, or as few more as a turn has."""
    dialogue = assistant.dialogue()
    while dialogue.events < events:
        dialogue.say(PLAIN if dialogue.turns % 2 else "obrigada")
    return dialogue


def _before_an_action(assistant: Assistant) -> dict[str, Any]:
    """A dialogue in which the order's number is the next thing said: the form asks the actions to check it."""
    dialogue = _talked(assistant, WINDOW - 10)
    form = dialogue.say(ASKS_ORDER)["state"]["form"]
    if not form:
        raise Broken(f"{ASKS_ORDER!r} no longer starts a form, so there is no action to measure")
    return dialogue.body("1001")
