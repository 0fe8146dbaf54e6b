"""An API key of the demo: with it a program written for GOV.UK Notify sends at once, and the demo outbox shows it.

It follows from the secret of the installation, as the keys of the demo's clients do: the same at every start.
"""

from typing import Final
from uuid import UUID

from msgspec import Struct

from city.demo.ids import department_id_of
from city.demo.texts import PARKS
from kernel.sealing import Keys
from notifications.services.model import KeyKind, text_of

_PURPOSE: Final = "city.demo_key"
_NAME: Final = "demo"


class ServiceKey(Struct, frozen=True):
    """Whose key it is, and how its programs are given it."""

    department: str
    name: str
    kind: KeyKind
    text: str

    def __repr__(self) -> str:
        return f"ServiceKey({self.department})"


def service_secret(keys: Keys) -> UUID:
    """Its secret, for who files it."""
    return UUID(bytes=keys.derived(_PURPOSE)[:16], version=4)


def service_key(keys: Keys) -> ServiceKey:
    """The key of the parks department, which has texts. It reaches anybody: no carrier of a demo is real."""
    text = text_of(_NAME, department_id_of(PARKS), service_secret(keys))
    return ServiceKey(PARKS, _NAME, "live", text)
