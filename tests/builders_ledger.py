"""Builders for the ledger's log: records of looks, a key that signs, a log that holds them."""

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import CertificateId, DeviceId, PersonId, UseId, VenueId
from kernel.keys import ListedKey
from suishenban_verify.checkpoint import NoteKey
from suishenban_verify.signatures import LocalSigner
from tests.builders_wallet import ID_CARD, STATION, device_at
from wallet import queries
from wallet.ledger import recording
from wallet.ledger.auditing import Auditor, Report
from wallet.ledger.keys import LogKeys
from wallet.ledger.sequencing import Sequencer
from wallet.model import Outcome, Route, Use

ORIGIN = "suishenban.example/ledger"
ERASING_KEY = bytes(range(32))


def a_signer(key_id: str = "ledger-1") -> LocalSigner:
    return LocalSigner(key_id, Ed25519PrivateKey.generate())


def keys_of(*signers: LocalSigner, revoked: Sequence[str] = ()) -> LogKeys:
    """The log's keys: the last one signs, the others did."""
    listed = [ListedKey(one.public, "ledger", 0, 2**40, 1 if one.public.key_id in revoked else None) for one in signers]
    return LogKeys(ORIGIN, lambda: signers[-1], lambda: listed, ERASING_KEY)


def a_use(at: datetime, person_id: PersonId | None = None, **other: object) -> Use:
    """A look of the station's first device at somebody's identity card."""
    device = device_at(STATION)
    return Use(
        **{
            "person_id": person_id or PersonId(uuid4()),
            "code_hash": os.urandom(32),
            "used_at": at,
            "use_id": UseId(uuid4()),
            "device_id": DeviceId(device.device_id),
            "venue_id": VenueId(STATION),
            "scenario_code": "station.entry",
            "scenario_edition": 1,
            "certificate_id": CertificateId(uuid4()),
            "kind_code": ID_CARD,
            "route": Route.CODE,
            "outcome": Outcome.VALID,
            "fields": ("name", "id_number"),
            "recorded_at": at + timedelta(milliseconds=2),
            "salt": recording.fresh_salt(),
        }
        | other
    )


async def recorded(db: Database, uses: Sequence[Use]) -> None:
    """Record looks as the wallet does: the record and what the log owes it in one transaction."""
    async with db.transaction() as conn:
        await queries.insert_uses(conn, uses)
        await recording.record(conn, uses)


async def many_recorded(db: Database, clock: Clock, count: int) -> list[Use]:
    uses = [a_use(clock.now() - timedelta(seconds=nth)) for nth in range(count)]
    await recorded(db, uses)
    return uses


async def logged(db: Database, clock: Clock, keys: LogKeys) -> int:
    """Let everything that waits enter the log."""
    return await Sequencer(db, clock, keys).append_waiting()


async def audited(db: Database, clock: Clock, keys: LogKeys, *kept: str) -> Report:
    return await Auditor(db, clock, keys).audit(kept)


def note_keys(keys: LogKeys) -> list[NoteKey]:
    return keys.every_key()
