"""How much room certificates take on a disk, and what that comes to for a whole city."""

import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from city.bench.scale.queries import Relation
from city.data_directory import DataDirectory
from city.errors import CannotStart

CERTIFICATES: Final = 92_000_000
KINDS: Final = 345
CALLS_A_DAY: Final = 300_000
"""The city that figures are carried over to: each call shows a certificate once, and verifies it once."""
DAYS_A_YEAR: Final = 365
STATUS_LIST_SIZE: Final = 1 << 20
BYTES_OF_A_CERTIFICATE_MAX: Final = 2_200
"""What one takes at most, with every index; measured: see docs/PERFORMANCE.md."""
BYTES_BESIDE: Final = 2 * 1024**3
"""For PostgreSQL's log of changes, empty databases and what turns write."""
MEBIBYTE: Final = 1024**2
GIBIBYTE: Final = 1024**3

_WRITTEN_BY_CALLS: Final = ("wallet.use", "wallet.ledger_", "notifications.")
"""Tables that calls write to, as the beginnings of their names."""
_READ_BY_CALLS: Final = "wallet.certificate"
CATALOGUE: Final = ("wallet.kind", "wallet.issuer_kind", "wallet.scenario_field")
"""Tables that grow with the number of kinds."""
RELATIONS_MAX: Final = 20


class Room(Struct, frozen=True):
    """What a city takes, in bytes: each table and index for a certificate, and together."""

    total: int
    bytes_of_a_certificate: float
    read_by_calls_of_a_certificate: float
    by_relation: dict[str, float]
    """Bytes for a certificate, of the tables and indexes that take most."""


class WholeCity(Struct, frozen=True):
    """What a city of `CERTIFICATES`, `KINDS` and `CALLS_A_DAY` needs, carried over from the largest one measured."""

    certificates: int
    kinds: int
    calls_a_day: int
    disk_gib: float
    memory_gib: float
    """Table and index that showing and verifying read: what should fit into memory."""
    status_lists: int
    catalogue_mib: float
    uses_gib_a_year: float
    seconds_for_a_days_calls: float
    hours_to_load: float | None


def check(directory: DataDirectory, sizes: Iterable[int]) -> None:
    """Refuse a disk on which these sizes have no room. Raises CannotStart."""
    needed = sum(sizes) * BYTES_OF_A_CERTIFICATE_MAX + BYTES_BESIDE
    there = bytes_below(directory.postgres)
    free = shutil.disk_usage(directory.path).free
    if free < needed - there:
        raise CannotStart(
            f"The disk under {directory.path} has {free / GIBIBYTE:.1f} GiB left;"
            f" these sizes need {(needed - there) / GIBIBYTE:.1f} GiB more.",
            "Make room, choose smaller --sizes, or a folder on another disk with --data.",
        )


def bytes_below(folder: Path) -> int:
    """What the files below a folder hold."""
    total = 0
    for path in files_below(folder):
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def files_below(folder: Path) -> list[Path]:
    """The files of a folder; below that of a running PostgreSQL some are gone before anybody looks at them."""
    return [Path(at) / name for at, _, names in os.walk(folder) for name in names]


def room_of(relations: Sequence[Relation], certificates: int) -> Room:
    """What a city with these tables takes, without what earlier turns wrote."""
    held = [one for one in relations if not one.table.startswith(_WRITTEN_BY_CALLS)]
    total = sum(one.bytes for one in held)
    shares = {(f"{one.table} · {one.index}" if one.index else one.table): one.bytes / certificates for one in held}
    read = sum(one.bytes for one in read_by_calls(relations))
    by_relation = {name: round(share, 1) for name, share in sorted(shares.items(), key=lambda it: -it[1]) if share >= 1}
    return Room(total, round(total / certificates, 1), round(read / certificates, 1), by_relation)


def read_by_calls(relations: Sequence[Relation]) -> list[Relation]:
    """What showing and verifying read: the table of certificates, and its index."""
    return [one for one in relations if one.table == _READ_BY_CALLS]


def written_by_calls(relations: Sequence[Relation]) -> int:
    """The bytes of what calls write."""
    return sum(one.bytes for one in relations if one.table.startswith(_WRITTEN_BY_CALLS))


def whole_city(
    room: Room,
    relations: Sequence[Relation],
    *,
    kinds: int,
    bytes_of_a_call: float,
    rates: Sequence[float],
    loaded_per_second: float | None,
) -> WholeCity:
    """Carry figures over. `rates`: how many a second the machine shows, and how many it verifies, at its fastest."""
    catalogue = sum(one.bytes for one in relations if one.table in CATALOGUE)
    return WholeCity(
        certificates=CERTIFICATES,
        kinds=KINDS,
        calls_a_day=CALLS_A_DAY,
        disk_gib=round(room.bytes_of_a_certificate * CERTIFICATES / GIBIBYTE, 1),
        memory_gib=round(room.read_by_calls_of_a_certificate * CERTIFICATES / GIBIBYTE, 1),
        status_lists=-(-CERTIFICATES // STATUS_LIST_SIZE),
        catalogue_mib=round(catalogue * KINDS / kinds / MEBIBYTE, 2),
        uses_gib_a_year=round(bytes_of_a_call * CALLS_A_DAY * DAYS_A_YEAR / GIBIBYTE, 1),
        seconds_for_a_days_calls=round(sum(CALLS_A_DAY / rate for rate in rates), 1),
        hours_to_load=None if loaded_per_second is None else round(CERTIFICATES / loaded_per_second / 3600, 1),
    )
