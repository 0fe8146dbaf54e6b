"""A machine proves itself with a signed assertion (RFC 7523 `private_key_jwt`); its keys are filed by operators."""

from datetime import datetime
from hashlib import sha256
from uuid import UUID

import msgspec

from gateway.clients import queries
from gateway.clients.errors import ClientNotProved, PublicKeyRefused
from gateway.clients.model import CLIENT_ID, KEYS_MAX, Client, NotProved, PublicKey, prove, read_assertion
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import DepartmentId, DeviceId, VenueId, uuid7
from kernel.principal import Audience


async def prove_itself(
    db: Database, audience: Audience, assertion_text: str, client_id: str | None, *, issuer: str, now: datetime
) -> Client:
    """The client that signed the assertion, which is good once.

    A client we do not know is refused as one whose signature is wrong. Raises ClientNotProved.
    """
    try:
        assertion = read_assertion(assertion_text)
        if client_id is not None and client_id != assertion.client_id:
            raise NotProved("`client_id` is not the `iss` of the assertion")
        async with db.connection() as conn:
            client = await queries.select_client(conn, assertion.client_id, audience)
        if client is None:
            raise NotProved("the signature is by none of the client's keys")
        proved = prove(assertion, client, audiences=frozenset({f"{issuer}/{audience.value}/token", issuer}), now=now)
    except NotProved as problem:
        raise ClientNotProved(str(problem)) from None
    async with db.transaction() as conn:
        digest = sha256(proved.jti.encode()).digest()
        if not await queries.file_assertion(conn, client.client_id, digest, expires_at=proved.expires_at):
            raise ClientNotProved("the assertion was used before: sign a new one, with a new `jti`")
    return client


async def put_device(
    conn: Connection, clock: Clock, client_id: str, device_id: DeviceId, venue_id: VenueId, public_keys: list[PublicKey]
) -> None:
    """File the keys of a venue's device, or its next ones. Raises PublicKeyRefused."""
    client = Client(client_id, Audience.VENUE, device_id, venue_id, None, None, public_keys, UUID(int=0))
    await _put(conn, clock, client)


async def put_department_system(
    conn: Connection, clock: Clock, client_id: str, department_id: DepartmentId, public_keys: list[PublicKey]
) -> None:
    """File the keys of a department's system, or its next ones. Raises PublicKeyRefused."""
    client = Client(client_id, Audience.DEPARTMENT, department_id, None, None, None, public_keys, UUID(int=0))
    await _put(conn, clock, client)


async def _put(conn: Connection, clock: Clock, client: Client) -> None:
    assert CLIENT_ID.fullmatch(client.client_id)
    if not 1 <= len(client.public_keys) <= KEYS_MAX:
        raise PublicKeyRefused(f"a client has 1 to {KEYS_MAX} keys")
    try:
        for key in client.public_keys:
            key.opened()
    except ValueError:
        raise PublicKeyRefused from None
    await queries.put_client(conn, msgspec.structs.replace(client, grant_id=uuid7(clock.now())))
