"""A lock file and an environment held against each other, with the standard library alone."""

import csv
import re
import subprocess
from pathlib import Path

_NAME_AND_VERSION = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)")
_DIST_INFO = re.compile(r"^(.+)-([^-]+)\.dist-info$")
_RECORDED_WITH_SIZE = 3  # path, hash, size: PEP 376
_SIZE_AT = 2


def read(lock: Path) -> list[str]:
    """The requirements of a lock file, each with its hashes, as it stands there."""
    blocks: list[str] = []
    for line in lock.read_text(encoding="utf-8").splitlines(keepends=True):
        if _NAME_AND_VERSION.match(line):
            blocks.append(line)
        elif line[:1].isspace() and blocks:
            blocks[-1] += line
    return blocks


def key(block: str) -> tuple[str, str]:
    """Name and version of a requirement, the name in the one form that compares."""
    found = _NAME_AND_VERSION.match(block)
    assert found is not None, block
    return _normal(found[1]), found[2]


def stamp_line(lock: Path) -> str:
    """What a stamp says of an environment that is ready for this lock file: its name and what `cksum` says of it."""
    with lock.open("rb") as file:  # the same sum that ./run makes in the shell, without starting a Python for it
        said = subprocess.run(["cksum"], stdin=file, capture_output=True, text=True, check=True)
    return f"{lock.name} {said.stdout.strip()}"


def installed(environment: Path) -> set[tuple[str, str]]:
    """Name and version of everything installed."""
    found = (_DIST_INFO.match(folder.name) for folder in _dist_infos(environment))
    return {(_normal(match[1]), match[2]) for match in found if match}


def is_whole(environment: Path) -> bool:
    """Whether every file that was installed is there at its full length; an interrupted installation is not."""
    return all(_is_whole(folder) for folder in _dist_infos(environment))


def _is_whole(dist_info: Path) -> bool:
    record = dist_info / "RECORD"
    if not record.exists():
        return False
    for row in csv.reader(record.read_text(encoding="utf-8").splitlines()):
        if len(row) == _RECORDED_WITH_SIZE and row[_SIZE_AT].isdigit():
            file = dist_info.parent / row[0]
            if not file.exists() or file.stat().st_size != int(row[_SIZE_AT]):
                return False
    return True


def _dist_infos(environment: Path) -> list[Path]:
    return sorted(environment.glob("lib/python*/site-packages/*.dist-info"))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
