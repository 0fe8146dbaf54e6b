"""How fast a stream of rows must come at least, since few are read at once. Pure."""

from kernel.errors import MalformedRequest

PACED_SECONDS = 60.0
PACED_BYTES_MIN = 256 * 1024
"""So much comes in every so many seconds that we wait for a stream: some thirty rows a second."""


class Pace:
    """Of one stream. Only the time counts that it is waited for, not what we take to keep what came."""

    def __init__(self) -> None:
        self._waited = 0.0
        self._came = 0

    def came(self, count: int, *, waited_seconds: float) -> None:
        """So many bytes came, after we waited for them so long. Raises MalformedRequest for one that comes too slowly:
        whoever sends drop by drop is broken off, and goes on when others have had their turn."""
        self._waited += waited_seconds
        self._came += count
        if self._waited < PACED_SECONDS:
            return
        if self._came < PACED_BYTES_MIN:
            raise MalformedRequest(f"the rows came too slowly: {PACED_BYTES_MIN} bytes a minute are the least")
        self._waited, self._came = 0.0, 0
