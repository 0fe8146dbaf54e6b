"""Who loads: residents and devices of the demo city, with access tokens as signing in would give them."""

from uuid import UUID

from city.bench.rig import Rig
from gateway import tokens
from kernel.ids import AccountId, PersonId, SessionId, uuid7
from kernel.principal import Audience, Principal, Resident, VenueDevice


def token_of(rig: Rig, principal: Principal, audience: Audience, *, client_id: str | None = None) -> str:
    """An access token that the city made itself."""
    now = rig.parts.clock.now()
    minted = tokens.mint(
        rig.parts.signing_keys,
        principal,
        issuer=rig.settings.public_origin,
        audience=audience,
        session_id=uuid7(now),
        now=now,
        client_id=client_id,
    )
    return minted.text


def device_tokens(rig: Rig) -> list[tuple[VenueDevice, str]]:
    """Every device of the city with a token."""
    devices = rig.parts.wallet.catalogue().devices.values()
    principals = [VenueDevice(device.device_id, device.venue.venue_id) for device in devices]
    return [(device, token_of(rig, device, Audience.VENUE, client_id=str(device.device_id))) for device in principals]


def resident_token(rig: Rig, person_id: UUID) -> str:
    """A real-name checked resident's token."""
    now = rig.parts.clock.now()
    resident = Resident(AccountId(uuid7(now)), SessionId(uuid7(now)), PersonId(person_id))
    return token_of(rig, resident, Audience.RESIDENT)


def lua_list(texts: list[str]) -> str:
    """A Lua table of texts."""
    return "{" + ",".join(f'"{text}"' for text in texts) + "}"
