"""A file of lines that a department sends: read once, and gone on with from any line without reading all before."""

from collections.abc import AsyncGenerator
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from city.errors import CannotStart

CHUNK_BYTES: Final = 64 * 1024
INDEXED_EVERY_LINES: Final = 10_000
"""Where so many lines begin is remembered, so that going on does not mean reading all before."""
_BLANK: Final = b"\r\n\r\n"


class File(msgspec.Struct, frozen=True):
    """A file of lines, read once: how many, what makes it this file, and where some of its lines begin."""

    path: Path
    lines: int
    digest: str
    offsets: list[int]

    @classmethod
    def read(cls, path: Path) -> "File":
        """Raises CannotStart."""
        digest, offsets, lines, at, ends = sha256(), [0], 0, 0, True
        try:
            with path.open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    digest.update(chunk)
                    start = 0
                    while (end := chunk.find(b"\n", start)) >= 0:
                        lines, start = lines + 1, end + 1
                        if lines % INDEXED_EVERY_LINES == 0:
                            offsets.append(at + start)
                    at += len(chunk)
                    ends = chunk.endswith(b"\n")
        except OSError as problem:
            said = problem.strerror or type(problem).__name__
            raise CannotStart(f"{path} cannot be read: {said}.", "Name a file of one JSON object a line.") from None
        return cls(path, lines + (not ends), digest.hexdigest(), offsets)

    @property
    def ends_blank(self) -> bool:
        """Whether the last line is blank: to whoever reads it, that is no line."""
        with self.path.open("rb") as file:
            file.seek(max(0, self.path.stat().st_size - len(_BLANK)))
            return file.read().replace(b"\r", b"").endswith(b"\n\n")

    def first_line(self) -> bytes:
        """The first line, ended."""
        with self.path.open("rb") as file:
            return file.readline().rstrip(b"\n") + b"\n"

    async def from_line(self, number: int) -> AsyncGenerator[bytes]:
        """The file from a line on, counted from 1, its last line ended."""
        indexed = min((number - 1) // INDEXED_EVERY_LINES, len(self.offsets) - 1)
        with self.path.open("rb") as file:
            file.seek(self.offsets[indexed])
            for _ in range(number - 1 - indexed * INDEXED_EVERY_LINES):
                file.readline()
            ends = True
            while chunk := file.read(CHUNK_BYTES):
                ends = chunk.endswith(b"\n")
                yield chunk
            if not ends:
                yield b"\n"
