"""Every statement by which certificates come to be."""

from collections.abc import Sequence
from datetime import date, datetime

from msgspec import Struct

from kernel.db import Connection
from kernel.grouping import Many
from kernel.ids import CertificateId, PersonId

_SIZES = (1, 8, 64, 512)

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
_INSERT_HOLDERS = Many(
    """
    -- wallet.insert_holders
    INSERT INTO wallet.certificate_holder (certificate_id, issuer_code, person_id) VALUES {rows}
    """,
    columns=3,
    sizes=_SIZES,
)
_INSERT_FIRST_CHANGES = Many(
    """
    -- wallet.insert_first_changes
    INSERT INTO wallet.certificate_change (person_id, certificate_id, seq, to_state, is_last, at, actor, reason)
    VALUES {rows}
    """,
    columns=5,
    row="({}, {}, 1, 'issued', true, {}, {}, {})",
    sizes=_SIZES,
)
_INSERT_CERTIFICATES = Many(
    """
    -- wallet.insert_certificates
    INSERT INTO wallet.certificate (person_id, certificate_id, issuer_code, kind_code, version, state, last_change,
                                    valid_from, valid_until, issued_at, attributes)
    VALUES {rows}
    """,
    columns=9,
    row="({}, {}, {}, {}, {}, 'issued', 1, {}, {}, {}, {})",
    sizes=_SIZES,
)


class NewCertificate(Struct, frozen=True, kw_only=True):
    """Everything that is written when a certificate is issued."""

    person_id: PersonId
    certificate_id: CertificateId
    issuer_code: str
    kind_code: str
    version: int
    valid_from: date
    valid_until: date | None
    issued_at: datetime
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


async def insert_certificates(conn: Connection, certificates: Sequence[NewCertificate]) -> int:
    """Write whole certificates; how many identifiers were free. Fewer than asked: roll back."""
    digests = [(c.identifier_digest, c.person_id, c.certificate_id) for c in certificates]
    free = await _INSERT_IDENTIFIERS.fetch(conn, sorted(digests))
    await _INSERT_HOLDERS.fetch(conn, [(c.certificate_id, c.issuer_code, c.person_id) for c in certificates])
    await _INSERT_FIRST_CHANGES.fetch(
        conn, [(c.person_id, c.certificate_id, c.issued_at, c.actor, c.reason) for c in certificates]
    )
    await _INSERT_CERTIFICATES.fetch(
        conn,
        [
            (
                c.person_id, c.certificate_id, c.issuer_code, c.kind_code, c.version, c.valid_from, c.valid_until,
                c.issued_at, c.sealed_attributes,
            )
            for c in certificates
        ],
    )  # fmt: skip
    return len(free)
