"""How the lines of a load are cut from its stream: newline-delimited JSON, bounded, whatever comes."""

from collections.abc import AsyncGenerator, AsyncIterable

import msgspec

from kernel import lines
from kernel.lines import Line, Lines

LINE_BYTES_MAX = 64 * 1024
BATCH_LINES_MAX = 192
"""Three of the 64 rows that statements are written in. With 500 a load is a third faster, and whoever else the process
serves waits up to 180 ms while a batch is sealed; with this, 30 ms (two cores, loaded)."""
BATCH_BYTES_MAX = 1024 * 1024
"""A batch ends at whichever comes first, so that no more than this and one line is held."""
assert LINE_BYTES_MAX <= BATCH_BYTES_MAX


def batches(chunks: AsyncIterable[bytes], first: int) -> AsyncGenerator[list[Line]]:
    """The lines of a stream in batches, each as soon as it is full. Raises MalformedRequest as `kernel.lines` does."""
    cut = Lines(first, line_bytes_max=LINE_BYTES_MAX, is_whole=_is_json)
    return lines.batches(chunks, cut, lines_max=BATCH_LINES_MAX, bytes_max=BATCH_BYTES_MAX)


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
