"""Whoever can write Redis can make no code good, and no changed code passes."""

import os

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.redis import Redis, RedisAway
from kernel.sealing import KeyFile, Keys, fresh_key
from tests.builders_wallet import HOST, a_code, a_wallet, issued, scanned
from wallet.model import OpenedCode, Outcome
from wallet.online_code import CODE_PATH, Texts
from wallet.parts import Wallet
from wallet.seals import Seals, place_of

TEXTS = Texts(HOST, CODE_PATH)


async def test_a_code_nobody_minted_is_not_ours(wallet: Wallet) -> None:
    for text in (TEXTS.fresh().text, "HTTPS://EXAMPLE.COM/Q/" + "A" * 26, "", "随申码", TEXTS.fresh().text.lower()):
        assert (await scanned(wallet, text)).outcome is Outcome.NOT_OURS


async def test_a_forged_binding_is_not_ours(wallet: Wallet, redis: Redis, clock: StoppedClock, keys: Keys) -> None:
    certificate = await issued(wallet)
    honest = await a_code(wallet, certificate)
    honest_hash = TEXTS.read(honest)
    assert honest_hash is not None
    sealed = await redis.get(place_of(honest_hash))
    assert sealed is not None
    forged = TEXTS.fresh()
    kind_code = certificate.standing.kind_code
    bound = OpenedCode(
        certificate.certificate_id, certificate.person_id, kind_code, "station.entry", ("name",), clock.now()
    )
    plain = msgspec.msgpack.Encoder(uuid_format="bytes").encode(bound)
    others = Seals(Keys(KeyFile([fresh_key()], [fresh_key()])))
    of_another_purpose = keys.sealer("wallet.attributes").seal(plain, forged.code_hash)
    flipped = [bytes([*sealed[:at], sealed[at] ^ 1, *sealed[at + 1 :]]) for at in range(0, len(sealed), 7)]
    bindings = [
        b"", b"\x01", os.urandom(200), plain, sealed, sealed[:-1], others.binding(bound, forged.code_hash),
        of_another_purpose, *flipped,
    ]  # fmt: skip
    for binding in bindings:
        await redis.set(place_of(forged.code_hash), binding, lifetime_seconds=60)
        assert (await scanned(wallet, forged.text)).outcome is Outcome.NOT_OURS
    for binding in flipped:
        await redis.set(place_of(honest_hash), binding, lifetime_seconds=60)
        assert (await scanned(wallet, honest)).outcome is Outcome.NOT_OURS
    assert await wallet.db.fetchval("SELECT count(*) FROM wallet.use") == 0


async def test_every_change_of_one_character_makes_a_code_not_ours(wallet: Wallet) -> None:
    code = await a_code(wallet, await issued(wallet))
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 $%*+-./:a_\n"
    for at in range(len(code)):
        for other in alphabet:
            if other != code[at]:
                assert (await scanned(wallet, code[:at] + other + code[at + 1 :])).outcome is Outcome.NOT_OURS
    assert (await scanned(wallet, code)).outcome is Outcome.VALID


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=80))
def test_no_text_but_the_one_written_reads_as_a_token(text: str) -> None:
    code_hash = TEXTS.read(text)
    assert code_hash is None or text.startswith(f"HTTPS://{HOST}/Q/")


async def test_with_redis_away_there_is_no_verdict_at_all(db: Database, clock: StoppedClock, keys: Keys) -> None:
    away = await Redis.open("unix:///nowhere/redis.sock")
    wallet = await a_wallet(db, away, clock, keys)
    with pytest.raises(RedisAway):
        await scanned(wallet, TEXTS.fresh().text)
    await away.close()
