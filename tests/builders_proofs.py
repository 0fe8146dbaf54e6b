"""Printed proofs as residents get them, and checks as whoever holds the paper makes them."""

from typing import Any

import httpx
import pypdfium2
import zxingcpp

from kernel.people import Identity
from tests.builders_family import put, the_kind
from tests.builders_wallet import ID_CARD, ORIGIN, POLICE_ID, SOMEBODY, issued
from tests.wire_wallet import Wire
from wallet.model import Certificate, State
from wallet.parts import Wallet

JSON = {"Accept": "application/json"}
HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
DOTS_PER_INCH = 150
NOWHERE = "/P/" + "A" * 26
"""A code that nobody printed."""


async def a_printable_card(wallet: Wallet) -> Certificate:
    """The identity card of somebody, in a city where those can be printed."""
    await put(wallet, the_kind(ID_CARD, is_printable=True))
    return await issued(wallet)


async def asked_to_print(wire: Wire, certificate: Certificate, **headers: str) -> httpx.Response:
    return await wire.resident(certificate.person_id).post(
        f"/certificates/{certificate.certificate_id}/proofs", headers=headers
    )


async def written(wire: Wire, certificate: Certificate) -> str:
    """The path of a proof just printed, which whoever draws it was told."""
    answer = await asked_to_print(wire, certificate, **JSON)
    assert answer.status_code == 201, answer.text
    url: str = answer.json()["check_url"]
    assert url.startswith(f"{ORIGIN}/P/")
    return url.removeprefix(ORIGIN)


def scanned_off(pdf: bytes) -> list[str]:
    """The texts of the codes that a camera finds on the pages."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        pages = [page.render(scale=DOTS_PER_INCH / 72).to_pil() for page in document]
    finally:
        document.close()
    return [code.text for page in pages for code in zxingcpp.read_barcodes(page)]


def words_of(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(pdf)
    try:
        return "".join("".join(page.get_textpage().get_text_range() for page in document).split())
    finally:
        document.close()


def about(holder: Identity = SOMEBODY, **other: str) -> dict[str, str]:
    """What the holder of a paper reads off it."""
    return {"name": holder.name, "last_four": holder.id_number[-4:], **other}


async def checked(wire: Wire, path: str, claim: dict[str, str] | None = None) -> httpx.Response:
    """As a program asks."""
    async with wire.anybody() as anybody:
        return await anybody.post(path, json=claim or about())


async def checked_by_hand(wire: Wire, path: str, claim: dict[str, str] | None = None) -> httpx.Response:
    """As a browser sends the form."""
    async with wire.anybody() as anybody:
        return await anybody.post(path, data=claim or about(), headers=HTML)


async def state_of(wire: Wire, path: str) -> Any:
    return (await checked(wire, path)).json()["proof"]["state"]


async def stepped(wire: Wire, certificate: Certificate, state: State) -> None:
    """Its department suspends, restores or revokes a certificate."""
    step = {State.SUSPENDED: "suspend", State.ISSUED: "restore", State.REVOKED: "revoke"}[state]
    async with wire.department(POLICE_ID) as department:
        answer = await department.post(f"/certificates/{certificate.certificate_id}/{step}", json={"reason": "cleared"})
        assert answer.status_code // 100 == 2, answer.text
