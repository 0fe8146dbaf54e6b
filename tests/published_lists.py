"""What the city publishes, fetched over HTTP as a verifier fetches it, and what it says there."""

from datetime import timedelta
from typing import Any

from kernel.clock import StoppedClock
from suishenban_verify import status_list, trust_list
from suishenban_verify.signatures import PublicKey
from suishenban_verify.status_list import Published
from suishenban_verify.trust_list import TrustList
from tests.wire_wallet import Wire
from wallet.parts import Wallet
from wallet.status.allocating import Place
from wallet.status.building import BUILT_EVERY


def seconds(clock: StoppedClock) -> int:
    return int(clock.now().timestamp())


async def beat(wallet: Wallet, clock: StoppedClock) -> None:
    """What the worker does until its next beat is over."""
    clock.advance(BUILT_EVERY)
    await wallet.signing_keys.snapshot.refresh()
    await wallet.builder.build_due()


def keys_of(wallet: Wallet, purpose: str) -> list[PublicKey]:
    return [key.public for key in wallet.signing_keys.trusted(purpose) if key.revoked_at is None]


async def fetched(wire: Wire, path: str, **headers: str) -> Any:
    async with wire.anybody() as client:
        return await client.get(path, headers=headers)


async def fetched_list(wallet: Wallet, list_id: int) -> Published:
    """A status list as whoever trusts the city's keys reads it now."""
    answer = await fetched(Wire(wallet), f"/status-lists/{list_id}")
    assert answer.status_code == 200, answer.text
    uri, now = wallet.builder.uri_of(list_id), int(wallet.clock.now().timestamp())
    return status_list.read_jwt(answer.text, keys_of(wallet, "status"), uri=uri, now=now)


async def said_of(wallet: Wallet, place: Place) -> int:
    """What the published list says of a certificate."""
    return (await fetched_list(wallet, place.list_id)).list.get(place.idx)


async def place_of(wallet: Wallet, certificate: Any) -> Place:
    row = await wallet.db.fetchrow(
        "SELECT status_list, status_index FROM wallet.certificate WHERE certificate_id = $1",
        certificate.certificate_id,
    )
    assert row is not None
    assert row["status_list"] is not None
    return Place(row["status_list"], row["status_index"])


async def fetched_trust(wallet: Wallet, roots: list[PublicKey] | None = None) -> TrustList:
    """The trust list as a device with these roots reads it now; by default, with the roots of this moment."""
    answer = await fetched(Wire(wallet), "/.well-known/trust-list")
    assert answer.status_code == 200, answer.text
    now = int(wallet.clock.now().timestamp())
    return trust_list.read(answer.text, roots or keys_of(wallet, "trust"), now=now)


DAY = timedelta(days=1)
