"""What a device remembers across restarts, in one SQLite file: the codes it accepted, and the scans it owes the city.

Every change is on disk before the call returns (`synchronous = FULL`), and several processes of one device may share
the file: what is decided is decided inside a transaction that has locked it.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from suishenban_verify.replay import (
    DROPPED_AT_ONCE_MAX,
    ENTRIES_MAX,
    KEPT_AFTER_EXPIRY_SECONDS,
    CannotRemember,
    Claim,
)

FORMAT = 1
"""Of the file; stands as SQLite's `user_version`."""
LOCKED_FOR_MAX_SECONDS = 5.0
SCANS_KEPT_MAX = 200_000
"""Scans that wait to be uploaded; a device that has been away for longer must go online first."""

_SCHEMA = (
    "CREATE TABLE accepted (cti BLOB PRIMARY KEY, expires_at INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX accepted_by_expiry ON accepted (expires_at)",
    """
    CREATE TABLE waiting (
        number INTEGER PRIMARY KEY, code TEXT NOT NULL, use_id TEXT NOT NULL UNIQUE,
        scanned_at INTEGER NOT NULL, verdict TEXT NOT NULL
    )
    """,
    "CREATE TABLE state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    "INSERT INTO state (name, value) VALUES ('horizon', 0), ('entries', 0), ('waiting', 0)",
    "PRAGMA user_version = 1",
)
_OWE = "INSERT INTO waiting (code, use_id, scanned_at, verdict) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"


class Scan(NamedTuple):
    """A scan to be uploaded: the text as it was read, an id of its own (UUID), Unix seconds, and what was said."""

    code: str
    use_id: str
    scanned_at: int
    verdict: str


class Memory:
    """A `Replay` that forgets nothing, and the queue of scans. Raises CannotRemember where the file lets it down."""

    def __init__(self, path: Path, *, entries_max: int = ENTRIES_MAX, scans_max: int = SCANS_KEPT_MAX) -> None:
        self._entries_max = entries_max
        self._scans_max = scans_max
        self._turn = threading.Lock()
        with _remembering():
            self._db = sqlite3.connect(
                path, timeout=LOCKED_FOR_MAX_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            with self._changing():
                self._prepare()

    def close(self) -> None:
        self._db.close()

    def claim(self, cti: bytes, expires_at: int, now: int) -> Claim:
        """Mark a code as used, as `Replay.claim` promises. Unix seconds."""
        with self._changing():
            self._drop(now)
            if self._one("SELECT expires_at FROM accepted WHERE cti = ?", cti) is not None:
                return Claim.SEEN
            if expires_at <= self._state("horizon"):
                return Claim.FORGOTTEN
            if self._state("entries") >= self._entries_max:
                return Claim.FULL
            self._db.execute("INSERT INTO accepted (cti, expires_at) VALUES (?, ?)", (cti, expires_at))
            self._add("entries", 1)
            return Claim.FIRST

    def owe(self, scan: Scan) -> None:
        """Keep a scan until it is uploaded; one with a known `use_id` is kept once."""
        with self._changing():
            if self._state("waiting") >= self._scans_max:
                raise CannotRemember("too many scans wait to be uploaded")
            added = self._db.execute(_OWE, scan)
            self._add("waiting", added.rowcount)

    def owed(self, count_max: int) -> list[Scan]:
        """The oldest scans that wait."""
        with _remembering(), self._turn:
            rows = self._db.execute(
                "SELECT code, use_id, scanned_at, verdict FROM waiting ORDER BY number LIMIT ?", (count_max,)
            )
            return [Scan(*row) for row in rows]

    def settle(self, scans: Sequence[Scan]) -> None:
        """Forget scans that the city has."""
        with self._changing():
            for scan in scans:
                gone = self._db.execute("DELETE FROM waiting WHERE use_id = ?", (scan.use_id,))
                self._add("waiting", -gone.rowcount)

    def count_owed(self) -> int:
        """How many scans wait."""
        with _remembering(), self._turn:
            return self._state("waiting")

    def _prepare(self) -> None:
        found = self._one("PRAGMA user_version")
        if found == 0:
            for statement in _SCHEMA:
                self._db.execute(statement)
        elif found != FORMAT:
            raise CannotRemember("the file is of another version of this program")

    def _drop(self, now: int) -> None:
        """Drop a few of those that expired long ago, and remember until when dropped ones had expired."""
        dropped = self._db.execute(
            "SELECT cti, expires_at FROM accepted WHERE expires_at <= ? ORDER BY expires_at LIMIT ?",
            (now - KEPT_AFTER_EXPIRY_SECONDS, DROPPED_AT_ONCE_MAX),
        ).fetchall()
        if dropped:
            self._db.executemany("DELETE FROM accepted WHERE cti = ?", [(cti,) for cti, _ in dropped])
            self._db.execute("UPDATE state SET value = ? WHERE name = 'horizon'", (dropped[-1][1],))
            self._add("entries", -len(dropped))

    def _state(self, name: str) -> int:
        return int(self._one("SELECT value FROM state WHERE name = ?", name) or 0)

    def _add(self, name: str, count: int) -> None:
        self._db.execute("UPDATE state SET value = value + ? WHERE name = ?", (count, name))

    def _one(self, statement: str, *given: object) -> int | None:
        row = self._db.execute(statement, given).fetchone()
        return None if row is None else row[0]

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One transaction, which nobody else's can come between."""
        with _remembering(), self._turn:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


@contextmanager
def _remembering() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as problem:
        raise CannotRemember(f"the memory of this device fails: {problem}") from problem
