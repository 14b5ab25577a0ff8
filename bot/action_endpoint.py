"""The way to custom actions: HTTP on a unix socket, one pooled session, every failure by its name."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import aiohttp
from jsonschema import Draft7Validator
from rasa.core.actions.action import RemoteAction
from rasa.utils.endpoints import ClientResponseError, EndpointConfig

from bot.events import FROM_ACTIONS, first_refused
from bot.failure import TurnFailure

MAX_ANSWER = 1_000_000
_VALIDATOR = Draft7Validator(RemoteAction.action_response_format_spec())


def validate_once_built() -> None:
    """Makes Rasa check an action's answer with one prebuilt validator; stock builds it anew for each call (20 ms)."""

    def validate(action: RemoteAction, result: Any) -> bool:
        where = action.name()
        # The schema lets an absent object pass, and knows no refused kinds.
        if not isinstance(result, dict):
            raise TurnFailure("action_invalid", where, "The answer is not a JSON object.")
        events = result.get("events", [])
        if isinstance(events, list) and (refused := first_refused(events, FROM_ACTIONS)):
            raise TurnFailure("action_invalid", where, f"The answer holds {refused}, which actions may not send.")
        if not _VALIDATOR.is_valid(result):
            raise TurnFailure("action_invalid", where, "The answer does not follow the schema of actions.")
        return True

    RemoteAction._validate_action_result = validate


class ActionSocket:
    """One pooled session to the action server's unix socket; belongs to the process."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def session(self) -> aiohttp.ClientSession:
        """The session of the running loop (Rasa's command line may run several, one after the other)."""
        loop = asyncio.get_running_loop()
        if self._session is None or self._session.closed or self._loop is not loop:
            connector = aiohttp.UnixConnector(self._path, limit=64, keepalive_timeout=15)
            self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
            self._loop = loop
        return self._session

    async def close(self) -> None:
        """Closes the pooled connections."""
        if self._session is not None and self._loop is asyncio.get_running_loop():
            await self._session.close()


class ActionEndpoint(EndpointConfig):
    """What Rasa calls an endpoint, for one turn: its id and dry-run flag travel with every call."""

    def __init__(self, socket: ActionSocket, *, turn: str, dry_run: bool, timeout: float, deadline: float) -> None:
        super().__init__(url="http://actions/webhook")
        self._socket = socket
        self._timeout = timeout
        self._deadline = deadline
        self.headers = {"X-Segue-Turn": turn, "Content-Type": "application/json"}
        if dry_run:
            self.headers["X-Segue-Dry-Run"] = "1"

    async def request(self, method: str = "post", subpath: Any = None, *_: Any, json: Any = None, **__: Any) -> Any:
        """Calls the action. Raises TurnFailure, or ClientResponseError for a rejection, which Rasa understands."""
        where = str((json or {}).get("next_action", ""))
        seconds = min(self._timeout, self._deadline - time.monotonic())
        try:
            status, body = await asyncio.wait_for(self._post(json), max(seconds, 0.001))
        except asyncio.TimeoutError:
            raise TurnFailure("action_timeout", where, f"No answer within {max(seconds, 0):.1f} s.") from None
        except (aiohttp.ClientError, OSError) as error:
            raise TurnFailure("action_unreachable", where, type(error).__name__) from error
        if status == 400 and "action_name" in (rejection := _object(body)):
            raise ClientResponseError(400, "rejected", _dump(rejection))
        if status >= 300:
            raise TurnFailure("action_status", where, f"Status {status}.")
        answer = _object(body, default=None)
        if answer is None:
            raise TurnFailure("action_invalid", where, "The answer is not a JSON object.")
        return answer

    async def _post(self, body: Any) -> tuple[int, bytes]:
        # Dumped once; an action is idempotent by turn id, so a connection that went stale in the pool is tried again.
        data = _dump(body)
        try:
            return await self._once(data)
        except aiohttp.ServerDisconnectedError:
            return await self._once(data)

    async def _once(self, data: str) -> tuple[int, bytes]:
        async with self._socket.session().post(self.url, data=data, headers=self.headers) as response:
            body = bytearray()
            async for chunk in response.content.iter_chunked(65536):
                body += chunk
                if len(body) > MAX_ANSWER:
                    response.close()
                    return response.status, b""
            return response.status, bytes(body)


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _object(body: bytes, default: Any = {}) -> Any:  # noqa: B006 - read only
    try:
        value = json.loads(body)
    except ValueError:
        return default
    return value if isinstance(value, dict) else default
