"""A department's program proves itself by a token signed with an API key, and nobody else can."""

import base64
import hmac
import json
from datetime import timedelta
from uuid import UUID, uuid4

import jwt
import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import DepartmentId
from kernel.redis import Redis
from kernel.sealing import Keys
from notifications.services.errors import KeyNameTaken, KeyNotFound, TooManyKeys
from notifications.services.keys.keeping import REVOKED_KEPT_MAX, Made
from notifications.services.keys.proving import TOKENS_CACHED_MAX, token_of
from notifications.services.model import KEYS_MAX, ApiKey
from notifications.services.parts import Services
from tests.builders_services import services_over

ACTOR = "department:tests"


@pytest.fixture
async def services(db: Database, redis: Redis, clock: StoppedClock, keys: Keys) -> Services:
    made, _ = await services_over(db, redis, clock, keys)
    return made


def secret_of(made: Made) -> str:
    return made.text[-36:]


def token(made: Made, clock: StoppedClock, **claims: object) -> str:
    """As the official Python client makes one."""
    said = {"iss": made.text[-73:-37], "iat": int(clock.now().timestamp()), **claims}
    return jwt.encode(said, secret_of(made), algorithm="HS256", headers={"typ": "JWT", "alg": "HS256"})


def made_of(head: bytes, body: str, secret: str, digest: str) -> str:
    """A token of any head, signed."""
    signed = f"{base64.urlsafe_b64encode(head).rstrip(b'=').decode()}.{body}"
    signature = hmac.digest(secret.encode(), signed.encode(), digest)
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def asked(services: Services, clock: StoppedClock, text: str) -> ApiKey | str:
    return services.proving.prove(b"Bearer " + text.encode(), clock.now().timestamp())


async def test_a_key_proves_its_service_and_kind(services: Services, clock: StoppedClock) -> None:
    service_id = DepartmentId(uuid4())
    for kind in ("live", "team", "test"):
        made = await services.keys.make(service_id, f"our {kind} key", kind, actor=ACTOR)
        assert made.text == f"our {kind} key-{service_id}-{secret_of(made)}"
        for _ in range(2):
            found = asked(services, clock, token(made, clock))
            assert isinstance(found, ApiKey)
            assert (found.service_id, found.kind, found.key_id) == (service_id, kind, made.key.key_id)
        assert asked(services, clock, token_of(secret_of(made), service_id, int(clock.now().timestamp()))) == found


async def test_a_token_is_good_for_thirty_seconds_either_way(services: Services, clock: StoppedClock) -> None:
    made = await services.keys.make(DepartmentId(uuid4()), "a", "live", actor=ACTOR)
    now = int(clock.now().timestamp())
    for offset, is_good in ((-31, False), (-30, True), (0, True), (30, True), (31, False)):
        found = asked(services, clock, token(made, clock, iat=now + offset))
        assert (found == "expired") is not is_good, offset
    text = token(made, clock)
    assert isinstance(asked(services, clock, text), ApiKey)
    clock.advance(timedelta(seconds=31))
    assert asked(services, clock, text) == "expired"


async def test_what_no_key_signed_proves_nothing(services: Services, clock: StoppedClock) -> None:
    service_id = DepartmentId(uuid4())
    made = await services.keys.make(service_id, "a", "live", actor=ACTOR)
    good = token(made, clock)
    head, body, signature = good.split(".")
    nothing = base64.urlsafe_b64encode(b'{"typ":"JWT","alg":"none"}').rstrip(b"=").decode()
    other = base64.urlsafe_b64encode(json.dumps({"iss": str(uuid4()), "iat": 1}).encode()).rstrip(b"=").decode()
    now = int(clock.now().timestamp())
    of_another = jwt.encode({"iss": str(service_id), "iat": now}, str(uuid4()), algorithm="HS256")
    longer = made_of(b'{"alg":"HS512"}', body, secret_of(made), "sha512")
    without = jwt.encode({"iss": str(service_id)}, secret_of(made), algorithm="HS256")
    critical = made_of(b'{"alg":"HS256","crit":["b64"]}', body, secret_of(made), "sha256")
    assert isinstance(asked(services, clock, made_of(b'{"alg":"HS256"}', body, secret_of(made), "sha256")), ApiKey)
    wrong = [
        "", ".", "..", "...", good[:-1], good + "A", f"{head}.{body}.", f"{nothing}.{body}.",
        f"{nothing}.{body}.{signature}",
        f"{head}.{other}.{signature}", f"{head}.{body}.{signature}=", of_another, longer, without, critical,
        f"{head}.{body}.{signature[:-1]}é", "x" * 2_000,
    ]  # fmt: skip
    assert [text for text in wrong if asked(services, clock, text) != "invalid"] == []
    assert services.proving.prove(None, 0.0) == "absent"
    assert services.proving.prove(b"Basic abc", 0.0) == "invalid"
    assert isinstance(asked(services, clock, good), ApiKey)


async def test_a_revoked_key_proves_nothing_from_that_moment_and_is_called_revoked(
    services: Services, clock: StoppedClock
) -> None:
    service_id = DepartmentId(uuid4())
    made = await services.keys.make(service_id, "a", "live", actor=ACTOR)
    text = token(made, clock)
    assert isinstance(asked(services, clock, text), ApiKey)
    await services.keys.revoke(service_id, made.key.key_id, actor=ACTOR)
    assert asked(services, clock, text) == "revoked"
    with pytest.raises(KeyNotFound):
        await services.keys.revoke(service_id, made.key.key_id, actor=ACTOR)


async def test_of_what_a_service_revoked_only_the_last_keys_are_held(
    services: Services, db: Database, redis: Redis, clock: StoppedClock, keys: Keys
) -> None:
    service_id, other = DepartmentId(uuid4()), DepartmentId(uuid4())
    good = await services.keys.make(service_id, "good", "live", actor=ACTOR)
    of_another = await services.keys.make(other, "a", "live", actor=ACTOR)
    await services.keys.revoke(other, of_another.key.key_id, actor=ACTOR)
    made = []
    for _ in range(REVOKED_KEPT_MAX + 3):
        clock.advance(timedelta(seconds=1))
        made.append(await services.keys.make(service_id, "a", "live", actor=ACTOR))
        await services.keys.revoke(service_id, made[-1].key.key_id, actor=ACTOR)
    anew, _ = await services_over(db, redis, clock, keys)
    for process in (services, anew):
        assert len(process.keys.snapshot.current.held[service_id]) == REVOKED_KEPT_MAX + 1
        assert isinstance(asked(process, clock, token(good, clock)), ApiKey)
        assert asked(process, clock, token(of_another, clock)) == "revoked"
        assert {asked(process, clock, token(one, clock)) for one in made[3:]} == {"revoked"}
        assert {asked(process, clock, token(one, clock)) for one in made[:3]} == {"invalid"}


async def test_nobody_revokes_anothers_key(services: Services) -> None:
    made = await services.keys.make(DepartmentId(uuid4()), "a", "live", actor=ACTOR)
    with pytest.raises(KeyNotFound):
        await services.keys.revoke(DepartmentId(uuid4()), made.key.key_id, actor=ACTOR)


async def test_a_service_has_at_most_ten_keys_and_names_none_twice(services: Services) -> None:
    service_id = DepartmentId(uuid4())
    made = [await services.keys.make(service_id, f"key {nth}", "test", actor=ACTOR) for nth in range(KEYS_MAX - 1)]
    with pytest.raises(KeyNameTaken):
        await services.keys.make(service_id, "key 0", "live", actor=ACTOR)
    await services.keys.make(service_id, "the last", "live", actor=ACTOR)
    with pytest.raises(TooManyKeys):
        await services.keys.make(service_id, "one more", "live", actor=ACTOR)
    await services.keys.revoke(service_id, made[3].key.key_id, actor=ACTOR)
    await services.keys.make(service_id, "key 3", "live", actor=ACTOR)
    assert len(await services.keys.every(service_id)) == KEYS_MAX


async def test_another_process_knows_a_key_once_it_has_read_anew(
    services: Services, db: Database, redis: Redis, clock: StoppedClock, keys: Keys
) -> None:
    other, _ = await services_over(db, redis, clock, keys)
    made = await services.keys.make(DepartmentId(uuid4()), "a", "live", actor=ACTOR)
    assert asked(other, clock, token(made, clock)) == "invalid"
    await other.keys.snapshot.refresh()
    assert isinstance(asked(other, clock, token(made, clock)), ApiKey)


async def test_a_secret_lies_sealed(services: Services, db: Database) -> None:
    made = await services.keys.make(DepartmentId(uuid4()), "a", "live", actor=ACTOR)
    rows = await db.fetch("SELECT secret, name FROM notifications.api_key")
    assert UUID(secret_of(made)).version == 4
    assert all(secret_of(made).encode() not in row["secret"] for row in rows)
    assert secret_of(made) not in repr(made)


async def test_tokens_remembered_are_bounded(services: Services, clock: StoppedClock) -> None:
    made = await services.keys.make(DepartmentId(uuid4()), "a", "live", actor=ACTOR)
    services.proving._known = {b"%d" % nth: (made.key, 0.0) for nth in range(TOKENS_CACHED_MAX)}
    services.proving._known_by = services.keys.snapshot.current
    assert isinstance(asked(services, clock, token(made, clock)), ApiKey)
    assert len(services.proving._known) == TOKENS_CACHED_MAX // 2 + 1
