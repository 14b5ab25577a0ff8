"""The API for shops' own servers as described: a person, their channels, who has control, joining and separating."""

from __future__ import annotations

from typing import Any

from router.openapi.shapes import answer, errors, json_body

_ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "maxLength": 100}}
_SECURITY: list[dict[str, list[str]]] = [{"operator": []}]
_CUSTOMER = {"$ref": "#/components/schemas/Customer"}
_MOVED = {"$ref": "#/components/schemas/Joined"}


def paths() -> dict[str, Any]:
    return {
        "/v1/customers": {"get": _find(), "post": _know()},
        "/v1/customers/{id}": {"get": _show()},
        "/v1/customers/{id}/pause": {"post": _control("pause", "The bot is silent until it is resumed", owner=True)},
        "/v1/customers/{id}/resume": {"post": _control("resume", "The bot answers what is said from now on")},
        "/v1/customers/{id}/close": {
            "post": _control("close", "The conversation ends; the next message begins another")
        },
        "/v1/customers/{id}/links": {"post": _link()},
        "/v1/customers/{id}/identities/{identity}": {"delete": _unlink()},
        "/v1/customers/{id}/merges": {"post": _merge()},
        "/v1/customers/{id}/merges/{merge}/undo": {"post": _undo()},
    }


def security() -> dict[str, Any]:
    return {"operator": {"type": "http", "scheme": "bearer", "description": "One of [api] tokens"}}


def schemas() -> dict[str, Any]:
    text, number = {"type": "string"}, {"type": "integer"}
    identity = {
        "type": "object",
        "required": ["identity", "channel", "proof", "last_used", "chosen", "unreachable"],
        "properties": {
            "identity": text,
            "channel": text,
            "proof": {"type": "string", "enum": ["signed", "channel"]},
            "last_used": {"type": "boolean"},
            "chosen": {"type": "boolean"},
            "unreachable": {**text, "description": "Why it cannot be written to; empty when it can"},
        },
    }
    merge = {"type": "object", "properties": {"id": text, "other": text, "at": number, "phase": text}}
    same = {"type": "object", "properties": {"customer": text, "reason": text}}
    return {
        "Customer": {
            "type": "object",
            "required": ["id", "conversation", "control", "identities", "merges", "possible_same_person"],
            "properties": {
                "id": {**text, "description": "Another than the one asked for when that was merged"},
                "since": number,
                "conversation": {"type": "object", "properties": {"id": text, "open": {"type": "boolean"}}},
                "control": {"type": "object", "properties": {"by": text, "number": number, "owner": text}},
                "language": text,
                "identities": {"type": "array", "items": identity},
                "merges": {"type": "array", "items": merge},
                "possible_same_person": {"type": "array", "items": same},
            },
        },
        "Joined": {
            "type": "object",
            "required": ["customer", "merge"],
            "properties": {"customer": text, "merge": text},
        },
    }


def _find() -> dict[str, Any]:
    written = {"type": "string", "maxLength": 500, "description": "As in events: telegram:main/77"}
    return {
        "operationId": "findCustomer",
        "summary": "Whose identity it is",
        "security": _SECURITY,
        "parameters": [{"name": "identity", "in": "query", "required": True, "schema": written}],
        "responses": {"200": answer("The customer", _CUSTOMER), **errors(400, 401, 404, 503)},
    }


def _know() -> dict[str, Any]:
    body = {
        "type": "object",
        "required": ["identity"],
        "properties": {"identity": {"type": "string", "maxLength": 500}},
        "additionalProperties": False,
    }
    return {
        "operationId": "knowCustomer",
        "summary": "Somebody who may never have written, by an identity of Telegram's or of your own system's",
        "security": _SECURITY,
        "requestBody": json_body(body),
        "responses": {
            "200": answer("Known before", _CUSTOMER),
            "201": answer("Known from now on", _CUSTOMER),
            **errors(400, 401, 413, 503),
        },
    }


def _control(name: str, summary: str, *, owner: bool = False) -> dict[str, Any]:
    number = {"type": ["integer", "null"], "description": "The control number that you saw: 409 when it moved"}
    who = {"owner": {"type": "string", "maxLength": 100, "description": "Who has it, in your words"}} if owner else {}
    return {
        "operationId": f"{name}Customer",
        "summary": summary,
        "security": _SECURITY,
        "parameters": [_ID],
        "requestBody": {
            **json_body({"type": "object", "properties": {"number": number, **who}, "additionalProperties": False}),
            "required": False,
        },
        "responses": {"200": answer("The customer", _CUSTOMER), **errors(400, 401, 404, 409, 413, 503)},
    }


def _show() -> dict[str, Any]:
    return {
        "operationId": "showCustomer",
        "summary": "Channels, control and merges of a customer; no words",
        "security": _SECURITY,
        "parameters": [_ID],
        "responses": {"200": answer("The customer", _CUSTOMER), **errors(400, 401, 404, 503)},
    }


def _link() -> dict[str, Any]:
    body = {
        "type": "object",
        "required": ["channel"],
        "properties": {"channel": {"type": "string"}},
        "additionalProperties": False,
    }
    made = {
        "type": "object",
        "properties": {
            "account": {"type": "string"},
            "url": {"type": "string"},
            "code": {"type": "string"},
            "expires_at": {"type": "integer"},
        },
    }
    return {
        "operationId": "linkCustomer",
        "summary": "A code to go on elsewhere, for the customer's own eyes",
        "security": _SECURITY,
        "parameters": [_ID],
        "requestBody": json_body(body),
        "responses": {"200": answer("The code", made), **errors(400, 401, 404, 413, 503)},
    }


def _unlink() -> dict[str, Any]:
    identity = {"name": "identity", "in": "path", "required": True, "schema": {"type": "string", "maxLength": 500}}
    return {
        "operationId": "unlinkIdentity",
        "summary": "This identity is somebody of its own from now on",
        "security": _SECURITY,
        "parameters": [_ID, identity],
        "responses": {"204": {"description": "It left"}, **errors(400, 401, 404, 503)},
    }


def _merge() -> dict[str, Any]:
    body = {
        "type": "object",
        "required": ["other"],
        "properties": {"other": {"type": "string", "maxLength": 100}},
        "additionalProperties": False,
    }
    return {
        "operationId": "mergeCustomers",
        "summary": "Two customers are one person, as somebody found out",
        "security": _SECURITY,
        "parameters": [_ID],
        "requestBody": json_body(body),
        "responses": {"202": answer("It is under way", _MOVED), **errors(400, 401, 404, 413, 503)},
    }


def _undo() -> dict[str, Any]:
    merge = {"name": "merge", "in": "path", "required": True, "schema": {"type": "string", "maxLength": 100}}
    return {
        "operationId": "undoMerge",
        "summary": "Takes a merge of the last 30 days back, the last one first",
        "security": _SECURITY,
        "parameters": [_ID, merge],
        "responses": {"202": answer("It is under way", _MOVED), **errors(400, 401, 404, 503)},
    }
