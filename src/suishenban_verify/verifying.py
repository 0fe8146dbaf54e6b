"""Whether an offline code is good: everything a venue's device can find out without a network, and a yes only then.

The order is: the form, then the signature, and only then what the code says; who shows it; the clock; the scenario;
the dates; the status; and last, because it marks the code as used, whether it was accepted before.
"""

from collections.abc import Collection, Mapping
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from suishenban_verify import offline_code, trust_list
from suishenban_verify.claim_set import Claims, Value
from suishenban_verify.making import new
from suishenban_verify.offline_code import PROOF_FRESH_SECONDS, HolderProof, NotACode, Opened, Presented
from suishenban_verify.replay import CannotRemember, Claim, Replay
from suishenban_verify.status_list import INVALID, SUSPENDED, VALID, OutOfRange, Published
from suishenban_verify.trust_list import TrustedIssuer, TrustEntry, TrustList

CLOCK_SKEW_MAX_SECONDS = 60
"""How far ahead of ours a time in a code or in a holder's proof may be; beyond that, one of the clocks is wrong."""
_SHANGHAI_SECONDS = 8 * 3600
"""Certificates hold by the days of Asia/Shanghai, which has kept UTC+8 all year round since 1992."""
_DAY_SECONDS = 86_400
_EPOCH_DAY = date(1970, 1, 1).toordinal()


class Outcome(StrEnum):
    """What a venue is told. Only `valid` is a yes."""

    VALID = "valid"
    EXPIRED = "expired"
    ALREADY_USED = "already_used"
    NOT_OURS = "not_ours"
    WRONG_SCENARIO = "wrong_scenario"
    REVOKED = "revoked"
    SUSPENDED = "suspended"
    NOT_YET_VALID = "not_yet_valid"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CANNOT_TELL = "cannot_tell"
    HOLDER_PROOF_MISSING = "holder_proof_missing"
    HOLDER_PROOF_REFUSED = "holder_proof_refused"
    CLOCK_WRONG = "clock_wrong"


_YES, _FIRST = Outcome.VALID, Claim.FIRST
"""Reading a member of an enumeration takes a quarter of a microsecond, reading a global none to speak of."""


class Accepted(NamedTuple):
    """One certificate of a yes. `kind_code` is our city's."""

    kind_code: str
    issuer_code: str
    fields: Mapping[str, Value]


class Verdict(NamedTuple):
    """The answer to a scan; `reason` is for the log of a device. Certificates come with a yes alone.

    `as_of` is when the oldest status list that was asked was made; None if no certificate has a status.
    `clock_skew_seconds` is how far the code, or the proof of who showed it, was ahead of our clock.
    """

    outcome: Outcome
    reason: str = ""
    scenario_code: str | None = None
    certificates: tuple[Accepted, ...] = ()
    as_of: int | None = None
    clock_skew_seconds: int = 0

    @property
    def is_valid(self) -> bool:
        return self.outcome is Outcome.VALID


class _Doubt(Exception):
    """What keeps the answer from being a yes."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason


class Verifier:
    """Judges codes by what a device holds: immutable but for the replay cache, so make a new one after an update."""

    def __init__(
        self,
        trust: TrustList | None,
        lists: Mapping[str, Published],
        replay: Replay,
        *,
        scenarios: Mapping[str, Mapping[str, Collection[str]]],
    ) -> None:
        """`scenarios` are those granted to the device: scenario code → kind code → names of fields it may see."""
        self._trust = trust
        self._lists = lists
        self._replay = replay
        self._scenarios = {
            scenario: {kind: frozenset(fields) for kind, fields in grants.items()}
            for scenario, grants in scenarios.items()
        }
        self._entries: dict[bytes, list[tuple[TrustedIssuer, TrustEntry]]] = {}
        for trusted in trust.issuers.values() if trust is not None else ():
            for entry in trusted.entries:
                if trust_list.OFFLINE in entry.purposes and entry.revoked_at is None:
                    self._entries.setdefault(entry.key.short_id, []).append((trusted, entry))

    def verify(self, text: str, now: int) -> Verdict:
        """Judge the code in `text` at `now` (Unix seconds), and mark it as used if it is good."""
        try:
            return self._judged(offline_code.read(text), now)
        except NotACode as problem:
            return Verdict(Outcome.NOT_OURS, str(problem))
        except _Doubt as doubt:
            return Verdict(doubt.outcome, doubt.reason)
        except CannotRemember as problem:
            return Verdict(Outcome.CANNOT_TELL, str(problem))

    def _judged(self, presented: Presented, now: int) -> Verdict:
        trusted, code = self._opened(presented, now)
        claims = code.claims
        skew = _checked_times(code, now)
        accepted = self._within_scenario(trusted, claims)
        as_of = self._standing(claims, now)
        used = self._replay.claim(claims.cti, claims.expires_at, now)
        if used is not _FIRST:
            raise _Doubt(*_OF_CLAIM[used])
        return new(Verdict, (_YES, "", claims.scenario_code, accepted, as_of, skew))

    def _opened(self, presented: Presented, now: int) -> tuple[TrustedIssuer, Opened]:
        """The code, signed by a key that its issuer may sign offline codes with; several keys may share a short id."""
        trust = self._trust
        if trust is None or trust.expires_at <= now:
            raise _Doubt(Outcome.CANNOT_TELL, "no trust list that still holds")
        if trust.issued_at > now + CLOCK_SKEW_MAX_SECONDS:
            raise _Doubt(Outcome.CLOCK_WRONG, "the trust list is from a time ahead of this clock")
        for trusted, entry in self._entries.get(presented.message.short_id, ()):
            code = offline_code.opened_by(presented, entry.key)
            if code is not None:
                issuer, issued_at = code.claims[:2]
                if issuer == trusted.issuer and entry.valid_from <= issued_at < entry.valid_until:
                    return trusted, code
        raise _Doubt(Outcome.NOT_OURS, "no key of a trusted issuer signed it for its time")

    def _within_scenario(self, trusted: TrustedIssuer, claims: Claims) -> tuple[Accepted, ...]:
        """What it shows, if this device is granted all of it."""
        grants = self._scenarios.get(claims.scenario_code)
        if grants is None:
            raise _Doubt(Outcome.WRONG_SCENARIO, "this device is not granted the scenario")
        accepted = []
        for shown in claims.certificates:
            kind_code = trusted.our_kind(shown.kind_code)
            if kind_code is None:
                raise _Doubt(Outcome.NOT_OURS, "we recognise nothing of this kind from its issuer")
            granted = grants.get(kind_code)
            if granted is None or not granted.issuperset(shown.fields):
                raise _Doubt(Outcome.WRONG_SCENARIO, "it shows more than the scenario grants")
            accepted.append(new(Accepted, (kind_code, shown.issuer_code, shown.fields)))
        return tuple(accepted)

    def _standing(self, claims: Claims, now: int) -> int | None:
        """When the oldest list asked was made, if all certificates hold; what is known to be bad comes before doubt."""
        today = _day_in_shanghai((now + _SHANGHAI_SECONDS) // _DAY_SECONDS)
        as_of: int | None = None
        doubt: tuple[Outcome, str] | None = None
        for shown in claims.certificates:
            if today < shown.valid_from:
                raise _Doubt(Outcome.NOT_YET_VALID, "a certificate is not valid yet")
            if shown.valid_until is not None and shown.valid_until < today:
                raise _Doubt(Outcome.CERTIFICATE_EXPIRED, "a certificate has expired")
            if shown.status is None:
                continue
            uri, idx = shown.status
            published = self._lists.get(uri)
            if not uri.startswith(f"{claims.issuer}/"):
                raise _Doubt(Outcome.NOT_OURS, "its status is to be found at another issuer's")
            problem = _problem_of(published, idx, now)
            if problem is None:
                assert published is not None
                as_of = published.issued_at if as_of is None else min(as_of, published.issued_at)
            elif problem[0] is not Outcome.CANNOT_TELL:
                raise _Doubt(*problem)
            else:
                doubt = problem
        if doubt is not None:
            raise _Doubt(*doubt)
        return as_of


@lru_cache(2)
def _day_in_shanghai(days: int) -> date:
    return date.fromordinal(_EPOCH_DAY + days)


def _checked_times(code: Opened, now: int) -> int:
    """How far the code is ahead of our clock, if it is good by the clock and shown by the one it was issued to."""
    claims, proof = code.claims, code.presented.proof
    latest = claims.issued_at
    if claims.holder is not None or proof is not None:
        latest = max(latest, _checked_holder(code))
    if latest > now + CLOCK_SKEW_MAX_SECONDS:
        raise _Doubt(Outcome.CLOCK_WRONG, f"the code is {latest - now} s ahead of this clock")
    if claims.expires_at <= now:
        raise _Doubt(Outcome.EXPIRED, "its time is over")
    if proof is not None and proof.shown_at + PROOF_FRESH_SECONDS <= now:
        raise _Doubt(Outcome.EXPIRED, "the phone signed it too long ago; it is to be shown anew")
    return latest - now if latest > now else 0


def _checked_holder(code: Opened) -> int:
    """When the phone that a code was issued to says it showed it."""
    held = offline_code.holder_proof(code)
    if held is HolderProof.MISSING:
        raise _Doubt(Outcome.HOLDER_PROOF_MISSING, "the code was issued to a phone, which did not sign this showing")
    proof = code.presented.proof
    if held is HolderProof.REFUSED or proof is None:
        raise _Doubt(Outcome.HOLDER_PROOF_REFUSED, "this showing is not signed by the phone it was issued to")
    return proof.shown_at


def _problem_of(published: Published | None, idx: int, now: int) -> tuple[Outcome, str] | None:
    """What a status list says against a certificate, or why it says nothing."""
    if published is None:
        return Outcome.CANNOT_TELL, "its status list is not on this device"
    if published.expires_at <= now:
        return Outcome.CANNOT_TELL, "its status list is too old to tell"
    if published.issued_at > now + CLOCK_SKEW_MAX_SECONDS:
        return Outcome.CLOCK_WRONG, "its status list is from a time ahead of this clock"
    try:
        status = published.list.get(idx)
    except OutOfRange:
        return Outcome.CANNOT_TELL, "its status list does not reach its index"
    return None if status == VALID else _OF_STATUS.get(status, (Outcome.CANNOT_TELL, "its status is none we know"))


_OF_STATUS = {
    INVALID: (Outcome.REVOKED, "a certificate is revoked"),
    SUSPENDED: (Outcome.SUSPENDED, "a certificate is suspended"),
}
_OF_CLAIM = {
    Claim.SEEN: (Outcome.ALREADY_USED, "it was accepted here before"),
    Claim.FORGOTTEN: (Outcome.CLOCK_WRONG, "this clock was later before"),
    Claim.FULL: (Outcome.CANNOT_TELL, "this device has no room left to remember codes"),
}
