"""Builders for venues that join: an organisation, its device with a key of its own, its application."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from city.demo.codes import credit_code
from gateway.clients.parts import Clients
from kernel.clock import Clock
from kernel.principal import Audience
from tests.builders_wallet import ID_CARD, ORIGIN
from wallet.parts import Wallet

AQUARIUM = credit_code("91", "310115", "DEMD0001")
PHONE = "+8613490008888"
STATION_WANTED: dict[str, Any] = {
    "scenario_code": "station.entry",
    "purpose": "核对预约人与到访人是否一致",
    "looks_per_day": 2_000,
}


class NewDevice:
    """A device that was just unpacked: it makes a key, and its private half never leaves it."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def public_jwk(self) -> dict[str, Any]:
        jwk: dict[str, Any] = ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {name: jwk[name] for name in ("kty", "crv", "x", "y")}

    def body(self) -> dict[str, Any]:
        return {"name_zh": "入口闸机", "name_en": "Entrance gate", "public_key": self.public_jwk()}

    def assertion(self, client_id: str, audience: str, now: datetime) -> str:
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "jti": uuid4().hex,
            "exp": now + timedelta(minutes=1),
        }
        return jwt.encode(claims, self._key, algorithm="ES256")

    async def token(self, clients: Clients, access: dict[str, Any], clock: Clock) -> str:
        """An access token. Raises ClientNotProved."""
        assertion = self.assertion(access["client_id"], access["audience"], clock.now())
        return (await clients.token(Audience.VENUE, assertion, None)).text


def entrance_of(wallet: Wallet) -> Clients:
    """Where machines prove themselves, on the same database."""
    return Clients(wallet.db, wallet.clock, wallet.signing_keys, issuer=ORIGIN)


def an_application(device: NewDevice | None = None, *wanted: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """An aquarium applies for the station's scenario, unless something else is said."""
    organisation = {
        "sort": "scenic_spot",
        "credit_code": AQUARIUM,
        "name_zh": "浅海水族馆",
        "name_en": "Shallow Sea Aquarium",
        "district": "310115",
        "address": "晴川里路1号",
    }
    body = {
        "organisation": organisation,
        "contact": {"name": "闻人静", "phone": PHONE},
        "wanted": list(wanted) or [STATION_WANTED],
        "device": (device or NewDevice()).body(),
    }
    return body | changed


async def filed(anybody: httpx.AsyncClient, body: dict[str, Any]) -> tuple[UUID, dict[str, str]]:
    """The id of an application just filed, and the header that opens it."""
    application_id = uuid4()
    answer = await anybody.put(f"/venue-applications/{application_id}", json=body)
    assert answer.status_code == 201, answer.text
    return application_id, {"Application-Secret": answer.json()["secret"]}


def granting(scenario_code: str = "station.entry", **terms: Any) -> dict[str, Any]:
    return {"scenarios": [{"scenario_code": scenario_code, **terms}]}


NAME_ONLY = {"grants": {ID_CARD: ["name"]}}
