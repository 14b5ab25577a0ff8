"""What every described route is written with."""

from __future__ import annotations

from typing import Any


def idempotency_key() -> dict[str, Any]:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "schema": {"type": "string", "format": "uuid"},
        "description": "The same key gets the same answer and has one effect",
    }


def json_body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def errors(*statuses: int) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {str(status): {"description": _said[status], "content": problem} for status in statuses}


_said = {
    400: "Not understood",
    401: "No token or identity, or one that is not good or not good any more",
    403: "This site does not do that",
    404: "There is no such thing",
    408: "It came too slowly",
    409: "Somebody changed it since; look again",
    410: "The address has expired",
    413: "Too large",
    415: "Of a kind that we do not take",
    422: "Refused for what it is",
    429: "Too many; again after Retry-After",
    503: "Nothing was written; try again after Retry-After",
}
