"""A turn that failed. Never an answer, never silence: the router gets the cause and no events."""

from __future__ import annotations

# The action's fault (502) and ours (500); a malformed request is 400.
STATUS = {
    "action_status": 502,
    "action_unreachable": 502,
    "action_invalid": 502,
    "action_timeout": 502,
    "action_error": 502,
    "response_missing": 500,
    "action_limit": 500,
    "no_listen": 500,
    "error": 500,
    "bad_request": 400,
}


class TurnFailure(Exception):
    """Why a turn has no answer.

    Not a RasaException and not an aiohttp error: Rasa swallows both of those on the way out of an action.
    `detail` never quotes what a person wrote.
    """

    def __init__(self, kind: str, where: str = "", detail: str = "") -> None:
        super().__init__(f"{kind} {where} {detail}".strip())
        self.kind = kind
        self.where = where
        self.detail = detail

    @property
    def status(self) -> int:
        """The HTTP status that says whose fault it was."""
        return STATUS[self.kind]

    def as_problem(self) -> dict[str, str]:
        """The body of the answer."""
        return {"type": self.kind, "where": self.where, "detail": self.detail}
