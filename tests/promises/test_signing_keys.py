"""Signing keys are announced before use, trusted while what they signed lives, and distrusted at once when leaked."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.keys import ListedKey, NotOurSignature, SigningKeys, Stage
from kernel.purposes import ACCESS, PURPOSES, TRUST
from kernel.sealing import Keys
from kernel.signers import LOCAL_MAKERS
from suishenban_verify.signatures import EDDSA, ES256, P256_ORDER, LocalSigner, Signer

ISSUER = "http://city.example"
OF_TRUST_LIST = [purpose for purpose in PURPOSES.values() if purpose.has_spare]
HALF = timedelta(seconds=0.5)


@pytest.fixture
async def signing_keys(db: Database, keys: Keys, clock: StoppedClock) -> SigningKeys:
    signing_keys = SigningKeys(db, keys.sealer("kernel.signing_key"), clock)
    await signing_keys.ensure()
    return signing_keys


def a_token(signing_keys: SigningKeys, clock: StoppedClock, **claims: object) -> str:
    now = clock.now().timestamp()
    return signing_keys.sign(
        "access", {"iss": ISSUER, "sub": "s", "aud": "resident", "iat": int(now), "exp": int(now) + 900} | claims
    )


async def test_a_token_signed_now_is_ours_and_verifies_with_the_published_keys(
    signing_keys: SigningKeys, clock: StoppedClock
) -> None:
    token = a_token(signing_keys, clock)
    assert signing_keys.claims_of("access", token, audience="resident", issuer=ISSUER)["sub"] == "s"
    published = {key["kid"]: jwt.PyJWK(key) for key in signing_keys.jwks()["keys"]}
    assert "d" not in signing_keys.jwks()["keys"][0]
    kid = jwt.get_unverified_header(token)["kid"]
    decoded = jwt.decode(
        token,
        published[kid],
        algorithms=["ES256"],
        audience="resident",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert decoded["iss"] == ISSUER


@pytest.mark.parametrize("claims", [{"iss": "http://elsewhere.example"}, {"aud": "venue"}])
async def test_a_token_for_or_from_somebody_else_is_not_ours(
    signing_keys: SigningKeys, clock: StoppedClock, claims: dict[str, str]
) -> None:
    with pytest.raises(NotOurSignature):
        signing_keys.claims_of("access", a_token(signing_keys, clock, **claims), audience="resident", issuer=ISSUER)


async def test_a_department_token_is_no_access_token(signing_keys: SigningKeys, clock: StoppedClock) -> None:
    now = int(clock.now().timestamp())
    token = signing_keys.sign("department", {"iss": ISSUER, "sub": "s", "aud": "resident", "iat": now, "exp": now + 60})
    with pytest.raises(NotOurSignature):
        signing_keys.claims_of("access", token, audience="resident", issuer=ISSUER)


async def test_any_changed_character_makes_a_token_not_ours(signing_keys: SigningKeys, clock: StoppedClock) -> None:
    token = a_token(signing_keys, clock)
    for at, was in enumerate(token):
        changed = token[:at] + ("A" if was != "A" else "B") + token[at + 1 :]
        with pytest.raises((NotOurSignature, jwt.ExpiredSignatureError)):
            signing_keys.claims_of("access", changed, audience="resident", issuer=ISSUER)


async def test_a_new_key_is_published_before_it_signs_and_the_old_one_is_trusted_after(
    signing_keys: SigningKeys, clock: StoppedClock
) -> None:
    first = signing_keys.signer("access").key_id
    token = a_token(signing_keys, clock, exp=int((clock.now() + timedelta(hours=2)).timestamp()))
    second = await signing_keys.rotate("access", actor="operator:test")
    assert second in {key["kid"] for key in signing_keys.jwks("access")["keys"]}
    assert signing_keys.signer("access").key_id == first
    clock.advance(ACCESS.announced_for)
    assert signing_keys.signer("access").key_id == second
    assert signing_keys.claims_of("access", token, audience="resident", issuer=ISSUER)["sub"] == "s"


async def test_every_purpose_signs_by_its_own_algorithm_with_a_key_that_is_published(
    signing_keys: SigningKeys, clock: StoppedClock
) -> None:
    for purpose in PURPOSES.values():
        signer: Signer = signing_keys.signer(purpose.name)
        assert signer.public.algorithm == purpose.algorithm
        signature = signer.sign(b"message")
        [listed] = [key for key in signing_keys.trusted(purpose.name) if key.public.key_id == signer.public.key_id]
        assert listed.public.verify(signature, b"message")
        assert not listed.public.verify(signature, b"massage")
        assert listed.valid_from <= clock.now().timestamp() < listed.valid_until
        assert all(key.purpose == purpose.name for key in signing_keys.trusted(purpose.name))


async def test_keys_of_every_purpose_follow_one_another_without_a_gap_for_three_years(
    signing_keys: SigningKeys, clock: StoppedClock
) -> None:
    """Each is announced as long as promised before it signs, and trusted while the last thing it signed lives."""
    first = {name: signing_keys.signer(name).key_id for name in PURPOSES}
    announced: dict[str, datetime] = {}
    began: dict[str, datetime] = {}
    signed_last: dict[str, tuple[str, datetime]] = {}
    for _ in range(3 * 365):
        now = clock.now()
        for name, purpose in PURPOSES.items():
            listed = {key.public.key_id for key in signing_keys.trusted(name)}
            for key_id in listed:
                announced.setdefault(key_id, now)
            signer = signing_keys.signer(name).key_id
            began.setdefault(signer, now)
            signed_last[signer] = (name, now)
            living = {
                key_id
                for key_id, (of, last) in signed_last.items()
                if of == name and (purpose.lives is None or now <= last + purpose.lives)
            }
            assert living <= listed
        clock.advance(timedelta(days=1))
        await signing_keys.ensure()
    for key_id, (name, _) in signed_last.items():
        if key_id != first[name]:
            assert began[key_id] - announced[key_id] >= PURPOSES[name].announced_for
    assert len(signing_keys.snapshot.current) < 2 * 40 + 3 * 16 + 2 * 6


@pytest.mark.parametrize("name", PURPOSES)
async def test_a_key_goes_through_the_hours_of_its_purpose_to_the_second(
    signing_keys: SigningKeys, clock: StoppedClock, name: str
) -> None:
    purpose = PURPOSES[name]
    key_id = await signing_keys.rotate(name, actor="operator:test")
    announced_at = clock.now()

    def stage() -> Stage:
        return signing_keys.stage_of(next(key for key in signing_keys.snapshot.current if key.key_id == key_id))

    def is_listed() -> bool:
        return key_id in {key.public.key_id for key in signing_keys.trusted(name)}

    def wait_until(moment: datetime) -> None:
        clock.advance(moment - clock.now())

    assert (stage(), is_listed()) == (Stage.ANNOUNCED, True)
    wait_until(announced_at + purpose.announced_for - HALF)
    assert stage() is Stage.ANNOUNCED
    clock.advance(HALF)
    assert stage() is Stage.SIGNS
    await signing_keys.rotate(name, actor="operator:test")
    clock.advance(purpose.announced_for)
    assert stage() is Stage.REPLACED
    ends = announced_at + purpose.announced_for + purpose.signs_for
    wait_until(ends)
    assert (stage(), is_listed()) == (Stage.TRUSTED, True)
    if purpose.trusted_after is None:
        clock.advance(timedelta(days=365 * 1000))
        assert (stage(), is_listed()) == (Stage.TRUSTED, True)
        return
    wait_until(ends + purpose.trusted_after - HALF)
    assert (stage(), is_listed()) == (Stage.TRUSTED, True)
    clock.advance(HALF)
    assert (stage(), is_listed()) == (Stage.GONE, False)
    assert key_id in {key.public.key_id for key in signing_keys.trusted(name, ends)}


async def test_a_late_worker_still_leaves_no_hour_without_a_key(signing_keys: SigningKeys, clock: StoppedClock) -> None:
    """Nobody looked after the keys until a minute before the end: the next one is announced that short."""
    last = signing_keys.signer("access")
    clock.advance(last.signs_until - clock.now() - timedelta(minutes=1))
    await signing_keys.ensure()
    assert signing_keys.signer("access").key_id == last.key_id
    clock.advance(timedelta(minutes=1))
    assert signing_keys.signer("access").key_id != last.key_id


async def test_a_key_is_forgotten_when_nothing_it_signed_lives(signing_keys: SigningKeys, clock: StoppedClock) -> None:
    first = signing_keys.signer("access").key_id
    clock.advance(ACCESS.signs_for - timedelta(hours=1))
    await signing_keys.ensure()
    assert ACCESS.trusted_after is not None
    clock.advance(timedelta(hours=1) + ACCESS.trusted_after)
    assert first not in {key["kid"] for key in signing_keys.jwks()["keys"]}


async def test_of_many_processes_that_start_at_once_one_makes_the_keys(
    db: Database, keys: Keys, clock: StoppedClock
) -> None:
    several = [SigningKeys(db, keys.sealer("kernel.signing_key"), clock) for _ in range(8)]
    await asyncio.gather(*(process.ensure() for process in several))
    assert await db.fetchval("SELECT count(*) FROM kernel.signing_key") == len(PURPOSES) + len(OF_TRUST_LIST)
    for name in PURPOSES:
        assert len({process.signer(name).key_id for process in several}) == 1


async def test_operators_who_rotate_at_once_each_get_a_key(db: Database, keys: Keys, clock: StoppedClock) -> None:
    several = [SigningKeys(db, keys.sealer("kernel.signing_key"), clock) for _ in range(4)]
    await several[0].ensure()
    made = await asyncio.gather(*(process.rotate("status", actor="operator:test") for process in several))
    assert len(set(made)) == len(several)
    await several[0].snapshot.refresh()
    assert set(made) <= {key.public.key_id for key in several[0].trusted("status")}


async def test_a_leaked_key_is_distrusted_at_once_and_replaced(signing_keys: SigningKeys, clock: StoppedClock) -> None:
    token = a_token(signing_keys, clock)
    leaked = signing_keys.signer("access").key_id
    clock.advance(timedelta(seconds=1))
    assert await signing_keys.revoke(leaked, actor="operator:test")
    assert not await signing_keys.revoke(leaked, actor="operator:test")
    with pytest.raises(NotOurSignature):
        signing_keys.claims_of("access", token, audience="resident", issuer=ISSUER)
    assert signing_keys.signer("access").key_id != leaked


async def test_a_poll_that_finds_nothing_new_gives_the_very_same_keys(signing_keys: SigningKeys) -> None:
    before = signing_keys.snapshot.current
    await signing_keys.snapshot.refresh()
    assert signing_keys.snapshot.current is before
    await signing_keys.rotate("access", actor="operator:test")
    assert signing_keys.snapshot.current is not before


@pytest.mark.parametrize("name", [purpose.name for purpose in OF_TRUST_LIST])
async def test_when_a_key_leaks_the_next_one_is_known_already_to_whoever_has_an_old_list(
    signing_keys: SigningKeys, clock: StoppedClock, name: str
) -> None:
    an_old_list = {key.public.key_id: key for key in signing_keys.trusted(name)}
    clock.advance(timedelta(days=9))
    leaked = signing_keys.signer(name).key_id
    assert await signing_keys.revoke(leaked, actor="operator:test")
    signer = signing_keys.signer(name)
    assert signer.key_id != leaked
    known = an_old_list[signer.key_id]
    assert known.public.verify(signer.sign(b"message"), b"message")
    assert known.valid_from <= clock.now().timestamp() < known.valid_until
    assert Stage.ANNOUNCED in {signing_keys.stage_of(k) for k in signing_keys.snapshot.current if k.purpose == name}


@pytest.mark.parametrize("name", PURPOSES)
async def test_a_leaked_key_is_listed_as_revoked_for_as_long_as_it_would_have_been_trusted(
    signing_keys: SigningKeys, clock: StoppedClock, name: str
) -> None:
    leaked = signing_keys.signer(name)
    await signing_keys.revoke(leaked.key_id, actor="operator:test")

    def listed() -> list[ListedKey]:
        return [key for key in signing_keys.trusted(name) if key.public.key_id == leaked.key_id]

    assert [key.revoked_at for key in listed()] == [int(clock.now().timestamp())]
    assert leaked.key_id not in {key["kid"] for key in signing_keys.jwks(name)["keys"]}
    clock.advance(leaked.trusted_until - clock.now() - HALF)
    assert [key.revoked_at is not None for key in listed()] == [True]
    clock.advance(HALF)
    assert listed() == []


async def test_a_key_that_was_replaced_does_not_come_back_when_its_successor_leaks(
    signing_keys: SigningKeys, clock: StoppedClock
) -> None:
    replaced = signing_keys.signer("access").key_id
    leaked = await signing_keys.rotate("access", actor="operator:test")
    clock.advance(ACCESS.announced_for)
    assert await signing_keys.revoke(leaked, actor="operator:test")
    assert signing_keys.signer("access").key_id not in (replaced, leaked)


async def test_when_the_announced_key_leaks_the_signing_one_stays_and_another_is_announced(
    signing_keys: SigningKeys, clock: StoppedClock
) -> None:
    signs = signing_keys.signer("trust").key_id
    [spare] = [key.public.key_id for key in signing_keys.trusted("trust") if key.public.key_id != signs]
    assert await signing_keys.revoke(spare, actor="operator:test")
    assert signing_keys.signer("trust").key_id == signs
    announced = [key for key in signing_keys.trusted("trust") if key.revoked_at is None]
    assert len(announced) == 2
    assert spare not in {key.public.key_id for key in announced}


async def test_no_key_is_revoked_that_there_is_not(signing_keys: SigningKeys) -> None:
    before = signing_keys.snapshot.current
    assert not await signing_keys.revoke("access-20260101-00000000", actor="operator:test")
    assert signing_keys.snapshot.current is before


async def test_a_spare_that_had_to_begin_early_signs_no_longer_than_any_other(
    signing_keys: SigningKeys, clock: StoppedClock
) -> None:
    clock.advance(timedelta(days=1))
    await signing_keys.revoke(signing_keys.signer("trust").key_id, actor="operator:test")
    began = signing_keys.signer("trust")
    assert began.signs_until - clock.now() == TRUST.signs_for


async def test_whatever_a_key_signs_has_no_twin(signing_keys: SigningKeys) -> None:
    for name in PURPOSES:
        signer = signing_keys.signer(name)
        for nth in range(16 if signer.public.algorithm == ES256 else 0):
            message = bytes([nth])
            signature = signer.sign(message)
            s = int.from_bytes(signature[32:], "big")
            twin = signature[:32] + (P256_ORDER - s).to_bytes(32, "big")
            assert signer.public.verify(signature, message)
            assert not signer.public.verify(twin, message)


async def test_the_key_set_of_tokens_says_only_what_every_library_knows(signing_keys: SigningKeys) -> None:
    for jwk in signing_keys.jwks()["keys"]:
        assert set(jwk) - {"y"} == {"kty", "crv", "x", "kid", "use", "alg"}


class LockedAway:
    """Stands in for a hardware module: it makes and holds its keys, and tells nothing but their names."""

    def __init__(self, generate: Callable[[], ec.EllipticCurvePrivateKey]) -> None:
        self._generate = generate
        self._held: dict[bytes, Signer] = {}

    def make(self, key_id: str) -> tuple[Signer, bytes]:
        name = f"slot {len(self._held)}".encode()
        self._held[name] = LocalSigner(key_id, self._generate())
        return self._held[name], name

    def open(self, key_id: str, kept: bytes) -> Signer:
        assert self._held[kept].public.key_id == key_id
        return self._held[kept]


async def test_keys_may_live_where_nobody_can_read_them(db: Database, keys: Keys, clock: StoppedClock) -> None:
    sealer = keys.sealer("kernel.signing_key")
    module = LockedAway(lambda: ec.generate_private_key(ec.SECP256R1()))
    signing_keys = SigningKeys(db, sealer, clock, {**LOCAL_MAKERS, ES256: module})
    await signing_keys.ensure()
    token = a_token(signing_keys, clock)
    assert signing_keys.claims_of("access", token, audience="resident", issuer=ISSUER)["sub"] == "s"
    rows = await db.fetch("SELECT key_id, private_key FROM kernel.signing_key WHERE algorithm = 'ES256'")
    assert all(sealer.unseal(row["private_key"], row["key_id"].encode()).startswith(b"slot ") for row in rows)


async def test_a_key_of_an_algorithm_that_is_not_known_here_is_left_to_whoever_knows_it(
    signing_keys: SigningKeys, db: Database, keys: Keys, clock: StoppedClock
) -> None:
    older = SigningKeys(db, keys.sealer("kernel.signing_key"), clock, {ES256: LOCAL_MAKERS[ES256]})
    await older.snapshot.refresh()
    assert {key.public.algorithm for key in older.snapshot.current} == {ES256}
    assert EDDSA in {key.public.algorithm for key in signing_keys.snapshot.current}
    assert older.signer("access").key_id == signing_keys.signer("access").key_id


async def test_private_halves_are_sealed_at_rest(signing_keys: SigningKeys, db: Database, keys: Keys) -> None:
    sealer = keys.sealer("kernel.signing_key")
    for row in await db.fetch("SELECT key_id, private_key, public_jwk FROM kernel.signing_key"):
        private = sealer.unseal(row["private_key"], row["key_id"].encode())
        assert private not in row["private_key"]
        assert "d" not in msgspec.json.decode(row["public_jwk"])
