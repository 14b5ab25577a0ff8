"""The description is valid and names every route of the API."""

from __future__ import annotations

from typing import Any, cast

from openapi_spec_validator import validate

from connectors.webchat import Brand, Parts, Webchat
from router.openapi import description


def test_the_description_is_valid() -> None:
    validate(cast("Any", description()))


def test_every_route_of_the_widget_is_described() -> None:
    nothing = cast("Any", None)
    brand = Brand("", "", "", say=lambda key, language: key)
    webchat = Webchat(Parts(nothing, nothing, nothing, nothing, nothing, nothing, {}, brand))
    routes = {(route.path, route.method.lower()) for route in webchat.routes()}
    described = {
        (path, method)
        for path, methods in description()["paths"].items()
        if path.startswith("/v1/widget/")
        for method in methods
    }
    assert described == routes
