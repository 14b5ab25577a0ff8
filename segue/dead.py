"""`segue dead`: the batches that were given up, and putting them back. Ids and numbers, never a customer's words."""

from __future__ import annotations

import time

from router.store import DeadLetter, Store
from segue.installation import Installation
from segue.refusal import Refusal

_WHY = {
    "attempts": "five workers ended while they answered it",
    "failed": "the assistant failed on it",
}


def list_letters(installation: Installation) -> int:
    """One line each, oldest first."""
    letters = installation.ask_store(_letters)
    for letter in letters:
        print(line(letter))
    if letters:
        print(f"{_count(len(letters))}. Put back with: bin/segue dead requeue ID, or all.")
    else:
        print("No dead letters.")
    return 0


def requeue(installation: Installation, which: str) -> int:
    """Puts one or all back into their mailboxes. Refuses an id that is not there."""

    async def put_back(store: Store) -> tuple[int, int]:
        letters = await _letters(store)
        chosen = [letter for letter in letters if which in ("all", name(letter))]
        if not chosen and which != "all":
            raise Refusal(f"There is no dead letter {which}: `bin/segue dead list` shows those that wait.")
        # One after the other: a customer's batches come back in the order in which they were given up.
        messages = [await store.upkeep.requeue(letter) for letter in chosen]
        return sum(number > 0 for number in messages), sum(messages)

    batches, messages = installation.ask_store(put_back)
    print(f"Put back: {_count(batches)}, {messages} message{'' if messages == 1 else 's'}.")
    return 0


def name(letter: DeadLetter) -> str:
    """What an operator calls it by: customer and turn, which no other letter has."""
    return f"{letter.customer}.{letter.turn}"


def line(letter: DeadLetter) -> str:
    when = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(int(letter.id.partition("-")[0]) / 1000))
    number = len(letter.seqs)
    why = _WHY.get(letter.reason, letter.reason)
    return f"{name(letter)}  {when}  {number} message{'' if number == 1 else 's'}  {letter.reason}: {why}"


async def _letters(store: Store) -> list[DeadLetter]:
    return sorted(await store.upkeep.dead_letters(), key=lambda letter: int(letter.id.partition("-")[0]))


def _count(number: int) -> str:
    return f"{number} dead letter{'' if number == 1 else 's'}"
