"""The pool: a parent that forks workers, replaces the dead ones, and takes over only with workers that answer."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import async_timeout
import pytest
import pytest_asyncio
from dialogue import Dialogue

from bot import golden, pool

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="these tests watch processes by /proc")


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Looks every few milliseconds; fails when it takes too long."""
    async with async_timeout.timeout(seconds):
        while not condition():
            await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=0.01)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children(pid: int) -> set[int]:
    """Living processes whose parent this is."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and alive(int(entry.name)):
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == pid:
                found.add(int(entry.name))
    return found


class Started:
    """A pool under test, as a process of its own."""

    def __init__(self, folder: Path, generation: str, process: asyncio.subprocess.Process) -> None:
        self.folder = folder
        self.generation = generation
        self.process = process

    @property
    def current(self) -> str:
        try:
            return (self.folder / "current").read_text()
        except FileNotFoundError:
            return ""

    def sockets(self) -> list[Path]:
        return sorted(self.folder.glob(f"{self.generation}-*.sock"))

    def said(self) -> str:
        return (self.folder.parent / f"{self.generation}.log").read_text()

    def workers(self) -> set[int]:
        return children(self.process.pid)

    async def ended(self, within: float = 15) -> int:
        return await asyncio.wait_for(self.process.wait(), within)


@asynccontextmanager
async def started(folder: Path, generation: str, *command: str) -> AsyncIterator[Started]:
    with (folder.parent / f"{generation}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *command), cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=log, stderr=log
        )
    try:
        yield Started(folder, generation, process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
def folder() -> Any:
    # A short folder: a unix socket's path may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="sp") as base:
        (Path(base) / "bot").mkdir()
        yield Path(base) / "bot"


# --- the parent alone, with workers that know no Rasa

TINY = """
import logging, os, signal, socket, sys, time
from pathlib import Path
from bot import pool

how = sys.argv[4:]
logging.basicConfig(level="INFO")
for name, value in (word.split("=") for word in how if "=" in word):
    setattr(pool, name, float(value))

def work(path, link):
    if "broken" in how:
        raise RuntimeError("something that a person wrote")
    if "deaf" in how:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        if "mute" not in how:
            link.beat()
        while True:
            time.sleep(0.05)
            if "mute" not in how and "falls-silent" not in how:
                link.beat()

folder, generation, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
try:
    pool.Pool(folder, generation, count, work, waits="waits" in how).run()
except pool.PoolFailed as failed:
    sys.exit(str(failed))
"""


def tiny(folder: Path, *how: str, generation: str = "g1", count: int = 2) -> Any:
    return started(folder, generation, "-c", TINY, str(folder), generation, str(count), *how)


async def test_a_killed_worker_is_forked_again_at_once(folder):
    async with tiny(folder) as one:
        await until(lambda: one.current == "g1")
        before = one.workers()
        assert 2 == len(before) == len(one.sockets())
        victim = min(before)
        os.kill(victim, signal.SIGKILL)
        await until(lambda: len(one.workers()) == 2 and victim not in one.workers())
        assert before - {victim} < one.workers()
        await until(lambda: one.said().count("answers") == 3)
        assert "was ended by SIGKILL; started again at once" in one.said()
        assert "g1" == one.current


async def test_told_to_end_it_leaves_no_process_no_socket_and_no_name(folder):
    async with tiny(folder, "deaf", "DRAIN=0") as one:
        await until(lambda: one.current == "g1")
        workers = one.workers()
        one.process.send_signal(signal.SIGTERM)
        assert 0 == await one.ended()
        assert not any(alive(pid) for pid in workers)
        assert [] == list(folder.iterdir())


async def test_workers_do_not_outlive_a_killed_parent_even_when_they_do_not_listen(folder):
    async with tiny(folder, "deaf") as one:
        await until(lambda: one.current == "g1")
        workers = one.workers()
        one.process.kill()
        await one.ended()
        await until(lambda: not any(alive(pid) for pid in workers), 5)
    # What the killed one left behind is in nobody's way.
    async with tiny(folder, "mute") as again:
        await until(lambda: len(again.workers()) == 2)
        assert "" == again.current, "it names a generation whose workers do not answer"


async def test_it_takes_over_only_when_told_and_when_every_worker_answers(folder):
    (folder / "current").write_text("g1")
    async with tiny(folder, "waits", generation="g2") as new:
        await until(lambda: new.said().count("answers") == 2)
        assert "g1" == new.current
        new.process.send_signal(signal.SIGUSR1)
        await until(lambda: new.current == "g2")
        new.process.send_signal(signal.SIGUSR1)
        assert len(new.workers()) == 2
    async with tiny(folder, "mute", generation="g3") as mute:
        await until(lambda: len(mute.workers()) == 2)
        mute.process.send_signal(signal.SIGUSR1)
        mute.process.send_signal(signal.SIGTERM)
        assert 0 == await mute.ended()
        assert "g2" == mute.current


async def test_an_old_generation_that_ends_leaves_the_new_ones_name(folder):
    async with tiny(folder) as old, tiny(folder, "waits", generation="g2") as new:
        await until(lambda: old.current == "g1" and new.said().count("answers") == 2)
        new.process.send_signal(signal.SIGUSR1)
        await until(lambda: new.current == "g2")
        old.process.send_signal(signal.SIGTERM)
        assert 0 == await old.ended()
        assert "g2" == new.current
        assert [] == old.sockets()
        assert 2 == len(new.sockets())


async def test_a_worker_that_falls_silent_is_replaced(folder):
    async with tiny(folder, "falls-silent", "SILENT=0.2", count=1) as one:
        await until(lambda: one.said().count("answers") >= 2)
        assert "did not answer for" in one.said()


async def test_workers_that_only_die_end_the_pool_and_nothing_is_quoted(folder):
    async with tiny(folder, "broken", "SLOWEST=0.01", count=1) as one:
        assert 1 == await one.ended()
        assert "worker 0 ended with code 70, 11 times in a row" in one.said()
        assert "RuntimeError" in one.said()
        assert "person wrote" not in one.said()
        assert "" == one.current


def test_one_core_is_left_to_the_router(monkeypatch):
    for cores, workers in ((1, 2), (2, 2), (8, 7)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        assert workers == pool.default_workers()


# --- the real bot


def bot(folder: Path, model: Path, brand: Path, actions: str, *how: str, generation: str = "g1") -> Any:
    command = ("-m", "bot.serve", "--folder", str(folder), "--generation", generation, "--model", str(model))
    return started(
        folder, generation, *command, "--actions-socket", actions, "--brand", str(brand), "--workers", "2", *how
    )


async def asked(socket: Path, method: str, path: str, **options: Any) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session,
        session.request(method, f"http://bot{path}", **options) as response,
    ):
        return response.status, await response.json()


class Asking:
    """Turns one after the other, as the router asks: the current generation's workers, another when one is gone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answered: list[str] = []
        self.refused: list[Any] = []
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Asking:  # noqa: PYI034 Self is in typing from Python 3.11 on
        self._tasks = [asyncio.create_task(self._ask(name)) for name in ("a", "b", "c")]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await asyncio.gather(*self._tasks)

    async def more(self, count: int) -> None:
        wanted = len(self.answered) + count
        await until(lambda: len(self.answered) >= wanted)

    async def _ask(self, name: str) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            body = Dialogue(None, customer=f"{name}{number}").body("bom dia")
            async with async_timeout.timeout(20):
                self.answered.append(await self._until_answered(body))

    async def _until_answered(self, body: dict[str, Any]) -> str:
        while True:
            generation = (self.folder / "current").read_text()
            for socket in sorted(self.folder.glob(f"{generation}-*.sock")):
                try:
                    status, answer = await asked(socket, "POST", "/turn", json=body)
                except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
                    continue
                if status != 200:
                    self.refused.append(answer)
                return generation
            await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=0.02)


@pytest_asyncio.fixture
async def running(folder, model, brand, actions):
    async with bot(folder, model, brand, actions.path) as one:
        await until(lambda: one.current == "g1" or one.process.returncode is not None, 90)
        assert one.process.returncode is None, one.said()
        yield one


async def test_workers_answer_on_private_sockets_from_one_thread_and_little_memory_of_their_own(running):
    for socket in running.sockets():
        assert 0o600 == stat.S_IMODE(socket.stat().st_mode)
        status, health = await asked(socket, "GET", "/health")
        assert (200, True, "pocket.tar.gz") == (status, health["ready"], health["model"])
        assert health["process"] in running.workers()
        status, answer = await asked(socket, "POST", "/turn", json=Dialogue(None).body("bom dia"))
        assert (200, "answered") == (status, answer["outcome"])
    assert "threads run before the fork" not in running.said()
    assert "Warning" not in running.said()
    assert not running.said().startswith("/")
    whole = max(own_memory(running.process.pid), resident_memory(running.process.pid))
    for worker in running.workers():
        assert own_memory(worker) < whole / 4, "a worker shares the model with its sisters"


def own_memory(pid: int) -> int:
    return _memory(pid, "Private_Dirty:")


def resident_memory(pid: int) -> int:
    return _memory(pid, "Rss:")


def _memory(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


async def test_no_turn_is_lost_when_a_worker_is_killed_under_load(running):
    async with Asking(running.folder) as asking:
        await asking.more(10)
        for _ in range(3):
            os.kill(min(running.workers()), signal.SIGKILL)
            await asking.more(10)
        await until(lambda: len(running.workers()) == 2)
    assert [] == asking.refused


async def test_a_new_generation_takes_over_under_load_and_loses_no_turn(running, model, brand, actions):
    folder = running.folder
    async with (
        Asking(folder) as asking,
        bot(folder, model, brand, actions.path, "--wait", generation="g2") as new,
    ):
        await until(lambda: new.said().count("answers") == 2, 90)
        await asking.more(5)
        assert {"g1"} == set(asking.answered)
        new.process.send_signal(signal.SIGUSR1)
        await until(lambda: asking.answered[-1] == "g2")
        running.process.send_signal(signal.SIGTERM)
        await asking.more(5)
        assert 0 == await running.ended()
        await asking.more(5)
        assert "g2" == new.current
        asking._stop.set()
        await asyncio.gather(*asking._tasks)
    assert [] == asking.refused


async def test_a_turn_under_way_is_finished_before_the_end(running, actions):
    actions.fault = "slow"
    body = Dialogue(None).body("zzbroken please")
    turn = asyncio.create_task(asked(running.sockets()[0], "POST", "/turn", json=body))
    await until(lambda: len(actions.calls) > 0)
    running.process.send_signal(signal.SIGTERM)
    await until(lambda: running.sockets() == [])
    cut, _ = await asyncio.wait({turn}, timeout=0.5)
    assert not cut
    actions.fault = ""
    actions.go.set()
    status, answer = await turn
    assert 200 == status, answer
    assert 0 == await running.ended()


# --- golden dialogues

STORIES = """
stories:
  - story: oi
    steps:
      - user: |
          [bom dia](daytime)
        intent: greet
      - action: utter_greet
      - action: action_listen
"""


async def test_golden_dialogues_pass_as_written_and_fail_by_name_without_a_quotation(running, tmp_path, capsys):
    socket = running.sockets()[0]

    async def played(stories: str) -> tuple[int, str]:
        (tmp_path / "test_stories.yml").write_text(stories)
        code = await asyncio.to_thread(golden.main, ["--socket", str(socket), "--stories", str(tmp_path)])
        return code, capsys.readouterr().out

    assert (0, "1 golden dialogues passed\n") == await played(STORIES)
    code, said = await played(STORIES.replace("intent: greet", "intent: goodbye"))
    assert (1, "«oi», turn 1: understood as greet, not goodbye\n1 of 1 golden dialogues differ\n") == (code, said)
    code, said = await played(STORIES.replace("utter_greet", "utter_bye"))
    assert (1, "«oi», turn 1: did utter_greet; utter_bye was due") == (code, said.splitlines()[0])
    assert "bom dia" not in said
    code, said = await played("stories: []")
    assert 2 == code
    assert said.startswith("there are no golden dialogues in ")
    code, said = await played("stories: [1]")
    assert 2 == code
    assert "does not read as test stories" in said


async def test_golden_dialogues_say_when_nobody_answers(tmp_path, capsys):
    (tmp_path / "test_stories.yml").write_text(STORIES)
    options = ["--socket", str(tmp_path / "nobody.sock"), "--stories", str(tmp_path)]
    assert 2 == await asyncio.to_thread(golden.main, options)
    assert capsys.readouterr().out.startswith("the worker does not answer")


def test_entities_are_taken_out_of_what_is_said():
    steps = golden._steps([{"user": 'é o [1001](order_number) ou [2]{"entity": "x"}\n', "intent": "i"}])
    assert ["é o 1001 ou 2"] == [step.text for step in steps]


def test_the_assistants_own_golden_dialogues_are_in_both_languages():
    names = [dialogue.name for dialogue in golden.read_dialogues(ROOT / "tests" / "stories")]
    assert {"pedido, número e depois e-mail", "order, number and then CPF"} <= set(names)
