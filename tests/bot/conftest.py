"""Runs in the bot environment only: `<bot env>/bin/python -m pytest tests/bot`."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from pathlib import Path

os.environ.setdefault("RASA_TELEMETRY_ENABLED", "false")
os.environ.setdefault("SQLALCHEMY_SILENCE_UBER_WARNING", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

if sys.version_info[:2] != (3, 10):
    collect_ignore_glob = ["*"]
else:
    import pytest
    import pytest_asyncio

    HERE = Path(__file__).parent
    ASSISTANT = HERE / "assistant"
    sys.path.insert(0, str(HERE))

    @pytest.fixture(scope="session")
    def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
        """The pocket assistant, trained once."""
        from rasa.model_training import train

        folder = tmp_path_factory.mktemp("model")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trained = train(
                domain=str(ASSISTANT / "domain.yml"),
                config=str(ASSISTANT / "config.yml"),
                training_files=[str(ASSISTANT / "nlu.yml"), str(ASSISTANT / "rules.yml")],
                output=str(folder),
                fixed_model_name="pocket",
            )
        return Path(trained.model)

    @pytest.fixture(scope="session")
    def brand() -> Path:
        return ASSISTANT / "brand.toml"

    @pytest_asyncio.fixture
    async def actions():
        """A running action server."""
        from fake_actions import FakeActions

        # A short folder: a unix socket's path may have 107 bytes.
        with tempfile.TemporaryDirectory(prefix="sb") as folder:
            server = await FakeActions(f"{folder}/a.sock").start()
            yield server
            await server.stop()

    @pytest.fixture(scope="session")
    def loaded(model: Path, brand: Path):
        """The model, loaded once; `turns` gives it its actions."""
        from bot.turns import Turns, quiet_rasa

        quiet_rasa()
        return Turns(model, actions=None, brand=brand)

    @pytest_asyncio.fixture
    async def turns(loaded, actions):
        """The loaded model with the running action server."""
        import copy

        from bot.action_endpoint import ActionSocket

        socket = ActionSocket(actions.path)
        ready = copy.copy(loaded)
        ready._actions = socket
        ready._action_seconds = 2.0
        yield ready
        await socket.close()
