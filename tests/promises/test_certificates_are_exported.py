"""A resident takes a certificate along as an SD-JWT VC: withholds what they like, and it ends with the certificate."""

from datetime import date, timedelta
from uuid import uuid4

import msgspec
import pytest

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import PersonId
from suishenban_verify import sd_jwt
from suishenban_verify.sd_jwt import Binding, NotVerified, Verified
from suishenban_verify.signatures import public_key
from suishenban_verify.status_list import INVALID
from tests.builders_wallet import (
    HEALTH_CARD,
    ID_CARD,
    KINDS,
    ORIGIN,
    POLICE,
    POLICE_ID,
    SOMEBODY,
    an_id_card,
    issued,
)
from tests.published_lists import beat, fetched, fetched_list, place_of, seconds
from tests.signing_keys import es256
from tests.wire_wallet import Wire
from wallet.departments.revoking import Reason
from wallet.model import Certificate, Field, FieldType, Sensitivity
from wallet.operators import cataloguing
from wallet.parts import Wallet
from wallet.trust.exporting import EXPORTED_FOR_MAX

ACTOR = "department:police"
HOLDER = es256(11)
HOLDER_JWK = {name: HOLDER.public.jwk[name] for name in ("kty", "crv", "x", "y")}
ASKED = Binding("https://venue.example", "n-1")


async def exported(wallet: Wallet, card: Certificate, status: int = 201, **body: object) -> dict[str, str]:
    async with Wire(wallet).resident(card.person_id) as client:
        answer = await client.post(f"/certificates/{card.certificate_id}/sd-jwt", json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, str] = answer.json()
    return found


async def read(wallet: Wallet, text: str, binding: Binding | None = None) -> Verified:
    """What a stranger reads with nothing but what the city publishes."""
    issuer = (await fetched(Wire(wallet), "/.well-known/jwt-vc-issuer")).json()
    keys = [public_key(jwk) for jwk in issuer["jwks"]["keys"]]
    now = int(wallet.clock.now().timestamp())
    return sd_jwt.verify(text, keys, issuer=issuer["issuer"], now=now, binding=binding)


async def test_everything_on_a_certificate_is_taken_along_and_read_by_strangers(
    wallet: Wallet, clock: StoppedClock
) -> None:
    card = await issued(wallet)
    made = await exported(wallet, card)
    assert (made["issuer"], made["vct"]) == (ORIGIN, f"{ORIGIN}/types/{ID_CARD}")
    claims = (await read(wallet, made["sd_jwt"])).claims
    assert {name: claims[name] for name in card.attributes.values} == card.attributes.values
    assert claims["identifier"] == card.attributes.identifier
    assert (claims["issuer_code"], claims["valid_from"], claims["valid_until"]) == (POLICE, "2020-01-01", "2040-01-01")
    assert (claims["iss"], claims["vct"]) == (ORIGIN, made["vct"])
    assert (claims["iat"], claims["exp"]) == (seconds(clock), seconds(clock) + EXPORTED_FOR_MAX.total_seconds())
    place = await place_of(wallet, card)
    assert claims["status"] == {"status_list": {"idx": place.idx, "uri": wallet.builder.uri_of(place.list_id)}}


async def test_every_value_can_be_withheld_and_nothing_of_a_person_stands_open(wallet: Wallet) -> None:
    card = await issued(wallet)
    text = (await exported(wallet, card))["sd_jwt"]
    nothing = (await read(wallet, sd_jwt.choose(text, ()))).claims
    assert set(nothing) == {"iss", "iat", "exp", "vct", "status"}
    only = (await read(wallet, sd_jwt.choose(text, {"sex"}))).claims
    assert set(only) - set(nothing) == {"sex"}


async def test_one_bound_to_a_wallets_key_is_shown_by_that_wallet_alone(wallet: Wallet, clock: StoppedClock) -> None:
    text = (await exported(wallet, await issued(wallet), holder_jwk=HOLDER_JWK | {"use": "sig"}))["sd_jwt"]
    shown = sd_jwt.bind(sd_jwt.choose(text, {"name"}), HOLDER, ASKED, at=seconds(clock))
    assert (await read(wallet, shown, ASKED)).claims["name"] == SOMEBODY.name
    stolen = sd_jwt.bind(sd_jwt.choose(text, {"name"}), es256(12), ASKED, at=seconds(clock))
    for refused, binding in ((stolen, ASKED), (text, None)):
        with pytest.raises(NotVerified):
            await read(wallet, refused, binding)


async def test_fewer_fields_are_taken_along_where_fewer_are_wanted(wallet: Wallet) -> None:
    card = await issued(wallet)
    text = (await exported(wallet, card, fields=["name", "identifier"]))["sd_jwt"]
    assert {"name", "identifier"} == set((await read(wallet, text)).claims) - {"iss", "iat", "exp", "vct", "status"}
    refused = await exported(wallet, card, 422, fields=["name", "blood_group"])
    assert refused["code"] == "wallet.field_not_on_certificate"


async def test_it_holds_no_longer_than_its_certificate_and_90_days_at_most(wallet: Wallet, clock: StoppedClock) -> None:
    ends = date(2026, 3, 9)  # seven days on; a certificate is good through its last day in the city
    card = await issued(wallet, msgspec.structs.replace(an_id_card(), valid_until=ends))
    made = await exported(wallet, card)
    assert made["expires_at"] == "2026-03-09T16:00:00Z"
    clock.advance(timedelta(days=7, hours=14, minutes=59))
    assert (await read(wallet, made["sd_jwt"])).claims["name"] == SOMEBODY.name
    clock.advance(timedelta(minutes=1))
    with pytest.raises(NotVerified, match="expired"):
        await read(wallet, made["sd_jwt"])
    assert (await exported(wallet, card, 409))["code"] == "wallet.certificate_not_good"


async def test_an_export_outlives_the_key_it_was_signed_with(wallet: Wallet, clock: StoppedClock) -> None:
    card = await issued(wallet)
    clock.advance(wallet.signing_keys.signer("vc").signs_until - clock.now() - timedelta(hours=2))
    await wallet.signing_keys.ensure()
    made = await exported(wallet, card)
    signed_by = wallet.signing_keys.signer("vc").key_id
    clock.advance(EXPORTED_FOR_MAX - timedelta(minutes=1))
    await wallet.signing_keys.ensure()
    assert wallet.signing_keys.signer("vc").key_id != signed_by
    assert (await read(wallet, made["sd_jwt"])).claims["name"] == SOMEBODY.name
    await wallet.signing_keys.revoke(signed_by, actor="operator:1")
    with pytest.raises(NotVerified):
        await read(wallet, made["sd_jwt"])


async def test_a_revocation_reaches_whoever_asks_the_list_that_an_export_names(
    wallet: Wallet, clock: StoppedClock
) -> None:
    card = await issued(wallet)
    claims = (await read(wallet, (await exported(wallet, card))["sd_jwt"])).claims
    status = claims["status"]["status_list"]
    await wallet.revoking.revoke(POLICE_ID, card.certificate_id, Reason.LOST, actor=ACTOR)
    await beat(wallet, clock)
    list_id = int(status["uri"].rpartition("/")[2])
    assert (await fetched_list(wallet, list_id)).list.get(status["idx"]) == INVALID
    assert (await exported(wallet, card, 409))["code"] == "wallet.certificate_not_good"


async def test_a_certificate_older_than_the_lists_gets_its_place_when_it_is_taken_along(
    wallet: Wallet, db: Database
) -> None:
    card = await issued(wallet)
    async with db.transaction() as conn:
        await conn.execute("UPDATE wallet.certificate SET status_list = NULL, status_index = NULL")
        await conn.execute("DELETE FROM wallet.status_entry")
    first = (await read(wallet, (await exported(wallet, card))["sd_jwt"])).claims["status"]
    again = (await read(wallet, (await exported(wallet, card))["sd_jwt"])).claims["status"]
    place = await place_of(wallet, card)
    assert first == again == {"status_list": {"idx": place.idx, "uri": wallet.builder.uri_of(place.list_id)}}


async def test_nobody_takes_along_what_is_somebody_elses(wallet: Wallet, db: Database) -> None:
    card = await issued(wallet)
    other = await issued(wallet, an_id_card("R-2"))
    async with Wire(wallet).resident(PersonId(uuid4())) as her:
        answer = await her.post(f"/certificates/{card.certificate_id}/sd-jwt", json={})
    assert (answer.status_code, answer.json()["code"]) == (404, "wallet.certificate_not_found")
    await exported(wallet, other)
    acts = await db.fetch("SELECT actor, subject FROM kernel.audit WHERE act = 'wallet.export'")
    assert [(row["actor"], row["subject"]) for row in acts] == [
        (f"person:{other.person_id}", f"certificate:{other.certificate_id}")
    ]


@pytest.mark.parametrize("broken", [{"y": "A" * 43}, {"crv": "Ed25519"}, {"alg": "EdDSA"}])
async def test_a_key_that_is_none_is_refused(wallet: Wallet, broken: dict[str, str]) -> None:
    refused = await exported(wallet, await issued(wallet), 422, holder_jwk=HOLDER_JWK | broken)
    assert refused["code"] == "wallet.holder_key_refused"


async def test_a_type_says_what_its_claims_are_called(wallet: Wallet) -> None:
    found = (await fetched(Wire(wallet), f"/types/{ID_CARD}")).json()
    assert found["vct"] == f"{ORIGIN}/types/{ID_CARD}"
    assert [(shown["locale"], shown["name"]) for shown in found["display"]] == [
        ("zh-CN", "居民身份证"),
        ("en", "Resident identity card"),
    ]
    said = {tuple(claim["path"]): claim for claim in found["claims"]}
    for field in KINDS[0].fields:
        claim = said[(field.name,)]
        assert [shown["label"] for shown in claim["display"]] == [field.label_zh, field.label_en]
        assert claim["sd"] == "always"
    assert ("identifier",) in said
    assert (await fetched(Wire(wallet), "/types/11310000DEMA0009XX999")).json()["code"] == "wallet.kind_not_found"


async def test_a_field_whose_name_means_something_else_in_a_token_is_taken_along_under_another(
    wallet: Wallet, db: Database
) -> None:
    health = next(kind for kind in KINDS if kind.kind_code == HEALTH_CARD)
    odd = Field("status", "状态", "Status", FieldType.TEXT, Sensitivity.OPEN)
    async with db.transaction() as conn:
        await cataloguing.put_kind(conn, msgspec.structs.replace(health, fields=(*health.fields, odd)))
    for snapshot in wallet.snapshots:
        await snapshot.refresh()
    values = {"name": SOMEBODY.name, "fit": True, "status": "fine"}
    wanted = msgspec.structs.replace(an_id_card(), kind_code=HEALTH_CARD, values=values, valid_until=None)
    card = await issued(wallet, wanted)
    claims = (await read(wallet, (await exported(wallet, card))["sd_jwt"])).claims
    assert (claims["field_status"], "status_list" in claims["status"], claims["fit"]) == ("fine", True, True)
    found = (await fetched(Wire(wallet), f"/types/{HEALTH_CARD}")).json()
    assert ["field_status"] in [claim["path"] for claim in found["claims"]]
