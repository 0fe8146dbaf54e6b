"""A status list says of an index what was published for it, and nothing when it is not whole, signed and in time."""

import json
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suishenban_verify import cose, jws, status_list
from suishenban_verify.jws import NotSigned
from suishenban_verify.signatures import LocalSigner, b64url, public_key, un_b64url
from suishenban_verify.status_list import (
    BYTES_MAX,
    CWT_TYPE,
    JWT_TYPE,
    VALID,
    Expired,
    NotAStatusList,
    OutOfRange,
    StatusList,
)
from tests import changes
from tests.signing_keys import es256
from tests.status_lists import (
    CLAIMS,
    CWT_CLAIMS,
    EXPIRES,
    ISSUED,
    NOW,
    OURS,
    SIGNERS,
    STATUSES,
    TIMES,
    URI,
    is_read,
    read_cwt,
    read_foreign,
    read_jwt,
    with_claims,
    with_cwt_claims,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "token-status-list.json").read_text())
WHOLE = [vector for vector in VECTORS if "json" in vector]
SHORT = [vector for vector in VECTORS if "raw_hex" in vector]


def named(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def list_of(vector: dict[str, Any]) -> StatusList:
    made = StatusList(vector["bits"], vector["size"])
    for index, value in vector["status"].items():
        made.set(int(index), value)
    return made


@pytest.mark.parametrize("vector", WHOLE, ids=named)
def test_the_drafts_lists_are_read_and_written_alike(vector: dict[str, Any]) -> None:
    ours = list_of(vector)
    assert ours.as_json() == vector["json"]
    assert cbor2.dumps(ours.as_cbor()).hex() == vector["cbor_hex"]
    of_json = StatusList.inflated(vector["bits"], un_b64url(vector["json"]["lst"]))
    of_cbor = StatusList.inflated(vector["bits"], cbor2.loads(bytes.fromhex(vector["cbor_hex"]))["lst"])
    assert of_json.packed() == of_cbor.packed() == ours.packed()
    assert of_json.size == vector["size"]
    assert {index: of_json.get(int(index)) for index in vector["status"]} == vector["status"]
    others = set(range(0, vector["size"], 997)) - {int(index) for index in vector["status"]}
    assert {of_json.get(index) for index in others} == {vector["default"]}


@pytest.mark.parametrize("vector", SHORT, ids=named)
def test_the_drafts_examples_are_packed_and_deflated_byte_for_byte(vector: dict[str, Any]) -> None:
    ours = StatusList.of(vector["bits"], vector["status"].values())
    assert ours.packed().hex() == vector["raw_hex"]
    assert ours.compressed().hex() == vector["compressed_hex"]
    assert [ours.get(index) for index in range(vector["size"])] == list(vector["status"].values())


@given(st.sampled_from(status_list.WIDTHS), st.binary(min_size=1, max_size=50), st.integers(0, 49), st.integers(0, 255))
def test_changing_one_status_changes_no_other(bits: int, raw: bytes, index: int, value: int) -> None:
    values = [each % 2**bits for each in raw]
    index, value = index % len(values), value % 2**bits
    changed = StatusList.of(bits, values)
    changed.set(index, value)
    values[index] = value
    again = StatusList.inflated(bits, changed.compressed())
    assert [again.get(at) for at in range(len(values))] == values


@pytest.mark.parametrize("index", [-1, -8, 8, 9, 2**20, 2**70])
def test_an_index_outside_the_list_has_no_status(index: int) -> None:
    with pytest.raises(OutOfRange):
        STATUSES.get(index)
    with pytest.raises(OutOfRange):
        STATUSES.set(index, VALID)


@pytest.mark.parametrize(
    "bits, size", [(0, 8), (3, 8), (16, 8), (2, 0), (2, -1), (8, BYTES_MAX + 1), (1, BYTES_MAX * 9)]
)
def test_a_list_of_another_make_is_never_made(bits: int, size: int) -> None:
    with pytest.raises(NotAStatusList):
        StatusList(bits, size)


def test_a_status_that_does_not_fit_is_never_written() -> None:
    for value in (-1, 4, 256):
        with pytest.raises(ValueError, match="fit"):
            StatusList(2, 8).set(0, value)


@pytest.mark.parametrize("signer", SIGNERS)
def test_what_was_published_is_read_back_in_both_forms(signer: LocalSigner) -> None:
    jwt = status_list.publish_jwt(STATUSES, signer=signer, **TIMES, aggregation_uri=f"{URI}/all")
    cwt = status_list.publish_cwt(STATUSES, signer=signer, **TIMES, aggregation_uri=f"{URI}/all")
    for published in (
        read_jwt(jwt, signer=signer),
        read_cwt(cwt, signer=signer),
        status_list.read_foreign_cwt(cwt, [signer.public], uri=URI, now=NOW),
    ):
        assert (published.uri, published.issued_at, published.expires_at) == (URI, ISSUED, EXPIRES)
        assert published.ttl_seconds == 60
        assert [published.list.get(index) for index in range(8)] == [0, 1, 2, 3, 0, 0, 0, 1]


def test_the_signed_claims_are_those_of_the_draft() -> None:
    jwt = jws.read(status_list.publish_jwt(STATUSES, signer=OURS, **TIMES))
    assert (jwt.header["typ"], jwt.payload) == ("statuslist+jwt", CLAIMS)
    cwt = cbor2.loads(status_list.publish_cwt(STATUSES, signer=OURS, **TIMES))
    assert cwt.tag == 18
    protected, unprotected, payload, _ = cwt.value
    assert cbor2.loads(protected) == {1: -7, 4: OURS.public.short_id, 16: "application/statuslist+cwt"}
    assert (unprotected, cbor2.loads(payload)) == ({}, CWT_CLAIMS)


@pytest.mark.parametrize("signer", SIGNERS)
def test_no_change_of_a_published_jwt_gets_through(signer: LocalSigner) -> None:
    token = status_list.publish_jwt(STATUSES, signer=signer, **TIMES)
    assert is_read(lambda it: read_jwt(it, signer=signer), token)
    assert [one for one in changes.of_text(token) if is_read(lambda it: read_jwt(it, signer=signer), one)] == []


@pytest.mark.parametrize("signer", SIGNERS)
def test_no_change_of_a_published_cwt_gets_through(signer: LocalSigner) -> None:
    token = status_list.publish_cwt(STATUSES, signer=signer, **TIMES)
    assert is_read(lambda it: read_cwt(it, signer=signer), token)
    assert [one for one in changes.of_bytes(token) if is_read(lambda it: read_cwt(it, signer=signer), one)] == []


def test_the_other_signature_of_the_same_key_is_refused() -> None:
    jwt = status_list.publish_jwt(STATUSES, signer=OURS, **TIMES)
    cwt = status_list.publish_cwt(STATUSES, signer=OURS, **TIMES)
    twin = cwt[:-64] + changes.twin_of_signature(cwt[-64:])
    assert not is_read(read_jwt, changes.twin_of(jwt))
    assert not is_read(read_cwt, twin)
    assert not is_read(read_foreign, twin)
    theirs = public_key({name: value for name, value in OURS.public.jwk.items() if name != "low_s"})
    assert status_list.read_foreign_cwt(twin, [theirs], uri=URI, now=NOW).uri == URI


def test_a_list_is_of_the_type_and_from_the_place_it_was_asked_for() -> None:
    assert not is_read(read_jwt, jws.sign(CLAIMS, OURS, typ="JWT"))
    assert not is_read(read_cwt, cose.sign(cbor2.dumps(CWT_CLAIMS), OURS))
    assert not is_read(read_cwt, cose.sign(cbor2.dumps(CWT_CLAIMS), OURS, content_type="application/cwt"))
    assert not is_read(read_jwt, with_claims(CLAIMS | {"sub": f"{URI}0"}))
    assert not is_read(read_cwt, with_cwt_claims(CWT_CLAIMS | {2: f"{URI}0"}))
    with pytest.raises(NotAStatusList, match="another list"):
        read_jwt(with_claims(CLAIMS), uri=f"{URI}0")


def test_the_signature_is_judged_before_the_time_and_the_time_before_the_rest() -> None:
    broken = {"lst": "AAAA", "bits": 3}
    forged = jws.sign(CLAIMS | {"status_list": broken}, es256(8, OURS.public.key_id), typ=JWT_TYPE)
    with pytest.raises(NotSigned):
        read_jwt(forged, now=EXPIRES)
    with pytest.raises(Expired):
        read_jwt(with_claims(CLAIMS | {"status_list": broken}), now=EXPIRES, uri="elsewhere")
    with pytest.raises(NotSigned):
        read_cwt(cose.sign(cbor2.dumps(CWT_CLAIMS), es256(8), content_type=CWT_TYPE), now=EXPIRES)
    with pytest.raises(Expired):
        read_cwt(with_cwt_claims(CWT_CLAIMS | {65533: broken}), now=EXPIRES)
    with pytest.raises(NotAStatusList, match="no list"):
        read_jwt(with_claims(CLAIMS | {"status_list": broken}))


def test_a_list_serves_until_its_end_and_not_at_it() -> None:
    assert read_jwt(with_claims(CLAIMS), now=EXPIRES - 1).expires_at == EXPIRES
    with pytest.raises(Expired):
        read_jwt(with_claims(CLAIMS), now=EXPIRES)


@pytest.mark.parametrize(
    "change",
    [
        {"exp": None},
        {"exp": str(EXPIRES)},
        {"exp": EXPIRES + 0.5},
        {"exp": True},
        {"iat": None},
        {"iat": -1},
        {"iat": 1.5},
        {"ttl": 0},
        {"ttl": -1},
        {"ttl": "60"},
        {"ttl": 1.5},
        {"ttl": True},
        {"status_list": None},
        {"status_list": []},
        {"status_list": {"bits": 2}},
        {"status_list": {"lst": STATUSES.as_json()["lst"]}},
        {"status_list": STATUSES.as_json() | {"bits": 3}},
        {"status_list": STATUSES.as_json() | {"bits": True}},
        {"status_list": STATUSES.as_json() | {"bits": "2"}},
        {"status_list": STATUSES.as_json() | {"bits": 2.0}},
        {"status_list": STATUSES.as_json() | {"lst": None}},
        {"status_list": STATUSES.as_json() | {"lst": ""}},
        {"status_list": STATUSES.as_json() | {"lst": STATUSES.as_json()["lst"] + "="}},
        {"status_list": STATUSES.as_json() | {"lst": "证"}},
    ],
)
def test_a_list_with_a_wrong_member_tells_nothing(change: dict[str, Any]) -> None:
    with pytest.raises(NotAStatusList):
        read_jwt(with_claims(CLAIMS | change))
    numbers = {"exp": 4, "iat": 6, "ttl": 65534, "status_list": 65533}
    if change != {"ttl": None}:
        with pytest.raises(NotAStatusList):
            read_cwt(with_cwt_claims(CWT_CLAIMS | {numbers[name]: value for name, value in change.items()}))


@pytest.mark.parametrize("missing", ["sub", "iat", "exp", "status_list"])
def test_a_list_without_one_of_its_members_tells_nothing(missing: str) -> None:
    with pytest.raises(NotAStatusList):
        read_jwt(with_claims({name: value for name, value in CLAIMS.items() if name != missing}))


def test_other_claims_and_no_time_to_live_are_allowed_as_the_draft_says() -> None:
    claims = {name: value for name, value in CLAIMS.items() if name != "ttl"} | {
        "iss": "https://city.example",
        "x": [1],
    }
    assert read_jwt(with_claims(claims)).ttl_seconds is None


def deflated(packed: bytes, **options: Any) -> bytes:
    deflating = zlib.compressobj(**options)
    return deflating.compress(packed) + deflating.flush()


STREAM = zlib.compress(b"\x24\x40", 9)


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        STREAM[:-1],
        STREAM + b"\0",
        STREAM + STREAM,
        STREAM[:-1] + bytes((STREAM[-1] ^ 1,)),
        b"\0" + STREAM,
        zlib.compress(b""),
        deflated(b"\x24\x40", wbits=-15),
        deflated(b"\x24\x40", wbits=31),
        deflated(b"\x24\x40", zdict=b"\x24"),
        zlib.compress(bytes(BYTES_MAX + 1)),
    ],
)
def test_a_list_that_is_not_one_whole_zlib_stream_of_bounded_size_is_refused(stream: bytes) -> None:
    with pytest.raises(NotAStatusList):
        StatusList.inflated(2, stream)
    assert not is_read(read_jwt, with_claims(CLAIMS | {"status_list": {"bits": 2, "lst": b64url(stream)}}))
    assert not is_read(read_cwt, with_cwt_claims(CWT_CLAIMS | {65533: {"bits": 2, "lst": stream}}))


def test_a_list_may_be_deflated_in_any_way_and_be_as_long_as_allowed() -> None:
    for level in (0, 1, 6, 9):
        assert StatusList.inflated(8, zlib.compress(bytes(BYTES_MAX), level)).size == BYTES_MAX


def test_a_list_that_would_fill_the_memory_is_refused_without_filling_it() -> None:
    bomb = zlib.compress(bytes(2**26), 9)
    tracemalloc.start()
    try:
        with pytest.raises(NotAStatusList):
            StatusList.inflated(1, bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * BYTES_MAX


def test_a_list_that_ends_before_it_begins_is_never_published() -> None:
    for times in ({"expires_at": ISSUED}, {"issued_at": -1}, {"ttl_seconds": 0}):
        for publish in (status_list.publish_jwt, status_list.publish_cwt):
            with pytest.raises(ValueError, match="ends after"):
                publish(STATUSES, signer=OURS, **(TIMES | times))
