"""The folder a city lives in: whose it is, who runs on it now, and how to start over.

- `city.json`: what made it: format, PostgreSQL's major version, owner, the servers' account, what is planted;
- `keys.json`: the sealing keys; whoever loses them cannot read the database;
- `postgres/`: the database; `redis/`: the working folder of the Redis-protocol server, which keeps nothing;
- `sockets`: where both listen, a folder or a link to a shorter path;
- `logs/`: one file per process; `running/`: the processes, so that a start can end what was left over;
- `lock`: held while a city runs; `address.json`: where that city answers, for other commands;
- `binaries/`: the servers' programs, only where the servers' account cannot reach the installed ones.
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import msgspec

from city.accounts import Account, named
from city.errors import CannotStart

FORMAT = 1
POSTGRES_MAJOR = 18
FREE_BYTES_MIN = 300 * 1024 * 1024
"""An empty city takes 60 MB; PostgreSQL's log of changes grows by 16 MB at a time, and a full disk stops it."""

ROOTS_FOLDER = Path("/var/lib/suishenban")
"""Where root's cities go when the checkout stands in a folder closed to the servers' account, such as /root."""

CLAIM_TRIES_MAX = 5
CLAIM_PAUSE_SECONDS = 0.05
"""Another command that looks whether a city runs holds the lock for a moment."""

OWNER_ONLY = 0o700
OTHERS_PASS_THROUGH = 0o711  # the servers' account enters its own folders below, and can list nothing here


class CityRecord(msgspec.Struct, kw_only=True):
    """What city.json says."""

    suishenban: int = FORMAT
    postgres_major: int = POSTGRES_MAJOR
    uid: int
    account: str | None = None
    planted: list[str] = []
    """Digests of the databases that hold the demo city already, each with the port of its departments' servers."""


class Address(msgspec.Struct, kw_only=True):
    """What address.json says while a city runs: where it answers, and what its processes were told."""

    pid: int
    url: str
    environ: dict[str, str]


class DataDirectory:
    """The parts of one data directory, by name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record_file = path / "city.json"
        self.key_file = path / "keys.json"
        self.postgres = path / "postgres"
        self.redis = path / "redis"
        self.sockets = path / "sockets"
        self.logs = path / "logs"
        self.running = path / "running"
        self.lock = path / "lock"
        self.address_file = path / "address.json"
        self.binaries = path / "binaries"

    def record(self) -> CityRecord | None:
        """What made this directory; None while it is empty. Raises CannotStart if it is not a city's."""
        try:
            return msgspec.json.decode(self.record_file.read_bytes(), type=CityRecord)
        except FileNotFoundError:
            self._refuse_foreign()
            return None
        except PermissionError:
            raise _other_user(self.path, _owner_of(self.record_file, self.path)) from None
        except msgspec.MsgspecError:
            raise CannotStart(
                f"{self.record_file} is not a record that this version can read.",
                "Choose another folder with --data, or restore that file.",
            ) from None

    def write_record(self, record: CityRecord) -> None:
        _write(self.record_file, msgspec.json.format(msgspec.json.encode(record)))

    def address(self) -> Address | None:
        """Where the city that runs here answers; None if none runs."""
        try:
            written = msgspec.json.decode(self.address_file.read_bytes(), type=Address)
        except (OSError, msgspec.MsgspecError):
            return None
        return written if is_claimed(self) else None

    def write_address(self, address: Address) -> None:
        _write(self.address_file, msgspec.json.encode(address))

    def _refuse_foreign(self) -> None:
        ours = {self.lock.name, self.logs.name}  # what a start leaves that was refused before it wrote the record
        if self.path.is_dir() and any(entry.name not in ours for entry in self.path.iterdir()):
            raise CannotStart(
                f"{self.path} is not empty and not a city's data.",
                "Choose another folder with --data: an empty one, or one that does not exist yet.",
            )


def default_path(checkout: Path | None, environ: Mapping[str, str], account: Account | None) -> Path:
    """Where data goes when nobody says: beside the checkout, else in the home folder; for root, where `account` gets.

    `checkout` is None for an installed copy.
    """
    beside = checkout / ".data" if checkout and os.access(checkout, os.W_OK) and _is_ours(checkout / ".data") else None
    if account is None:
        home = Path(environ.get("XDG_DATA_HOME") or Path(environ.get("HOME", "/")) / ".local" / "share")
        return beside or home / "suishenban"
    if beside and checkout and account.reaches(checkout):
        return beside
    return ROOTS_FOLDER / (f"{checkout.name}-{sha256(bytes(checkout)).hexdigest()[:8]}" if checkout else "city")


def _is_ours(path: Path) -> bool:
    return not path.exists() or path.stat().st_uid == os.geteuid()


@contextmanager
def claimed(directory: DataDirectory) -> Iterator[None]:
    """Be the only city on this directory, making it if need be. Raises CannotStart naming the city that is there.

    The claim is a lock the system drops when we end, however we end.
    """
    try:
        directory.path.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        held = os.open(directory.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise _unwritable(directory.path, problem) from None
    if not _locked(held):
        pid = os.read(held, 20).decode().strip() or "?"
        os.close(held)
        raise _already_running(directory, pid)
    try:
        os.ftruncate(held, 0)
        os.write(held, str(os.getpid()).encode())
        yield
    finally:
        directory.address_file.unlink(missing_ok=True)
        os.close(held)


def _locked(held: int) -> bool:
    for _ in range(CLAIM_TRIES_MAX):
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(CLAIM_PAUSE_SECONDS)
        else:
            return True
    return False


def is_claimed(directory: DataDirectory) -> bool:
    """Whether a city runs on this directory."""
    try:
        looked = os.open(directory.lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(looked, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(looked)


def check_owner(directory: DataDirectory) -> None:
    """Refuse data of another user. Raises CannotStart."""
    record = directory.record()
    if record is not None and record.uid != os.geteuid():
        raise _other_user(directory.path, record.uid)


def check_version(directory: DataDirectory, account: Account | None) -> None:
    """Refuse data of another format or another PostgreSQL, and a database of another account. Raises CannotStart."""
    record = directory.record()
    if record is None:
        return
    path = directory.path
    if record.suishenban != FORMAT:
        raise CannotStart(
            f"{path} was made by another version of this program: its format is {record.suishenban}, ours {FORMAT}.",
            "Use that version, or start over with --fresh, or choose another folder with --data.",
        )
    if record.postgres_major != POSTGRES_MAJOR:
        raise other_postgres(path, str(record.postgres_major))
    if account is not None and record.account not in (None, account.name):
        raise CannotStart(
            f"The database in {path} belongs to {record.account}, not to {account.name}.",
            f"Say --user {record.account}, or start over with --fresh.",
        )


def other_postgres(path: Path, major: str) -> CannotStart:
    """The refusal for data of another major version of PostgreSQL."""
    return CannotStart(
        f"{path} was made with PostgreSQL {major}; this version brings PostgreSQL {POSTGRES_MAJOR}.",
        "Carry it over with pg_dump and pg_restore, or start over with --fresh, or choose another folder with --data.",
    )


def check_room(directory: DataDirectory) -> None:
    """Refuse a disk that is nearly full. Raises CannotStart."""
    free = shutil.disk_usage(directory.path).free
    if free < FREE_BYTES_MIN:
        raise CannotStart(
            f"The disk under {directory.path} has {free // 2**20} MB left; a city needs {FREE_BYTES_MIN // 2**20} MB.",
            "Make room, or choose a folder on another disk with --data.",
        )


def empty(directory: DataDirectory) -> None:
    """Remove everything in a city's directory, its record last, so that a half-done removal can be done again.

    Whoever calls has claimed it and ended what ran on it. Raises CannotStart if it is not a city's, or not ours.
    """
    check_owner(directory)
    if directory.record() is None:
        return
    if directory.sockets.is_symlink():
        shutil.rmtree(directory.sockets.readlink(), ignore_errors=True)
    for entry in directory.path.iterdir():
        if entry in (directory.lock, directory.record_file):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    directory.record_file.unlink()


def _already_running(directory: DataDirectory, pid: str) -> CannotStart:
    address = directory.address()
    at = f", at {address.url}" if address else ", still starting"
    return CannotStart(
        f"A city already runs on {directory.path}: process {pid}{at}.",
        f"Use that one, or stop it (kill {pid}), or start a second one with --data and --port of its own.",
    )


def _other_user(path: Path, uid: int) -> CannotStart:
    return CannotStart(
        f"{path} was last used by {named(uid)}, and you are {named(os.geteuid())}.",
        f"Start as {named(uid)}, or choose another folder with --data.",
    )


def _owner_of(*paths: Path) -> int:
    """Who owns the first of `paths` that can be asked about; root where none can."""
    for path in paths:
        try:
            return path.stat().st_uid
        except OSError:
            continue
    return 0


def _unwritable(path: Path, problem: OSError) -> CannotStart:
    return CannotStart(
        f"{path} cannot be written: {problem.strerror}.",
        "Choose a folder of yours with --data, or make this one writable for you.",
    )


def _write(path: Path, text: bytes) -> None:
    """Put `text` at `path` whole or not at all, readable by the owner only."""
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    beside.touch(mode=0o600)
    with beside.open("wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
