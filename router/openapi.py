"""What `GET /v1/openapi.json` says. Written by hand beside the routes; a test checks it against what they answer."""

from __future__ import annotations

from typing import Any


def description() -> dict[str, Any]:
    """OpenAPI 3.1 of everything that other people's programs call."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Segue",
            "version": "1",
            "description": "One conversation per customer. Errors are application/problem+json (RFC 9457).",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {
            "/v1/widget/session": {"post": _session()},
            "/v1/widget/messages": {"post": _send(), "get": _history()},
            "/v1/widget/stream": {"get": _stream()},
            "/v1/widget/read": {
                "post": _told("markRead", "Everything up to seq was read", {"seq": {"type": "integer"}})
            },
            "/v1/widget/typing": {"post": _told("typing", "The visitor is typing", {"on": {"type": "boolean"}})},
            "/healthz": {"get": {"operationId": "alive", "responses": {"200": {"description": "Alive"}}}},
            "/readyz": {
                "get": {
                    "operationId": "ready",
                    "responses": {
                        "200": {"description": "A message written now would be answered"},
                        "503": {"description": "Some part is missing; the body says which"},
                    },
                }
            },
        },
        "components": {
            "securitySchemes": {"visitor": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(),
        },
    }


def _session() -> dict[str, Any]:
    fields = {
        "site": {"type": "string"},
        "handle": {"type": ["string", "null"]},
        "locale": {"type": ["string", "null"]},
        "page": {"type": ["string", "null"]},
        "referrer": {"type": ["string", "null"]},
    }
    return {
        "operationId": "startSession",
        "summary": "A token for a visitor, new or returning with a handle",
        "requestBody": _json_body({"type": "object", "required": ["site"], "properties": fields}),
        "responses": {
            "200": _json("The session", {"$ref": "#/components/schemas/Session"}),
            **_errors(400, 404, 413, 503),
        },
    }


def _send() -> dict[str, Any]:
    body = {
        "type": "object",
        "additionalProperties": False,
        "anyOf": [{"required": ["text"]}, {"required": ["button"]}],
        "properties": {
            "text": {"type": ["string", "null"], "maxLength": 4000},
            "button": {"type": ["string", "null"]},
        },
    }
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "schema": {"type": "string", "format": "uuid"},
        "description": "The same key gets the same answer and has one effect",
    }
    accepted = {"$ref": "#/components/schemas/Accepted"}
    return {
        "operationId": "sendMessage",
        "security": [{"visitor": []}],
        "parameters": [key],
        "requestBody": _json_body(body),
        "responses": {
            "201": _json("The message is safe", accepted),
            "200": _json("It already was", accepted),
            **_errors(400, 401, 413, 503),
        },
    }


def _history() -> dict[str, Any]:
    cursor = {"type": "string", "pattern": r"^([0-9a-f]+\.)?[0-9]{1,15}$"}
    return {
        "operationId": "listMessages",
        "security": [{"visitor": []}],
        "parameters": [
            {"name": "after", "in": "query", "schema": cursor},
            {"name": "before", "in": "query", "schema": cursor},
            {
                "name": "limit",
                "in": "query",
                "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 50},
            },
        ],
        "responses": {
            "200": _json("A page, oldest first", {"$ref": "#/components/schemas/Page"}),
            **_errors(400, 401, 503),
        },
    }


def _stream() -> dict[str, Any]:
    return {
        "operationId": "stream",
        "security": [{"visitor": []}],
        "parameters": [{"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}}],
        "responses": {
            "200": {
                "description": "Server-sent events: hello, message.created, message.updated, typing, state, reset, bye",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            },
            **_errors(401, 503),
        },
    }


def _told(operation: str, summary: str, fields: dict[str, Any]) -> dict[str, Any]:
    required = [name for name in fields if name == "seq"]
    body = {"type": "object", "additionalProperties": False, "required": required, "properties": fields}
    return {
        "operationId": operation,
        "summary": summary,
        "security": [{"visitor": []}],
        "requestBody": _json_body(body),
        "responses": {"204": {"description": "Taken"}, **_errors(400, 401, 413, 503)},
    }


def _schemas() -> dict[str, Any]:
    text, number = {"type": "string"}, {"type": "integer"}
    button = {"type": "object", "required": ["id", "title"], "properties": {"id": text, "title": text}}
    return {
        "Problem": {
            "type": "object",
            "required": ["type", "title", "status", "detail"],
            "properties": {"type": text, "title": text, "status": number, "detail": text},
        },
        "Session": {
            "type": "object",
            "required": ["token", "exp", "handle", "cursor", "locale", "ready", "config"],
            "properties": {
                "token": text,
                "exp": number,
                "handle": text,
                "cursor": text,
                "locale": {"enum": ["pt-BR", "en"]},
                "ready": {"type": "boolean"},
                "config": {"type": "object"},
            },
        },
        "Accepted": {
            "type": "object",
            "required": ["id", "seq", "cursor"],
            "properties": {"id": text, "seq": number, "cursor": text},
        },
        "Content": {
            "description": "By type; a reader that meets an unknown one shows its text",
            "type": "object",
            "required": ["type", "text"],
            "properties": {
                "type": {"enum": ["text", "buttons", "choice", "image"]},
                "text": text,
                "buttons": {"type": "array", "items": button},
                "button": text,
                "url": text,
                "alt": text,
            },
        },
        "Message": {
            "type": "object",
            "required": ["id", "seq", "cursor", "author", "channel", "text", "content", "at", "status"],
            "properties": {
                "id": text,
                "seq": number,
                "cursor": text,
                "author": {
                    "type": "object",
                    "required": ["kind", "name"],
                    "properties": {"kind": {"enum": ["customer", "bot", "agent", "system"]}, "name": text},
                },
                "channel": text,
                "text": text,
                "content": {"oneOf": [{"$ref": "#/components/schemas/Content"}, {"type": "null"}]},
                "at": number,
                "status": {"enum": ["pending", "sent", "delivered", "read", "failed", "unknown"]},
            },
        },
        "Page": {
            "type": "object",
            "required": ["messages", "more"],
            "properties": {
                "messages": {"type": "array", "items": {"$ref": "#/components/schemas/Message"}},
                "more": {"type": "boolean"},
            },
        },
    }


def _json_body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _errors(*statuses: int) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {str(status): {"description": _said[status], "content": problem} for status in statuses}


_said = {
    400: "Not understood",
    401: "No token, or one that is not ours or has expired",
    404: "No such site",
    413: "Too large",
    503: "Nothing was written; try again after Retry-After",
}
