"""Every statement on printed proofs."""

from datetime import datetime

from msgspec import Struct

from kernel.db import Connection
from kernel.ids import CertificateId, PersonId
from wallet.proofs.model import Proof


class PrintedProof(Struct, frozen=True):
    """One of the proofs that a person has printed."""

    certificate_id: CertificateId
    printed_at: datetime


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


async def select_proofs_printed(conn: Connection, person_id: PersonId, *, limit: int) -> list[PrintedProof]:
    """The proofs that a person has printed, newest first."""
    rows = await conn.fetch(
        """
        -- wallet.select_proofs_printed
        SELECT certificate_id, printed_at FROM wallet.proof_printed WHERE person_id = $1
         ORDER BY printed_at DESC, proof_hash LIMIT $2
        """,
        person_id, limit,
    )  # fmt: skip
    return [PrintedProof(*row) for row in rows]
