"""A resident looks at what they hold: the wallet's list with masked values, one certificate with all of them."""

from kernel.db import Database
from kernel.ids import CertificateId, PersonId
from wallet import queries
from wallet.errors import CertificateNotFound
from wallet.model import Certificate, Field, FieldType, Sensitivity, Value
from wallet.seals import Seals

CERTIFICATES_MAX = 500
"""More than anybody holds; what is older is found one by one."""
LONG_TEXT = 8
NAME_MASK_MAX = 4
_HIDDEN = "＊"


async def list_certificates(db: Database, seals: Seals, person_id: PersonId) -> list[Certificate]:
    """What a person holds in every state, newest first."""
    async with db.connection() as conn:
        rows = await queries.select_certificates_of_person(conn, person_id, limit=CERTIFICATES_MAX)
    return [seals.open_certificate(row) for row in rows]


async def read_certificate(
    db: Database, seals: Seals, person_id: PersonId, certificate_id: CertificateId
) -> Certificate:
    """One certificate of this person. Raises CertificateNotFound, also for another person's."""
    async with db.connection() as conn:
        row = await queries.select_certificate(conn, person_id, certificate_id)
    if row is None:
        raise CertificateNotFound
    return seals.open_certificate(row)


def masked(field: Field, value: Value) -> Value:
    """A value as it may stand on a screen others look at: open ones whole, the rest by their ends."""
    if field.sensitivity is Sensitivity.OPEN:
        return value
    if field.type is FieldType.DATE or not isinstance(value, str):
        return _HIDDEN * 4
    if len(value) >= LONG_TEXT:
        return value[:3] + _HIDDEN * 4 + value[-2:]
    return value[:1] + _HIDDEN * max(1, len(value) - 1)


def masked_name(name: str) -> str:
    """A person's name as another person may see it: its first character, and that there is more."""
    return name[:1] + _HIDDEN * max(1, min(len(name) - 1, NAME_MASK_MAX))
