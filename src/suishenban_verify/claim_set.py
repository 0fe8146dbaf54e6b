"""What an offline code says: the claims of its CWT (RFC 8392), written and read in one encoding.

| key | claim | |
|---|---|---|
| 1, 4, 6, 7 | iss, exp, iat, cti | the city's URL; Unix seconds; 16 random bytes |
| 8 | cnf {1: COSE_Key} | RFC 8747; of pre-issued codes only |
| 65535 | status {"status_list": {"idx", "uri"}} | draft-ietf-oauth-status-list; when one certificate is shown |
| -65537 | certificates | 1 to 5 maps {1: kind, 2: issuer, 3: fields, 4: [from, until], 5: [uri, idx]} |
| -65538 | scenario | for what it may be looked at |
| -65539 | binding | sealed for the city alone |

Private claims are below -65536 (RFC 8392 §9.1). Entry 5 of a certificate stands only where several are shown; an
address under the city's own is written from that on there (`status-lists/17`), so that two fit beside a phone's proof.
"""

import struct
from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from suishenban_verify.canonical_cbor import (
    ARRAY_HEADS,
    MAP_HEADS,
    NULL,
    NotCanonical,
    data,
    day,
    day_at,
    integer,
    integer_at,
    named,
    named_at,
    string_at,
    text,
    text_at,
)
from suishenban_verify.making import new
from suishenban_verify.signatures import COORDINATE_BYTES, NotAKey, PublicKey, cose_key_of, key_of_cose

CERTIFICATES_MAX = 5
FIELDS_MAX = 32
BINDING_BYTES_MAX = 200
CTI_BYTES = 16
LIVE_SECONDS_MAX = 300
PREISSUED_SECONDS_MAX = 72 * 3600
TIME_MIN, TIME_MAX = 1 << 16, (1 << 32) - 1
"""Every time takes exactly four bytes: from 2 January 1970 to 7 February 2106."""

Value = str | int | bool

_REQUIRED = MAP_HEADS[7][0]
_TIMES_AND_CTI = struct.Struct(f">2sI2sI2s{CTI_BYTES}s")
_EXP, _IAT, _CTI = b"\x04\x1a", b"\x06\x1a", b"\x07\x50"
_ISS, _CNF, _ISSUER, _FIELDS, _DATES = 1, 8, 2, 3, b"\x04\x82"
_ALONE, _WITH_STATUS = b"\xa4\x01", b"\xa5\x01"
_P256_HOLDER, _P256_Y = b"\x08\xa1\x01\xa4\x01\x02\x20\x01\x21\x58\x20", b"\x22\x58\x20"
_ED25519_HOLDER = b"\x08\xa1\x01\xa3\x01\x01\x20\x06\x21\x58\x20"
_STATUS_START, _URI = b"\x19\xff\xff\xa1\x6bstatus_list\xa2\x63idx", b"\x63uri"
_CERTIFICATES, _SCENARIO, _BINDING = b"\x3a\x00\x01\x00\x00", b"\x3a\x00\x01\x00\x01", b"\x3a\x00\x01\x00\x02"
_OURS = _CERTIFICATES + _SCENARIO + _BINDING
_OWN_STATUS = b"\x05\x82"
_SCHEME_END = "://"
_FOUR_ENTRIES, _FIVE_ENTRIES = MAP_HEADS[4], MAP_HEADS[5]


class NotClaims(ValueError):
    """The bytes are not claims in the one encoding, or outside their bounds; the message says which rule they break."""


class StatusRef(NamedTuple):
    """Where the status of a certificate stands: the address of the list, and the index in it."""

    uri: str
    idx: int


class Shown(NamedTuple):
    """One certificate of a code. It is good from the first through the last of its days; None: until revoked."""

    kind_code: str
    issuer_code: str
    valid_from: date
    valid_until: date | None
    fields: Mapping[str, Value]
    status: StatusRef | None


class Claims(NamedTuple):
    """What an issuer says in a code. Times are Unix seconds; `holder` is the key that must show a pre-issued code."""

    issuer: str
    issued_at: int
    expires_at: int
    cti: bytes
    scenario_code: str
    certificates: tuple[Shown, ...]
    binding: bytes
    holder: PublicKey | None = None


def write(claims: Claims) -> bytes:
    """The one encoding of `claims`. Raises NotClaims for what `read` would refuse."""
    if len(claims.cti) != CTI_BYTES or not TIME_MIN <= claims.issued_at < claims.expires_at <= TIME_MAX:
        raise NotClaims(f"cti is {CTI_BYTES} bytes, and the end comes after the beginning")
    payload = _encoded(claims)
    read(payload)
    return payload


def read(payload: bytes) -> Claims:
    """The claims that `payload` is the one encoding of. Raises NotClaims.

    It follows the bytes that `write` writes, and knows no others; a general decoder, followed by writing anew and
    comparing, comes to the same (which is tested) and takes 9 µs instead of 6.
    """
    try:
        return _claims(payload)
    except (IndexError, UnicodeDecodeError, struct.error):
        raise NotClaims("the claims end early, or a text is not UTF-8") from None
    except (NotCanonical, NotAKey) as problem:
        raise NotClaims(str(problem)) from None


def _claims(raw: bytes) -> Claims:
    """Entry by entry; a call for each constant would cost as much as the rest."""
    issuer, at = text_at(raw, 2)
    exp, expires_at, iat, issued_at, cti_start, cti = _TIMES_AND_CTI.unpack_from(raw, at)
    if raw[1] != _ISS or exp != _EXP or iat != _IAT or cti_start != _CTI:
        raise _unexpected()
    at += _TIMES_AND_CTI.size
    head = raw[0]
    holder = status = None
    if raw[at] == _CNF:
        holder, at = _holder(raw, at)
        head -= 1
    if raw.startswith(_STATUS_START, at):
        idx, at = integer_at(raw, at + len(_STATUS_START))
        if raw[at : at + 4] != _URI or idx < 0:
            raise _unexpected()
        uri, at = text_at(raw, at + 4)
        status = new(StatusRef, (uri, idx))
        head -= 1
    certificates, end = _certificates(raw, at + 5, status, issuer)
    scenario_code, binding_at = text_at(raw, end + 5)
    begins, ends = string_at(raw, binding_at + 5)
    if raw[at : at + 5] + raw[end : end + 5] + raw[binding_at : binding_at + 5] != _OURS:
        raise _unexpected()
    if ends != len(raw) or head != _REQUIRED or ends - begins > BINDING_BYTES_MAX:
        raise NotClaims("there are other claims than those we know, or the binding is too long")
    lives_max = LIVE_SECONDS_MAX if holder is None else PREISSUED_SECONDS_MAX
    if not TIME_MIN <= issued_at < expires_at <= issued_at + lives_max:
        raise NotClaims(f"it lives longer than {lives_max} s, or its times are out of order")
    return new(Claims, (issuer, issued_at, expires_at, cti, scenario_code, certificates, raw[begins:ends], holder))


def _certificates(raw: bytes, at: int, status: StatusRef | None, issuer: str) -> tuple[tuple[Shown, ...], int]:
    """The certificates, and where the next claim begins; `status` is that of one shown alone."""
    count = raw[at] - ARRAY_HEADS[0][0]
    if not 1 <= count <= CERTIFICATES_MAX or (status is not None and count > 1):
        raise NotClaims(f"it shows from 1 to {CERTIFICATES_MAX} certificates, each with one status at most")
    at += 1
    found = []
    for _ in range(count):
        begins = at
        kind_code, issuer_at = text_at(raw, at + 2)
        issuer_code, fields_at = text_at(raw, issuer_at + 1)
        fields, dates_at = named_at(raw, fields_at + 1)
        valid_from, at = day_at(raw, dates_at + 2)
        valid_until = None
        if raw[at] == NULL[0]:
            at += 1
        else:
            valid_until, at = day_at(raw, at)
        start = _ALONE
        if count > 1 and raw.startswith(_FIVE_ENTRIES, begins):
            start = _WITH_STATUS
            uri, idx_at = text_at(raw, _after(raw, at, _OWN_STATUS))
            idx, at = integer_at(raw, idx_at)
            if idx < 0:
                raise _unexpected()
            status = new(StatusRef, (_whole(uri, issuer), idx))
        if (
            raw[begins : begins + 2] != start
            or raw[issuer_at] != _ISSUER
            or raw[fields_at] != _FIELDS
            or raw[dates_at : dates_at + 2] != _DATES
            or len(fields) > FIELDS_MAX
        ):
            raise _unexpected()
        found.append(new(Shown, (kind_code, issuer_code, valid_from, valid_until, fields, status)))
        status = None
    return tuple(found), at


def _holder(raw: bytes, at: int) -> tuple[PublicKey, int]:
    """The holder's key, and where the next claim begins."""
    if raw.startswith(_ED25519_HOLDER, at):
        x_at = at + len(_ED25519_HOLDER)
        end = x_at + COORDINATE_BYTES
        return key_of_cose({1: 1, -1: 6, -2: raw[x_at:end]}), end
    x_at = _after(raw, at, _P256_HOLDER)
    y_at = _after(raw, x_at + COORDINATE_BYTES, _P256_Y)
    end = y_at + COORDINATE_BYTES
    return key_of_cose({1: 2, -1: 1, -2: raw[x_at : x_at + COORDINATE_BYTES], -3: raw[y_at:end]}), end


def _short(uri: str, issuer: str) -> str:
    """The address of a list as it is written beside others: from the issuer's own address on, where it begins so.

    Raises NotClaims for what is neither under that address nor has a scheme.
    """
    rest = uri.removeprefix(issuer + "/")
    if _SCHEME_END in rest:
        return uri
    if rest == uri:
        raise NotClaims("the address of a status list is a URL")
    return rest


def _whole(written: str, issuer: str) -> str:
    """The address that `_short` writes so. Raises NotClaims for one that it writes otherwise."""
    uri = written if _SCHEME_END in written else f"{issuer}/{written}"
    if _short(uri, issuer) != written:
        raise _unexpected()
    return uri


def _after(raw: bytes, at: int, expected: bytes) -> int:
    """Where what follows `expected` begins, which must stand at `at`."""
    if not raw.startswith(expected, at):
        raise _unexpected()
    return at + len(expected)


def _unexpected() -> NotClaims:
    return NotClaims("a claim, or a part of one, is missing, unknown or out of order")


def _encoded(claims: Claims) -> bytes:
    """Entry by entry, in the order of the keys' encodings: 01, 04, 06, 07, 08, 19ffff, 3a00010000, …"""
    certificates = claims.certificates
    is_alone = len(certificates) == 1
    optional, count = b"", 7
    if claims.holder is not None:
        optional, count = b"\x08\xa1\x01" + _key_encoded(claims.holder), count + 1
    if is_alone and (status := certificates[0].status) is not None:
        optional += _STATUS_START + integer(status.idx) + _URI + text(status.uri)
        count += 1
    return b"".join(
        (
            MAP_HEADS[count],
            b"\x01" + text(claims.issuer),
            _EXP + claims.expires_at.to_bytes(4, "big"),
            _IAT + claims.issued_at.to_bytes(4, "big"),
            _CTI + claims.cti,
            optional,
            _CERTIFICATES + ARRAY_HEADS[len(certificates)],
            *(_one_encoded(shown, is_alone, claims.issuer) for shown in certificates),
            _SCENARIO + text(claims.scenario_code),
            _BINDING + data(claims.binding),
        )
    )


def _one_encoded(shown: Shown, is_alone: bool, issuer: str) -> bytes:
    status = None if is_alone else shown.status
    entries = (
        b"\x01" + text(shown.kind_code),
        b"\x02" + text(shown.issuer_code),
        b"\x03" + named(shown.fields),
        b"\x04\x82" + day(shown.valid_from) + (NULL if shown.valid_until is None else day(shown.valid_until)),
    )
    if status is None:
        return _FOUR_ENTRIES + b"".join(entries)
    return _FIVE_ENTRIES + b"".join(entries) + _OWN_STATUS + text(_short(status.uri, issuer)) + integer(status.idx)


def _key_encoded(key: PublicKey) -> bytes:
    """A COSE_Key; its labels encode in the order 1, -1, -2, -3."""
    members = [
        integer(label) + (data(member) if isinstance(member, bytes) else integer(member))
        for label, member in cose_key_of(key).items()
    ]
    return MAP_HEADS[len(members)] + b"".join(members)
