"""What `GET /v1/openapi.json` says. Written by hand beside the routes; a test checks it against what they answer."""

from __future__ import annotations

from typing import Any

from router.openapi import continuing, customers, widget


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
        "paths": widget.paths() | continuing.paths() | customers.paths() | _health(),
        "components": {
            "securitySchemes": {"visitor": {"type": "http", "scheme": "bearer"}} | customers.security(),
            "schemas": widget.schemas() | continuing.schemas() | customers.schemas(),
        },
    }


def _health() -> dict[str, Any]:
    return {
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
    }
