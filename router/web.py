"""The HTTP surface that is not a channel: errors → answers, pages, health, metrics, the API's description."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import structlog
from aiohttp import hdrs, web
from multidict import istr
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from connectors.contract import ConnectorError, NotAuthentic, NotUnderstood, TryAgain
from router.openapi import description

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PartCheck = Callable[[], Awaitable[str]]
"""Says how a part is: "ok", or what is missing."""

_FRAME_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; font-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors {origins}; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; frame-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)


_TYPE_OPTIONS, _REFERRER_POLICY = istr("X-Content-Type-Options"), istr("Referrer-Policy")


class Site(Protocol):
    @property
    def origins(self) -> tuple[str, ...]: ...
    @property
    def locale(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Pages:
    """Serves what browsers load, from `web/` (its README lists paths and headers)."""

    folder: Path
    embedded: str
    """The frame's document, with `{{config}}` to be filled in."""
    sites: Mapping[str, Site]

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self.demo),
            web.get("/embed/{site}", self.embed),
            web.get("/widget/loader.js", self.loader),
            web.get("/assets/widget/{name}", self.widget),
            web.get("/assets/{name}", self.asset),
        ]

    async def demo(self, request: web.Request) -> web.StreamResponse:
        if "demo" not in self.sites:
            raise web.HTTPNotFound
        headers = {hdrs.CACHE_CONTROL: "no-cache", "Content-Security-Policy": _PAGE_POLICY}
        return web.FileResponse(self.folder / "pages" / "demo.html", headers=headers)

    async def embed(self, request: web.Request) -> web.StreamResponse:
        site = self.sites.get(request.match_info["site"])
        if site is None or not site.origins:
            raise web.HTTPNotFound
        config = json.dumps(
            {
                "site": request.match_info["site"],
                "origins": list(site.origins),
                "locale": site.locale,
                "api": "/v1/widget",
            }
        )
        for character in "<>&":
            config = config.replace(character, f"\\u{ord(character):04x}")
        headers = {
            hdrs.CACHE_CONTROL: "no-cache",
            "Content-Security-Policy": _FRAME_POLICY.format(origins=" ".join(site.origins)),
            "Referrer-Policy": "no-referrer",
        }
        return web.Response(text=self.embedded.replace("{{config}}", config), content_type="text/html", headers=headers)

    async def loader(self, request: web.Request) -> web.StreamResponse:
        headers = {
            hdrs.CACHE_CONTROL: "public, max-age=3600, stale-while-revalidate=86400",
            "Cross-Origin-Resource-Policy": "cross-origin",
        }
        return web.FileResponse(self.folder / "dist" / "widget" / "loader.js", headers=headers)

    async def widget(self, request: web.Request) -> web.StreamResponse:
        headers: dict[str, str] = {hdrs.CACHE_CONTROL: "public, max-age=31536000, immutable"}
        return _file(self.folder / "dist" / "widget", request.match_info["name"], headers)

    async def asset(self, request: web.Request) -> web.StreamResponse:
        return _file(self.folder / "pages" / "assets", request.match_info["name"], {hdrs.CACHE_CONTROL: "no-cache"})


def _file(folder: Path, name: str, headers: Mapping[str, str]) -> web.FileResponse:
    path = folder / name
    hidden = name.startswith(".") or name.endswith((".json", ".br", ".gz"))
    if hidden or path.parent != folder or not path.is_file():
        raise web.HTTPNotFound
    return web.FileResponse(path, headers=dict(headers))


@dataclass(frozen=True, slots=True)
class Health:
    """`/healthz`: alive. `/readyz`: whether a message written now would be answered, with the state of each part."""

    parts: dict[str, PartCheck]

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/healthz", self.alive),
            web.get("/readyz", self.readiness),
            web.get("/metrics", self.metrics),
            web.get("/v1/openapi.json", self.openapi),
        ]

    async def states(self) -> dict[str, str]:
        return {name: await check() for name, check in self.parts.items()}

    async def ready(self) -> bool:
        return all(state == "ok" for state in (await self.states()).values())

    async def alive(self, request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def readiness(self, request: web.Request) -> web.Response:
        states = await self.states()
        ready = all(state == "ok" for state in states.values())
        headers = {} if ready else {hdrs.RETRY_AFTER: "2"}
        return web.json_response({"ready": ready, "parts": states}, status=200 if ready else 503, headers=headers)

    async def metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST})

    async def openapi(self, request: web.Request) -> web.Response:
        return web.json_response(description())


def application(routes: Sequence[web.RouteDef], refusal: type[Exception]) -> web.Application:
    """The application of one process. `refusal` is a connector's own answer, with `status` and `retry_after`.

    Each handler is wrapped, in place of a middleware: that costs every message a context and two calls more.
    """
    app = web.Application(client_max_size=64 * 1024)
    app.router.add_routes(
        [
            # No class of views is among them.
            web.RouteDef(route.method, route.path, _answering(cast("Handler", route.handler), refusal), route.kwargs)
            for route in routes
        ]
    )
    known = tuple(app.router.resources())

    async def nowhere(request: web.Request) -> web.StreamResponse:
        allowed: set[str] = set()
        for resource in known:
            allowed |= (await resource.resolve(request))[1]
        if allowed:
            raise web.HTTPMethodNotAllowed(request.method, allowed)
        raise web.HTTPNotFound

    app.router.add_route("*", "/{path:.*}", _answering(nowhere, refusal))
    return app


def _answering(handler: Handler, refusal: type[Exception]) -> Handler:
    """The handler, whose errors are answers too."""

    async def answers(request: web.Request) -> web.StreamResponse:
        try:
            response = await handler(request)
        except NotAuthentic as error:
            response = problem(401, str(error))
        except NotUnderstood as error:
            response = problem(400, str(error))
        except TryAgain as error:
            response = problem(503, str(error), retry_after=error.after)
        except refusal as error:
            wait = getattr(error, "retry_after", 0)
            response = problem(getattr(error, "status", 400), str(error), retry_after=wait)
        except web.HTTPException as error:
            response = problem(error.status, error.reason, headers=_kept(error))
        except ConnectorError as error:
            response = problem(400, str(error))
        except Exception:
            log.exception("web.error", method=request.method, route=_route(request))
            response = problem(500, "something went wrong here; try again")
        if not response.prepared:
            headers = response.headers
            if _TYPE_OPTIONS not in headers:
                headers[_TYPE_OPTIONS] = "nosniff"
            if _REFERRER_POLICY not in headers:
                headers[_REFERRER_POLICY] = "same-origin"
        return response

    return answers


def problem(
    status: int, detail: str, *, retry_after: float = 0, headers: Mapping[str, str] | None = None
) -> web.Response:
    """An error as RFC 9457 wants it."""
    all_headers = dict(headers or {})
    if retry_after:
        all_headers[hdrs.RETRY_AFTER] = str(max(1, math.ceil(retry_after)))
    body = {"type": "about:blank", "title": _titles.get(status, "Error"), "status": status, "detail": detail}
    return web.Response(
        text=json.dumps(body), status=status, content_type="application/problem+json", headers=all_headers
    )


_titles = {
    400: "Not understood",
    401: "Not authentic",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    408: "Too slow",
    410: "Gone",
    413: "Too large",
    415: "Not a kind we take",
    422: "Refused",
    429: "Too many",
    500: "Error",
    503: "Try again",
}


def _kept(error: web.HTTPException) -> dict[str, str]:
    return {name: value for name, value in error.headers.items() if name in (hdrs.ALLOW, hdrs.LOCATION)}


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else "unknown"
