"""Everything that is known of one message, gathered from the logs and the ledger. Pure."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final
from uuid import UUID

import msgspec

from city.proving.model import Attempt, Carried, Delivery, Ledger, Letter, Logs, Owed, Submission
from notifications.model import DeliveryStage, Lane, Outcome

ARRIVED: Final = "DELIVRD"
REFUSED_BY_PEER: Final = "ESME_"
"""How the reason of an attempt begins that an SMSC refused."""
CRITICAL: Final = frozenset({Lane.OTP, Lane.CHANGE})
"""The judge's own list, so that a lane that comes to repeat itself is found."""
OPEN: Final = frozenset({DeliveryStage.WAITING, DeliveryStage.SENDING, DeliveryStage.ACCEPTED})


class Sending(msgspec.Struct):
    """What one provider has of one text, all its parts together."""

    provider: str
    taken: list[Submission] = []
    """Submissions that were not refused: the provider has them, whatever we know."""
    refused: list[Submission] = []

    @property
    def first_ms(self) -> int:
        return min(one.at_ms for one in self.taken)

    @property
    def has_arrived(self) -> bool:
        """Whether receipts said so of every part."""
        there = {one.part for one in self.taken if ARRIVED in one.said}
        return bool(self.taken) and len(there) == self.taken[0].parts

    @property
    def has_missed(self) -> bool:
        """Whether a receipt said of any part that it did not arrive."""
        return any(one.said - {ARRIVED} for one in self.taken)

    @property
    def is_unsure(self) -> bool:
        return bool(self.taken) and not self.has_arrived and not self.has_missed

    @property
    def accepted(self) -> list[Submission]:
        return [one for one in self.taken if one.provider_ref is not None]


class Case:
    """One message."""

    def __init__(self, owed: Owed) -> None:
        self.owed = owed
        self.deliveries: list[Delivery] = []
        self.attempts: list[Attempt] = []
        self.carried: list[Carried] = []
        self.submissions: list[Submission] = []
        self.letters: list[Letter] = []

    @property
    def message_id(self) -> UUID:
        return self.owed.message_id

    @property
    def is_critical(self) -> bool:
        return self.owed.lane in CRITICAL

    @cached_property
    def outside(self) -> Delivery | None:
        """Its delivery by a channel other than the inbox."""
        return next((one for one in self.deliveries if one.channel != "inbox"), None)

    @cached_property
    def sendings(self) -> list[Sending]:
        """What each provider has of it, in the order they got it; those that refused all of it last."""
        found: dict[str, Sending] = {}
        for one in self.submissions:
            sending = found.setdefault(one.provider, Sending(one.provider))
            (sending.refused if one.is_refused else sending.taken).append(one)
        return sorted(found.values(), key=lambda one: one.first_ms if one.taken else 1 << 62)

    @cached_property
    def taken(self) -> list[Sending]:
        """Those providers that have it, or some part of it."""
        return [one for one in self.sendings if one.taken]

    @property
    def has_left(self) -> bool:
        return bool(self.taken or self.letters)

    @property
    def has_arrived(self) -> bool:
        return any(one.has_arrived for one in self.taken)

    @property
    def is_unsure(self) -> bool:
        """Whether the outcome is truly unknown: somebody may have it, and no receipt tells."""
        if any(one.is_unsure for one in self.taken) or any(one.is_dropped for one in self.letters):
            return True
        return any(one.outcome is Outcome.UNKNOWN for one in self.attempts)

    def attempts_by(self, provider: str) -> list[Attempt]:
        return [one for one in self.attempts if one.provider == provider]


def gather(ledger: Ledger, logs: Logs) -> tuple[dict[int, Case], list[Submission], list[Letter]]:
    """The cases by number; and what the peers took that is none of our messages."""
    cases = {one.nth: Case(one) for one in ledger.owed}
    by_id = {case.message_id: case for case in cases.values()}
    for delivery in ledger.deliveries:
        by_id[delivery.message_id].deliveries.append(delivery)
    for attempt in ledger.attempts:
        by_id[attempt.message_id].attempts.append(attempt)
    for row in ledger.carried:
        by_id[row.message_id].carried.append(row)
    strange = list(_strange(cases, logs.submissions))
    letters = [one for one in logs.letters if one.nth is None or one.nth not in cases]
    for letter in logs.letters:
        if letter.nth in cases:
            cases[letter.nth].letters.append(letter)
    return cases, strange, letters


def _strange(cases: dict[int, Case], submissions: Sequence[Submission]) -> Iterator[Submission]:
    """Give each submission to its message; those that are of none."""
    for one in submissions:
        case = None if one.nth is None else cases.get(one.nth)
        if case is None:
            yield one
        else:
            case.submissions.append(one)
