"""Reads offline codes of ours on the city's side, where it is known whose they are.

A venue with a network sends what it scanned, whichever kind of code it is; one without uploads it later. Either way the
code is judged as of the moment of its scan.
"""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from kernel.keys import SigningKeys
from suishenban_verify import offline_code
from suishenban_verify.offline_code import PROOF_FRESH_SECONDS, HolderProof, NotACode, Opened
from suishenban_verify.trust_list import OFFLINE
from suishenban_verify.verifying import CLOCK_SKEW_MAX_SECONDS
from wallet.model import OpenedCode, Outcome, Route, ShownBeside
from wallet.offline.binding import Bindings, Bound
from wallet.venues.scans import Opened as ScannedCode

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Opener:
    """Opens offline codes that this city issued."""

    def __init__(self, signing_keys: SigningKeys, bindings: Bindings, *, origin: str) -> None:
        self._signing_keys = signing_keys
        self._bindings = bindings
        self._origin = origin

    def open(self, text: str, scanned_at: datetime) -> ScannedCode | Outcome:
        """What the code is bound to, if it was good when it was scanned; else why it was not.

        Nothing is said of the certificates themselves. `not_ours` also for codes of other cities.
        """
        try:
            presented = offline_code.read(text)
            code = self._signed(presented, scanned_at)
        except NotACode:
            return Outcome.NOT_OURS
        if code is None or code.claims.issuer != self._origin:
            return Outcome.NOT_OURS
        if offline_code.holder_proof(code) not in (HolderProof.NOT_NEEDED, HolderProof.HOLDS):
            return Outcome.NOT_OURS
        bound = self._bindings.open(code.claims.binding, code.claims.cti)
        if bound is None or len(bound.certificate_ids) != len(code.claims.certificates):
            return Outcome.NOT_OURS
        if not _begins(code) <= scanned_at < _ends(code):
            return Outcome.EXPIRED
        shown = _bound_code(code, bound)
        code_hash = sha256(b"EC1" + code.claims.cti).digest()
        return ScannedCode(shown, code_hash, _ends(code) - shown.shown_at, Route.OFFLINE)

    def _signed(self, presented: offline_code.Presented, scanned_at: datetime) -> Opened | None:
        """The code, by a key of ours that signed for its hour. Raises NotACode.

        A key that leaked is believed for scans made before that was known: whose code it is says the binding, which
        whoever stole the key cannot make.
        """
        for listed in self._signing_keys.trusted(OFFLINE, at=scanned_at):
            if listed.public.short_id != presented.message.short_id:
                continue
            if listed.revoked_at is not None and scanned_at >= _moment(listed.revoked_at):
                continue
            code = offline_code.opened(presented, (listed.public,))
            if code is not None and listed.valid_from <= code.claims.issued_at < listed.valid_until:
                return code
        return None


def _ends(code: Opened) -> datetime:
    """Until when a code that was shown is accepted: to its end, and if a phone signed it, not long after it did."""
    until = code.claims.expires_at
    if code.presented.proof is not None:
        until = min(until, code.presented.proof.shown_at + PROOF_FRESH_SECONDS)
    return _moment(until)


def _begins(code: Opened) -> datetime:
    """From when it is accepted; a venue's clock may be a little behind."""
    proof = code.presented.proof
    latest = code.claims.issued_at if proof is None else max(code.claims.issued_at, proof.shown_at)
    return _moment(latest - CLOCK_SKEW_MAX_SECONDS)


def _moment(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


def _bound_code(code: Opened, bound: Bound) -> OpenedCode:
    claims = code.claims
    first, *others = zip(bound.certificate_ids, claims.certificates, strict=True)
    return OpenedCode(
        certificate_id=first[0],
        person_id=bound.person_id,
        kind_code=first[1].kind_code,
        scenario_code=claims.scenario_code,
        fields=tuple(first[1].fields),
        shown_at=_moment(claims.issued_at),
        mandate_id=bound.mandate_id,
        agent_person_id=bound.agent_person_id,
        beside=tuple([ShownBeside(one, shown.kind_code, tuple(shown.fields)) for one, shown in others]),
    )
