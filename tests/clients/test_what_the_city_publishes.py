"""What a city publishes is understood by other people's libraries, and a revocation is there within a minute."""

import time
from typing import Any

import pytest

from suishenban_verify import jws, sd_jwt
from suishenban_verify.sd_jwt import Binding
from suishenban_verify.signatures import public_key
from tests import changes
from tests.clients.everybody import Everybody
from tests.clients.known_good_trust import published_lists
from tests.clients.other_peoples_jose import Others
from tests.signing_keys import es256

HOLDER = es256(11)
ASKED = Binding("https://venue.example", "n-1")
REVOKED_WITHIN_SECONDS = 60.0
VALID, INVALID = 0, 1


@pytest.fixture(scope="module")
def others() -> Others:
    return Others()


def issuer_of(everybody: Everybody) -> dict[str, Any]:
    """What a stranger learns of the issuer."""
    return dict(everybody.ask("GET", "/.well-known/jwt-vc-issuer").json())


def key_named(issuer: dict[str, Any], text: str) -> dict[str, Any]:
    kid = sd_jwt.read(text).token.header["kid"]
    return next(jwk for jwk in issuer["jwks"]["keys"] if jwk["kid"] == kid)


def exported(everybody: Everybody, certificate_id: str, **body: Any) -> dict[str, Any]:
    path = f"/resident/certificates/{certificate_id}/sd-jwt"
    return dict(everybody.ask("POST", path, everybody.resident.access_token, json=body).json())


def test_an_exported_certificate_verifies_with_other_peoples_libraries(others: Others, everybody: Everybody) -> None:
    certificate_id, issuer = everybody.certificate_id, issuer_of(everybody)
    jwk = {name: HOLDER.public.jwk[name] for name in ("kty", "crv", "x", "y")}
    made = exported(everybody, certificate_id, holder_jwk=jwk)
    assert made["issuer"] == issuer["issuer"] == everybody.city.parts.settings.public_origin
    shown = sd_jwt.bind(sd_jwt.choose(made["sd_jwt"], {"name"}), HOLDER, ASKED, at=int(time.time()))
    key = key_named(issuer, shown)
    asked = {"issuer_jwk": key, "aud": ASKED.audience, "nonce": ASKED.nonce}
    found = others.say("openvc_verifies", text=shown, vct=made["vct"], **asked)
    assert found["is_bound"] is True
    assert found["claims"]["name"] == everybody.person.name
    assert set(found["claims"]) == {"iss", "iat", "exp", "vct", "status", "cnf", "name"}
    assert others.say("reference_verifies", text=shown, **asked)["name"] == everybody.person.name
    broken, other_type = others.all(
        ("openvc_verifies", {"text": changes.misread(shown), "vct": made["vct"], **asked}),
        ("openvc_verifies", {"text": shown, "vct": f"{made['vct']}0", **asked}),
    )
    assert [list(each) for each in (broken, other_type)] == [["refused"]] * 2


def test_the_type_of_an_exported_certificate_says_what_its_claims_are_called(everybody: Everybody) -> None:
    made = exported(everybody, everybody.certificate_id)
    origin = everybody.city.parts.settings.public_origin
    described = everybody.ask("GET", made["vct"].removeprefix(origin)).json()
    assert described["vct"] == made["vct"]
    told = {claim["path"][0] for claim in described["claims"]}
    keys = [public_key(jwk) for jwk in issuer_of(everybody)["jwks"]["keys"]]
    found = sd_jwt.verify_issued(made["sd_jwt"], keys, issuer=origin, now=int(time.time()))
    assert set(found.claims) - {"iss", "iat", "exp", "vct", "status"} <= told


def test_a_revocation_is_in_the_list_an_export_names_within_a_minute(others: Others, everybody: Everybody) -> None:
    certificate_id, issuer = everybody.issued(), issuer_of(everybody)
    text = exported(everybody, certificate_id)["sd_jwt"]
    vct = f"{issuer['issuer']}/types/"
    claims = others.say("reference_verifies", text=text, issuer_jwk=key_named(issuer, text))
    assert claims["vct"].startswith(vct)
    place = claims["status"]["status_list"]
    published_lists(everybody)
    assert status_of(others, everybody, place) == VALID
    began = time.monotonic()
    path = f"/department/certificates/{certificate_id}/revoke"
    everybody.ask("POST", path, everybody.police, json={"reason": "issued_in_error"})
    while status_of(others, everybody, place) != INVALID:
        assert time.monotonic() - began < REVOKED_WITHIN_SECONDS
        time.sleep(1)


def status_of(others: Others, everybody: Everybody, place: dict[str, Any]) -> int | None:
    """What the list that is fetched now says, as another library reads it; None while there is none."""
    path = place["uri"].removeprefix(everybody.city.parts.settings.public_origin)
    answer = everybody.city.http.get(path)
    if answer.status_code == 404:
        time.sleep(1)
        return status_of(others, everybody, place)
    keys = everybody.city.parts.signing_keys.trusted("status")
    kid = jws.read(answer.text).header["kid"]
    jwk = next(dict(key.public.jwk) for key in keys if key.public.key_id == kid)
    [status] = others.say(
        "openvc_reads_status_jwt", token=answer.text, uri=place["uri"], jwk=jwk, indexes=[place["idx"]]
    )
    return int(status)


def test_the_trust_list_opens_with_the_roots_a_device_is_set_up_with(others: Others, everybody: Everybody) -> None:
    roots = everybody.ask("GET", "/.well-known/trust-roots").json()["keys"]
    token = everybody.ask("GET", "/.well-known/trust-list").text
    kid = jws.read(token).header["kid"]
    opened = others.say("joserfc_opens", token=token, jwk=next(jwk for jwk in roots if jwk["kid"] == kid))
    assert opened["header"]["typ"] == "trust-list+jwt"
    own = opened["claims"]["issuers"][0]
    assert own["iss"] == everybody.city.parts.settings.public_origin
    credentials = {jwk["kid"] for jwk in issuer_of(everybody)["jwks"]["keys"]}
    assert credentials == {key["kid"] for key in own["keys"] if key["purposes"] == ["vc"]}
