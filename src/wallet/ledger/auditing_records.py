"""The log against the ledger it is of: every record has its leaf, every leaf its record or what became of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from struct import error as OutOfRange  # noqa: N812 -- as other exceptions are named
from uuid import UUID

from kernel.db import Connection
from kernel.ids import BUCKETS, PersonId
from suishenban_verify.ledger import commitment_of, tombstone_of
from wallet.ledger import queries
from wallet.ledger.findings import Findings, Marks
from wallet.ledger.model import Entry, Erasure, RecordRow, entry_of, was_made_before

RECORDS_TOGETHER_MAX = 4_096
WAITING_MAX = 200_000
"""Entries waiting for the log that are looked at one by one; so many wait only where nobody appends for hours."""
ERASING_TAKES_MAX = timedelta(minutes=1)
"""How long an erasure may take from its time to its commit."""
_CANNOT_BE = (OutOfRange, OverflowError, TypeError, AttributeError, AssertionError)
"""What making a commitment over columns that no record of ours can have comes to."""


class RecordsAudit:
    """Looks at uses, erasures and what waits, and marks the leaves that they account for.

    A commitment moves one way: it waits, then it stands in the log. So each is looked for among those that waited when
    the audit began, then in the log, and before anything is said once more where it would wait and would stand.
    """

    def __init__(
        self,
        conn: Connection,
        findings: Findings,
        marks: Marks,
        tell: Callable[[str, int, int], None],
        *,
        salt_of_erasure: Callable[[bytes], bytes],
        began_at: datetime,
        waits_max: timedelta,
    ) -> None:
        self._conn = conn
        self._findings = findings
        self._marks = marks
        self._tell = tell
        self._salt_of_erasure = salt_of_erasure
        self._began_at = began_at
        self._waits_max = waits_max
        self._waits: dict[bytes, Entry] = {}
        self._waited: set[bytes] = set()
        self.records = self.erased = self.waiting = 0

    async def check(self) -> None:
        """Look at everything, then name the leaves that nothing accounts for."""
        await self._read_waiting()
        await self._check_records()
        await self._check_erasures()
        for bucket, entry_id, _ in self._waits.values():
            self._findings.add("waiting_without_record", f"entry {bucket}/{entry_id}", "it is of no record")
        for log_index in self._marks.unmarked():
            said = "its record is not in the ledger as it was logged, and no erasure of it is"
            self._findings.add("leaf_without_record", f"leaf {log_index}", said)

    async def _read_waiting(self) -> None:
        found = await queries.select_pending(self._conn, 0, BUCKETS - 1, limit=WAITING_MAX + 1)
        self._waits = {entry[2]: entry for entry in found[:WAITING_MAX]}
        self.waiting = len(found)
        late = [entry for entry in found if was_made_before(entry[1], self._began_at - self._waits_max)]
        if late:
            minutes = int(self._waits_max.total_seconds() // 60)
            oldest = min(late, key=lambda entry: entry[1])
            said = f"{len(late)} records or more wait for the log for over {minutes} minutes: is a worker running?"
            self._findings.add("waits_too_long", f"entry {oldest[0]}/{oldest[1]}", said)

    async def _check_records(self) -> None:
        person_id, code_hash = PersonId(UUID(int=0)), b""
        while True:
            records = await queries.select_records_after(self._conn, person_id, code_hash, limit=RECORDS_TOGETHER_MAX)
            await self._account_for(self._committed(records))
            self.records += len(records)
            self._tell("records", self.records, 0)
            if len(records) < RECORDS_TOGETHER_MAX:
                return
            person_id, code_hash = records[-1].person_id, records[-1].code_hash

    def _committed(self, records: Iterable[RecordRow]) -> dict[bytes, tuple[str, datetime]]:
        """The leaf that each record must have, with its name and when it was made."""
        found = {}
        for record in records:
            place = f"use {record.use_id}"
            if record.salt is None or record.recorded_at is None:
                self._findings.add("record_not_in_log", place, "it has no salt, so it was never owed to the log")
                continue
            try:
                found[commitment_of(record.salt, record)] = place, record.recorded_at
            except _CANNOT_BE:
                self._findings.add("record_not_in_log", place, "it says what no record of ours can say")
        return found

    async def _check_erasures(self) -> None:
        after = b""
        while True:
            erasures = await queries.select_erasures_after(self._conn, after, limit=RECORDS_TOGETHER_MAX)
            self._check_tombstones(erasures)
            await self._account_for_erased(erasures)
            await self._account_for({one.tombstone: (_place_of(one), one.erased_at) for one in erasures})
            self.erased += len(erasures)
            self._tell("erasures", self.erased, 0)
            if len(erasures) < RECORDS_TOGETHER_MAX:
                return
            after = erasures[-1].commitment

    async def _account_for_erased(self, erasures: Sequence[Erasure]) -> None:
        """Mark the leaves of what was erased; if that was before the audit began, nothing else did."""
        positions = await queries.select_positions(self._conn, [one.commitment for one in erasures])
        for one in erasures:
            is_over = one.erased_at < self._began_at - ERASING_TAKES_MAX
            log_index = positions.get(one.commitment)
            if one.commitment in self._waited or (
                log_index is not None and 0 <= log_index < self._marks.size and not self._marks.mark(log_index)
            ):
                if is_over:
                    self._findings.add("erased_yet_there", _place_of(one), "its record is in the ledger still")
            elif self._waits.pop(one.commitment, None) is None and log_index is None and is_over:
                self._findings.add("record_not_in_log", _place_of(one), "what it says was erased was never logged")

    def _check_tombstones(self, erasures: Iterable[Erasure]) -> None:
        for one in erasures:
            try:
                made = tombstone_of(one.salt, one.commitment, one.erased_at, one.reason)
                fits = made == one.tombstone and one.salt == self._salt_of_erasure(one.commitment)
            except _CANNOT_BE:
                fits = False
            if not fits:
                self._findings.add("erasure_differs", _place_of(one), "not what its leaf says, or not by our key")

    async def _account_for(self, committed: Mapping[bytes, tuple[str, datetime]]) -> None:
        """Find each commitment, made at a time under a name, waiting or in the log, and mark its leaf."""
        sought = {}
        for commitment, (place, at) in committed.items():
            entry = self._waits.pop(commitment, None)
            if entry is None:
                sought[commitment] = place, at
                continue
            self._waited.add(commitment)
            if entry != entry_of(commitment, at):
                self._findings.add("waiting_differs", place, "it does not wait where it was put")
        positions = await queries.select_positions(self._conn, sought) if sought else {}
        for commitment, (place, at) in sought.items():
            log_index = positions.get(commitment)
            if log_index is None:
                await self._look_again(commitment, place, at)
            elif 0 <= log_index < self._marks.size:
                self._marks.mark(log_index)

    async def _look_again(self, commitment: bytes, place: str, at: datetime) -> None:
        bucket, entry_id, _ = entry_of(commitment, at)
        if await queries.select_pending_commitment(self._conn, bucket, entry_id) == commitment:
            return
        if commitment not in await queries.select_positions(self._conn, [commitment]):
            self._findings.add("record_not_in_log", place, "as it is now, it is not in the log")


def _place_of(erasure: Erasure) -> str:
    return f"erasure {erasure.commitment.hex()}"
