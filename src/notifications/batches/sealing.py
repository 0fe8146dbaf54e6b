"""Rows as they are kept: each with the id its message will have, its values sealed to that."""

import os
from collections.abc import Mapping, Sequence
from datetime import datetime

from asyncpg.pgproto import pgproto

from kernel.ids import BUCKETS, MessageId, PersonId
from kernel.sealing import Keys
from notifications.batches.judging import Fit
from notifications.batches.model import Batch, bucket_of_row
from notifications.batches.queries import NewRow
from notifications.seals import Address, Seals

_RANDOM_BYTES = 10
_VERSION_7 = 0x70
_VARIANT = 0x80
assert BUCKETS == 64, "six bits of an id are its bucket"


class Sealing:
    """Seals the rows of batches."""

    def __init__(self, keys: Keys) -> None:
        self._seals = Seals(keys)

    def seal(
        self, batch: Batch, rows: Sequence[Fit], persons: Mapping[str, PersonId], *, now: datetime
    ) -> list[NewRow]:
        """Rows to be kept. `persons` are those known of the ID numbers named; one nobody knows is kept likewise."""
        batch_id = batch.batch_id
        buckets = [bucket_of_row(batch_id, row.number) for row in rows]
        ids = message_ids(buckets, now)
        values = self._seals.values_of_many([(place, row.values) for place, row in zip(ids, rows, strict=True)])
        addresses = self._addresses(batch, rows, ids)
        return [
            NewRow(
                bucket,
                batch_id,
                row.number,
                MessageId(pgproto.UUID(place)),
                None if address is not None else persons.get(row.recipient),
                address,
                sealed,
                row.reference,
                row.ending,
            )
            for bucket, row, place, sealed, address in zip(buckets, rows, ids, values, addresses, strict=True)
        ]

    def _addresses(self, batch: Batch, rows: Sequence[Fit], ids: Sequence[bytes]) -> Sequence[bytes | None]:
        """Where each row goes, sealed; None for one that goes to a person."""
        language = batch.plan.language
        named = [
            (place, Address(phone=row.recipient, language=language))
            if row.sort == "phone"
            else (place, Address(email=row.recipient, language=language))
            for place, row in zip(ids, rows, strict=True)
            if row.sort != "id_number"
        ]
        sealed = self._seals.addresses_of_many(named)
        if len(sealed) == len(rows):
            return sealed
        by_place = {place: address for (place, _), address in zip(named, sealed, strict=True)}
        return [by_place.get(place) for place in ids]


def message_ids(buckets: Sequence[int], now: datetime) -> list[bytes]:
    """UUIDv7 (RFC 9562 §5.7), each with its bucket as its lowest six bits, as `outbox.message_id_in` makes one."""
    milliseconds = int(now.timestamp() * 1000).to_bytes(6, "big")
    chance = os.urandom(_RANDOM_BYTES * len(buckets))
    return [
        milliseconds
        + bytes((_VERSION_7 | chance[at] & 0x0F, chance[at + 1], _VARIANT | chance[at + 2] & 0x3F))
        + chance[at + 3 : at + 9]
        + bytes((chance[at + 9] & 0xC0 | bucket,))
        for at, bucket in zip(range(0, len(chance), _RANDOM_BYTES), buckets, strict=True)
    ]
