"""Builders for loads: lines of NDJSON about people who do not exist, and bodies that come in pieces."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
from aiohttp import web

from city.demo.codes import id_number
from city.demo.model import Sex
from kernel.people import Identity
from tests.builders_wallet import ID_CARD

NDJSON = {"Content-Type": "application/x-ndjson"}


def somebody(number: int) -> Identity:
    """One of many people who are told apart by their number."""
    day = date(1940, 1, 1) + timedelta(days=number // 2)
    return Identity(id_number("310101", day, Sex.MALE, number % 2), f"人{number}")


def a_line(number: int, **other: Any) -> dict[str, Any]:
    """A line that is fit: an identity card of somebody."""
    who = somebody(number)
    made = {
        "reference": f"L-{number}",
        "kind_code": ID_CARD,
        "holder": {"id_number": who.id_number, "name": who.name},
        "values": {"name": who.name, "sex": "male", "birth_date": "1990-01-01", "id_number": who.id_number},
        "valid_from": "2020-01-01",
        "valid_until": "2040-01-01",
    }
    return {name: value for name, value in (made | other).items() if value is not ...}


def ndjson(lines: Iterable[Any]) -> bytes:
    """Lines as they are sent: what is bytes already goes as it is."""
    texts = (line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode() for line in lines)
    return b"".join(text + b"\n" for text in texts)


async def in_pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def opened(client: httpx.AsyncClient) -> UUID:
    """A load that was just opened."""
    load_id = uuid4()
    assert (await client.put(f"/loads/{load_id}")).status_code == 200
    return load_id


async def sent(client: httpx.AsyncClient, load_id: UUID, body: Any, *, first: int = 1, **query: Any) -> httpx.Response:
    params = {"from": first} | query
    return await client.post(f"/loads/{load_id}/lines", content=body, params=params, headers=NDJSON)


async def refusals(client: httpx.AsyncClient, load_id: UUID, *, limit: int = 500) -> list[dict[str, Any]]:
    """The whole report, page by page."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        query: dict[str, Any] = {"limit": limit} | ({} if cursor is None else {"cursor": cursor})
        page = (await client.get(f"/loads/{load_id}/refusals", params=query)).json()
        found += page["refusals"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


@dataclass(frozen=True)
class RegisterAsked:
    """One question that a register was asked."""

    headers: Mapping[str, str]
    body: Any


class DepartmentRegister:
    """A department's server with a register that answers with `entries`, or goes wrong by `status`."""

    def __init__(self, slug: str) -> None:
        self.slug = slug
        self.entries: Any = []
        self.status = 200
        self.is_guarded = True
        self.asked: list[RegisterAsked] = []

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes([web.get("/suishenban/health", self._health), web.post("/suishenban/register", self._look_up)])
        return app

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "slug": self.slug})

    async def _look_up(self, request: web.Request) -> web.Response:
        if self.is_guarded and "Authorization" not in request.headers:
            return web.json_response({}, status=401)
        self.asked.append(RegisterAsked(dict(request.headers), await request.json()))
        return web.json_response({"certificates": self.entries}, status=self.status)
