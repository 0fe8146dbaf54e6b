"""The judge: the peers' logs against our ledger, message by message, with no word of the pipeline's own. Pure.

What a peer logged happened. What the ledger says must follow from it, and whatever happened must be in the ledger.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from city.proving.cases import OPEN, REFUSED_BY_PEER, Case, Sending, gather
from city.proving.model import Delivery, Ledger, Logs, Verdict, Violation
from city.proving.telling_apart import cases_of
from notifications.channels.provider import user_reference
from notifications.channels.smpp.session import ConnectionLost
from notifications.ending.reasons import Reason
from notifications.model import ALERTED, DeliveryStage, MessageStage, Outcome

RULES: Final = {
    "a": "what receipts said of a text is how it ended",
    "b": "every message ended, unknown only where it is, and what ended badly is shown to operators",
    "c": "none is lost: it is in a log, or it ended without leaving, and says why",
    "d": "ordinary lanes: never twice",
    "e": "critical lanes: twice only after an attempt of unknown outcome, or one that certainly did not arrive",
    "f": "every attempt is explained by a log, and every line of a log by an attempt",
}
LOST: Final = ConnectionLost.__name__
GONE: Final = frozenset({Reason.SENDER_GONE.value, LOST})
"""Why an attempt is unknown where a worker was killed, or a connection cut: then a connection ended."""
BEFORE_MS: Final = 2_000
WITHIN_MS: Final = 90_000
"""How long before and after the intent of an attempt: its sending, and the patience to record it, are over by then."""

Rule = Callable[[Case], Iterator[str]]


def judge(expected: int, ledger: Ledger, logs: Logs) -> Verdict:
    """What of the promises was not kept, of messages 0 to `expected`."""
    cases, strangers, strange_letters = gather(ledger, logs)
    found = [Violation("c", None, f"message {nth} is not owed at all") for nth in range(expected) if nth not in cases]
    found += [Violation("f", None, f"{one.provider} took a text that is of no message") for one in strangers]
    found += [Violation("f", None, "the relay took a letter that is of no message") for _ in strange_letters]
    for case in cases.values():
        for rule, look in _LOOKS:
            found += [Violation(rule, case.message_id, words) for words in look(case)]
        found += [Violation("f", case.message_id, words) for words in _unfounded(case, logs)]
        if (count := ledger.items.get(case.message_id, 0)) != _items_due(case):
            found.append(Violation("d", case.message_id, f"it lies {count} times in the inbox"))
    found += _unshown(ledger)
    ends: dict[str, Counter[str]] = {}
    for case in cases.values():
        if case.outside is not None:
            line = f"{case.owed.lane.name.lower()}, {case.outside.channel}"
            ends.setdefault(line, Counter())[_end_of(case.outside)] += 1
    told = cases_of(cases.values())
    return Verdict(
        expected,
        {line: dict(counts) for line, counts in sorted(ends.items())},
        {what: count for what, (count, _) in told.items()},
        {what: example for what, (_, example) in told.items()},
        sorted(found, key=lambda one: (one.rule, one.words)),
    )


def _end_of(outside: Delivery) -> str:
    is_plain = outside.stage is DeliveryStage.DELIVERED or outside.reason is None
    return outside.stage.value if is_plain else f"{outside.stage.value} ({outside.reason})"


def _truth(case: Case) -> Iterator[str]:
    outside = case.outside
    if outside is None:
        return
    is_delivered = outside.stage is DeliveryStage.DELIVERED
    if outside.channel == "email":
        if is_delivered and not case.letters:
            yield "delivered, and the relay never had it"
    elif case.has_arrived and not is_delivered:
        yield f"a receipt says that it arrived, and it is {outside.stage}"
    elif is_delivered and not case.has_arrived:
        yield "delivered, and no receipt says so of every part"


def _ended(case: Case) -> Iterator[str]:
    outside = case.outside
    if outside is None:
        if case.owed.stage is not MessageStage.UNSENDABLE:
            yield f"no delivery was made of it, and it is {case.owed.stage}"
        return
    stage, is_open = outside.stage, outside.stage in OPEN
    if is_open:
        yield f"it did not end: {stage}"
    elif stage is DeliveryStage.UNKNOWN and not case.is_unsure:
        yield "it is unknown, and the logs leave no doubt"
    elif stage not in (DeliveryStage.UNKNOWN, DeliveryStage.DELIVERED) and any(one.is_unsure for one in case.taken):
        yield f"it ended as {stage}, and perhaps somebody has it"
    for one in case.deliveries:
        if one.channel == "inbox" and one.stage is not DeliveryStage.DELIVERED:
            yield f"in the inbox it is {one.stage}"


def _kept(case: Case) -> Iterator[str]:
    outside = case.outside
    if case.has_left or outside is None:
        return
    if outside.stage is DeliveryStage.UNDELIVERABLE and outside.reason is None:
        yield "it is in no log, and nothing says why"
    if outside.stage in (DeliveryStage.ACCEPTED, DeliveryStage.DELIVERED):
        yield f"it is {outside.stage}, and no peer has it"


def _once(case: Case) -> Iterator[str]:
    if case.is_critical:
        return
    counts = Counter(one.part for sending in case.taken for one in sending.taken)
    if any(count > 1 for count in counts.values()):
        yield f"{max(counts.values())} times in the SMSCs' logs"
    if len(case.letters) > 1:
        yield f"{len(case.letters)} times in the relay's log"


def _twice(case: Case) -> Iterator[str]:
    if not case.is_critical:
        return
    for earlier, later in zip(case.taken, case.taken[1:], strict=False):
        was_unknown = any(one.was_unknown for one in case.attempts_by(earlier.provider))
        if not was_unknown and not earlier.has_missed:
            yield f"{later.provider} has it too, and nothing was unknown with {earlier.provider}"
    for sending in case.taken:
        if max(Counter(one.part for one in sending.taken).values()) > 1:
            yield f"{sending.provider} has it twice"
    if len(case.letters) > 1:
        yield f"{len(case.letters)} times in the relay's log"


def _explained(case: Case) -> Iterator[str]:
    """Attempts and logs: as many of each as there should be."""
    for one in case.submissions:
        if one.reference != user_reference(str(case.message_id), one.part):
            yield "a text went to its number under another's reference"
    if any(one.outcome is None for one in case.attempts):
        yield "an attempt has no outcome"
    by_provider = {one.provider: one for one in case.sendings}
    for provider in {one.provider for one in case.attempts if one.channel == "sms"} | by_provider.keys():
        yield from _counted(case, by_provider.get(provider, Sending(provider)))
    if case.outside is not None and case.outside.channel == "email":
        yield from _of_letters(case)
    refs = {(one.provider, one.provider_ref, one.part) for one in case.submissions}
    for row in case.carried:
        if (row.provider, row.provider_ref, row.part) not in refs:
            yield f"{row.provider} never called it {row.provider_ref}"


def _counted(case: Case, sending: Sending) -> Iterator[str]:
    attempts = case.attempts_by(sending.provider)
    outcomes = Counter(one.outcome for one in attempts)
    accepted, unknown = outcomes[Outcome.ACCEPTED], outcomes[Outcome.UNKNOWN]
    reasons = [one.reason or "" for one in attempts if one.outcome is Outcome.REJECTED]
    refused = sum(reason.startswith(REFUSED_BY_PEER) for reason in reasons)
    took = sum(one.part == 0 for one in sending.taken)
    declined = sum(one.part == 0 for one in sending.refused)
    are_explained = accepted <= took <= accepted + unknown and refused <= declined <= refused + unknown
    if not are_explained or took + declined > accepted + refused + unknown:
        yield (
            f"{sending.provider} took {took} and refused {declined}; the ledger says {accepted} accepted, "
            f"{refused} refused, {unknown} unknown"
        )


def _of_letters(case: Case) -> Iterator[str]:
    outcomes = Counter(one.outcome for one in case.attempts)
    accepted, unknown = outcomes[Outcome.ACCEPTED], outcomes[Outcome.UNKNOWN]
    if not accepted <= len(case.letters) <= accepted + unknown:
        yield f"the relay took {len(case.letters)}; the ledger says {accepted} accepted, {unknown} unknown"


def _unfounded(case: Case, logs: Logs) -> Iterator[str]:
    """Attempts that are unknown because a connection ended, where none did."""
    for one in case.attempts:
        began = int(one.intended_at.timestamp() * 1000)
        if one.reason not in GONE or not one.was_unknown or began > logs.until_ms:
            continue
        providers = [one.provider] if one.reason == LOST else list(logs.ends)
        if not any(_has_between(logs.ends.get(name, []), began) for name in providers):
            yield f"its attempt is unknown ({one.reason}), and no connection ended then"


def _has_between(ends: list[int], began: int) -> bool:
    place = bisect_left(ends, began - BEFORE_MS)
    return place < len(ends) and ends[place] <= began + WITHIN_MS


def _items_due(case: Case) -> int:
    """How often it has to lie in an inbox."""
    return sum(one.channel == "inbox" for one in case.deliveries)


def _unshown(ledger: Ledger) -> list[Violation]:
    """Whether operators see what ended badly."""
    bad = sum(one.stage in ALERTED for one in ledger.deliveries)
    bad += sum(one.stage is MessageStage.UNSENDABLE for one in ledger.owed)
    if bad == ledger.alerted:
        return []
    return [Violation("b", None, f"{bad} ended badly, and operators are shown {ledger.alerted}")]


_LOOKS: Final[tuple[tuple[str, Rule], ...]] = (
    ("a", _truth),
    ("b", _ended),
    ("c", _kept),
    ("d", _once),
    ("e", _twice),
    ("f", _explained),
)
