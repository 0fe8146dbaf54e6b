"""The judge of `prove-delivery` sees what it is there to see: a fault planted in a log or in the ledger is found.

What it is given is what a sound run leaves behind, of every sort of message, with one thing changed.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from city.proving import peers_logs
from city.proving.judging import judge
from city.proving.model import (
    Attempt,
    Carried,
    Delivery,
    Ledger,
    Letter,
    Logs,
    Owed,
    Submission,
    Verdict,
    address_of,
    nth_of_address,
    nth_of_number,
    phone_of,
)
from notifications.channels.provider import user_reference
from notifications.model import DeliveryStage, Lane, MessageStage, Outcome

BEGAN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BEGAN_MS = int(BEGAN.timestamp() * 1000)
BULK, CODE, LONG, LOST_RECEIPT, CUT_OFF, MAILED, REFUSED = range(7)
EXPECTED = 7


def message_id(nth: int) -> UUID:
    return UUID(int=0x0190_0000_0000_7000_8000_0000_0000_0000 | nth << 6 | nth)


def submission(nth: int, provider: str = "first", **more: Any) -> Submission:
    part = more.get("part", 0)
    known = {
        "provider": provider, "at_ms": BEGAN_MS + 5, "nth": nth,
        "reference": user_reference(str(message_id(nth)), part), "provider_ref": f"{nth}-{part}",
        "said": frozenset({"DELIVRD"}),
    }  # fmt: skip
    return Submission(**{**known, **more})


def attempt(nth: int, provider: str = "first", **more: Any) -> Attempt:
    known = {
        "message_id": message_id(nth), "channel": "sms", "fence": 1, "provider": provider, "intended_at": BEGAN,
        "outcome": Outcome.ACCEPTED, "provider_ref": f"{nth}-0",
    }  # fmt: skip
    return Attempt(**{**known, **more})


def carried(nth: int, provider: str = "first", part: int = 0) -> Carried:
    return Carried(provider, f"{nth}-{part}", message_id(nth), part)


class Run:
    """What a sound run leaves behind; tests change one thing of it."""

    def __init__(self) -> None:
        lanes = {CODE: Lane.OTP, CUT_OFF: Lane.CHANGE, LONG: Lane.RESULT, MAILED: Lane.RESULT}
        self.owed = [
            Owed(nth, message_id(nth), lanes.get(nth, Lane.BULK), MessageStage.ROUTED) for nth in range(EXPECTED)
        ]
        ends = dict.fromkeys(range(EXPECTED), DeliveryStage.DELIVERED) | {LOST_RECEIPT: DeliveryStage.UNKNOWN}
        reasons = {LOST_RECEIPT: "no receipt"}
        self.deliveries = [
            Delivery(message_id(nth), "email" if nth == MAILED else "sms", stage, reasons.get(nth))
            for nth, stage in ends.items()
        ]
        self.attempts = [
            attempt(BULK), attempt(CODE), attempt(LONG), attempt(LOST_RECEIPT),
            attempt(CUT_OFF, outcome=Outcome.UNKNOWN, provider_ref=None, reason="ConnectionLost"),
            attempt(CUT_OFF, "second", fence=2),
            attempt(MAILED, "post", channel="email", provider_ref=None),
            attempt(REFUSED, outcome=Outcome.REJECTED, provider_ref=None, reason="ESME_RTHROTTLED"),
            attempt(REFUSED, "second", fence=2),
        ]  # fmt: skip
        self.carried = [carried(BULK), carried(CODE), carried(LONG), carried(LONG, part=1), carried(LOST_RECEIPT)]
        self.carried += [carried(CUT_OFF, "second"), carried(REFUSED, "second")]
        self.submissions = [
            submission(BULK), submission(CODE), submission(LONG, parts=2), submission(LONG, part=1, parts=2),
            submission(LOST_RECEIPT, said=frozenset()),
            submission(CUT_OFF, said=frozenset()), submission(CUT_OFF, "second", at_ms=BEGAN_MS + 90),
            submission(REFUSED, status=0x58, provider_ref=None, said=frozenset()), submission(REFUSED, "second"),
        ]  # fmt: skip
        self.letters = [Letter(MAILED, is_dropped=False)]
        self.ends = {"first": [BEGAN_MS + 10], "second": []}
        self.items: dict[UUID, int] = {}
        self.alerted = 1

    def judged(self) -> Verdict:
        ledger = Ledger(self.owed, self.deliveries, self.attempts, self.carried, self.items, self.alerted)
        return judge(EXPECTED, ledger, Logs(self.submissions, self.letters, self.ends, BEGAN_MS + 10_000))

    def rules_broken(self) -> set[str]:
        return {one.rule for one in self.judged().violations}

    def change(self, nth: int, **more: Any) -> None:
        """Another end of a message."""
        at = [one.message_id for one in self.deliveries].index(message_id(nth))
        self.deliveries[at] = replace(self.deliveries[at], **more)

    def attempt_of(self, nth: int, **more: Any) -> None:
        """Another first attempt at a message."""
        at = [one.message_id for one in self.attempts].index(message_id(nth))
        self.attempts[at] = replace(self.attempts[at], **more)


def test_a_sound_run_keeps_every_promise_and_its_cases_are_counted() -> None:
    verdict = Run().judged()
    assert verdict.violations == []
    assert verdict.ends["bulk, sms"] == {"delivered": 2, "unknown (no receipt)": 1}
    assert verdict.cases["with two SMSCs, after an unknown attempt"] == 1
    assert verdict.cases["alerted: accepted, and no receipt ever came"] == 1
    assert verdict.examples["delivered by the mail relay"] == str(message_id(MAILED))


def a_receipt_without_delivery(run: Run) -> None:
    run.change(BULK, stage=DeliveryStage.UNKNOWN, reason="no receipt")
    run.alerted += 1


def a_delivery_without_a_receipt(run: Run) -> None:
    run.submissions[0] = submission(BULK, said=frozenset())


def a_long_text_that_arrived_by_half(run: Run) -> None:
    run.submissions[3] = submission(LONG, part=1, parts=2, said=frozenset())


def a_delivered_mail_that_the_relay_never_had(run: Run) -> None:
    run.letters.clear()


def a_message_that_never_ended(run: Run) -> None:
    run.change(LOST_RECEIPT, stage=DeliveryStage.ACCEPTED)
    run.alerted -= 1


def an_unknown_end_of_what_was_only_refused(run: Run) -> None:
    run.submissions[-1] = replace(run.submissions[-1], status=0x58, provider_ref=None, said=frozenset())
    run.attempts[-1] = replace(run.attempts[-1], outcome=Outcome.REJECTED, reason="ESME_RTHROTTLED", provider_ref=None)
    run.carried.pop()
    run.change(REFUSED, stage=DeliveryStage.UNKNOWN, reason="nobody left to carry it")
    run.alerted += 1


def an_expired_message_that_somebody_may_have(run: Run) -> None:
    run.change(LOST_RECEIPT, stage=DeliveryStage.EXPIRED, reason=None)
    run.alerted -= 1


def an_end_that_operators_are_not_shown(run: Run) -> None:
    run.alerted -= 1


def a_lost_message(run: Run) -> None:
    run.owed = [one for one in run.owed if one.nth != BULK]
    run.deliveries = [one for one in run.deliveries if one.message_id != message_id(BULK)]
    run.attempts = [one for one in run.attempts if one.message_id != message_id(BULK)]
    run.carried = [one for one in run.carried if one.message_id != message_id(BULK)]
    run.submissions = [one for one in run.submissions if one.nth != BULK]


def a_message_that_ended_without_a_word(run: Run) -> None:
    run.submissions = [one for one in run.submissions if one.nth != LOST_RECEIPT]
    run.attempts = [one for one in run.attempts if one.message_id != message_id(LOST_RECEIPT)]
    run.carried = [one for one in run.carried if one.message_id != message_id(LOST_RECEIPT)]
    run.change(LOST_RECEIPT, stage=DeliveryStage.UNDELIVERABLE, reason=None)


def a_doubled_ordinary_message(run: Run) -> None:
    run.submissions.append(submission(LOST_RECEIPT, "second", said=frozenset()))
    run.attempts.append(attempt(LOST_RECEIPT, "second", fence=2, outcome=Outcome.UNKNOWN, provider_ref=None))


def a_doubled_mail(run: Run) -> None:
    run.letters.append(Letter(MAILED, is_dropped=False))
    run.attempts.append(attempt(MAILED, "post", channel="email", fence=2, outcome=Outcome.UNKNOWN, provider_ref=None))


def an_item_that_is_twice_in_the_inbox(run: Run) -> None:
    run.deliveries.append(Delivery(message_id(LONG), "inbox", DeliveryStage.DELIVERED, None))
    run.items[message_id(LONG)] = 2


def a_doubled_code_of_which_nothing_was_unknown(run: Run) -> None:
    run.submissions.append(submission(CODE, "second", at_ms=BEGAN_MS + 90))
    run.attempts.append(attempt(CODE, "second", fence=2))
    run.carried.append(carried(CODE, "second"))


def a_code_that_one_smsc_has_twice(run: Run) -> None:
    run.submissions.append(submission(CODE, at_ms=BEGAN_MS + 90))
    run.attempts.append(attempt(CODE, fence=2, outcome=Outcome.UNKNOWN, provider_ref=None))


def an_attempt_that_nobody_logged(run: Run) -> None:
    run.attempts.append(attempt(BULK, "second", fence=2))


def a_text_that_no_attempt_explains(run: Run) -> None:
    run.attempts = [one for one in run.attempts if one.message_id != message_id(LOST_RECEIPT)]


def a_refusal_that_nobody_made(run: Run) -> None:
    run.attempts.append(
        attempt(BULK, "second", fence=2, outcome=Outcome.REJECTED, reason="ESME_RSYSERR", provider_ref=None)
    )


def a_text_to_a_stranger(run: Run) -> None:
    run.submissions.append(replace(submission(BULK), nth=None))


def a_text_under_anothers_reference(run: Run) -> None:
    run.submissions[0] = replace(run.submissions[0], reference=user_reference(str(message_id(CODE))))


def a_reference_that_no_smsc_gave(run: Run) -> None:
    run.carried[0] = replace(run.carried[0], provider_ref="777")


def an_attempt_without_outcome(run: Run) -> None:
    run.attempt_of(BULK, outcome=None)


def a_connection_lost_that_never_ended(run: Run) -> None:
    run.ends["first"] = []


PLANTED: tuple[tuple[str, Callable[[Run], None]], ...] = (
    ("a", a_receipt_without_delivery),
    ("a", a_delivery_without_a_receipt),
    ("a", a_long_text_that_arrived_by_half),
    ("a", a_delivered_mail_that_the_relay_never_had),
    ("b", a_message_that_never_ended),
    ("b", an_unknown_end_of_what_was_only_refused),
    ("b", an_expired_message_that_somebody_may_have),
    ("b", an_end_that_operators_are_not_shown),
    ("c", a_lost_message),
    ("c", a_message_that_ended_without_a_word),
    ("d", a_doubled_ordinary_message),
    ("d", a_doubled_mail),
    ("d", an_item_that_is_twice_in_the_inbox),
    ("e", a_doubled_code_of_which_nothing_was_unknown),
    ("e", a_code_that_one_smsc_has_twice),
    ("f", an_attempt_that_nobody_logged),
    ("f", a_text_that_no_attempt_explains),
    ("f", a_refusal_that_nobody_made),
    ("f", a_text_to_a_stranger),
    ("f", a_text_under_anothers_reference),
    ("f", a_reference_that_no_smsc_gave),
    ("f", an_attempt_without_outcome),
    ("f", a_connection_lost_that_never_ended),
)


@pytest.mark.parametrize(("rule", "plant"), PLANTED, ids=[plant.__name__ for _, plant in PLANTED])
def test_the_judge_finds_what_was_planted(rule: str, plant: Callable[[Run], None]) -> None:
    run = Run()
    plant(run)
    assert rule in run.rules_broken()


def test_what_a_receipt_refused_may_be_tried_by_another_on_a_critical_lane() -> None:
    run = Run()
    run.submissions[1] = submission(CODE, said=frozenset({"UNDELIV"}))
    run.submissions.append(submission(CODE, "second", at_ms=BEGAN_MS + 90))
    run.attempts.append(attempt(CODE, "second", fence=2))
    run.carried.append(carried(CODE, "second"))
    assert run.judged().violations == []


def test_numbers_and_addresses_name_their_message_and_no_other() -> None:
    assert [nth_of_number(phone_of(nth)[1:]) for nth in range(50)] == list(range(50))
    assert nth_of_number("8613800000001") is None
    assert [nth_of_address(address_of(nth, is_dropped=nth % 2 == 0)) for nth in range(50)] == list(range(50))


def test_a_log_is_read_as_it_was_written(tmp_path: Path) -> None:
    to = phone_of(3)[1:]
    lines: list[dict[str, Any]] = [
        {"at": 10, "event": "bind", "session": 1, "system_id": "city", "status": 0},
        {"at": 20, "event": "submit", "submit": 1, "session": 1, "to": to, "reference": 7, "part": None, "text": "x"},
        {"at": 21, "event": "accepted", "submit": 1, "session": 1, "id": "1000"},
        {"at": 22, "event": "receipt", "submit": 1, "id": "1000", "stat": "DELIVRD", "to": to, "session": 1},
        {"at": 30, "event": "submit", "submit": 2, "session": 1, "to": to, "reference": 8,
         "part": {"reference": 1, "parts": 3, "part": 2}, "text": "y"},
        {"at": 31, "event": "refused", "submit": 2, "session": 1, "status": 0x58},
        {"at": 40, "event": "closed", "session": 1},
    ]  # fmt: skip
    log, mail = tmp_path / "first.ndjson", tmp_path / "taken.jsonl"
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    mail.write_text(json.dumps({"to": [address_of(9, is_dropped=True)], "content": "…"}) + "\n")
    found = peers_logs.read({"first": log}, mail)
    assert found.submissions == [
        Submission(provider="first", at_ms=20, nth=3, reference=7, provider_ref="1000", said=frozenset({"DELIVRD"})),
        Submission(provider="first", at_ms=30, nth=3, reference=8, part=1, parts=3, status=0x58),
    ]
    assert (found.ends, found.until_ms, found.letters) == ({"first": [40]}, 40, [Letter(9, is_dropped=True)])
