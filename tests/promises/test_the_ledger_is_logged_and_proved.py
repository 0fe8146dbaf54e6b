"""Every record enters the log once, whatever dies on the way; its person and its reader can prove it."""

import asyncio
import os
from datetime import timedelta
from uuid import uuid4

import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import PersonId
from suishenban_verify import checkpoint, ledger, merkle
from tests.builders_ledger import a_signer, a_use, audited, keys_of, logged, many_recorded, note_keys, recorded
from tests.builders_wallet import HOSPITAL, STATION
from wallet import queries
from wallet.ledger import queries as log_queries
from wallet.ledger import recording
from wallet.ledger.adopting.old_uses import adopt_old_uses
from wallet.ledger.erasing import ERASED_TOGETHER_MAX, Eraser
from wallet.ledger.errors import NoCheckpointYet, NotInLogYet, SizesRefused, UseNotFound
from wallet.ledger.keys import LogKeys
from wallet.ledger.model import Erasure, LedgerDamaged, entry_of
from wallet.ledger.proving import Prover
from wallet.ledger.sequencing import Sequencer


@pytest.fixture
def keys() -> LogKeys:
    return keys_of(a_signer())


async def test_erasing_takes_the_record_and_leaves_the_log_provable(
    db: Database, clock: StoppedClock, keys: LogKeys
) -> None:
    person_id = PersonId(uuid4())
    uses = [a_use(clock.now() - timedelta(days=nth), person_id) for nth in range(ERASED_TOGETHER_MAX + 10)]
    await recorded(db, uses)
    others = await many_recorded(db, clock, 5)
    await logged(db, clock, keys)
    before = await Prover(db).latest()
    week_ago = clock.now() - timedelta(days=7)
    clock.advance(timedelta(minutes=2))
    assert await Eraser(db, clock, keys).erase(person_id, used_before=week_ago, reason="asked") == len(uses) - 8
    assert await Eraser(db, clock, keys).erase(person_id, used_before=week_ago, reason="asked") == 0
    assert await db.fetchval("SELECT count(*) FROM wallet.use WHERE person_id = $1", person_id) == 8
    clock.advance(timedelta(minutes=2))
    assert (await audited(db, clock, keys, before.note)).is_clean
    await logged(db, clock, keys)
    report = await audited(db, clock, keys, before.note)
    assert report.is_clean
    assert report.erased == len(uses) - 8
    prover = Prover(db)
    with pytest.raises(UseNotFound):
        await prover.prove_for_person(person_id, uses[-1].code_hash)
    assert (await prover.prove_for_person(person_id, uses[0].code_hash)).proof
    after = await prover.latest()
    steps = (await prover.prove_consistency(before.size, after.size)).hashes
    assert merkle.is_consistent(before.size, before.root, after.size, after.root, steps)
    assert (await prover.prove_for_person(others[0].person_id, others[0].code_hash)).proof


async def test_what_waits_when_it_is_erased_is_accounted_for(db: Database, clock: StoppedClock, keys: LogKeys) -> None:
    use = a_use(clock.now() - timedelta(days=9), recorded_at=clock.now())
    await recorded(db, [use])
    await Eraser(db, clock, keys).erase(use.person_id, used_before=clock.now(), reason="asked")
    clock.advance(timedelta(minutes=2))
    assert (await audited(db, clock, keys)).is_clean
    await logged(db, clock, keys)
    assert (await audited(db, clock, keys)).is_clean


async def said_to_be_erased(db: Database, clock: StoppedClock, keys: LogKeys, commitment: bytes) -> list[str]:
    """Say, in every table and in the log, that a leaf's record was erased; what an audit finds then."""
    salt, now = keys.salt_of_erasure(commitment), clock.now()
    tombstone = ledger.tombstone_of(salt, commitment, now, "asked")
    async with db.transaction() as conn:
        await log_queries.insert_erasures(conn, [Erasure(commitment, tombstone, salt, "asked", now)])
        await log_queries.insert_pending(conn, [entry_of(tombstone, now)])
    await logged(db, clock, keys)
    clock.advance(timedelta(minutes=2))
    return sorted(found.sort for found in (await audited(db, clock, keys)).findings)


async def test_nothing_is_erased_by_saying_so(db: Database, clock: StoppedClock, keys: LogKeys) -> None:
    use, *_ = await many_recorded(db, clock, 5)
    await logged(db, clock, keys)
    assert await said_to_be_erased(db, clock, keys, ledger.commitment_of(use.salt, use)) == ["erased_yet_there"]
    assert await said_to_be_erased(db, clock, keys, os.urandom(32)) == ["erased_yet_there", "record_not_in_log"]


async def test_a_person_and_a_reader_can_each_prove_a_record(db: Database, clock: StoppedClock, keys: LogKeys) -> None:
    uses = await many_recorded(db, clock, 300)
    prover = Prover(db)
    with pytest.raises(NotInLogYet):
        await prover.prove_for_person(uses[9].person_id, uses[9].code_hash)
    await logged(db, clock, keys)
    mine = await prover.prove_for_person(uses[9].person_id, uses[9].code_hash)
    proof = checkpoint.read_proof(mine.proof, note_keys(keys))
    assert ledger.proves_record(proof, mine.salt, mine.record)
    assert not ledger.proves_record(proof, mine.salt, uses[8])
    near = uses[9].used_at + timedelta(minutes=4)
    [theirs] = await prover.prove_for_venue(STATION, uses[9].use_id, near)
    seen = ledger.SeenEvent(**{name: getattr(theirs.record, name) for name in ledger.SeenEvent.__slots__})
    assert ledger.proves_event(checkpoint.read_proof(theirs.proof, note_keys(keys)), theirs.salt, theirs.subject, seen)
    for venue, use, moment in (
        (HOSPITAL, uses[9].use_id, near),
        (STATION, uuid4(), near),
        (STATION, uses[9].use_id, near + timedelta(hours=1)),
    ):
        with pytest.raises(UseNotFound):
            await prover.prove_for_venue(venue, use, moment)
    with pytest.raises(UseNotFound):
        await prover.prove_for_person(uses[8].person_id, uses[9].code_hash)


async def test_any_two_checkpoints_are_proved_to_be_of_one_log(
    db: Database, clock: StoppedClock, keys: LogKeys
) -> None:
    prover, sizes = Prover(db), [0]
    for count in (1, 7, 300, 2):
        await many_recorded(db, clock, count)
        await logged(db, clock, keys)
        sizes.append((await prover.latest()).size)
    assert sizes == [0, 2, 10, 311, 314]
    for nth, old in enumerate(sizes):
        for new in sizes[nth:]:
            before, after = await prover.checkpoint(old), await prover.checkpoint(new)
            steps = (await prover.prove_consistency(old, new)).hashes
            assert merkle.is_consistent(old, before.root, new, after.root, steps)
    for old, new in ((2, 1), (0, 315), (-1, 3)):
        with pytest.raises(SizesRefused):
            await prover.prove_consistency(old, new)
    with pytest.raises(NoCheckpointYet):
        await prover.checkpoint(3)


async def test_two_sequencers_at_once_make_one_log(db: Database, clock: StoppedClock, keys: LogKeys) -> None:
    sequencers = [Sequencer(db, clock, keys) for _ in range(4)]

    async def record_some() -> None:
        for _ in range(20):
            await many_recorded(db, clock, 7)

    async def append_some(sequencer: Sequencer) -> int:
        total = 0
        for _ in range(40):
            total += await sequencer.append_pending(batch_max=16)
            await asyncio.sleep(0.001)
        return total

    _, *counts = await asyncio.gather(record_some(), *(append_some(one) for one in sequencers))
    rest = await sequencers[0].append_waiting()
    assert sum(counts) + rest == 140
    report = await audited(db, clock, keys)
    assert report.is_clean
    assert report.size == 140 + report.checkpoints - 1


class Cut(Exception):
    """The process dies here."""


class Dying:
    """A connection over which the nth statement is the last."""

    def __init__(self, conn: object, left: list[int]) -> None:
        self._conn, self._left = conn, left

    def __getattr__(self, name: str) -> object:
        method = getattr(self._conn, name)

        async def call(*args: object) -> object:
            self._left[0] -= 1
            if self._left[0] < 0:
                raise Cut
            return await method(*args)

        return call


class DyingDatabase:
    """A database whose client dies after so many statements."""

    def __init__(self, db: Database, statements: int) -> None:
        self._db, self._left = db, [statements]

    def transaction(self) -> "DyingTransaction":
        return DyingTransaction(self._db.transaction(), self._left)


class DyingTransaction:
    def __init__(self, inner: object, left: list[int]) -> None:
        self._inner, self._left = inner, left

    async def __aenter__(self) -> Dying:
        return Dying(await self._inner.__aenter__(), self._left)

    async def __aexit__(self, *how: object) -> None:
        await self._inner.__aexit__(*how)


async def test_a_sequencer_that_dies_between_two_steps_loses_and_doubles_nothing(
    db: Database, clock: StoppedClock, keys: LogKeys
) -> None:
    await many_recorded(db, clock, 10)
    await logged(db, clock, keys)
    await many_recorded(db, clock, 300)
    steps = 0
    while True:
        try:
            await Sequencer(DyingDatabase(db, steps), clock, keys).append_pending()
            break
        except Cut:
            assert await db.fetchval("SELECT size FROM wallet.ledger_head") == 11
            assert await db.fetchval("SELECT count(*) FROM wallet.ledger_pending") == 300
            steps += 1
    assert steps >= 10
    report = await audited(db, clock, keys)
    assert report.is_clean
    assert report.size == 312


async def test_an_entry_that_waits_again_after_it_was_logged_is_logged_once(
    db: Database, clock: StoppedClock, keys: LogKeys
) -> None:
    uses = await many_recorded(db, clock, 10)
    await logged(db, clock, keys)
    async with db.transaction() as conn:
        await recording.record(conn, uses)
    assert await logged(db, clock, keys) == 10
    report = await audited(db, clock, keys)
    assert report.is_clean
    assert report.size == 11


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE wallet.ledger_tile SET hashes = overlay(hashes placing '\\x00'::bytea from 5) WHERE level = 0",
        "UPDATE wallet.ledger_head SET frontier = sha256(frontier)",
        "UPDATE wallet.ledger_checkpoint SET root = sha256(root)",
        "UPDATE wallet.ledger_checkpoint SET note = replace(note, 'suishenban', 'nobody') WHERE size > 0",
        "DELETE FROM wallet.ledger_checkpoint WHERE size > 0",
        "DELETE FROM wallet.ledger_tile",
        "DELETE FROM wallet.ledger_head",
    ],
)
async def test_nothing_is_appended_to_a_log_that_is_not_the_one_that_was_signed(
    db: Database, clock: StoppedClock, keys: LogKeys, sql: str
) -> None:
    await many_recorded(db, clock, 10)
    await logged(db, clock, keys)
    await many_recorded(db, clock, 10)
    await db.fetch(sql)
    with pytest.raises(LedgerDamaged):
        await logged(db, clock, keys)
    assert await db.fetchval("SELECT count(*) FROM wallet.ledger_leaf") == 11


async def test_a_new_key_takes_the_log_over_and_a_leaked_one_vouches_for_nothing(
    db: Database, clock: StoppedClock
) -> None:
    old, new = a_signer("ledger-old"), a_signer("ledger-new")
    await many_recorded(db, clock, 5)
    await logged(db, clock, keys_of(old))
    first = await Prover(db).latest()
    leaked = keys_of(old, new, revoked=["ledger-old"])
    assert [found.sort for found in (await audited(db, clock, leaked)).findings] == ["checkpoint_differs"]
    await logged(db, clock, leaked)
    renewed = await Prover(db).latest()
    assert (renewed.size, renewed.root) == (first.size, first.root)
    assert checkpoint.read(renewed.note, [keys_of(new).signing_key()]).size == first.size
    await many_recorded(db, clock, 5)
    await logged(db, clock, leaked)
    assert (await audited(db, clock, leaked, first.note)).is_clean


async def test_records_from_before_the_log_are_taken_into_it(db: Database, clock: StoppedClock, keys: LogKeys) -> None:
    old = [a_use(clock.now(), recorded_at=None, salt=None) for _ in range(5)]
    async with db.transaction() as conn:
        await queries.insert_uses(conn, old)
    assert len((await audited(db, clock, keys)).findings) == 5
    assert await asyncio.gather(adopt_old_uses(db), adopt_old_uses(db)) in ([5, 0], [0, 5], [5, 5])
    assert await adopt_old_uses(db) == 0
    await logged(db, clock, keys)
    report = await audited(db, clock, keys)
    assert report.is_clean
    assert (report.records, report.size) == (5, 6)


async def test_a_leaf_tells_nothing_to_who_has_no_salt(db: Database, clock: StoppedClock, keys: LogKeys) -> None:
    use = a_use(clock.now())
    await recorded(db, [use, a_use(clock.now(), use.person_id, code_hash=os.urandom(32))])
    await logged(db, clock, keys)
    leaves = [row[0] for row in await db.fetch("SELECT commitment FROM wallet.ledger_leaf ORDER BY log_index")]
    assert len(set(leaves)) == 3
    assert all(ledger.commitment_of(salt, use) not in leaves for salt in (bytes(32), os.urandom(32)))
