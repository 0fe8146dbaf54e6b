"""Certificate identifiers of GB/T 36904: which kind, by which issuer, under which serial, in which version.

An identifier reads `1.2.156.3005.2.KIND.ISSUER.SERIAL.VERSION.CHECK`. The check character is ISO/IEC 7064
MOD 37,36 over everything after the root with the dots stripped, so that one mistyped character is always found.
"""

import re
import string

import msgspec

ROOT = "1.2.156.3005.2."
SERIAL_LENGTH_MAX = 32
VERSION_MAX = 999

KIND_CODE = r"[0-9A-Z]{18}[0-9]{3}"
ISSUER_CODE = r"(?:[0-9A-Z]{18}|[0-9]{12}|[0-9]{9}|[0-9]{6})"

_SHAPE = re.compile(
    rf"{re.escape(ROOT)}({KIND_CODE})\.({ISSUER_CODE})\.([0-9A-Z]{{1,{SERIAL_LENGTH_MAX}}})\.([0-9]{{3}})\.([0-9A-Z])"
)


class NotAnIdentifier(ValueError):
    """The text is not a certificate identifier; the message says which rule it breaks, never the text itself."""


class Identifier(msgspec.Struct, frozen=True):
    """The parts of an identifier that was found good.

    `issuer_code` is an 18-character unified social credit code or a region code of 6, 9 or 12 digits.
    """

    kind_code: str
    issuer_code: str
    serial: str
    version: int

    def __str__(self) -> str:
        return compose(self.kind_code, self.issuer_code, self.serial, self.version)


def compose(kind_code: str, issuer_code: str, serial: str, version: int) -> str:
    """Write the identifier of one version (1 to 999) of a certificate. Raises NotAnIdentifier for unfit parts."""
    if not 1 <= version <= VERSION_MAX:
        raise NotAnIdentifier(f"a version is 1 to {VERSION_MAX}")
    body = f"{kind_code}.{issuer_code}.{serial}.{version:03d}"
    text = f"{ROOT}{body}."
    if _SHAPE.fullmatch(text + "0") is None:
        raise NotAnIdentifier("kind, issuer or serial is not of the form of GB/T 36904")
    return text + _check_character(body)


def read(text: str) -> Identifier:
    """Take an identifier apart. Raises NotAnIdentifier when its form or its check character is wrong."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise NotAnIdentifier("the text is not of the form of GB/T 36904")
    kind_code, issuer_code, serial, version, check = found.groups()
    if version == "000":
        raise NotAnIdentifier("versions start at 001")
    if check != _check_character(f"{kind_code}{issuer_code}{serial}{version}"):
        raise NotAnIdentifier("the check character does not agree with the rest")
    return Identifier(kind_code=kind_code, issuer_code=issuer_code, serial=serial, version=int(version))


def _check_character(body: str) -> str:
    """The MOD 37,36 check character of a body; its dots do not count."""
    check = _FIRST
    for byte in body.encode("ascii"):
        check = _AFTER[check][byte]
    return _ALPHABET[(1 - _doubled(check)) % len(_ALPHABET)]


def _doubled(check: int) -> int:
    return (check or len(_ALPHABET)) * 2 % (len(_ALPHABET) + 1)


def _after(check: int) -> bytes:
    """What a sum becomes by each character, by its ASCII code (ISO/IEC 7064, hybrid systems)."""
    sums = bytearray(128)
    for value, character in enumerate(_ALPHABET):
        sums[ord(character)] = (_doubled(check) + value) % len(_ALPHABET)
    sums[ord(".")] = check
    return bytes(sums)


_ALPHABET = string.digits + string.ascii_uppercase
_FIRST = len(_ALPHABET) // 2
_AFTER = tuple(_after(check) for check in range(len(_ALPHABET)))
