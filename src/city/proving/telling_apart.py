"""Which of the hard cases each message went through, so that a proof that met none of them shows it. Pure."""

from collections.abc import Callable, Iterable
from typing import Final

from city.proving.cases import Case
from notifications.ending.reasons import Reason
from notifications.model import DeliveryStage, Outcome


def _stage(case: Case) -> DeliveryStage | None:
    return None if case.outside is None else case.outside.stage


def _was_unknown(case: Case) -> bool:
    return any(one.was_unknown for one in case.attempts)


def _is_sender_gone(case: Case) -> bool:
    return any(one.was_unknown and one.reason == Reason.SENDER_GONE for one in case.attempts)


CASES: Final[dict[str, Callable[[Case], bool]]] = {
    "delivered, as receipts say of every part": lambda one: _stage(one) is DeliveryStage.DELIVERED and one.has_arrived,
    "delivered by the mail relay": lambda one: _stage(one) is DeliveryStage.DELIVERED and bool(one.letters),
    "of several parts": lambda one: any(sent.parts > 1 for sent in one.submissions),
    "refused by an SMSC at least once": lambda one: any(sending.refused for sending in one.sendings),
    "tried more than once": lambda one: len(one.attempts) > 1,
    "the worker that sent it was killed": _is_sender_gone,
    "outcome unknown at first, then told by a receipt": lambda one: (
        _was_unknown(one) and _stage(one) is DeliveryStage.DELIVERED and one.has_arrived
    ),
    "an attempt that no peer ever saw": lambda one: (
        _was_unknown(one) and not one.has_left and not any(sending.refused for sending in one.sendings)
    ),
    "with two SMSCs, after an unknown attempt": lambda one: len(one.taken) > 1 and _was_unknown(one),
    "with two SMSCs, since it did not arrive by the first": lambda one: len(one.taken) > 1 and not _was_unknown(one),
    "receipts said that it did not arrive": lambda one: (
        _stage(one) is DeliveryStage.UNDELIVERABLE and any(sending.has_missed for sending in one.taken)
    ),
    "alerted: accepted, and no receipt ever came": lambda one: (
        _stage(one) is DeliveryStage.UNKNOWN
        and one.outside is not None
        and one.outside.reason == Reason.NO_RECEIPT
        and not _was_unknown(one)
    ),
    "alerted: unknown, and no receipt told": lambda one: (
        _stage(one) is DeliveryStage.UNKNOWN and any(tried.outcome is Outcome.UNKNOWN for tried in one.attempts)
    ),
    "alerted: undeliverable": lambda one: _stage(one) is DeliveryStage.UNDELIVERABLE,
    "expired before it could leave": lambda one: _stage(one) is DeliveryStage.EXPIRED,
}
"""What may become of a message; several may be true of one."""


def cases_of(cases: Iterable[Case]) -> dict[str, tuple[int, str]]:
    """How many went through each, and one of them by its id."""
    found: dict[str, tuple[int, str]] = {}
    for case in cases:
        for what, is_so in CASES.items():
            if is_so(case):
                count, example = found.get(what, (0, str(case.message_id)))
                found[what] = (count + 1, example)
    return {what: found[what] for what in CASES if what in found}
