"""Work done bucket by bucket: one in which it fails holds up no other."""

from collections.abc import Iterator
from contextlib import contextmanager

from kernel.db import DatabaseAway
from kernel.log import get_logger

log = get_logger(__name__)


class Isolating:
    """Keeps what one bucket raises with that bucket, and says so once, until it went well there again."""

    def __init__(self, work: str) -> None:
        self._work = work
        self._failing: set[int] = set()

    @contextmanager
    def one(self, bucket: int) -> Iterator[None]:
        """Do it in one bucket. Raises DatabaseAway, which is no bucket's own."""
        try:
            yield
        except DatabaseAway:
            raise
        except Exception as fault:  # noqa: BLE001 -- whoever looks for what is due finds it again, and the others go on
            if bucket not in self._failing:
                log.warning("work failed in one bucket", work=self._work, bucket=bucket, error=type(fault).__name__)
            self._failing.add(bucket)
        else:
            self._failing.discard(bucket)
