"""What signing keys are for, and the hours of each purpose: announced, signing, trusted while what was signed lives."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from suishenban_verify.signatures import EDDSA, ES256, PublicKey

FOR_EVER = datetime(9999, 12, 31, tzinfo=UTC)
"""Stands for no end: of keys whose signatures must verify as long as anybody keeps them."""
OVERLAP = timedelta(hours=1)
"""A successor takes over so long before its predecessor's end, so that no late clock finds nobody signing."""
NOTICED_WITHIN = timedelta(days=3)
"""A successor is made so much earlier than it must be: time enough for operators to notice that it was not."""
TRUST_LIST_LIVES_MAX = timedelta(days=30)
"""How long a trust list is good for a venue without a network."""


class Purpose(msgspec.Struct, frozen=True, kw_only=True):
    """What a key may sign, by which algorithm, and its hours; a key signs for one purpose only.

    `announced_for`: how long it is published before it signs, longer than anybody may hold an older publication.
    `signs_for`: how long it signs. `lives`: the longest life of anything it signs, None: for ever. `trusted_after`: how
    long it is trusted after its last signature, None: for ever. `has_spare`: whether the next key is announced from
    the day this one begins, so that one can take over at once from a key that leaked without anybody meeting a key
    they never heard of.
    """

    name: str
    algorithm: str
    announced_for: timedelta
    signs_for: timedelta
    lives: timedelta | None
    trusted_after: timedelta | None
    has_spare: bool

    @property
    def renewed_before(self) -> timedelta:
        """How long before its end a key's successor is made."""
        return self.signs_for if self.has_spare else self.announced_for + OVERLAP + NOTICED_WITHIN

    def hours_from(self, signs_from: datetime) -> tuple[datetime, datetime]:
        """Until when a key that begins then signs, and until when it is trusted."""
        signs_until = signs_from + self.signs_for
        return signs_until, FOR_EVER if self.trusted_after is None else signs_until + self.trusted_after


class ListedKey(msgspec.Struct, frozen=True):
    """A public key as the trust list names it: it verifies what was signed from `valid_from` on, before `valid_until`.

    In Unix seconds. A key is valid from when it was announced and not from when it is meant to begin: a spare may have
    to begin earlier, and whoever has an old list must not turn it away then. One with `revoked_at` verifies nothing.
    """

    public: PublicKey
    purpose: str
    valid_from: int
    valid_until: int
    revoked_at: int | None


def _published_in_key_set(name: str, lives: timedelta) -> Purpose:
    """Keys of short-lived tokens: whoever checks them fetches the JWK set anew within the hour."""
    return Purpose(
        name=name,
        algorithm=ES256,
        announced_for=timedelta(hours=1),
        signs_for=timedelta(days=30),
        lives=lives,
        trusted_after=timedelta(days=1),
        has_spare=False,
    )


def _published_in_trust_list(
    name: str,
    *,
    signs_for: timedelta,
    lives: timedelta | None,
    trusted_after: timedelta | None,
    algorithm: str = ES256,
) -> Purpose:
    """Keys that venues know from the trust list, which may be as old as one can be."""
    return Purpose(
        name=name,
        algorithm=algorithm,
        announced_for=TRUST_LIST_LIVES_MAX,
        signs_for=signs_for,
        lives=lives,
        trusted_after=trusted_after,
        has_spare=True,
    )


_DAY = timedelta(days=1)

ACCESS = _published_in_key_set("access", timedelta(minutes=15))
"""Access tokens of the entrance."""
DEPARTMENT = _published_in_key_set("department", timedelta(minutes=1))
"""Tokens that departments' own servers are called with."""
OFFLINE = _published_in_trust_list("offline", signs_for=90 * _DAY, lives=3 * _DAY, trusted_after=4 * _DAY)
"""Offline codes, of which the longest-lived are issued 72 hours ahead."""
STATUS = _published_in_trust_list("status", signs_for=90 * _DAY, lives=_DAY, trusted_after=2 * _DAY)
"""Status lists."""
VC = _published_in_trust_list("vc", signs_for=90 * _DAY, lives=90 * _DAY, trusted_after=92 * _DAY)
"""Certificates exported as SD-JWT VCs."""
TRUST = _published_in_trust_list(
    "trust", signs_for=365 * _DAY, lives=TRUST_LIST_LIVES_MAX, trusted_after=TRUST_LIST_LIVES_MAX + 5 * _DAY
)
"""The trust list itself. Venues pin this key, and each list names the next one."""
LEDGER = _published_in_trust_list("ledger", signs_for=365 * _DAY, lives=None, trusted_after=None, algorithm=EDDSA)
"""Checkpoints of the use ledger, which anybody may keep and prove for ever (C2SP signed notes are Ed25519)."""

PURPOSES: Mapping[str, Purpose] = {
    purpose.name: purpose for purpose in (ACCESS, DEPARTMENT, OFFLINE, STATUS, VC, TRUST, LEDGER)
}

for _purpose in PURPOSES.values():
    assert _purpose.signs_for > OVERLAP
    assert _purpose.announced_for + OVERLAP + NOTICED_WITHIN <= _purpose.renewed_before <= _purpose.signs_for
    assert (_purpose.lives is None) == (_purpose.trusted_after is None)
    if _purpose.lives is not None and _purpose.trusted_after is not None:
        assert _purpose.lives < _purpose.trusted_after, "a key is trusted longer than anything it signed lives"
