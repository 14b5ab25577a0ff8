"""The widget's API as described: the conversation itself."""

from __future__ import annotations

from typing import Any

from router.openapi.shapes import answer, errors, idempotency_key, json_body


def paths() -> dict[str, Any]:
    return {
        "/v1/widget/session": {"post": _session()},
        "/v1/widget/messages": {"post": _send(), "get": _history()},
        "/v1/widget/stream": {"get": _stream()},
        "/v1/widget/read": {"post": _told("markRead", "Everything up to seq was read", {"seq": {"type": "integer"}})},
        "/v1/widget/typing": {"post": _told("typing", "The visitor is typing", {"on": {"type": "boolean"}}, 429)},
        "/v1/widget/uploads": {"post": _upload()},
        "/v1/widget/media/{id}": {"get": _media()},
        "/v1/widget/transcript": {"post": _transcript()},
        "/v1/widget/signout": {"post": _signout()},
    }


def _session() -> dict[str, Any]:
    optional = {"type": ["string", "null"]}
    fields = {
        "site": {"type": "string"},
        "handle": {**optional, "description": "The last one that was given; each is good until its follower is used"},
        "identity": {**optional, "description": "A JWT of the site's server (docs/embedding.md)"},
        "locale": optional,
        "page": optional,
        "referrer": optional,
        "answers": {
            "type": ["object", "null"],
            "additionalProperties": {"type": "string"},
            "description": "Of config.form, by key",
        },
    }
    return {
        "operationId": "startSession",
        "summary": "A token for a visitor, new or returning with a handle",
        "requestBody": json_body({"type": "object", "required": ["site"], "properties": fields}),
        "responses": {
            "200": answer("The session", {"$ref": "#/components/schemas/Session"}),
            **errors(400, 401, 404, 413, 429, 503),
        },
    }


def _send() -> dict[str, Any]:
    optional = {"type": ["string", "null"]}
    body = {
        "type": "object",
        "additionalProperties": False,
        "anyOf": [{"required": ["text"]}, {"required": ["button"]}, {"required": ["upload"]}],
        "properties": {
            "text": {**optional, "maxLength": 4096},
            "button": {**optional, "description": "Id of an offered button; `text` is its title as it was seen"},
            "upload": {**optional, "description": "Id of a file of yours; `text` goes with it"},
        },
    }
    accepted = {"$ref": "#/components/schemas/Accepted"}
    return {
        "operationId": "sendMessage",
        "security": [{"visitor": []}],
        "parameters": [idempotency_key()],
        "requestBody": json_body(body),
        "responses": {
            "201": answer("The message is safe", accepted),
            "200": answer("It already was", accepted),
            **errors(400, 401, 413, 429, 503),
        },
    }


def _upload() -> dict[str, Any]:
    file = {"type": "object", "required": ["file"], "properties": {"file": {"type": "string", "format": "binary"}}}
    kept = {
        "type": "object",
        "required": ["id", "content"],
        "properties": {"id": {"type": "string"}, "content": {"$ref": "#/components/schemas/Content"}},
    }
    return {
        "operationId": "upload",
        "summary": "A file to send with a message; known by its content, pictures are made anew",
        "security": [{"visitor": []}],
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": file}}},
        "responses": {
            "201": answer("It is kept", kept),
            **errors(400, 401, 403, 408, 413, 415, 422, 429, 503),
        },
    }


def _media() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "operationId": "media",
        "summary": "A file of the conversation, by an address that works for ten minutes",
        "parameters": [
            {"name": "id", "in": "path", "required": True, "schema": text},
            {"name": "s", "in": "query", "required": True, "schema": text},
        ],
        "responses": {
            "200": {"description": "The file", "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}},
            **errors(404, 410),
        },
    }


def _transcript() -> dict[str, Any]:
    body = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"format": {"enum": ["text", "html"], "default": "text"}},
    }
    text = {"schema": {"type": "string"}}
    return {
        "operationId": "transcript",
        "summary": "The conversation as a download, in the visitor's language",
        "security": [{"visitor": []}],
        "requestBody": json_body(body),
        "responses": {
            "200": {"description": "A file", "content": {"text/plain": text, "text/html": text}},
            **errors(400, 401, 413, 429, 503),
        },
    }


def _signout() -> dict[str, Any]:
    return {
        "operationId": "signOut",
        "summary": "Handle, token and streams are void",
        "security": [{"visitor": []}],
        "responses": {"204": {"description": "Signed out"}, **errors(401, 503)},
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
            "200": answer("A page, oldest first", {"$ref": "#/components/schemas/Page"}),
            **errors(400, 401, 429, 503),
        },
    }


def _stream() -> dict[str, Any]:
    frame = {
        "type": "object",
        "required": ["event", "data"],
        "properties": {"event": {"type": "string"}, "id": {"type": "string"}, "data": {"type": "object"}},
    }
    polled = {
        "type": "object",
        "required": ["frames", "cursor"],
        "properties": {"frames": {"type": "array", "items": frame}, "cursor": {"type": "string"}},
    }
    return {
        "operationId": "stream",
        "security": [{"visitor": []}],
        "parameters": [
            {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}},
            {
                "name": "wait",
                "in": "query",
                "schema": {"type": "integer", "minimum": 0, "maximum": 25},
                "description": "Seconds of a long-poll, for those behind a proxy that buffers",
            },
        ],
        "responses": {
            "200": {
                "description": "Server-sent events: hello, message.created, message.updated, typing, state, reset, bye;"
                " with `wait` the same frames as JSON, after the first of them or that time",
                "content": {
                    "text/event-stream": {"schema": {"type": "string"}},
                    "application/json": {"schema": polled},
                },
            },
            **errors(400, 401, 429, 503),
        },
    }


def _told(operation: str, summary: str, fields: dict[str, Any], *more: int) -> dict[str, Any]:
    required = [name for name in fields if name == "seq"]
    body = {"type": "object", "additionalProperties": False, "required": required, "properties": fields}
    return {
        "operationId": operation,
        "summary": summary,
        "security": [{"visitor": []}],
        "requestBody": json_body(body),
        "responses": {"204": {"description": "Taken"}, **errors(400, 401, 413, *more, 503)},
    }


def schemas() -> dict[str, Any]:
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
            "required": [
                "token",
                "exp",
                "handle",
                "cursor",
                "locale",
                "ready",
                "visitor",
                "restarted",
                "config",
            ],
            "properties": {
                "token": text,
                "exp": number,
                "handle": text,
                "cursor": text,
                "locale": {"enum": ["pt-BR", "en"]},
                "ready": {"type": "boolean"},
                "visitor": {
                    "type": "object",
                    "required": ["verified", "name"],
                    "properties": {"verified": {"type": "boolean"}, "name": text},
                },
                "restarted": {"type": "boolean", "description": "Clear what was kept: this is another visitor"},
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
            "required": ["type"],
            "properties": {
                "type": text,
                "text": text,
                "buttons": {"type": "array", "items": button},
                "button": text,
                "url": text,
                "alt": text,
                "name": text,
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
                "cursor": {**text, "description": "Of the newest page: where the stream goes on"},
            },
        },
    }
