"""Builders for people as departments tell of them over the wire: certificates asked for, guardianships, entries."""

from typing import Any

from kernel.people import Identity
from tests.builders_wallet import ID_CARD, SOMEBODY, an_id_card


def told_of(who: Identity) -> dict[str, str]:
    """A person as a request names them."""
    return {"id_number": who.id_number, "name": who.name}


def the_card_of(who: Identity) -> dict[str, Any]:
    """An identity card as it is asked for."""
    request = an_id_card("R-true", who)
    return {
        "reference": request.reference, "kind_code": request.kind_code, "values": request.values,
        "holder": told_of(who), "valid_from": "2020-01-01", "valid_until": "2040-01-01",
    }  # fmt: skip


def an_entry(revision: int, who: Identity = SOMEBODY, **changed: Any) -> dict[str, Any]:
    """The same as the entry of a register."""
    data = {name: value for name, value in the_card_of(who).items() if name not in ("reference", "kind_code")}
    return {"kind_code": ID_CARD, "revision": revision, "state": "issued", "certificate": data} | changed


def guardianship(guardian: Identity, ward: Identity) -> dict[str, Any]:
    """Who is whose guardian for the next years."""
    return {"guardian": told_of(guardian), "ward": told_of(ward), "until": "2030-01-01"}
