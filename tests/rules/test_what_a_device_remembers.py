"""A device that was switched off remembers every code it accepted, and every scan it owes the city."""

import sqlite3
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from suishenban_verify.remembering import Memory, Scan
from suishenban_verify.replay import KEPT_AFTER_EXPIRY_SECONDS, CannotRemember, Claim
from suishenban_verify.verifying import Outcome
from tests.builders_offline import NOW, claims, device, live


def scan(at: int = NOW) -> Scan:
    return Scan(live(), str(uuid.uuid4()), at, "valid")


def test_a_restart_forgets_no_code(tmp_path: Path) -> None:
    text = live()
    for expected in (Outcome.VALID, Outcome.ALREADY_USED):
        memory = Memory(tmp_path / "memory.sqlite")
        assert device(replay=memory).verify(text, NOW).outcome is expected
        memory.close()


def test_two_processes_of_a_device_do_not_both_accept_a_code(tmp_path: Path) -> None:
    memories = [Memory(tmp_path / "memory.sqlite") for _ in range(2)]
    codes = [bytes((at,)) * 16 for at in range(40)]

    def claim_all(memory: Memory) -> list[Claim]:
        return [memory.claim(code, NOW + 300, NOW) for code in codes]

    with ThreadPoolExecutor(2) as threads:
        answers = [answer for claimed in threads.map(claim_all, memories) for answer in claimed]
    assert answers.count(Claim.FIRST) == len(codes)
    assert answers.count(Claim.SEEN) == len(codes)


def test_what_expired_is_dropped_and_a_clock_set_back_brings_nothing_back(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory.sqlite", entries_max=2)
    assert memory.claim(b"a", NOW + 10, NOW) is Claim.FIRST
    assert memory.claim(b"b", NOW + 20, NOW) is Claim.FIRST
    assert memory.claim(b"c", NOW + 30, NOW) is Claim.FULL
    later = NOW + 10 + KEPT_AFTER_EXPIRY_SECONDS
    assert memory.claim(b"c", later + 30, later) is Claim.FIRST
    memory.close()
    again = Memory(tmp_path / "memory.sqlite")
    assert again.claim(b"a", NOW + 10, NOW) is Claim.FORGOTTEN
    assert again.claim(b"b", NOW + 20, NOW) is Claim.SEEN


def test_scans_wait_until_they_are_settled_and_are_kept_once(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory.sqlite", scans_max=3)
    first, second, third = (scan(NOW + at) for at in range(3))
    for each in (first, second, first, third):
        memory.owe(each) if memory.count_owed() < 3 else None
    assert memory.owed(10) == [first, second, third]
    assert memory.owed(2) == [first, second]
    with pytest.raises(CannotRemember, match="too many"):
        memory.owe(scan())
    memory.settle([second, first, scan()])
    memory.close()
    again = Memory(tmp_path / "memory.sqlite")
    assert again.owed(10) == [third]
    assert again.count_owed() == 1


def test_a_device_whose_memory_fails_says_that_it_cannot_tell(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory.sqlite")
    on = device(replay=memory)
    memory.close()
    verdict = on.verify(live(claims()), NOW)
    assert (verdict.outcome, verdict.certificates) == (Outcome.CANNOT_TELL, ())
    (tmp_path / "broken.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(CannotRemember):
        Memory(tmp_path / "broken.sqlite")


def test_a_file_of_another_version_is_left_alone(tmp_path: Path) -> None:
    Memory(tmp_path / "memory.sqlite").close()
    with sqlite3.connect(tmp_path / "memory.sqlite") as db:
        db.execute("PRAGMA user_version = 2")
    db.close()
    with pytest.raises(CannotRemember, match="version"):
        Memory(tmp_path / "memory.sqlite")
