"""What the operations cost that an answer cannot do without, one at a time, in CPU of the asking side."""

import secrets
import time
from collections.abc import Callable, Sequence
from uuid import UUID

from city.bench.queries import read_one_standing
from city.bench.rig import Rig
from kernel.ids import CertificateId, PersonId, UseId, uuid7
from wallet.model import Outcome, Route, Use
from wallet.queries import insert_uses

TIMES = 2_000


def cpu_of(work: Callable[[], object]) -> float:
    """Microseconds of CPU of one call."""
    started = time.process_time()
    for _ in range(TIMES):
        work()
    return (time.process_time() - started) / TIMES * 1e6


async def read_by_key(rig: Rig, keys: Sequence[tuple[UUID, UUID]]) -> float:
    """Microseconds of CPU of one certificate read by its key, one statement each."""
    started = time.process_time()
    async with rig.parts.db.connection() as conn:
        for at in range(TIMES):
            await read_one_standing(conn, *keys[at % len(keys)])
    return (time.process_time() - started) / TIMES * 1e6


async def durable_use(rig: Rig, keys: Sequence[tuple[UUID, UUID]]) -> float:
    """Microseconds of CPU of one use recorded durably, a transaction each."""
    catalogue = rig.parts.wallet.catalogue()
    device, scenario = next(iter(catalogue.devices.values())), next(iter(catalogue.scenarios.values()))
    started = time.process_time()
    for at in range(TIMES):
        now, (person_id, certificate_id) = rig.parts.clock.now(), keys[at % len(keys)]
        use = Use(
            PersonId(person_id), secrets.token_bytes(32), now, UseId(uuid7(now)),
            device.device_id, device.venue.venue_id,
            scenario.scenario_code, scenario.edition, CertificateId(certificate_id), next(iter(scenario.grants)),
            Route.CODE, Outcome.VALID, (),
        )  # fmt: skip
        async with rig.parts.db.transaction() as conn:
            await insert_uses(conn, [use])
    return (time.process_time() - started) / TIMES * 1e6


def proved_token(rig: Rig, token: str) -> float:
    """Microseconds of CPU of one access token's signature checked, as at its first use."""
    issuer = rig.settings.public_origin
    return cpu_of(lambda: rig.parts.signing_keys.claims_of("access", token, audience=None, issuer=issuer))


async def redis_set(rig: Rig) -> float:
    """Microseconds of CPU of one SET of a binding's size."""
    started = time.process_time()
    for _ in range(TIMES):
        await rig.parts.redis.set(b"bench:" + secrets.token_bytes(16), b"x" * 190, lifetime_seconds=60)
    return (time.process_time() - started) / TIMES * 1e6


async def redis_get(rig: Rig) -> float:
    """Microseconds of CPU of one GET of a binding's size."""
    await rig.parts.redis.set(b"bench:get", b"x" * 190, lifetime_seconds=60)
    started = time.process_time()
    for _ in range(TIMES):
        await rig.parts.redis.get(b"bench:get")
    return (time.process_time() - started) / TIMES * 1e6
