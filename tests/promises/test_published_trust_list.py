"""One signed list says whose keys to believe: new ones stand in it before they sign, leaked ones as leaked."""

import asyncio
from datetime import timedelta

import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.keys import SigningKeys
from kernel.purposes import TRUST_LIST_LIVES_MAX
from kernel.sealing import Keys
from suishenban_verify import trust_list
from suishenban_verify.jws import NotSigned
from suishenban_verify.replay import ReplayMemory
from suishenban_verify.signatures import public_key, thumbprint
from suishenban_verify.trust_list import NotATrustList, TrustList
from suishenban_verify.verifying import Outcome, Verifier
from tests.builders_wallet import ORIGIN, issued
from tests.published_lists import DAY, beat, fetched, fetched_list, fetched_trust, keys_of, place_of, seconds
from tests.wire_wallet import Wire
from wallet.model import Certificate
from wallet.offline.minting import Showing
from wallet.parts import Wallet
from wallet.residents.showing import Chosen
from wallet.trust.listing import SERVES_FOR, TrustListing

SCENARIO = "station.entry"


async def publish(wallet: Wallet) -> None:
    """What the worker does, and what every process hears of it."""
    await wallet.trust.listing.publish_due()
    await wallet.trust.listing.snapshot.refresh()


async def a_code(wallet: Wallet, card: Certificate) -> str:
    showing = Showing(card.person_id, SCENARIO, (Chosen(card.certificate_id),))
    return (await wallet.offline_minter.live(showing)).text


async def a_device(wallet: Wallet, trusted: TrustList, card: Certificate) -> Verifier:
    """A device that has this trust list, the card's status list as it is now, and what the station is granted."""
    published = await fetched_list(wallet, (await place_of(wallet, card)).list_id)
    grants = wallet.catalogue().scenarios[SCENARIO].grants
    return Verifier(trusted, {published.uri: published}, ReplayMemory(), scenarios={SCENARIO: grants})


async def test_the_list_names_every_key_of_ours_for_what_it_signs(wallet: Wallet) -> None:
    found = await fetched_trust(wallet)
    assert (found.issuer, list(found.issuers)) == (ORIGIN, [ORIGIN])
    own = found.issuers[ORIGIN]
    assert own.kinds is None
    for purpose in ("offline", "status", "vc", "ledger"):
        assert {entry.key.key_id for entry in own.entries if purpose in entry.purposes} == {
            key.key_id for key in keys_of(wallet, purpose)
        }
    assert all(len(entry.purposes) == 1 for entry in own.entries)
    assert not {"access", "department", "trust"} & {purpose for entry in own.entries for purpose in entry.purposes}
    assert {root.key_id for root in found.roots} == {key.key_id for key in keys_of(wallet, "trust")}
    assert len(found.roots) == 2  # the one that signs, and the next


async def test_a_device_is_set_up_with_the_roots_and_reads_the_list_with_them(wallet: Wallet) -> None:
    answer = await fetched(Wire(wallet), "/.well-known/trust-roots")
    assert answer.headers["content-type"] == "application/jwk-set+json"
    pinned = [public_key(jwk) for jwk in answer.json()["keys"]]
    assert [thumbprint(key.jwk) for key in pinned] == [thumbprint(key.jwk) for key in keys_of(wallet, "trust")]
    assert (await fetched_trust(wallet, pinned)).issuer == ORIGIN
    with pytest.raises(NotSigned):
        await fetched_trust(wallet, keys_of(wallet, "offline"))


async def test_the_list_is_the_same_until_something_changes_and_is_not_sent_twice(
    wallet: Wallet, clock: StoppedClock
) -> None:
    wire, path = Wire(wallet), "/.well-known/trust-list"
    first = await fetched(wire, path)
    assert first.headers["content-type"] == "application/trust-list+jwt"
    clock.advance(timedelta(hours=5))
    await publish(wallet)
    again = await fetched(wire, path)
    assert (again.text, again.headers["etag"]) == (first.text, first.headers["etag"])
    known = await fetched(wire, path, **{"If-None-Match": first.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    await wallet.signing_keys.rotate("offline", actor="operator:1")
    await publish(wallet)
    changed = await fetched(wire, path, **{"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]


async def test_the_number_of_the_list_never_goes_back(wallet: Wallet, db: Database, clock: StoppedClock) -> None:
    numbers = [(await fetched_trust(wallet)).sequence]
    for _ in range(3):
        await wallet.signing_keys.rotate("status", actor="operator:1")
        await publish(wallet)
        numbers.append((await fetched_trust(wallet)).sequence)
    assert numbers == sorted(set(numbers))
    clock.advance(timedelta(hours=1))
    async with db.transaction() as conn:  # a database brought back as it was before
        await conn.execute("UPDATE wallet.trust_publication SET seq = $1, content = $2", numbers[0], b"\0" * 32)
    await publish(wallet)
    assert (await fetched_trust(wallet)).sequence > numbers[-1]


async def test_of_processes_that_publish_at_once_one_does_and_all_serve_the_same(
    wallet: Wallet, db: Database, clock: StoppedClock, keys: Keys
) -> None:
    async def process() -> TrustListing:
        signing_keys = SigningKeys(db, keys.sealer("kernel.signing_key"), clock)
        await signing_keys.snapshot.refresh()
        listing = TrustListing(db, clock, signing_keys, origin=ORIGIN)
        await listing.snapshot.refresh()
        return listing

    processes = [await process() for _ in range(6)]
    assert sorted(await asyncio.gather(*(each.publish_due() for each in processes)))[-2:] == [False, True]
    await wallet.signing_keys.rotate("vc", actor="operator:1")
    assert sum(await asyncio.gather(*(each.publish_due() for each in processes))) == 1
    for each in processes:
        await each.snapshot.refresh()
    assert len({(await each.published()).token for each in processes}) == 1


async def test_a_process_that_did_not_hear_of_a_leak_does_not_publish_the_key_as_good_again(
    wallet: Wallet, db: Database, clock: StoppedClock, keys: Keys
) -> None:
    deaf_keys = SigningKeys(db, keys.sealer("kernel.signing_key"), clock)
    await deaf_keys.snapshot.refresh()
    deaf = TrustListing(db, clock, deaf_keys, origin=ORIGIN)
    await publish(wallet)
    leaked = wallet.signing_keys.signer("offline").key_id
    await wallet.signing_keys.revoke(leaked, actor="operator:1")
    await publish(wallet)
    assert await deaf.publish_due() is False
    await wallet.trust.listing.snapshot.refresh()
    found = (await fetched_trust(wallet)).issuers[ORIGIN]
    [entry] = [entry for entry in found.entries if entry.key.key_id == leaked]
    assert entry.revoked_at == seconds(clock)


async def test_the_list_is_renewed_every_day_and_good_for_a_month(wallet: Wallet, clock: StoppedClock) -> None:
    first = await fetched_trust(wallet)
    assert first.expires_at - first.issued_at == SERVES_FOR.total_seconds()
    assert SERVES_FOR < TRUST_LIST_LIVES_MAX
    clock.advance(DAY)
    await publish(wallet)
    assert (await fetched_trust(wallet)).issued_at == seconds(clock)
    clock.advance(SERVES_FOR)
    with pytest.raises(NotATrustList):
        trust_list.read(trust_list.sign(first, wallet.signing_keys.signer("trust")), first.roots, now=seconds(clock))
    assert (await fetched_trust(wallet)).issued_at == seconds(clock)  # nobody is ever handed one that has expired


async def test_a_device_without_network_follows_every_rotation_until_its_list_expires(
    wallet: Wallet, clock: StoppedClock
) -> None:
    card = await issued(wallet)
    signed_by: set[str] = set()
    fetched_at, trusted = clock.now(), await fetched_trust(wallet)
    while len(signed_by) < 3:  # a third key signs half a year later
        if clock.now() - fetched_at >= SERVES_FOR - 3 * DAY:  # where there is a network again, once a month
            fetched_at, trusted = clock.now(), await fetched_trust(wallet, list(trusted.roots))
        clock.advance(timedelta(hours=60))
        await wallet.signing_keys.ensure()
        await publish(wallet)
        await beat(wallet, clock)
        code = await a_code(wallet, card)
        signed_by.add(wallet.signing_keys.signer("offline").key_id)
        device = await a_device(wallet, trusted, card)
        assert device.verify(code, seconds(clock)).outcome is Outcome.VALID, (len(signed_by), clock.now())
    after = trusted.expires_at - seconds(clock)
    clock.advance(timedelta(seconds=after))
    await beat(wallet, clock)
    device = await a_device(wallet, trusted, card)
    assert device.verify(await a_code(wallet, card), seconds(clock)).outcome is Outcome.CANNOT_TELL


async def test_what_an_old_key_signed_is_good_after_the_next_one_took_over(wallet: Wallet, clock: StoppedClock) -> None:
    card = await issued(wallet)
    takes_over = wallet.signing_keys.signer("offline").signs_until - timedelta(hours=1)
    clock.advance(takes_over - clock.now() - timedelta(seconds=30))
    await wallet.signing_keys.ensure()
    code, before = await a_code(wallet, card), wallet.signing_keys.signer("offline").key_id
    clock.advance(timedelta(seconds=60))
    await publish(wallet)
    await beat(wallet, clock)
    assert wallet.signing_keys.signer("offline").key_id != before
    device = await a_device(wallet, await fetched_trust(wallet), card)
    assert device.verify(code, seconds(clock)).outcome is Outcome.VALID


async def test_a_leaked_key_is_marked_in_the_next_list_and_its_codes_are_refused(
    wallet: Wallet, clock: StoppedClock
) -> None:
    card = await issued(wallet)
    await beat(wallet, clock)
    old_list, code = await fetched_trust(wallet), await a_code(wallet, card)
    leaked = wallet.signing_keys.signer("offline").key_id
    await wallet.signing_keys.revoke(leaked, actor="operator:1")
    await publish(wallet)
    new_list = await fetched_trust(wallet, list(old_list.roots))
    assert new_list.sequence > old_list.sequence
    [entry] = [entry for entry in new_list.issuers[ORIGIN].entries if entry.key.key_id == leaked]
    assert entry.revoked_at == seconds(clock)
    device = await a_device(wallet, new_list, card)
    assert device.verify(code, seconds(clock)).outcome is Outcome.NOT_OURS
    fresh = await a_code(wallet, card)  # by the spare, which the old list announced: nobody else is turned away
    for known in (old_list, new_list):
        device = await a_device(wallet, known, card)
        assert device.verify(fresh, seconds(clock)).outcome is Outcome.VALID


async def test_a_leaked_root_signs_no_list_any_more_and_devices_follow_to_the_next(wallet: Wallet) -> None:
    old_list = await fetched_trust(wallet)
    leaked = wallet.signing_keys.signer("trust")
    await wallet.signing_keys.revoke(leaked.key_id, actor="operator:1")
    await publish(wallet)
    new_list = await fetched_trust(wallet, list(old_list.roots))
    assert leaked.key_id not in {root.key_id for root in new_list.roots}
    with pytest.raises(NotSigned):
        await fetched_trust(wallet, [leaked.public])
    answer = await fetched(Wire(wallet), "/.well-known/trust-roots")
    assert leaked.key_id not in {jwk["kid"] for jwk in answer.json()["keys"]}
