"""Answers questions about SD-JWTs, status lists and signed JSON with other people's libraries, none of ours.

Run by the Python of their own environment: a list of questions comes in as JSON, each `[what, {argument: value}]`, and
a list of answers goes out, each `{"said": …}` or `{"refused": …}`.

sd-jwt is the reference implementation of RFC 9901's authors, openvc-core one of the whole of SD-JWT VC and of Token
Status Lists, joserfc of JOSE, token-status-list of the packing of lists.
"""

import json
import sys

import token_status_list
from joserfc import jwk as joserfc_jwk
from joserfc import jws as joserfc_jws
from joserfc.errors import JoseError
from jwcrypto.common import JWException
from jwcrypto.jwk import JWK
from openvc import cbor, cose, keys, status
from openvc.errors import OpenvcError
from openvc.proof.sd_jwt import SdJwtVcProofSuite
from openvc.status import issue as status_issue
from openvc.status import token_status_list as openvc_lists
from sd_jwt.common import SDObj
from sd_jwt.holder import SDJWTHolder
from sd_jwt.issuer import SDJWTIssuer
from sd_jwt.verifier import SDJWTVerifier

HIDDEN = "hidden:"


def reference_verifies(text, issuer_jwk, aud=None, nonce=None):
    verifier = SDJWTVerifier(text, lambda _issuer, _header: JWK(**issuer_jwk), aud, nonce)
    return verifier.get_verified_payload()


def reference_issues(claims, issuer_private_jwk, typ, holder_jwk=None, decoys=False):
    issuer = SDJWTIssuer(
        _hidden(claims),
        JWK(**issuer_private_jwk),
        holder_key=JWK(**holder_jwk) if holder_jwk else None,
        add_decoy_claims=decoys,
        extra_header_parameters={"typ": typ},
    )
    return issuer.sd_jwt_issuance


def reference_presents(text, claims, aud=None, nonce=None, holder_private_jwk=None):
    holder = SDJWTHolder(text)
    holder.create_presentation(claims, nonce, aud, JWK(**holder_private_jwk) if holder_private_jwk else None)
    return holder.sd_jwt_presentation


def _hidden(value):
    """Members named `hidden:name` and elements `{"hidden:": value}` are what the holder may withhold."""
    if isinstance(value, list):
        return [
            SDObj(_hidden(element[HIDDEN])) if isinstance(element, dict) and HIDDEN in element else _hidden(element)
            for element in value
        ]
    if isinstance(value, dict):
        return {
            SDObj(name.removeprefix(HIDDEN)) if name.startswith(HIDDEN) else name: _hidden(inner)
            for name, inner in value.items()
        }
    return value


def openvc_verifies(text, issuer_jwk, vct, aud=None, nonce=None):
    found = SdJwtVcProofSuite().verify(
        text,
        public_key_jwk=issuer_jwk,
        audience=aud,
        nonce=nonce,
        require_key_binding=aud is not None,
        expected_vct=vct,
    )
    return {"claims": found.claims, "is_bound": found.key_bound}


def openvc_issues(claims, issuer_private_jwk, kid, disclosable, holder_jwk=None, decoys=0):
    return SdJwtVcProofSuite().issue(
        claims,
        signing_key=keys.signing_key_from_jwk(issuer_private_jwk, kid),
        disclosable=disclosable,
        holder_jwk=holder_jwk,
        decoys=decoys,
        expires_in_s=600,
    )


def openvc_presents(text, holder_private_jwk, aud, nonce):
    return SdJwtVcProofSuite().create_presentation(
        text, holder_key=keys.signing_key_from_jwk(holder_private_jwk, "holder"), audience=aud, nonce=nonce
    )


def openvc_reads_status_jwt(token, jwk, uri, indexes):
    claims = status_issue.verify_status_list_token(token, public_key_jwk=jwk, expected_uri=uri)
    return [
        openvc_lists.check_token_status(
            status_issue.build_token_status_reference(uri=uri, index=index),
            resolve_status_list_token=lambda _uri: claims,
        ).status
        for index in indexes
    ]


def openvc_reads_status_cwt(token, jwk, indexes):
    message = cose.parse_sign1(cbor.decode(bytes.fromhex(token)))
    assert cose.verify_sign1(message, public_jwk=jwk), "the signature does not hold"
    claims = cbor.decode(message.payload)
    packed = openvc_lists.decode_status_list(keys._b64url_encode(claims[65533]["lst"]))
    statuses = [openvc_lists.get_status(packed, index, bits=claims[65533]["bits"]) for index in indexes]
    return {
        "type": message.protected_header[16],
        "uri": claims[2],
        "times": [claims[6], claims[4], claims[65534]],
        "statuses": statuses,
    }


def openvc_publishes(values, bits, private_jwk, kid, uri, issued_at, expires_at, ttl):
    packed = status.new_status_list(len(values), bits=bits)
    for index, value in enumerate(values):
        status.set_status(packed, index, value, bits=bits)
    return status_issue.build_status_list_token(
        status_list=packed,
        bits=bits,
        uri=uri,
        signing_key=keys.signing_key_from_jwk(private_jwk, kid),
        issued_at=issued_at,
        expires=expires_at,
        ttl=ttl,
    )


def joserfc_opens(token, jwk):
    key = joserfc_jwk.import_key(jwk)
    opened = joserfc_jws.deserialize_compact(token, key, algorithms=[jwk["alg"]])
    return {"header": opened.headers(), "claims": json.loads(opened.payload)}


def joserfc_signs(header, claims, private_jwk):
    key = joserfc_jwk.import_key(private_jwk)
    return joserfc_jws.serialize_compact(header, json.dumps(claims), key, algorithms=[header["alg"]])


def packing_reads(claim, indexes):
    listed = token_status_list.BitArray.load(claim)
    return [listed[index] for index in indexes]


def packing_writes(values, bits):
    listed = token_status_list.BitArray.with_at_least(bits, len(values))
    for index, value in enumerate(values):
        listed[index] = value
    return listed.dump()


def _answer(what, arguments):
    try:
        return {"said": globals()[what](**arguments)}
    except (ValueError, AssertionError, JWException, JoseError, OpenvcError) as refused:
        return {"refused": f"{type(refused).__name__}: {refused}"}


if __name__ == "__main__":
    json.dump([_answer(what, arguments) for what, arguments in json.load(sys.stdin)], sys.stdout)
