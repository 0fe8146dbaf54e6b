"""Who loads: residents and devices of the demo city, with access tokens as signing in would give them."""

from typing import Protocol
from uuid import UUID

from gateway import tokens
from gateway.parts import CityParts
from kernel.ids import AccountId, PersonId, SessionId, uuid7
from kernel.principal import Audience, Principal, Resident, VenueDevice
from kernel.settings import Settings


class Measured(Protocol):
    """A city under measurement, opened in this process too."""

    @property
    def settings(self) -> Settings: ...

    @property
    def parts(self) -> CityParts: ...


def token_of(city: Measured, principal: Principal, audience: Audience, *, client_id: str | None = None) -> str:
    """An access token that the city made itself."""
    now = city.parts.clock.now()
    minted = tokens.mint(
        city.parts.signing_keys,
        principal,
        issuer=city.settings.public_origin,
        audience=audience,
        session_id=uuid7(now),
        now=now,
        client_id=client_id,
    )
    return minted.text


def device_tokens(city: Measured) -> list[tuple[VenueDevice, str]]:
    """Every device of the city with a token."""
    devices = city.parts.wallet.catalogue().devices.values()
    principals = [VenueDevice(device.device_id, device.venue.venue_id) for device in devices]
    return [(device, token_of(city, device, Audience.VENUE, client_id=str(device.device_id))) for device in principals]


def resident_token(city: Measured, person_id: UUID) -> str:
    """A real-name checked resident's token."""
    now = city.parts.clock.now()
    resident = Resident(AccountId(uuid7(now)), SessionId(uuid7(now)), PersonId(person_id))
    return token_of(city, resident, Audience.RESIDENT)


def lua_list(texts: list[str]) -> str:
    """A Lua table of texts."""
    return "{" + ",".join(f'"{text}"' for text in texts) + "}"
