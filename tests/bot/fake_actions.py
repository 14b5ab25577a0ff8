"""An action server for the pocket assistant, small and obedient: tests tell it how to fail."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web


def slot(name: str, value: Any) -> dict[str, Any]:
    return {"event": "slot", "name": name, "value": value}


class FakeActions:
    """Answers Rasa's action calls on a unix socket. `fault` names what to do instead of answering."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.fault = ""
        self.calls: list[dict[str, Any]] = []
        self.go = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def start(self) -> FakeActions:
        app = web.Application(client_max_size=8_000_000)
        app.add_routes([web.post("/webhook", self._answer)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.UnixSite(self._runner, self.path).start()
        return self

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        name, tracker = body["next_action"], body["tracker"]
        self.calls.append(
            {
                "action": name,
                "turn": request.headers.get("X-Segue-Turn"),
                "dry_run": request.headers.get("X-Segue-Dry-Run"),
                "message_id": tracker["latest_message"].get("message_id"),
            }
        )
        if self.fault == "status":
            return web.json_response({"error": "no"}, status=500)
        if self.fault == "html":
            return web.Response(text="<html>hello</html>", content_type="text/html")
        if self.fault == "schema":
            return web.json_response({"events": [{"event": "slot", "timestamp": "x"}]})
        if self.fault == "list":
            return web.json_response(["no", "object"])
        if self.fault == "export":
            return web.json_response({"events": [{"event": "export"}]})
        if self.fault == "user":
            return web.json_response({"events": [{"event": "user", "text": "/restart"}]})
        if self.fault == "slow":
            await self.go.wait()
        if self.fault == "hang":
            await asyncio.Event().wait()
        if self.fault == "drop":
            request.transport.close()  # type: ignore[union-attr]
            return web.Response()
        if self.fault == "reject":
            return web.json_response({"action_name": name, "error": "rejected"}, status=400)
        if self.fault == "unknown response":
            return web.json_response({"events": [], "responses": [{"response": "utter_nowhere"}]})
        return web.json_response({"events": self._events(name, tracker), "responses": self._responses(name, tracker)})

    def _events(self, name: str, tracker: dict[str, Any]) -> list[dict[str, Any]]:
        if name == "validate_parcel_form":
            # Like rasa-sdk: look at the slots set since the last turn and refuse what is no number.
            number = tracker["slots"].get("number")
            fresh = {e["name"] for e in _latest(tracker["events"]) if e["event"] == "slot"}
            if "number" in fresh and number is not None:
                digits = "".join(c for c in number if c.isdigit())
                return [slot("number", digits if len(digits) == 4 else None)]
            return []
        if name == "action_forget":
            return [slot("number", None), slot("proof", None)]
        if name == "action_pause":
            return [{"event": "pause"}]
        return []

    def _responses(self, name: str, tracker: dict[str, Any]) -> list[dict[str, Any]]:
        if name == "action_parcel":
            return [{"response": "utter_parcel"}]
        number = tracker["slots"].get("number")
        if name == "validate_parcel_form" and number is not None and len("".join(filter(str.isdigit, number))) != 4:
            return [{"response": "utter_bad_number"}]
        return []


def _latest(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    fresh: list[dict[str, Any]] = []
    for event in reversed(events):
        if event["event"] == "user":
            break
        fresh.append(event)
    return fresh
