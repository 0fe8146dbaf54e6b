"""Every statement on printed proofs."""

from datetime import datetime

from msgspec import Struct

from kernel.db import Connection
from kernel.ids import CertificateId, PersonId
from wallet.proofs.model import Proof
from wallet.queries import Place


class PrintedProof(Struct, frozen=True):
    """One of the proofs that a person has printed; `checks` counts those that matched."""

    proof_hash: bytes
    certificate_id: CertificateId
    printed_at: datetime
    checks: int
    checked_at: datetime | None


async def insert_proof(conn: Connection, proof_hash: bytes, proof: Proof) -> None:
    await conn.execute(
        """
        -- wallet.insert_proof
        INSERT INTO wallet.proof (proof_hash, person_id, certificate_id, printed_at) VALUES ($1, $2, $3, $4)
        """,
        proof_hash, proof.person_id, proof.certificate_id, proof.printed_at,
    )  # fmt: skip


async def insert_proof_printed(conn: Connection, proof_hash: bytes, proof: Proof) -> None:
    await conn.execute(
        """
        -- wallet.insert_proof_printed
        INSERT INTO wallet.proof_printed (person_id, proof_hash, certificate_id, printed_at) VALUES ($1, $2, $3, $4)
        """,
        proof.person_id, proof_hash, proof.certificate_id, proof.printed_at,
    )  # fmt: skip


async def select_proof(conn: Connection, proof_hash: bytes) -> Proof | None:
    """What the proof that is filed under this hash stands for."""
    row = await conn.fetchrow(
        """
        -- wallet.select_proof
        SELECT person_id, certificate_id, printed_at FROM wallet.proof WHERE proof_hash = $1
        """,
        proof_hash,
    )
    return None if row is None else Proof(*row)


async def update_checked(conn: Connection, person_id: PersonId, proof_hash: bytes, *, now: datetime) -> None:
    """Count a check that matched."""
    await conn.execute(
        """
        -- wallet.update_checked
        UPDATE wallet.proof_printed SET checks = checks + 1, checked_at = greatest(checked_at, $3)
         WHERE person_id = $1 AND proof_hash = $2
        """,
        person_id, proof_hash, now,
    )  # fmt: skip


async def select_proofs_printed(
    conn: Connection, person_id: PersonId, only: CertificateId | None, *, before: Place | None, limit: int
) -> list[PrintedProof]:
    """The proofs that a person has printed, of all certificates or of one, newest first."""
    moment, proof_hash = (None, None) if before is None else before
    rows = await conn.fetch(
        """
        -- wallet.select_proofs_printed
        SELECT proof_hash, certificate_id, printed_at, checks, checked_at FROM wallet.proof_printed
         WHERE person_id = $1 AND ($2::uuid IS NULL OR certificate_id = $2)
           AND ($3::timestamptz IS NULL OR (printed_at, proof_hash) < ($3, $4::bytea))
         ORDER BY printed_at DESC, proof_hash DESC LIMIT $5
        """,
        person_id, only, moment, proof_hash, limit,
    )  # fmt: skip
    return [PrintedProof(*row) for row in rows]
