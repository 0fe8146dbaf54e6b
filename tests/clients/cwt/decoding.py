"""Asks PyPI `cwt` about offline codes: the question comes in as JSON, the answer goes out. Knows nothing of ours.

Each code is taken from its text to its claims by RFC 9285 word for word, the standard library's zlib, and `cwt`.
"""

import json
import sys
import zlib
from hashlib import sha256

import cbor2
import cwt
from cwt import COSE, COSEKey

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


def un_base45(text):
    raw = bytearray()
    for at in range(0, len(text), 3):
        lane = text[at : at + 3]
        number = sum(ALPHABET.index(character) * 45**place for place, character in enumerate(lane))
        raw += number.to_bytes(len(lane) - 1, "big")
    return bytes(raw)


def plain(value):
    """The same in JSON: bytes as hex, keys as text."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def key_of(cose_key, short_id):
    members = {int(label): bytes.fromhex(each) if isinstance(each, str) else each for label, each in cose_key.items()}
    named = {} if short_id is None else {2: bytes.fromhex(short_id)}
    return COSEKey.new(members | named | {3: -7 if members[1] == 2 else -8, 4: [2]})


def said(code, issuer):
    body = zlib.decompress(un_base45(code.removeprefix("EC1:")))
    parts = cbor2.loads(body)
    token = parts[0] if isinstance(parts, list) else body
    claims = cwt.decode(token, issuer)
    answer = {"claims": plain(claims), "shown_at": None}
    if isinstance(parts, list):
        _, answer["shown_at"], signature = parts
        holder = key_of(plain(claims[8][1]), None)
        protected = cbor2.dumps({1: holder.alg}, canonical=True)
        proof = cbor2.dumps(cbor2.CBORTag(18, [protected, {}, None, signature]))
        over = cbor2.dumps([sha256(token).digest(), parts[1]], canonical=True)
        COSE.new().decode(proof, holder, detached_payload=over)
    return answer


def answer(question):
    issuer = key_of(question["key"], question["short_id"])
    found = []
    for code in question["codes"]:
        try:
            found.append({"said": said(code, issuer)})
        except Exception as refusal:  # noqa: BLE001 -- whatever it raises is its way to refuse
            found.append({"refused": type(refusal).__name__})
    return found


json.dump(answer(json.load(sys.stdin)), sys.stdout)
