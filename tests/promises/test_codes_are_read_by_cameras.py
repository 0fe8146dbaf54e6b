"""Whatever we draw is read by a camera: 500 photographs with stated tilt, blur and noise, each decoded by zxing-cpp.

What a photograph may suffer, all of it at once, each drawn evenly from its range:

- PIXELS_PER_MODULE: of the camera's picture; a version 22, 113 modules with its margin, then takes 450 to 900 pixels;
- TILT_MAX: degrees of yaw and of pitch, seen from two widths away, so that lines run together; ROLL_MAX: any turn;
- BLUR: standard deviation of a Gaussian in modules; NOISE: of Gaussian noise, in grey levels of 255;
- DARK and LIGHT: grey of ink and paper before shade; SHADE: what is left of the light at the far edge.

Measured: of 4,000 photographs of eight other seeds within these ranges, one was lost. One range widened at a time, of
400 photographs (the others as here, or blur to 0.30 and noise to 4): tilt to 30°, noise to 10 grey levels or blur to
0.40 modules lose at most 0.5 %; 3 to 4 pixels a module 0.3 %, 2 to 3 pixels 2 %; noise to 15 2 % (zxing-cpp takes 8 × 8
pixels for plain paper while they differ by less than 24); blur to 0.45 4 %. Blur of half a module loses all of them.

The mask: drawn with each of the eight, 500 photographs at the edge (blur of 0.35 to 0.45, tilt to 25°, noise to 6) lost
32 to 38 %, ours 38 %, without a best at version 3 and at 22 alike: what a mask changes drowns in what a hand does.
"""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
import zxingcpp

from tests.camera import Camera, Shot
from wallet import online_code, qr

SEED = 20250301
ONLINE_SAMPLES = 300
OFFLINE_SAMPLES = 200
PIXELS_PER_MODULE = (4.0, 8.0)
TILT_MAX = 15.0
ROLL_MAX = 180.0
BLUR = (0.10, 0.25)
NOISE = (1.0, 3.0)
DARK = (20, 80)
LIGHT = (180, 240)
SHADE = (0.5, 1.0)
SURROUND = (40, 220)
BEYOND_BLUR = (0.5, 0.6)
BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
OFFLINE_CHARACTERS = (160, 1134)
"""From the shortest signed message, of 64 bytes of signature and little else, to a full version 22-M."""


def an_online_text(rng: random.Random) -> str:
    path = rng.choice((online_code.CODE_PATH, online_code.ASK_PATH, "P"))
    return f"HTTPS://SUISHEN.CITY.EXAMPLE/{path}/{online_code.spell(rng.randbytes(online_code.TOKEN_BYTES))}"


def an_offline_text(rng: random.Random) -> str:
    return "EC1:" + "".join(rng.choices(BASE45, k=rng.randint(*OFFLINE_CHARACTERS) - 4))


def a_shot(rng: random.Random) -> Shot:
    return Shot(
        pixels_per_module=rng.uniform(*PIXELS_PER_MODULE),
        yaw=rng.uniform(-TILT_MAX, TILT_MAX),
        pitch=rng.uniform(-TILT_MAX, TILT_MAX),
        roll=rng.uniform(-ROLL_MAX, ROLL_MAX),
        blur=rng.uniform(*BLUR),
        noise=rng.uniform(*NOISE),
        dark=rng.randint(*DARK),
        light=rng.randint(*LIGHT),
        shade=rng.uniform(*SHADE),
        surround=rng.randint(*SURROUND),
    )


def read(photograph: object) -> list[zxingcpp.Barcode]:
    return zxingcpp.read_barcodes(photograph, formats=zxingcpp.BarcodeFormat.QRCode)


def unread(samples: int, text_of: Callable[[random.Random], str]) -> list[Shot]:
    """The shots of which the decoder did not say exactly the text, its version and its error correction."""
    rng = random.Random(f"{SEED} {text_of.__name__}")
    camera, lost = Camera(rng), []
    for _ in range(samples):
        text, shot = text_of(rng), a_shot(rng)
        expected = (text, str(qr.version_of(text)), "M")
        found = read(camera.photograph(qr.image(text), shot))
        if [(code.text, code.extra["Version"], code.ec_level) for code in found] != [expected]:
            lost.append(shot)
    return lost


@pytest.mark.parametrize(
    "samples, text_of",
    [(ONLINE_SAMPLES, an_online_text), (OFFLINE_SAMPLES, an_offline_text)],
    ids=["online", "offline"],
)
def test_every_photograph_of_a_code_is_read(samples: int, text_of: Callable[[random.Random], str]) -> None:
    assert unread(samples, text_of) == []


def test_a_photograph_blurred_by_half_a_module_is_not_read_and_so_the_check_can_fail() -> None:
    rng = random.Random(SEED)
    camera = Camera(rng)
    shots = [replace(a_shot(rng), blur=rng.uniform(*BEYOND_BLUR)) for _ in range(40)]
    assert sum(bool(read(camera.photograph(qr.image(an_online_text(rng)), shot))) for shot in shots) <= 4
