"""Splits texts with PyPI `smsutil`: a list of texts in, for each its encoding, its parts and their octets out."""

import json
import sys

import smsutil


def split(text: str, header_octets: int) -> dict[str, object]:
    septets, octets = (140 - header_octets) * 8 // 7, (140 - header_octets) // 2 * 2
    room = septets if smsutil.is_valid_gsm(text) else octets
    result = smsutil.split(text, multi_part_bytes=room)
    parts = [part.content for part in result.parts]
    return {
        "encoding": result.encoding,
        "parts": parts,
        "octets": [part.encode(result.encoding).hex() for part in parts],
    }


texts = json.load(sys.stdin)
json.dump([{bits: split(text, header) for bits, header in (("8", 6), ("16", 7))} for text in texts], sys.stdout)
