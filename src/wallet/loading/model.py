"""The nouns of loads and registers."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec import Struct

from kernel.ids import DepartmentId


class LoadState(StrEnum):
    """A load takes lines while it is open."""

    OPEN = "open"
    FINISHED = "finished"


class Load(Struct, frozen=True):
    """How far a load has come. Every line read was issued, known or refused."""

    load_id: UUID
    department_id: DepartmentId
    state: LoadState
    opened_at: datetime
    touched_at: datetime
    lines_read: int
    issued: int
    known: int
    refused: int

    @property
    def next_line(self) -> int:
        """The number of the line that is wanted next."""
        return self.lines_read + 1


class RefusedLine(Struct, frozen=True):
    """A line that was refused, and why, in words that repeat none of its values.

    `field` names one of our own; `unknown_field` is a name of the sender's, and kept like a value: sealed.
    """

    line: int
    code: str
    detail: str
    field: str | None = None
    reference: str | None = None
    unknown_field: str | None = None
