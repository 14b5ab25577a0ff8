"""A whole client of the widget's API in plain Python: sessions, messages that arrive once, a stream without holes.

python docs/examples/widget_client.py http://127.0.0.1:8080 demo "Where is my order?"
"""

import json
import sys
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen


class Client:
    """Keep `handle` and `cursor` between two runs, and the conversation goes on."""

    def __init__(self, server: str, site: str, handle: str | None = None) -> None:
        self.api, self.site, self.handle = f"{server.rstrip('/')}/v1/widget", site, handle
        self.token, self.cursor, self.shown = "", "0.0", dict[int, dict[str, Any]]()

    def start(self) -> dict[str, Any]:
        """A token for a day, and the next handle: it replaces the one before."""
        session = dict(json.load(self._open("session", {"site": self.site, "handle": self.handle})))
        self.token, self.handle = session["token"], session["handle"]
        if session["restarted"]:
            self.cursor, self.shown = "0.0", {}
        return session

    def send(self, text: str, key: str | None = None) -> dict[str, Any]:
        """Safe on return. After a lost answer call it again with the same key: it has one effect."""
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        return dict(json.load(self._call("messages", {"text": text}, headers)))

    def follow(self, until: Callable[[dict[int, dict[str, Any]]], bool]) -> dict[int, dict[str, Any]]:
        """Reads the stream from our cursor, and comes back to it, until what was shown satisfies `until`."""
        while not until(self.shown):
            for event, cursor, data in self._frames():
                if event == "reset":
                    self.reload()
                    break
                if event in ("message.created", "message.updated"):
                    if data["prev"] > int(self.cursor.rpartition(".")[2]):
                        self._fill()  # something is missing: never show what is later before it
                    if event == "message.created":
                        self.shown[data["message"]["seq"]] = data["message"]
                    elif data["of"] in self.shown:
                        self.shown[data["of"]]["status"] = data["status"]
                    self.cursor = cursor
                if until(self.shown) or event == "bye":
                    break
        return self.shown

    def reload(self) -> None:
        """The newest page in place of everything shown; what our cursor meant is gone."""
        page = json.load(self._call("messages?limit=100"))["messages"]
        self.shown = {message["seq"]: message for message in page}
        self.cursor = page[-1]["cursor"] if page else "0.0"

    def _fill(self) -> None:
        page: dict[str, Any] = {"more": True}
        while page["more"]:
            page = json.load(self._call(f"messages?limit=100&after={self.cursor}"))
            for message in page["messages"]:
                self.shown[message["seq"]], self.cursor = message, message["cursor"]

    def _frames(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        with self._call("stream", None, {"Last-Event-ID": self.cursor}) as response:
            fields: dict[str, str] = {}
            for line in response:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name and value:
                    fields[name] = value
                elif not name and "event" in fields:
                    yield fields["event"], fields.get("id", ""), json.loads(fields["data"])
                    fields = {}

    def _call(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        try:
            return self._open(path, body, headers)
        except HTTPError as error:
            if error.code != 401:
                raise
            error.close()
            self.start()  # the token is old, or another window has taken the handle on
            return self._open(path, body, headers)

    def _open(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        sent = None if body is None else json.dumps(body).encode()
        known = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}", **(headers or {})}
        return urlopen(Request(f"{self.api}/{path}", sent, known), timeout=60)  # noqa: S310  the server we were given


if __name__ == "__main__":
    client = Client(sys.argv[1], sys.argv[2])
    print(client.start()["config"]["greeting"]["text"])
    sent = client.send(sys.argv[3])
    shown = client.follow(lambda shown: any(m["author"]["kind"] == "bot" for s, m in shown.items() if s > sent["seq"]))
    print("\n".join(f"{message['author']['kind']}: {message['text']}" for _, message in sorted(shown.items())))
