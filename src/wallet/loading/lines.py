"""A stream of newline-delimited JSON, cut into numbered lines and then into batches. Pure; bounded, whatever comes."""

from collections.abc import AsyncGenerator, AsyncIterable, Iterator

import msgspec

from kernel.errors import MalformedRequest

LINE_BYTES_MAX = 64 * 1024
BATCH_LINES_MAX = 192
"""Three of the 64 rows that statements are written in. With 500 a load is a third faster, and whoever else the process
serves waits up to 180 ms while a batch is sealed; with this, 30 ms (two cores, loaded)."""
BATCH_BYTES_MAX = 1024 * 1024
"""A batch ends at whichever comes first, so that no more than this and one line is held."""
assert LINE_BYTES_MAX <= BATCH_BYTES_MAX


class Line(msgspec.Struct, frozen=True):
    """One line by its number in the whole load, counted from 1.

    `text` is None for a line of more than `LINE_BYTES_MAX`: it was not kept.
    """

    number: int
    text: bytes | None


class Lines:
    """Cuts chunks into lines. `first` is the number of the first line that comes.

    One blank line at the very end is none; any other blank line is a line like the others.
    """

    def __init__(self, first: int) -> None:
        self._next = first
        self._held = bytearray()
        self._is_long = False
        self._blank = 0

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """The lines that this chunk ends."""
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            self._hold(chunk[start:end])
            start = end + 1
            yield from self._ended()
        self._hold(chunk[start:])

    def end(self) -> Iterator[Line]:
        """What is left once the stream has ended.

        Raises MalformedRequest for a last line that no line feed ends and that is not whole: a sender who was cut off
        in the middle of a line has not sent it.
        """
        if self._is_long or self._held.strip():
            if self._is_long or not _is_json(bytes(self._held)):
                raise MalformedRequest("the last line broke off: end each line with a line feed")
            yield from self._ended()
        if self._blank > 1:
            self._blank -= 1
            yield from self._blanks()

    def _hold(self, part: bytes) -> None:
        if self._is_long:
            return
        if len(self._held) + len(part) > LINE_BYTES_MAX:
            self._is_long = True
            self._held.clear()
        else:
            self._held += part

    def _ended(self) -> Iterator[Line]:
        text = None if self._is_long else bytes(self._held)
        self._held.clear()
        self._is_long = False
        if text is not None and not text.strip():
            self._blank += 1
            return
        yield from self._blanks()
        yield self._line(text)

    def _blanks(self) -> Iterator[Line]:
        while self._blank:
            self._blank -= 1
            yield self._line(b"")

    def _line(self, text: bytes | None) -> Line:
        self._next += 1
        return Line(self._next - 1, text)


async def batches(chunks: AsyncIterable[bytes], first: int) -> AsyncGenerator[list[Line]]:
    """The lines of a stream in batches, each as soon as it is full; the last when the stream ends.

    Raises MalformedRequest when the stream ends in the middle of a line; what came whole before it was given out.
    """
    lines = Lines(first)
    batch: list[Line] = []
    length = 0
    async for chunk in chunks:
        for line in lines.feed(chunk):
            batch.append(line)
            length += len(line.text or b"")
            if len(batch) == BATCH_LINES_MAX or length >= BATCH_BYTES_MAX:
                yield batch
                batch, length = [], 0
    broken: MalformedRequest | None = None
    try:
        batch += lines.end()
    except MalformedRequest as refusal:
        broken = refusal
    for start in range(0, len(batch), BATCH_LINES_MAX):
        yield batch[start : start + BATCH_LINES_MAX]
    if broken is not None:
        raise broken


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
