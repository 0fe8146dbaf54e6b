"""What a camera makes of a code on a screen or on paper: tilt, blur, noise, little contrast, uneven light, few pixels.

Pillow alone, and every choice from one seed, so that a picture that was not read can be drawn again.
"""

import math
import random
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageFilter

Point = tuple[float, float]

DRAWN_PIXELS_PER_MODULE = 10
"""Of the picture that is photographed, `wallet.qr.PIXELS_PER_MODULE`."""
DISTANCE = 2.0
"""From the lens to the symbol, in widths of the symbol: a code that fills half the frame of a phone's camera."""
OVERSAMPLING = 2
"""A pixel is the mean of this many by this many points, as on a sensor."""
GRAIN_SIGMA = 32
GRAIN_SIDE = 512
PICTURE_SIDE_MAX = 4 * GRAIN_SIDE
"""The grain is laid like tiles."""
_MIDDLE_GREY = 128


@dataclass(frozen=True)
class Shot:
    """One photograph."""

    pixels_per_module: float
    """Of the camera's picture, where the symbol is nearest to upright."""
    yaw: float
    pitch: float
    roll: float
    """Degrees by which the symbol is turned about its upright axis, its level axis, and in its own plane."""
    blur: float
    """Standard deviation of a Gaussian, in modules: out of focus, or moved."""
    noise: float
    """Standard deviation of Gaussian noise, in grey levels of 255."""
    dark: int
    light: int
    """Grey of a dark and of a light module before shade: ink and paper, or a dimmed screen behind glare."""
    shade: float
    """What is left of the light at the far edge of the picture."""
    surround: int
    """Grey of what lies around the paper or the screen."""


class Camera:
    """Takes photographs; `rng` decides where its grain lies and from which side the light comes."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        levels = (round(rng.gauss(_MIDDLE_GREY, GRAIN_SIGMA)) for _ in range(GRAIN_SIDE * GRAIN_SIDE))
        tile = Image.frombytes("L", (GRAIN_SIDE,) * 2, bytes(min(255, max(0, level)) for level in levels))
        self._grain = Image.new("L", (PICTURE_SIDE_MAX,) * 2)
        for left in range(0, PICTURE_SIDE_MAX, GRAIN_SIDE):
            for top in range(0, PICTURE_SIDE_MAX, GRAIN_SIDE):
                self._grain.paste(tile, (left, top))

    def photograph(self, symbol: Image.Image, shot: Shot) -> Image.Image:
        """The picture that a decoder gets of `symbol`, which is drawn with its quiet zone."""
        toned = symbol.convert("L").point(lambda level: shot.light if level >= _MIDDLE_GREY else shot.dark)
        taken = _tilted(toned, shot)
        lit = ImageChops.multiply(taken, self._light(taken.size, shot.shade))
        blurred = lit.filter(ImageFilter.GaussianBlur(shot.blur * shot.pixels_per_module))
        return ImageChops.add(blurred, self._noise(taken.size, shot.noise), 1, -_MIDDLE_GREY)

    def _light(self, size: tuple[int, int], shade: float) -> Image.Image:
        turns = (None, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)
        turn = self._rng.choice(turns)
        ramp = Image.linear_gradient("L")
        turned = ramp if turn is None else ramp.transpose(turn)
        return turned.resize(size).point(lambda level: round(255 * shade + (1 - shade) * level))

    def _noise(self, size: tuple[int, int], sigma: float) -> Image.Image:
        assert max(size) <= PICTURE_SIDE_MAX
        left, top = (self._rng.randrange(PICTURE_SIDE_MAX - length + 1) for length in size)
        grain = self._grain.crop((left, top, left + size[0], top + size[1]))
        return grain.point(lambda level: round(_MIDDLE_GREY + (level - _MIDDLE_GREY) * sigma / GRAIN_SIGMA))


def _tilted(toned: Image.Image, shot: Shot) -> Image.Image:
    side = toned.width / DRAWN_PIXELS_PER_MODULE * shot.pixels_per_module
    seen = _corners(side, shot)
    low, high = ([edge(point[axis] for point in seen) for axis in (0, 1)] for edge in (min, max))
    size = tuple(round((high[axis] - low[axis]) * 1.25) + 20 for axis in (0, 1))
    shift = [size[axis] / 2 - (low[axis] + high[axis]) / 2 for axis in (0, 1)]
    where = [((x + shift[0]) * OVERSAMPLING, (y + shift[1]) * OVERSAMPLING) for x, y in seen]
    drawn = toned.width
    wide = toned.transform(
        (size[0] * OVERSAMPLING, size[1] * OVERSAMPLING),
        Image.Transform.PERSPECTIVE,
        _homography(where, [(0, 0), (0, drawn), (drawn, drawn), (drawn, 0)]),
        Image.Resampling.BILINEAR,
        fillcolor=shot.surround,
    )
    return wide.resize(size, Image.Resampling.BOX)


def _corners(side: float, shot: Shot) -> list[Point]:
    """Where a pinhole camera sees the corners of a square of `side` pixels that is turned about its middle."""
    yaw, pitch, roll = (math.radians(angle) for angle in (shot.yaw, shot.pitch, shot.roll))
    half, found = side / 2, []
    for across, down in ((-half, -half), (-half, half), (half, half), (half, -half)):
        x = across * math.cos(roll) - down * math.sin(roll)
        y = across * math.sin(roll) + down * math.cos(roll)
        x, z = x * math.cos(yaw), -x * math.sin(yaw)
        y, z = y * math.cos(pitch) - z * math.sin(pitch), y * math.sin(pitch) + z * math.cos(pitch)
        scale = DISTANCE * side / (DISTANCE * side + z)
        found.append((x * scale, y * scale))
    return found


def _homography(places: list[Point], sources: list[Point]) -> list[float]:
    """The eight numbers with which Pillow finds the source of each place: two equations for each of four corners."""
    rows: list[list[float]] = []
    for (x, y), (u, v) in zip(places, sources, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y, u])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y, v])
    for column in range(8):
        pivot = max(range(column, 8), key=lambda row: abs(rows[row][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for row in range(8):
            factor = rows[row][column] / rows[column][column]
            if row != column:
                rows[row] = [mine - factor * its for mine, its in zip(rows[row], rows[column], strict=True)]
    return [rows[row][8] / rows[row][row] for row in range(8)]
