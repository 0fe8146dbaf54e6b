"""Signing keys are announced before use, trusted while what they signed lives, and distrusted at once when leaked."""

from datetime import timedelta

import jwt
import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.keys import ANNOUNCED_FOR, SIGNS_FOR, TRUSTED_AFTER, NotOurSignature, SigningKeys
from kernel.sealing import Keys

ISSUER = "http://city.example"


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
    clock.advance(ANNOUNCED_FOR)
    assert signing_keys.signer("access").key_id == second
    assert signing_keys.claims_of("access", token, audience="resident", issuer=ISSUER)["sub"] == "s"


async def test_keys_follow_one_another_without_a_gap_for_a_year(signing_keys: SigningKeys, clock: StoppedClock) -> None:
    for _ in range(24 * 365):
        clock.advance(timedelta(hours=1))
        announced = {key["kid"] for key in signing_keys.jwks("access")["keys"]}
        assert signing_keys.signer("access").key_id in announced
        if clock.now().hour == 0:
            await signing_keys.ensure()
    assert len(signing_keys.snapshot.current) < 2 * 15


async def test_a_key_is_forgotten_when_nothing_it_signed_lives(signing_keys: SigningKeys, clock: StoppedClock) -> None:
    first = signing_keys.signer("access").key_id
    clock.advance(SIGNS_FOR - ANNOUNCED_FOR)
    await signing_keys.ensure()
    clock.advance(ANNOUNCED_FOR + TRUSTED_AFTER)
    assert first not in {key["kid"] for key in signing_keys.jwks()["keys"]}


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


async def test_private_halves_are_sealed_at_rest(signing_keys: SigningKeys, db: Database) -> None:
    private = signing_keys.signer("access").private_key.private_numbers().private_value.to_bytes(32, "big")
    for sealed in await db.fetch("SELECT private_key FROM kernel.signing_key"):
        assert private not in sealed["private_key"]
