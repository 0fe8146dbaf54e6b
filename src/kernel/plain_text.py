"""Text that reads as it is written, whoever shows it beside what else.

Refused are control characters (Unicode general category Cc; PostgreSQL takes no NUL in a text), the separators of lines
and paragraphs, and the marks that set the direction of what follows (UAX #9: embeddings, overrides, isolates), by which
a name turns the words around it. All of them are said in one pattern, so that what refuses is also what is described.
"""

import re
from typing import Final

_CONTROLS: Final = r"\x00-\x1f\x7f-\x9f"
_CONTROLS_BUT_LINE_FEED: Final = r"\x00-\x09\x0b-\x1f\x7f-\x9f"
_TURNING: Final = r"\u2028-\u202e\u2066-\u2069"
_END: Final = r"$(?!\n)"
"""In Python `$` alone also lets a line feed pass at the end."""

ONE_LINE: Final = rf"^[^{_CONTROLS}{_TURNING}]+{_END}"
ONE_LINE_OR_NONE: Final = rf"^[^{_CONTROLS}{_TURNING}]*{_END}"
SEVERAL_LINES: Final = rf"^[^{_CONTROLS_BUT_LINE_FEED}{_TURNING}]+$"
"""For what is read as a letter: a department's notice, or what a person says against a strike."""

_ONE_LINE = re.compile(ONE_LINE)


def is_one_line(text: str) -> bool:
    """Whether a text reads as it is written, on one line; an empty one does not."""
    return _ONE_LINE.search(text) is not None
