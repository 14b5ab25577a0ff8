"""The assistant's generations: a new model starts beside the old one, shows what it can, and takes over.

A pool of bot workers is one generation. Only the current one takes new turns. A generation that does not start, or
answers the golden dialogues otherwise, is ended, and the old one goes on as if nothing had been.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from segue.models import Choice, find_model, hold, prune
from segue.parts import Parts
from segue.refusal import Refusal
from segue.supervise import Part, PartFailed, Running

Say = Callable[[str], None]
TAKES_OVER_WITHIN = 10.0
# The old generation's turns have one deadline to end; the router looks for new workers each second.
RETIRES_AFTER = 12.0
RETIRES_WITHIN = 6.0


class House(Protocol):
    """What starts, watches and ends parts: the launcher."""

    def new(self, part: Part) -> Running: ...

    def watch(self, running: Running) -> None: ...

    def unwatch(self, running: Running) -> None: ...

    async def end(self, running: Running, within: float) -> None: ...


class Generations:
    """The pools of one launcher."""

    def __init__(self, parts: Parts, house: House, train: Callable[[Say | None], Awaitable[Path]]) -> None:
        self._parts = parts
        self._house = house
        self._train = train
        self._data = parts.folder.path
        self._number = 0
        self._current: Running | None = None
        self._held: int | None = None
        self._swapping = asyncio.Lock()
        self._retiring: asyncio.Task[None] | None = None

    # --- the first one

    def chosen(self, say: Say) -> Path | None:
        """The model that was chosen by hand and still stands; None: the one of the present data."""
        choice = Choice.read(self._data)
        if not choice.by_hand:
            return None
        if not Path(choice.file).is_file():
            say(f"The model chosen by hand is gone ({choice.file}); the one of the present data is used.")
            return None
        say(f"Model        {Path(choice.file).name}, chosen by hand (`segue model swap latest` undoes that)")
        return Path(choice.file)

    async def start(self, model: Path, *, by_hand: bool) -> None:
        """The first generation; takes turns as soon as it answers. Raises PartFailed."""
        self._number += 1
        running = self._house.new(self._parts.bot(model, self._number))
        await running.start()
        self._house.watch(running)
        self._settle(running, model, by_hand=by_hand)

    # --- the next ones

    async def swap(self, wanted: str, say: Say) -> bool:
        """Lets another model answer: a file, a mark, `latest` or `previous`. False when the old one goes on."""
        if self._current is None:
            say("Segue is still starting: try again when it is ready.")
            return False
        async with self._swapping:
            if self._retiring is not None and not self._retiring.done():
                say("The generation before is still finishing its turns …")
                await asyncio.wait([self._retiring])
            model: Path | None = None
            try:
                model = await self._meant(wanted, say)
                if str(model) == Choice.read(self._data).file:
                    Choice.read(self._data).then(model, by_hand=wanted != "latest").write(self._data)
                    say(f"{model.name} answers already.")
                    return True
                await self._take_over(model, wanted, say)
            except Refusal as refusal:
                say(str(refusal))
                return False
            except PartFailed as failure:
                what = f"{model.name} does not take over" if model else "There is no new model"
                reason = f" ({failure.tail[-1].rstrip('.')})" if failure.tail else ""
                say(f"{what}: {failure}{reason}.")
                return False
            say(f"{model.name} takes all new turns.")
            return True

    async def _meant(self, wanted: str, say: Say) -> Path:
        if wanted == "latest":
            return await self._train(say)
        return self._previous() if wanted == "previous" else find_model(self._parts.models, wanted)

    def _previous(self) -> Path:
        previous = Choice.read(self._data).previous
        if not previous or not Path(previous).is_file():
            raise Refusal("There is no previous model to go back to: `bin/segue model list` shows those there are.")
        return Path(previous)

    async def _take_over(self, model: Path, wanted: str, say: Say) -> None:
        self._number += 1
        say(f"Starting {model.name} beside the model that answers …")
        running = self._house.new(self._parts.bot(model, self._number, waits=True))
        try:
            await running.start()
            await self._show(self._number, say, must_pass=wanted != "previous")
            running.send(signal.SIGUSR1)
            await self._is_current(running, f"g{self._number}")
        except BaseException:
            await self._house.end(running, RETIRES_WITHIN)
            raise
        old, self._current = self._current, None
        # Started again after a crash, it need not wait any more.
        running.part = self._parts.bot(model, self._number)
        self._house.watch(running)
        self._settle(running, model, by_hand=wanted != "latest")
        if old is not None:
            self._retiring = asyncio.create_task(self._retire(old), name="old generation")

    async def _show(self, number: int, say: Say, *, must_pass: bool) -> None:
        """The golden dialogues. Going back is never held up by them: they may be younger than the old model."""
        golden = self._house.new(self._parts.golden(number))
        code, words = await golden.run_once(lambda line: say(f"  {line}"))
        verdict = words[-1] if words else f"the golden dialogues ended with code {code}"
        await self._house.end(golden, 0)
        if code and must_pass:
            raise Refusal(f"The model does not take over: {verdict}.")
        say(f"{verdict[:1].upper()}{verdict[1:]}.")

    async def _is_current(self, running: Running, generation: str) -> None:
        current = self._parts.bot_folder / "current"
        for _ in range(int(TAKES_OVER_WITHIN / 0.05)):
            with suppress(FileNotFoundError):
                if current.read_text(encoding="utf-8") == generation:
                    return
            if not running.alive:
                break
            await asyncio.sleep(0.05)
        raise PartFailed(running.part.name, "answered, and then did not", running.tail())

    def _settle(self, running: Running, model: Path, *, by_hand: bool) -> None:
        self._current = running
        before, self._held = self._held, hold(model)
        if before is not None:
            os.close(before)
        choice = Choice.read(self._data).then(model, by_hand=by_hand)
        choice.write(self._data)
        prune(self._parts.models, keep={choice.file, choice.previous})

    async def _retire(self, old: Running) -> None:
        # No longer watched: should it end by itself, nobody needs it again.
        self._house.unwatch(old)
        await asyncio.sleep(RETIRES_AFTER)
        await self._house.end(old, RETIRES_WITHIN)
