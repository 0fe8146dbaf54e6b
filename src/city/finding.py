"""What a look at one part of the city finds: a line of `./run check`."""

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """Which part, whether it is in order, what was found, and what to do if it is not."""

    part: str
    is_fine: bool
    found: str
    remedy: str = ""
