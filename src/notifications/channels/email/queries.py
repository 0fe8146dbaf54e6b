"""The statement by which the demo shows an e-mail."""

from datetime import datetime
from uuid import UUID

from kernel.db import Connection


async def insert_shown_mail(
    conn: Connection, digest: bytes, mail_id: UUID, *, reference: str, shown: bytes, now: datetime
) -> None:
    """Show an e-mail beside the SMS; a reference shown before is not shown again, and no receipt is owed."""
    await conn.execute(
        """
        -- notifications.insert_shown_mail
        INSERT INTO notifications.demo_sms (phone_digest, sms_id, reference, shown, shown_at, receipted_at)
        VALUES ($1, $2, $3, $4, $5, $5)
        ON CONFLICT (phone_digest, reference) DO NOTHING
        """,
        digest, mail_id, reference, shown, now,
    )  # fmt: skip
