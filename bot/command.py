"""`python -m bot.command …`: Rasa's own command line, as a Rasa user expects it from the root of the checkout.

What differs: no telemetry, no noise; `test` draws no plots unless asked; a command that needs a model gets the one
of the present data; `shell`, `interactive` and `run` find the actions running.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_WITH_ACTIONS = {"shell", "interactive", "run"}
_WITH_MODEL = {"shell", "test", "run"}
_OWN_DATA = ("-m", "--model", "--help", "-h")
ACTIONS_WITHIN = 20.0


def prepare(words: list[str]) -> list[str]:
    """The words for Rasa, with our defaults put in."""
    words = list(words)
    if not words:
        return words
    options = {word.split("=")[0] for word in words}
    if words[0] == "test" and not options & {"--no-plot", "-h", "--help"} and "e2e" not in words[1:2]:
        words.append("--no-plot")
    if words[0] in _WITH_MODEL and not options & set(_OWN_DATA) and "actions" not in words[1:2]:
        cross_validation = "--cross-validation" in options
        if not cross_validation and (ROOT / "domain.yml").is_file():
            words += ["--model", str(_current_model())]
    return words


def _current_model() -> Path:
    from bot.train import TrainingFailed, train

    try:
        return train(config=Path("config.yml"), domain=Path("domain.yml"), data=Path("data"), models=Path("models"))
    except TrainingFailed as failed:
        raise SystemExit(f"Training failed: {failed}") from failed


def app_python() -> Path:
    """The interpreter of the application environment, where the actions live."""
    named = os.environ.get("SEGUE_APP_PYTHON")
    return Path(named) if named else Path(sys.prefix).parent / "env-app" / "bin" / "python"


@contextmanager
def running_actions() -> Iterator[str]:
    """Starts the action server for as long as the command runs; gives its socket."""
    python = app_python()
    if not python.exists():
        raise SystemExit("The application environment is missing: run `bin/segue install`, or set SEGUE_APP_PYTHON.")
    with tempfile.TemporaryDirectory(prefix="segue-") as folder:
        socket = f"{folder}/actions.sock"
        command = [str(python), "-m", "actions.serve", "--socket", socket, "--data-dir", f"{folder}/data"]
        # A group of its own, so that Ctrl-C in the shell reaches Rasa alone.
        server = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True
        )
        try:
            _wait_for(socket, server)
            yield socket
        finally:
            server.terminate()
            try:
                server.wait(5)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_for(socket: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + ACTIONS_WITHIN
    while not Path(socket).exists():
        if server.poll() is not None:
            raise SystemExit(f"The action server ended with code {server.returncode}; its own lines above say why.")
        if time.monotonic() > end:
            raise SystemExit("The action server did not come up in time.")
        time.sleep(0.05)


def use_our_endpoint(socket: str) -> None:
    """Makes Rasa's command line reach the actions by their socket, and know the language as the turn server does."""
    from rasa.core.processor import MessageProcessor
    from rasa.core.utils import AvailableEndpoints
    from rasa.shared.core.events import SlotSet

    from bot.action_endpoint import ActionEndpoint, ActionSocket, validate_once_built
    from bot.language import decide

    validate_once_built()
    pool = ActionSocket(socket)

    class ShellEndpoint(ActionEndpoint):
        async def request(self, *args: Any, json: Any = None, **kwargs: Any) -> Any:
            message = ((json or {}).get("tracker", {}).get("latest_message") or {}).get("message_id")
            self.headers["X-Segue-Turn"] = f"shell.{message}"
            self._deadline = time.monotonic() + self._timeout
            return await super().request(*args, json=json, **kwargs)

    read = AvailableEndpoints.read_endpoints.__func__  # type: ignore[attr-defined]
    endpoint = ShellEndpoint(pool, turn="shell", dry_run=False, timeout=10.0, deadline=0.0)

    def read_endpoints(cls: Any, file: str) -> Any:
        endpoints = read(cls, file)
        endpoints.action = endpoint
        return endpoints

    AvailableEndpoints.read_endpoints = classmethod(read_endpoints)
    handle = MessageProcessor._handle_message_with_tracker
    languages: dict[str, Any] = {}

    async def with_language(self: Any, message: Any, tracker: Any) -> None:
        if "language" in tracker.slots and not message.parse_data:
            before = languages.get(tracker.sender_id)
            now = decide(
                message.text or "",
                current=before and before.current,
                votes=before.votes if before else 0,
                locale=os.environ.get("SEGUE_SHELL_LOCALE", "pt-BR"),
            )
            languages[tracker.sender_id] = now
            if tracker.get_slot("language") != now.current:
                tracker.update(SlotSet("language", now.current), self.domain)
        await handle(self, message, tracker)

    MessageProcessor._handle_message_with_tracker = with_language


def check_components(config: Path) -> None:
    """`rasa data validate` never builds the pipeline: a component that needs TensorFlow would only fail in training."""
    from rasa.engine.recipes.default_recipe import DefaultV1Recipe
    from rasa.shared.utils.io import read_yaml_file

    read = read_yaml_file(config)
    for part in ("pipeline", "policies"):
        for component in read.get(part) or []:
            DefaultV1Recipe._from_registry(component["name"])


def run_rasa(words: list[str]) -> int:
    """Runs Rasa's command line in this process; its exit code."""
    from rasa.__main__ import main as rasa_main
    from rasa.shared.exceptions import RasaException

    sys.argv = ["rasa", *words]
    try:
        if words[:2] == ["data", "validate"] and Path("config.yml").is_file():
            check_components(Path("config.yml"))
        rasa_main()
    except RasaException as error:
        print(f"{error}", file=sys.stderr)
        return 1
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def main(words: list[str] | None = None) -> int:
    """Runs one of Rasa's commands from the root of the checkout."""
    words = sys.argv[1:] if words is None else words
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    for name, value in (
        ("RASA_TELEMETRY_ENABLED", "false"),
        ("SQLALCHEMY_SILENCE_UBER_WARNING", "1"),
        ("HF_HUB_OFFLINE", "1"),
        ("SANIC_REGISTER", "false"),
    ):
        os.environ.setdefault(name, value)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    from bot.train import sources_fingerprint

    # Rasa's own cache does not see a changed component module; ours is thrown away when one changes.
    os.environ.setdefault("RASA_CACHE_DIRECTORY", f".rasa/cache-{sources_fingerprint()}")
    words = prepare(words)
    if words and words[0] in _WITH_ACTIONS and not {"-h", "--help"} & set(words) and "actions" not in words[1:2]:
        with running_actions() as socket:
            use_our_endpoint(socket)
            return run_rasa(words)
    return run_rasa(words)


if __name__ == "__main__":
    sys.exit(main())
