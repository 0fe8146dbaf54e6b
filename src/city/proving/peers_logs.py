"""The peers' own logs, read: one JSON line for each thing an SMSC took or sent, one for each e-mail a relay took."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from city.proving.model import Letter, Logs, Submission, nth_of_address, nth_of_number

ENDS: Final = frozenset({"cut", "closed"})


class _Part(msgspec.Struct):
    part: int
    parts: int


class _Line(msgspec.Struct):
    """What is read of a line of an SMSC's log; the words of texts are not."""

    at: int
    event: str
    submit: int = 0
    to: str = ""
    reference: int | None = None
    part: _Part | None = None
    status: int = 0
    id: str | None = None
    stat: str = ""


class _Letter(msgspec.Struct):
    to: list[str]


def read(smsc_logs: dict[str, Path], mail_log: Path) -> Logs:
    """All of them. `smsc_logs` by the name of the carrier."""
    submissions: list[Submission] = []
    ends: dict[str, list[int]] = {}
    until = 0
    for provider, path in smsc_logs.items():
        found, ends[provider], last = read_smsc(provider, path)
        submissions += found
        until = max(until, last)
    return Logs(submissions, read_mail(mail_log), ends, until)


def read_smsc(provider: str, path: Path) -> tuple[list[Submission], list[int], int]:
    """What one SMSC took in, when its connections ended, and when it wrote last."""
    taken: dict[int, dict[str, Any]] = {}
    said: dict[int, set[str]] = {}
    ends: list[int] = []
    last = 0
    for line in _lines(path):
        last = line.at
        if line.event == "submit":
            taken[line.submit] = _taken(provider, line)
        elif line.event == "accepted":
            taken[line.submit]["provider_ref"] = line.id
        elif line.event == "refused":
            taken[line.submit]["status"] = line.status
        elif line.event == "receipt":
            said.setdefault(line.submit, set()).add(line.stat)
        elif line.event in ENDS:
            ends.append(line.at)
    submissions = [Submission(**known, said=frozenset(said.get(submit, ()))) for submit, known in sorted(taken.items())]
    return submissions, ends, last


def read_mail(path: Path) -> list[Letter]:
    """Every e-mail the relay took."""
    if not path.exists():
        return []
    decoder = msgspec.json.Decoder(_Letter)
    with path.open("rb") as lines:
        return [_letter(decoder.decode(line).to[0]) for line in lines]


def _lines(path: Path) -> Iterator[_Line]:
    decoder = msgspec.json.Decoder(_Line)
    with path.open("rb") as lines:
        for line in lines:
            yield decoder.decode(line)


def _taken(provider: str, line: _Line) -> dict[str, Any]:
    part = _Part(1, 1) if line.part is None else line.part
    return {
        "provider": provider,
        "at_ms": line.at,
        "nth": nth_of_number(line.to),
        "reference": line.reference,
        "part": part.part - 1,
        "parts": part.parts,
    }


def _letter(address: str) -> Letter:
    return Letter(nth_of_address(address), address.startswith("dropped."))
