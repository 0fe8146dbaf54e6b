"""A stream of bytes cut into numbered lines and then into batches. Pure; bounded, whatever comes."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable

import msgspec

from kernel.errors import MalformedRequest


class Line(msgspec.Struct, frozen=True):
    """One line by its number in the whole, counted from 1.

    `text` is None for a line longer than a line may be: it was not kept.
    """

    number: int
    text: bytes | None


class Lines:
    """Cuts chunks into lines. `first` is the number of the first line that comes.

    One blank line at the very end is none; any other blank line is a line like the others. `is_whole` says of a last
    line that no line feed ends whether it can have come whole.
    """

    def __init__(self, first: int, *, line_bytes_max: int, is_whole: Callable[[bytes], bool]) -> None:
        self._next = first
        self._line_bytes_max = line_bytes_max
        self._is_whole = is_whole
        self._held = bytearray()
        self._is_long = False
        self._is_blank_waiting = False

    def feed(self, chunk: bytes) -> list[Line]:
        """The lines that this chunk ends."""
        pieces = chunk.split(b"\n")
        self._hold(pieces[0])
        found: list[Line] = []
        if len(pieces) == 1:
            return found
        self._end_held(found)
        last = pieces.pop()
        for piece in pieces[1:]:
            self._end(found, piece if len(piece) <= self._line_bytes_max else None)
        self._hold(last)
        return found

    def end(self) -> list[Line]:
        """What is left once the stream has ended.

        Raises MalformedRequest for a last line that no line feed ends and that is not whole: a sender who was cut off
        in the middle of a line has not sent it.
        """
        found: list[Line] = []
        if self._is_long or self._held.strip():
            if self._is_long or not self._is_whole(bytes(self._held)):
                raise MalformedRequest("the last line broke off: end each line with a line feed")
            self._end_held(found)
        return found

    def _hold(self, part: bytes) -> None:
        if self._is_long:
            return
        if len(self._held) + len(part) > self._line_bytes_max:
            self._is_long = True
            self._held.clear()
        else:
            self._held += part

    def _end_held(self, found: list[Line]) -> None:
        text = None if self._is_long else bytes(self._held)
        self._held.clear()
        self._is_long = False
        self._end(found, text)

    def _end(self, found: list[Line], text: bytes | None) -> None:
        if self._is_blank_waiting:
            self._give(found, b"")
        self._is_blank_waiting = text is not None and not text.strip()
        if not self._is_blank_waiting:
            self._give(found, text)

    def _give(self, found: list[Line], text: bytes | None) -> None:
        found.append(Line(self._next, text))
        self._next += 1


async def batches(
    chunks: AsyncIterable[bytes], lines: Lines, *, lines_max: int, bytes_max: int
) -> AsyncGenerator[list[Line]]:
    """The lines of a stream in batches, each as soon as it is full; the last when the stream ends.

    Raises MalformedRequest when the stream ends in the middle of a line; what came whole before it was given out.
    """
    batch: list[Line] = []
    length = 0
    async for chunk in chunks:
        for line in lines.feed(chunk):
            batch.append(line)
            length += len(line.text or b"")
            if len(batch) == lines_max or length >= bytes_max:
                yield batch
                batch, length = [], 0
    broken: MalformedRequest | None = None
    try:
        batch += lines.end()
    except MalformedRequest as refusal:
        broken = refusal
    for start in range(0, len(batch), lines_max):
        yield batch[start : start + lines_max]
    if broken is not None:
        raise broken
