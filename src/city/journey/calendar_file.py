"""An iCalendar file read as a phone's calendar would (RFC 5545), by nobody's library."""

from collections.abc import Sequence
from typing import Final

from city.journey.telling import Broken

ZONE: Final = "Asia/Shanghai"


def entries(body: bytes) -> list[dict[str, str]]:
    """The events of a calendar: each line's name with its parameters, and its value; alarms counted as `alarms`.

    Raises Broken for what is no calendar.
    """
    lines = body.decode(errors="replace").replace("\r\n ", "").split("\r\n")  # §3.1: long lines are folded
    if lines[:1] != ["BEGIN:VCALENDAR"] or "END:VCALENDAR" not in lines:
        raise Broken("a calendar reads the file", "BEGIN:VCALENDAR … END:VCALENDAR", body[:80].decode(errors="replace"))
    return [_entry(event) for event in _parts(lines, "VEVENT")]


def _parts(lines: Sequence[str], name: str) -> list[list[str]]:
    found, start = [], None
    for at, line in enumerate(lines):
        if line == f"BEGIN:{name}":
            start = at
        elif line == f"END:{name}" and start is not None:
            found.append(list(lines[start + 1 : at]))
    return found


def _entry(lines: Sequence[str]) -> dict[str, str]:
    own = lines[: lines.index("BEGIN:VALARM")] if "BEGIN:VALARM" in lines else lines
    named = dict(line.split(":", 1) for line in own if ":" in line)
    return {**named, "alarms": str(lines.count("BEGIN:VALARM"))}
