"""`segue up` with a real launcher and a real Redis, and tiny stand-ins for router, actions, bot and trainer.

fake_up.py PORT DATA_DIR [PART=WORDS …] [--no-train]      PART: router actions bot bot-2 golden train
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from segue import generations, parts
from segue.launcher import up
from segue.options import Options
from segue.parts import Parts
from segue.places import DataFolder
from segue.refusal import Refusal
from segue.supervise import Part

HERE = Path(__file__).parent
HOW = dict(word.split("=", 1) for word in sys.argv[3:] if "=" in word)


class FakeParts(Parts):
    """Same sockets, same questions, other programs; models of its own."""

    def __init__(self, options: Options, folder: DataFolder, sockets: Path) -> None:
        super().__init__(options, folder, sockets)
        self.models = folder.path / "models"

    def router(self) -> Part:
        return self._fake(super().router(), str(self.options.port))

    def actions(self) -> Part:
        return self._fake(super().actions(), str(self.actions_socket))

    def bot(self, model: Path, number: int = 1, *, waits: bool = False) -> Part:
        assert model.is_file()
        part = self._fake(super().bot(model, number, waits=waits), f"{self.bot_folder}", program="fake_pool.py")
        return replace(part, argv=(*part.argv[:3], f"g{number}", *part.argv[3:], *(("waits",) if waits else ())))

    def golden(self, number: int) -> Part:
        return self._fake(super().golden(number), f"g{number}", program="fake_golden.py")

    def trainer(self, *, only_find: bool) -> Part:
        part = self._fake(super().trainer(only_find=only_find), str(self.models), program="fake_trainer.py")
        return replace(part, argv=(*part.argv, "--find")) if only_find else part

    @staticmethod
    def _fake(part: Part, address: str, *, program: str = "fake_part.py") -> Part:
        return replace(part, argv=(sys.executable, str(HERE / program), address, *HOW.get(part.name, "").split()))


# The assistant's environment need not be there: its programs are played too.
parts.bot_python = lambda: sys.executable
generations.RETIRES_AFTER = 0.2
options = Options(
    host="127.0.0.1",
    port=int(sys.argv[1]),
    data_dir=Path(sys.argv[2]),
    config=None,
    brand=Path("brand.toml"),
    redis_url=None,
    train="--no-train" not in sys.argv,
    bot_workers=1,
)
try:
    sys.exit(up(options, FakeParts))
except Refusal as refusal:
    print(f"segue: {refusal}", flush=True)
    sys.exit(1)
