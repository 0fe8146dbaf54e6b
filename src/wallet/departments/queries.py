"""Every statement by which certificates come to be."""

from collections.abc import Sequence

from msgspec import Struct

from kernel.db import Connection
from kernel.grouping import Many
from kernel.ids import CertificateId, PersonId
from wallet.model import Certificate
from wallet.status.allocating import Place

_SIZES = (1, 8, 64, 500)
"""The largest is that of a whole batch of a register, so that such a one is one statement."""

_INSERT_REFERENCES = Many(
    """
    -- wallet.insert_references
    INSERT INTO wallet.issuer_reference (reference_digest, body_digest, person_id, certificate_id)
    VALUES {rows} ON CONFLICT DO NOTHING RETURNING reference_digest
    """,
    columns=4,
    sizes=_SIZES,
)
_SELECT_REFERENCES = Many(
    """
    -- wallet.select_references
    SELECT r.reference_digest, r.body_digest, r.person_id, r.certificate_id
      FROM (VALUES {rows}) AS wanted (reference_digest)
      JOIN wallet.issuer_reference AS r ON r.reference_digest = wanted.reference_digest
    """,
    columns=1,
    row="({}::bytea)",
    sizes=_SIZES,
)
_INSERT_IDENTIFIERS = Many(
    """
    -- wallet.insert_identifiers
    INSERT INTO wallet.identifier (identifier_digest, person_id, certificate_id)
    VALUES {rows} ON CONFLICT DO NOTHING RETURNING identifier_digest
    """,
    columns=3,
    sizes=_SIZES,
)


class NewCertificate(Struct, frozen=True):
    """A certificate and everything that is written beside it when it is issued."""

    certificate: Certificate
    sealed_attributes: bytes
    identifier_digest: bytes
    actor: str
    reason: str


class Reference(Struct, frozen=True):
    """What an issuer's reference stands for."""

    reference_digest: bytes
    body_digest: bytes
    person_id: PersonId
    certificate_id: CertificateId


async def insert_references(conn: Connection, references: Sequence[Reference]) -> set[bytes]:
    """File references; the digests of those that were new."""
    rows = [(r.reference_digest, r.body_digest, r.person_id, r.certificate_id) for r in references]
    return {digest for (digest,) in await _INSERT_REFERENCES.fetch(conn, rows)}


async def select_references(conn: Connection, digests: Sequence[bytes]) -> dict[bytes, Reference]:
    rows = await _SELECT_REFERENCES.fetch(conn, [(digest,) for digest in digests])
    return {row["reference_digest"]: Reference(*row) for row in rows}


async def claim_identifiers(conn: Connection, certificates: Sequence[NewCertificate]) -> bool:
    """File the identifiers of certificates to be written; whether all were free. If not: roll back."""
    rows = [(c.identifier_digest, c.certificate.person_id, c.certificate.certificate_id) for c in certificates]
    return len(await _INSERT_IDENTIFIERS.fetch(conn, sorted(rows))) == len(rows)


async def insert_certificates(
    conn: Connection, certificates: Sequence[NewCertificate], places: Sequence[Place]
) -> None:
    """Write whole certificates, whose identifiers were claimed: of nothing here can there be one already."""
    issued = [(c.certificate, c) for c in certificates]
    await conn.copy_records_to_table(
        "certificate_holder",
        schema_name="wallet",
        columns=("certificate_id", "issuer_code", "person_id"),
        records=[(it.certificate_id, it.issuer_code, it.person_id) for it, _ in issued],
    )
    await conn.copy_records_to_table(
        "certificate_change",
        schema_name="wallet",
        columns=("person_id", "certificate_id", "seq", "to_state", "is_last", "at", "actor", "reason"),
        records=[
            (it.person_id, it.certificate_id, it.last_change, it.standing.state.value, True, it.issued_at,
             new.actor, new.reason)
            for it, new in issued
        ],
    )  # fmt: skip
    await conn.copy_records_to_table(
        "certificate",
        schema_name="wallet",
        columns=("person_id", "certificate_id", "issuer_code", "kind_code", "version", "state", "last_change",
                 "valid_from", "valid_until", "issued_at", "attributes", "status_list", "status_index"),
        records=[
            (it.person_id, it.certificate_id, it.issuer_code, it.standing.kind_code, it.version,
             it.standing.state.value, it.last_change, it.standing.valid_from, it.standing.valid_until, it.issued_at,
             new.sealed_attributes, place.list_id, place.idx)
            for (it, new), place in zip(issued, places, strict=True)
        ],
    )  # fmt: skip
