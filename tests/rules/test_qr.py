"""A code is the smallest symbol that holds it, alphanumeric with error correction M, and every drawing is that one."""

import io
import re

import pytest
import qrcode
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from qrcode.constants import ERROR_CORRECT_M
from qrcode.exceptions import DataOverflowError
from qrcode.util import MODE_ALPHA_NUM, QRData

from wallet import online_code, qr
from wallet.qr import CHARACTERS_MAX, QUIET_ZONE, VERSION_MAX, VERSION_MIN, NotDrawable

ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
VERSIONS = range(VERSION_MIN, VERSION_MAX + 1)
A_HOST = "SUISHENBAN.EXAMPLE:65535"

texts = st.text(ALPHANUMERIC, min_size=1, max_size=CHARACTERS_MAX[-1])


def read(image: Image.Image) -> zxingcpp.Barcode:
    (code,) = zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormat.QRCode)
    return code


def overflows(version: int, characters: int) -> bool:
    symbol = qrcode.QRCode(version=version, error_correction=ERROR_CORRECT_M)
    symbol.add_data(QRData("A" * characters, mode=MODE_ALPHA_NUM))
    try:
        symbol.make(fit=False)
    except DataOverflowError:
        return True
    return False


def mode_of(modules: list[list[bool]]) -> int:
    """The first four bits, in the lower right corner, unmasked: 2 is alphanumeric (ISO/IEC 18004:2015, table 2)."""
    last = len(modules) - 1
    bits = ""
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        row, column = last - down, last - right
        bits += str(int(modules[row][column] ^ ((row // 2 + column // 3) % 2 == 0)))
    return int(bits, 2)


@pytest.mark.parametrize("path", [online_code.CODE_PATH, online_code.ASK_PATH, "P"])
def test_online_codes_asks_and_proofs_are_29_modules_wide_whatever_their_token(path: str) -> None:
    for token in (bytes(16), b"\xff" * 16, bytes(range(16))):
        text = f"HTTPS://{A_HOST}/{path}/{online_code.spell(token)}"
        image = qr.image(text)
        code = read(image)
        assert (code.text, code.ec_level, code.extra["Version"]) == (text, "M", "3")
        assert image.size == ((29 + 2 * QUIET_ZONE) * 10,) * 2
        assert mode_of(qr.modules(text)) == MODE_ALPHA_NUM


def test_a_short_host_still_gives_29_modules() -> None:
    assert len(qr.modules(f"HTTPS://A.EXAMPLE/Q/{online_code.spell(bytes(16))}")) == 29


@pytest.mark.parametrize("version", VERSIONS)
def test_a_code_is_the_smallest_symbol_that_holds_it(version: int) -> None:
    most = CHARACTERS_MAX[version - VERSION_MIN]
    assert qr.version_of("A" * most) == version
    assert not overflows(version, most)
    assert overflows(version, most + 1)
    modules = qr.modules("A" * most)
    assert len(modules) == qr.side_of(version)
    assert mode_of(modules) == MODE_ALPHA_NUM


def test_753_bytes_in_base45_after_their_mark_just_fit_version_22() -> None:
    characters = len("EC1:") + 753 // 2 * 3 + 753 % 2 * 2
    assert qr.version_of("A" * characters) == VERSION_MAX
    assert characters == CHARACTERS_MAX[-1]


@pytest.mark.parametrize("draw", [qr.modules, qr.svg, qr.png, qr.image, qr.terminal])
def test_more_than_a_version_22_holds_is_refused(draw: object) -> None:
    assert callable(draw)
    with pytest.raises(NotDrawable, match="at most 1134 characters"):
        draw("A" * (CHARACTERS_MAX[-1] + 1))


@pytest.mark.parametrize("text", ["", "lower case", "A\n", "Ａ", "A;B", "证"])
def test_what_alphanumeric_mode_cannot_say_is_refused(text: str) -> None:
    with pytest.raises(NotDrawable, match="45 characters"):
        qr.svg(text)


@given(texts)
def test_what_is_drawn_is_what_is_read(text: str) -> None:
    code = read(Image.open(io.BytesIO(qr.png(text))))
    assert (code.text, code.ec_level, code.extra["Version"]) == (text, "M", str(qr.version_of(text)))


@given(texts)
def test_every_drawing_has_the_same_modules(text: str) -> None:
    modules = qr.modules(text)
    side = len(modules) + 2 * QUIET_ZONE
    assert drawn_in_svg(qr.svg(text).decode(), side) == framed(modules)
    assert drawn_in_terminal(qr.terminal(text), side) == framed(modules)
    image = qr.image(text).convert("L").resize((side, side), Image.Resampling.BOX)
    pixels = image.tobytes()
    assert [[pixels[y * side + x] == 0 for x in range(side)] for y in range(side)] == framed(modules)


def framed(modules: list[list[bool]]) -> list[list[bool]]:
    side = len(modules) + 2 * QUIET_ZONE
    blank, edge = [[False] * side] * QUIET_ZONE, [False] * QUIET_ZONE
    return [*blank, *([*edge, *row, *edge] for row in modules), *blank]


def drawn_in_svg(svg: str, side: int) -> list[list[bool]]:
    assert f'viewBox="0 0 {side} {side}"' in svg
    rows = [[False] * side for _ in range(side)]
    for x, y, length in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\3z", svg):
        for column in range(int(x), int(x) + int(length)):
            rows[int(y)][column] = True
    return rows


def drawn_in_terminal(shown: str, side: int) -> list[list[bool]]:
    rows: list[list[bool]] = []
    for line in shown.splitlines():
        blocks = line.removeprefix("\x1b[30;107m").removesuffix("\x1b[0m")
        rows += [[block in "▀█" for block in blocks], [block in "▄█" for block in blocks]]
    return rows[:side]
