"""The widget's API as described: the conversation goes on elsewhere, and comes back."""

from __future__ import annotations

from typing import Any

from router.openapi.shapes import answer, errors, idempotency_key, json_body

_TEXT = {"type": "string"}
_VISITOR: list[dict[str, list[str]]] = [{"visitor": []}]


def paths() -> dict[str, Any]:
    return {
        "/v1/widget/links": {"post": _invite()},
        "/v1/widget/links/redeem": {"post": _redeem()},
        "/v1/widget/identities": {"get": _identities()},
        "/v1/widget/identities/unlink": {
            "post": _change("unlink", "This channel is somebody of its own from now on", _TEXT)
        },
        "/v1/widget/identities/choose": {
            "post": _change(
                "chooseChannel",
                "Replies go there from now on",
                {**_TEXT, "description": "Empty: to where the customer wrote last"},
            )
        },
    }


def _invite() -> dict[str, Any]:
    channel = {**_TEXT, "description": "One of config.links, by its channel or account"}
    body = {
        "type": "object",
        "additionalProperties": False,
        "required": ["channel"],
        "properties": {"channel": channel},
    }
    return {
        "operationId": "inviteElsewhere",
        "summary": "A link code to go on in another channel, good for ten minutes and once",
        "security": _VISITOR,
        "requestBody": json_body(body),
        "responses": {
            "200": answer("The link code", {"$ref": "#/components/schemas/Invitation"}),
            **errors(400, 401, 404, 413, 429, 503),
        },
    }


def _redeem() -> dict[str, Any]:
    optional = {"type": ["string", "null"]}
    body = {
        "type": "object",
        "additionalProperties": False,
        "oneOf": [{"required": ["token"]}, {"required": ["code"]}],
        "properties": {
            "token": {**optional, "description": "Of a magic link"},
            "code": {**optional, "description": "As it was typed: ABCD-EFGH"},
        },
    }
    accepted = {"$ref": "#/components/schemas/Accepted"}
    return {
        "operationId": "redeemLink",
        "summary": "Go on here with a link code of another channel; the conversation says what came of it",
        "security": _VISITOR,
        "parameters": [idempotency_key()],
        "requestBody": json_body(body),
        "responses": {
            "201": answer("It is written down", accepted),
            "200": answer("It already was", accepted),
            **errors(400, 401, 404, 413, 422, 429, 503),
        },
    }


def _identities() -> dict[str, Any]:
    listed = {"type": "array", "items": {"$ref": "#/components/schemas/Identity"}}
    shown = {"type": "object", "required": ["identities"], "properties": {"identities": listed}}
    return {
        "operationId": "listIdentities",
        "summary": "Where this customer is known",
        "security": _VISITOR,
        "responses": {"200": answer("The one that asks among them", shown), **errors(401, 404, 429, 503)},
    }


def _change(operation: str, summary: str, which: dict[str, Any]) -> dict[str, Any]:
    body = {"type": "object", "additionalProperties": False, "required": ["id"], "properties": {"id": which}}
    return {
        "operationId": operation,
        "summary": summary,
        "security": _VISITOR,
        "requestBody": json_body(body),
        "responses": {"204": {"description": "Done"}, **errors(400, 401, 404, 413, 429, 503)},
    }


def schemas() -> dict[str, Any]:
    milliseconds = {"type": "integer", "description": "Milliseconds since 1970, UTC"}
    return {
        "Invitation": {
            "type": "object",
            "required": ["account", "url", "qr_svg", "code", "expires_at"],
            "properties": {
                "account": _TEXT,
                "url": {**_TEXT, "description": "Opens the channel with the code; empty where it is typed"},
                "qr_svg": {**_TEXT, "description": "The same as a picture"},
                "code": {**_TEXT, "description": "To be typed: ABCD-EFGH"},
                "expires_at": milliseconds,
            },
        },
        "Identity": {
            "type": "object",
            "required": ["id", "channel", "account", "here", "chosen", "since"],
            "properties": {
                "id": {**_TEXT, "description": "Opaque"},
                "channel": _TEXT,
                "account": _TEXT,
                "here": {"type": "boolean", "description": "The one that asks"},
                "chosen": {"type": "boolean", "description": "Replies go here by the customer's choice"},
                "since": milliseconds,
            },
        },
    }
