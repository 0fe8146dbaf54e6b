"""A text as a QR image, for those who cannot draw it themselves.

Everything we draw is alphanumeric text with error correction M. An online code, an ask or a printed proof is a version
3 (29 × 29 modules); an offline code is the smallest of versions 4 to 22 that holds it.
"""

import io
import re
from bisect import bisect_left

import qrcode
from PIL import Image
from qrcode.constants import ERROR_CORRECT_M
from qrcode.util import MODE_ALPHA_NUM, QRData

VERSION_MIN = 3
VERSION_MAX = 22
"""What a phone's screen shows with modules that a plain scanner still tells apart: 105 of them."""
CHARACTERS_MAX = (61, 90, 122, 154, 178, 221, 262, 311, 366, 419, 483, 528, 600, 656, 734, 816, 909, 970, 1035, 1134)
"""Alphanumeric characters that versions 3 to 22 hold at error correction M (ISO/IEC 18004:2015, table 7)."""
QUIET_ZONE = 4
"""Modules of white around the symbol (ISO/IEC 18004:2015 §9.1)."""
PIXELS_PER_MODULE = 10
MASK = 4
"""Trying all eight masks costs ten times as long and gains a camera nothing, at version 3 or at 22: what each of the
masks cost in decoding is written beside the camera test."""
TERMINAL_COLOURS = "\x1b[30;107m", "\x1b[0m"
"""Black on bright white, and back: the symbol is the right way round on dark and on light terminals."""

_ALPHANUMERIC = re.compile(r"[0-9A-Z $%*+\-./:]+")
_HALF_BLOCKS = " ▄▀█"
assert len(CHARACTERS_MAX) == VERSION_MAX - VERSION_MIN + 1


class NotDrawable(ValueError):
    """The text has a character outside QR alphanumeric mode, or more of them than a version 22-M holds."""


def version_of(text: str) -> int:
    """The version that `text` is drawn in. Raises `NotDrawable`."""
    if _ALPHANUMERIC.fullmatch(text) is None:
        raise NotDrawable("a code is one or more of the 45 characters of QR alphanumeric mode")
    version = VERSION_MIN + bisect_left(CHARACTERS_MAX, len(text))
    if version > VERSION_MAX:
        raise NotDrawable(f"a code is at most {CHARACTERS_MAX[-1]} characters (QR version 22-M), not {len(text)}")
    return version


def side_of(version: int) -> int:
    """Modules along one side, without the quiet zone."""
    return 17 + 4 * version


def modules(text: str) -> list[list[bool]]:
    """The dark modules of `text`, row by row. Raises `NotDrawable`."""
    version = version_of(text)
    symbol = qrcode.QRCode(version=version, error_correction=ERROR_CORRECT_M, border=0, mask_pattern=MASK)
    symbol.add_data(QRData(text, mode=MODE_ALPHA_NUM))
    symbol.make(fit=False)
    assert symbol.version == version
    return [[bool(cell) for cell in row] for row in symbol.get_matrix()]


def svg(text: str) -> bytes:
    """The symbol as one path, scaled by whoever shows it. Raises `NotDrawable`."""
    rows = modules(text)
    side = len(rows) + 2 * QUIET_ZONE
    dark = "".join(
        f"M{start + QUIET_ZONE} {y + QUIET_ZONE}h{length}v1h-{length}z"
        for y, row in enumerate(rows)
        for start, length in _runs(row)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" shape-rendering="crispEdges">'
        f'<rect width="{side}" height="{side}" fill="#fff"/><path d="{dark}"/></svg>'
    ).encode()


def image(text: str) -> Image.Image:
    """The symbol in black and white, ten pixels a module. Raises `NotDrawable`."""
    rows = modules(text)
    side = len(rows) + 2 * QUIET_ZONE
    margin = b"\xff" * QUIET_ZONE
    blank = [b"\xff" * side] * QUIET_ZONE
    lines = [margin + bytes(0 if cell else 255 for cell in row) + margin for row in rows]
    small = Image.frombytes("L", (side, side), b"".join([*blank, *lines, *blank]))
    return small.convert("1").resize((side * PIXELS_PER_MODULE,) * 2, Image.Resampling.NEAREST)


def png(text: str) -> bytes:
    """What `image` draws, as PNG. Raises `NotDrawable`."""
    out = io.BytesIO()
    image(text).save(out, "PNG")
    return out.getvalue()


def terminal(text: str) -> str:
    """The symbol in half blocks, two rows of modules a line, for a terminal with colours. Raises `NotDrawable`."""
    rows = modules(text)
    side = len(rows) + 2 * QUIET_ZONE
    margin = [False] * QUIET_ZONE
    blank = [[False] * side for _ in range(QUIET_ZONE)]
    every = [*blank, *([*margin, *row, *margin] for row in rows), *blank, [False] * side]
    begin, end = TERMINAL_COLOURS
    pairs = zip(every[0::2], every[1::2], strict=False)
    lines = (
        "".join(_HALF_BLOCKS[2 * top + bottom] for top, bottom in zip(upper, lower, strict=True))
        for upper, lower in pairs
    )
    return "".join(f"{begin}{line}{end}\n" for line in lines)


def _runs(row: list[bool]) -> list[tuple[int, int]]:
    """Where each run of dark modules starts, and how long it is."""
    found: list[tuple[int, int]] = []
    for x, cell in enumerate(row):
        if cell and found and sum(found[-1]) == x:
            found[-1] = found[-1][0], found[-1][1] + 1
        elif cell:
            found.append((x, 1))
    return found
