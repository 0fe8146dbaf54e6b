"""What a text costs and where it is cut, as PyPI `smsutil` has it, which counts SMS and knows nothing of us."""

import random
from pathlib import Path
from typing import Any

from notifications import templates
from notifications.model import Language
from notifications.segmenting import Alphabet, ReferenceBits, cut, octets, segments
from tests.builders_notifications import VALUES
from tests.clients.own_environment import answer, python_environment

FOLDER = Path(__file__).parent / "smsutil"
ENCODINGS = {Alphabet.GSM: "gsm0338", Alphabet.UCS2: "utf_16_be"}
TEXTS_MADE = 400
LENGTH_MAX = 500
LANGUAGES: tuple[Language, ...] = ("zh", "en")


def texts() -> list[str]:
    """Every text of the city, texts about as long as a part, and texts made by chance, the same at every run."""
    chance = random.Random(2338)
    alphabets = ["abc 012@£Δ", "ab€[]{}\\^~|\f", "你好，。", "a你😀", "😀", "`abc"]
    made = [
        "".join(chance.choices(alphabets[nth % len(alphabets)], k=chance.randrange(1, LENGTH_MAX)))
        for nth in range(TEXTS_MADE)
    ]
    edges = [
        sign * count
        for sign in ("a", "€", "你", "😀")
        for count in (1, 33, 34, 35, 36, 66, 67, 70, 71, 76, 80, 81, 134, 135, 152, 153, 160, 161, 304, 306, 307)
    ]
    ours = [
        one.sms({name: VALUES[name] for name in one.placeholders}, language)
        for one in templates.ALL
        if "sms" in one.channels
        for language in LANGUAGES
        if one.placeholders.keys() <= VALUES.keys()
    ]
    return made + edges + ours


def as_we_do(text: str, reference_bits: ReferenceBits) -> dict[str, Any]:
    alphabet, parts = cut(text, reference_bits=reference_bits)
    sent = [octets(part, alphabet).hex() for part in parts]
    return {"encoding": ENCODINGS[alphabet], "parts": list(parts), "octets": sent}


def test_another_library_cuts_every_text_where_we_do() -> None:
    asked = texts()
    python = python_environment("smsutil", FOLDER / "requirements.lock")
    theirs = answer(python, FOLDER / "splitting.py", asked)
    assert [found["8"] for found in theirs] == [as_we_do(text, 8) for text in asked]
    assert [found["16"] for found in theirs] == [as_we_do(text, 16) for text in asked]
    assert [len(found["8"]["parts"]) for found in theirs] == [segments(text) for text in asked]
    assert {found["8"]["encoding"] for found in theirs} == set(ENCODINGS.values())
