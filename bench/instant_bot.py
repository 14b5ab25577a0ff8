"""`python -m bench.instant_bot SOCKET [EVENTS]`: a bot that answers at once, so that only the router is measured.

With EVENTS it keeps every dialogue's window at that many events of Rasa's usual size, as the real one does when it
shortens; without, the window is always two events.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import msgspec
import uvloop


def window(events: int) -> list[dict[str, Any]]:
    """Events as a real turn leaves them, slimmed: user, actions, slots, bot."""
    turn: list[dict[str, Any]] = [
        {
            "event": "user", "timestamp": 1790000000.123, "text": "onde está o meu pedido 1001?",
            "input_channel": "webchat", "message_id": "0199aa00-0000-7000-8000-000000000000.17",
            "parse_data": {
                "intent": {"name": "order_status", "confidence": 0.9731},
                "entities": [{"entity": "order_number", "start": 22, "end": 26, "value": "1001"}],
                "intent_ranking": [{"name": f"intent_{i}", "confidence": 0.01} for i in range(5)],
            },
            "metadata": {"channel": "webchat", "locale": "pt-BR"},
        },
        {"event": "slot", "timestamp": 1790000000.124, "name": "order_number", "value": "1001"},
        _action("utter_order_status"),
        {
            "event": "bot", "timestamp": 1790000000.127, "text": "O pedido 1001 está a caminho e chega amanhã.",
            "data": {}, "metadata": {"utter_action": "utter_order_status"},
        },
        _action("action_listen"),
    ]  # fmt: skip
    return [turn[i % len(turn)] for i in range(events)]


def _action(name: str) -> dict[str, Any]:
    return {"event": "action", "timestamp": 1790000000.126, "name": name, "policy": "RulePolicy", "confidence": 1.0}


def body(events: int) -> bytes:
    """What the bot says, in JSON."""
    return msgspec.json.encode(
        {
            "outcome": "answered",
            "events": window(2),
            "responses": [{"text": "O pedido 1001 está a caminho e chega amanhã."}],
            "window": window(events),
            "nlu": {"intent": {"name": "order_status", "confidence": 0.9731}},
            "state": {"slots": {"order_number": "1001"}, "form": None, "requested_slot": None},
            "language": {"current": "pt-BR", "votes": 0},
            "fallback": False,
            "requests": [],
        }
    )


def _answer(said: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(said)
    return head + said


_HEALTH = b'{"ready":true,"model":"instant","fingerprint":"0"}'


class _Connection(asyncio.Protocol):
    def __init__(self, turn: bytes) -> None:
        self._turn = turn
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._buffer[:end]).lower()
            _, named, rest = head.partition(b"content-length:")
            length = int(rest.split(b"\r\n", 1)[0]) if named else 0
            if len(self._buffer) < end + 4 + length:
                return
            del self._buffer[: end + 4 + length]
            self._transport.write(self._turn if head.startswith(b"post") else _answer(_HEALTH))


async def serve(path: str, events: int) -> None:
    turn = _answer(body(events))
    server = await asyncio.get_running_loop().create_unix_server(lambda: _Connection(turn), path)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2))
