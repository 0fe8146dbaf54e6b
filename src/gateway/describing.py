"""The API descriptions (OpenAPI 3.1), one per audience, generated from the handlers and their structs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from litestar import Litestar
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Server

from gateway import routes
from gateway.parts import PART_NAMES
from kernel.audience import SECURITY, router_of
from kernel.principal import Audience

VERSION = "1"

_TITLES = {
    Audience.PUBLIC: (
        "Suishenban, for everybody",
        "What needs no sign-in: the first page, keys, health, and the demo's short cuts.",
    ),
    Audience.RESIDENT: (
        "Suishenban, for residents (市民)",
        "One sign-in for everything: certificates, appointments, notices, department apps.",
    ),
    Audience.MINI: (
        "Suishenban, for the mini-program (小程序)",
        "The residents' services inside a chat app, without a second registration.",
    ),
    Audience.VENUE: (
        "Suishenban, for venues (场所)",
        "Check that a shown certificate is good, and get the fields your scenario allows.",
    ),
    Audience.DEPARTMENT: (
        "Suishenban, for departments (委办局)",
        "Issue certificates, send notices, run appointment desks.",
    ),
    Audience.OPERATOR: ("Suishenban, for operators (运营)", "Keep the city running."),
}


def _absent() -> Callable[[], None]:
    """Stands for a part: describing opens nothing."""

    def give() -> None:
        raise AssertionError("a description was asked to do work")

    return give


def _document(audience: Audience) -> dict[str, Any]:
    title, description = _TITLES[audience]
    app = Litestar(
        [router_of(audience, routes.handlers_of(audience, demo=True))],
        openapi_config=OpenAPIConfig(
            title=title,
            version=VERSION,
            description=description,
            components=SECURITY,
            servers=[Server(url="/")],
            use_handler_docstrings=True,
        ),
        dependencies={name: Provide(_absent(), sync_to_thread=False) for name in PART_NAMES},
        logging_config=None,
    )
    schema: dict[str, Any] = app.openapi_schema.to_schema()
    return schema


def documents() -> dict[str, dict[str, Any]]:
    """The descriptions by audience."""
    return {audience.value: _document(audience) for audience in Audience}


def write_openapi(folder: Path) -> list[Path]:
    """Write `<audience>.json` for each audience; return the files."""
    written = []
    for audience, document in documents().items():
        file = folder / f"{audience}.json"
        file.write_text(json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
        written.append(file)
    return written
