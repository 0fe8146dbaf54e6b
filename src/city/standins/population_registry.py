"""A stand-in for the three-element check (三要素核验): do this name, ID number and phone belong together?

The real one is asked of the carriers and the police. It says yes or no and nothing else: not which of the three was
wrong, nor whether any of them is known.
"""

import hmac
import secrets
from typing import Final

import msgspec
from aiohttp import web

from city.demo.people import PEOPLE
from city.standins import announcing

STAND_IN: Final = "population-registry"


class ThreeElements(msgspec.Struct, forbid_unknown_fields=True):
    """What is asked; `phone` as E.164 or as eleven digits."""

    name: str
    id_number: str
    phone: str


def _record(name: str, id_number: str, phone: str) -> bytes:
    return msgspec.json.encode((name, id_number.upper(), "+86" + phone.removeprefix("+86")))


_RECORDS: Final = tuple(_record(one.name, one.id_number, one.phone) for one in PEOPLE if one.phone is not None)


async def check(request: web.Request) -> web.Response:
    """Answer {match, serial}; the serial names this check in the registry's own books."""
    try:
        asked = msgspec.json.decode(await request.read(), type=ThreeElements)
    except msgspec.MsgspecError:
        return announcing.refusal(STAND_IN, 400, "Send {name, id_number, phone}")
    record = _record(asked.name, asked.id_number, asked.phone)
    matches = [hmac.compare_digest(record, known) for known in _RECORDS]
    return announcing.answer(STAND_IN, {"match": any(matches), "serial": f"DEMO{secrets.token_hex(12).upper()}"})


def routes() -> list[web.RouteDef]:
    return [web.post("/real-name", check)]
