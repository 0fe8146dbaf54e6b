"""What happens to a certificate is in the status list that everybody fetches, within a minute and signed anew."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import CertificateId
from suishenban_verify import status_list
from suishenban_verify.jws import NotSigned
from suishenban_verify.status_list import CWT_TYPE, INVALID, JWT_TYPE, SUSPENDED, VALID
from tests.builders_wallet import POLICE_ID, an_id_card, issued
from tests.published_lists import beat, fetched, fetched_list, keys_of, place_of, said_of, seconds
from tests.wire_wallet import Wire
from wallet.departments.revoking import Reason
from wallet.model import State
from wallet.parts import Wallet
from wallet.status.building import RENEWED_BEFORE, SERVES_FOR, Builder
from wallet.status.queries import put_publication, select_publication

ACTOR = "department:police"


async def changes_left(db: Database) -> int:
    return int(await db.fetchval("SELECT count(*) FROM wallet.status_change"))


async def editions(db: Database) -> dict[int, int]:
    return {
        row["list_id"]: row["edition"]
        for row in await db.fetch("SELECT list_id, edition FROM wallet.status_publication")
    }


async def test_every_step_of_a_certificate_is_in_the_list_one_beat_later(wallet: Wallet, clock: StoppedClock) -> None:
    card = await issued(wallet)
    place, step = await place_of(wallet, card), wallet.revoking
    await beat(wallet, clock)
    assert await said_of(wallet, place) == VALID
    for take, says in (
        (step.suspend, SUSPENDED),
        (step.restore, VALID),
        (step.suspend, SUSPENDED),
        (step.revoke, INVALID),
    ):
        await take(POLICE_ID, card.certificate_id, Reason.LOST, actor=ACTOR)
        await beat(wallet, clock)
        assert await said_of(wallet, place) == says


async def test_what_is_superseded_is_invalid_and_its_successor_is_not(wallet: Wallet, clock: StoppedClock) -> None:
    old = await issued(wallet)
    new = await wallet.revoking.supersede(POLICE_ID, old.certificate_id, an_id_card("R-2"), actor=ACTOR)
    await beat(wallet, clock)
    assert await said_of(wallet, await place_of(wallet, old)) == INVALID
    assert await said_of(wallet, await place_of(wallet, new)) == VALID


async def test_a_revocation_is_fetched_within_a_minute_whenever_it_comes(wallet: Wallet, clock: StoppedClock) -> None:
    cards = [await issued(wallet, an_id_card(f"R-{nth}")) for nth in range(6)]
    places = [await place_of(wallet, card) for card in cards]
    await beat(wallet, clock)
    for nth, card in enumerate(cards):
        clock.advance(timedelta(seconds=nth * 1.9))
        revoked_at = clock.now()
        await wallet.revoking.revoke(POLICE_ID, card.certificate_id, Reason.LOST, actor=ACTOR)
        while await said_of(wallet, places[nth]) != INVALID:
            await beat(wallet, clock)
        found = await fetched_list(wallet, places[nth].list_id)
        assert found.ttl_seconds is not None
        cached = int(
            (await fetched(Wire(wallet), f"/status-lists/{places[nth].list_id}")).headers["cache-control"][-2:]
        )
        latest = clock.now() + timedelta(seconds=found.ttl_seconds + cached)
        assert latest - revoked_at <= timedelta(seconds=60)


async def test_a_thousand_changes_make_one_list_and_no_change_makes_none(
    wallet: Wallet, db: Database, clock: StoppedClock
) -> None:
    async with db.transaction() as conn:
        places = await wallet.statuses.allocate(conn, [CertificateId(uuid4()) for _ in range(1000)], now=clock.now())
    await beat(wallet, clock)
    assert await editions(db) == {places[0].list_id: 1}
    for place in places:
        async with db.transaction() as conn:
            await wallet.statuses.write(conn, place, State.REVOKED, now=clock.now())
    assert await changes_left(db) == 1000
    await beat(wallet, clock)
    await beat(wallet, clock)
    assert await editions(db) == {places[0].list_id: 2}
    assert await changes_left(db) == 0
    found = await fetched_list(wallet, places[0].list_id)
    assert sum(found.list.get(place.idx) == INVALID for place in places) == 1000
    async with db.transaction() as conn:
        more = await wallet.statuses.allocate(conn, [CertificateId(uuid4())], now=clock.now())
    await beat(wallet, clock)  # what is issued reads as valid already: no list is built for it
    assert (await editions(db)).get(places[0].list_id) == 2
    assert await said_of(wallet, more[0]) == VALID


async def test_a_certificate_that_gets_its_place_when_it_is_suspended_is_suspended_in_the_list(
    wallet: Wallet, db: Database, clock: StoppedClock
) -> None:
    for _ in range(20):  # each lane has its list published by then
        async with db.transaction() as conn:
            await wallet.statuses.allocate(conn, [CertificateId(uuid4())], now=clock.now())
    await beat(wallet, clock)
    async with db.transaction() as conn:
        [place] = await wallet.statuses.allocate(conn, [CertificateId(uuid4())], state=State.SUSPENDED, now=clock.now())
    await beat(wallet, clock)
    assert await said_of(wallet, place) == SUSPENDED


async def test_a_list_is_renewed_long_before_it_expires(wallet: Wallet, clock: StoppedClock) -> None:
    place = await place_of(wallet, await issued(wallet))
    await beat(wallet, clock)
    first = await fetched_list(wallet, place.list_id)
    clock.advance(SERVES_FOR - RENEWED_BEFORE - timedelta(minutes=1))
    await beat(wallet, clock)
    assert (await fetched_list(wallet, place.list_id)).expires_at == first.expires_at
    clock.advance(timedelta(minutes=2))
    await beat(wallet, clock)
    renewed = await fetched_list(wallet, place.list_id)
    assert renewed.expires_at - seconds(clock) == SERVES_FOR.total_seconds()
    assert first.expires_at - seconds(clock) > timedelta(hours=11).total_seconds()


async def test_lists_are_signed_anew_when_another_key_signs_and_when_theirs_leaked(
    wallet: Wallet, clock: StoppedClock
) -> None:
    place = await place_of(wallet, await issued(wallet))
    await beat(wallet, clock)
    first = wallet.signing_keys.signer("status")
    clock.advance(timedelta(days=90) - timedelta(minutes=30))  # the spare has taken over by now
    await wallet.signing_keys.ensure()
    second = wallet.signing_keys.signer("status")
    assert second.key_id != first.key_id
    await beat(wallet, clock)
    token = (await fetched(Wire(wallet), f"/status-lists/{place.list_id}")).text
    uri = wallet.builder.uri_of(place.list_id)
    assert status_list.read_jwt(token, [second.public], uri=uri, now=seconds(clock)).list.get(place.idx) == VALID
    await wallet.signing_keys.revoke(second.key_id, actor="operator:1")
    await beat(wallet, clock)
    token = (await fetched(Wire(wallet), f"/status-lists/{place.list_id}")).text
    with pytest.raises(NotSigned):
        status_list.read_jwt(token, [second.public], uri=uri, now=seconds(clock))
    assert await said_of(wallet, place) == VALID


class Slow(Builder):
    """A builder that was held up between reading and publishing."""

    def __init__(self, wallet: Wallet) -> None:
        super().__init__(
            wallet.db, wallet.clock, lambda: wallet.signing_keys.signer("status"), origin=wallet.public_origin
        )
        self.has_read, self.goes_on = asyncio.Event(), asyncio.Event()
        self.loop = asyncio.get_running_loop()

    def _made(self, *args: object, **more: object):  # type: ignore[no-untyped-def]
        made = super()._made(*args, **more)  # type: ignore[arg-type]
        self.loop.call_soon_threadsafe(self.has_read.set)
        asyncio.run_coroutine_threadsafe(self.goes_on.wait(), self.loop).result(timeout=20)
        return made


async def test_of_two_who_build_at_once_the_older_list_is_never_published_over_the_newer(
    wallet: Wallet, db: Database, clock: StoppedClock
) -> None:
    card = await issued(wallet)
    place = await place_of(wallet, card)
    slow = Slow(wallet)
    builds = asyncio.create_task(slow.build(place.list_id))
    await slow.has_read.wait()
    await wallet.revoking.revoke(POLICE_ID, card.certificate_id, Reason.LOST, actor=ACTOR)
    await beat(wallet, clock)
    assert await said_of(wallet, place) == INVALID
    slow.goes_on.set()
    assert await builds is False
    assert await said_of(wallet, place) == INVALID
    assert await changes_left(db) == 0


async def test_a_change_that_commits_while_a_list_is_built_is_in_the_next_one(
    wallet: Wallet, db: Database, clock: StoppedClock
) -> None:
    card = await issued(wallet)
    place = await place_of(wallet, card)
    slow = Slow(wallet)
    builds = asyncio.create_task(slow.build(place.list_id))
    await slow.has_read.wait()
    await wallet.revoking.revoke(POLICE_ID, card.certificate_id, Reason.LOST, actor=ACTOR)
    slow.goes_on.set()
    assert await builds is True
    assert await said_of(wallet, place) == VALID
    assert await changes_left(db) == 1
    await beat(wallet, clock)
    assert await said_of(wallet, place) == INVALID


async def test_issuers_are_not_held_up_while_a_list_is_built(wallet: Wallet) -> None:
    place = await place_of(wallet, await issued(wallet))
    slow = Slow(wallet)
    builds = asyncio.create_task(slow.build(place.list_id))
    await slow.has_read.wait()
    async with asyncio.timeout(10):
        for nth in range(20):  # every lane is taken by then
            await issued(wallet, an_id_card(f"S-{nth}"))
    slow.goes_on.set()
    assert await builds is True


async def test_twenty_builders_and_many_changes_end_with_the_truth(
    wallet: Wallet, db: Database, clock: StoppedClock
) -> None:
    async with db.transaction() as conn:
        places = await wallet.statuses.allocate(conn, [CertificateId(uuid4()) for _ in range(40)], now=clock.now())
    list_id = places[0].list_id

    async def change() -> None:
        for place in places:
            async with db.transaction() as conn:
                await wallet.statuses.write(conn, place, State.REVOKED, now=clock.now())

    await asyncio.gather(change(), *(wallet.builder.build(list_id) for _ in range(20)))
    await beat(wallet, clock)
    found = await fetched_list(wallet, list_id)
    assert all(found.list.get(place.idx) == INVALID for place in places)
    assert await changes_left(db) == 0


async def test_a_list_that_does_not_follow_the_published_one_is_refused_by_the_database(
    wallet: Wallet, db: Database, clock: StoppedClock
) -> None:
    place = await place_of(wallet, await issued(wallet))
    await beat(wallet, clock)
    async with db.transaction() as conn:
        made = await select_publication(conn, place.list_id)
        assert made is not None
        assert not await put_publication(conn, made)


async def test_both_forms_say_the_same_and_are_named_by_their_tags(wallet: Wallet, clock: StoppedClock) -> None:
    card = await issued(wallet)
    place = await place_of(wallet, card)
    await wallet.revoking.suspend(POLICE_ID, card.certificate_id, Reason.LOST, actor=ACTOR)
    await beat(wallet, clock)
    wire, path = Wire(wallet), f"/status-lists/{place.list_id}"
    jwt, cwt = await fetched(wire, path), await fetched(wire, path, Accept=CWT_TYPE)
    assert jwt.headers["content-type"] == f"application/{JWT_TYPE}"
    assert cwt.headers["content-type"] == CWT_TYPE
    assert jwt.headers["vary"] == cwt.headers["vary"] == "Accept"
    assert jwt.headers["etag"] != cwt.headers["etag"]
    uri, trusted = wallet.builder.uri_of(place.list_id), keys_of(wallet, "status")
    both = (
        status_list.read_jwt(jwt.text, trusted, uri=uri, now=seconds(clock)),
        status_list.read_cwt(cwt.content, trusted, uri=uri, now=seconds(clock)),
    )
    assert [found.list.get(place.idx) for found in both] == [SUSPENDED, SUSPENDED]
    assert both[0].list.packed() == both[1].list.packed()
    for headers in ({}, {"Accept": CWT_TYPE}):
        tag = (await fetched(wire, path, **headers)).headers["etag"]
        for told in (tag, f'"other", {tag}', f"W/{tag}", "*"):
            known = await fetched(wire, path, **headers, **{"If-None-Match": told})
            assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", tag)
            assert known.headers["vary"] == "Accept"
    assert (await fetched(wire, path, **{"If-None-Match": cwt.headers["etag"]})).status_code == 200
    await wallet.revoking.revoke(POLICE_ID, card.certificate_id, Reason.LOST, actor=ACTOR)
    await beat(wallet, clock)
    assert (await fetched(wire, path, **{"If-None-Match": jwt.headers["etag"]})).status_code == 200


async def test_every_list_is_found_from_one_place_and_others_are_not_there(wallet: Wallet, clock: StoppedClock) -> None:
    places = [await place_of(wallet, await issued(wallet, an_id_card(f"R-{nth}"))) for nth in range(5)]
    wire = Wire(wallet)
    assert (await fetched(wire, f"/status-lists/{places[0].list_id}")).status_code == 404
    await beat(wallet, clock)
    found = (await fetched(wire, "/status-lists")).json()
    assert set(found["status_lists"]) == {wallet.builder.uri_of(place.list_id) for place in places}
    for elsewhere in ("/status-lists/4000", f"/status-lists/{2**40}"):
        answer = await fetched(wire, elsewhere)
        assert (answer.status_code, answer.json()["code"]) == (404, "wallet.status_list_not_found")
