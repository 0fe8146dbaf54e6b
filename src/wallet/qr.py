"""A text as a QR image, for those who cannot draw it themselves."""

import io

import qrcode
from PIL import Image
from qrcode.constants import ERROR_CORRECT_M
from qrcode.util import MODE_ALPHA_NUM, QRData

VERSION = 3
SIDE = 29
QUIET_ZONE = 4
"""Modules of white around the symbol (ISO/IEC 18004 §9.1)."""
PIXELS_PER_MODULE = 10
MASK = 4
"""Trying all eight masks costs ten times as long and gains a camera nothing at this size."""
assert SIDE == 17 + 4 * VERSION


def modules(text: str) -> list[list[bool]]:
    """The 29 × 29 dark modules of a version 3-M symbol with `text` in alphanumeric mode."""
    symbol = qrcode.QRCode(version=VERSION, error_correction=ERROR_CORRECT_M, border=0, mask_pattern=MASK)
    symbol.add_data(QRData(text, mode=MODE_ALPHA_NUM))
    symbol.make(fit=False)
    assert symbol.version == VERSION
    return [[bool(cell) for cell in row] for row in symbol.get_matrix()]


def svg(text: str) -> bytes:
    """The symbol as one path, scaled by whoever shows it."""
    side = SIDE + 2 * QUIET_ZONE
    dark = "".join(
        f"M{x + QUIET_ZONE} {y + QUIET_ZONE}h1v1h-1z"
        for y, row in enumerate(modules(text))
        for x, cell in enumerate(row)
        if cell
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" shape-rendering="crispEdges">'
        f'<rect width="{side}" height="{side}" fill="#fff"/><path d="{dark}"/></svg>'
    ).encode()


def png(text: str) -> bytes:
    """The symbol in black and white, ten pixels a module."""
    side = SIDE + 2 * QUIET_ZONE
    image = Image.new("1", (side, side), 1)
    for y, row in enumerate(modules(text)):
        for x, cell in enumerate(row):
            if cell:
                image.putpixel((x + QUIET_ZONE, y + QUIET_ZONE), 0)
    scaled = image.resize((side * PIXELS_PER_MODULE, side * PIXELS_PER_MODULE), Image.Resampling.NEAREST)
    out = io.BytesIO()
    scaled.save(out, "PNG")
    return out.getvalue()
