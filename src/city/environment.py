"""What the processes of a city are told through their environment: what `kernel.settings` reads, and two names more."""

from collections.abc import Mapping
from pathlib import Path

from city.asking import reachable, url_of
from city.errors import CannotStart
from city.standins.demo_secrets import DEMO_APP_ID, DEMO_APP_SECRET

SOURCES = Path(__file__).resolve().parents[1]
"""Where our packages are, for processes that are started in another folder."""

PREFIX = "SUISHENBAN_"
DATABASE_URL = PREFIX + "DATABASE_URL"
REDIS_URL = PREFIX + "REDIS_URL"
KEY_FILE = PREFIX + "KEY_FILE"
HOST = PREFIX + "HOST"
PORT = PREFIX + "PORT"
PUBLIC_HOST = PREFIX + "PUBLIC_HOST"
PUBLIC_ORIGIN = PREFIX + "PUBLIC_ORIGIN"
DEMO = PREFIX + "DEMO"
CHAT_PLATFORM_URL = PREFIX + "CHAT_PLATFORM_URL"
CHAT_PLATFORM_APP_ID = PREFIX + "CHAT_PLATFORM_APP_ID"
CHAT_PLATFORM_SECRET = PREFIX + "CHAT_PLATFORM_SECRET"
REAL_NAME_URL = PREFIX + "REAL_NAME_URL"
STANDIN_PORT = PREFIX + "STANDIN_PORT"
DEMO_DEPARTMENT_PORT = PREFIX + "DEMO_DEPARTMENT_PORT"

PUBLIC_HOST_CHARACTERS_MAX = 24
"""What `kernel.settings` takes: more would make a code denser than a version 3 QR."""

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8700
PORTS = 3  # web, stand-ins, demo departments, next to each other
PORT_MAX = 65535 - PORTS + 1


def public_host_of(host: str, port: int) -> str:
    """What codes name when nobody said otherwise: the address this machine reaches itself by."""
    name = reachable(host)
    return f"localhost:{port}" if ":" in name else f"{name}:{port}"


def port_of(given: Mapping[str, str], said: int | None = None) -> int:
    """The port of the web process: what was `said`, else what the environment says. Raises CannotStart."""
    text = str(said) if said is not None else given.get(PORT) or str(DEFAULT_PORT)
    if not text.isdecimal() or not 1 <= int(text) <= PORT_MAX:
        raise CannotStart(f"{text} is no port for a city.", f"Choose one from 1 to {PORT_MAX}.")
    return int(text)


def is_demo(given: Mapping[str, str]) -> bool:
    """Whether to bring the demo city: yes, unless `SUISHENBAN_DEMO` says no."""
    return given.get(DEMO, "true").lower() in {"true", "1", "yes", "on"}


def for_parts(
    given: Mapping[str, str],
    *,
    database_url: str,
    redis_url: str,
    key_file: Path,
    host: str,
    port: int,
    public_host: str,
) -> dict[str, str]:
    """The environment of every process of a city: what was `given`, completed. What somebody set stays as it is."""
    standins = url_of(DEFAULT_HOST, port + 1)
    demo = {
        DEMO: "true",
        CHAT_PLATFORM_URL: standins,
        CHAT_PLATFORM_APP_ID: DEMO_APP_ID,
        CHAT_PLATFORM_SECRET: DEMO_APP_SECRET,
        REAL_NAME_URL: standins,
        STANDIN_PORT: str(port + 1),
        DEMO_DEPARTMENT_PORT: str(port + 2),
    }
    completed = {
        DATABASE_URL: database_url,
        REDIS_URL: redis_url,
        KEY_FILE: str(key_file),
        PUBLIC_ORIGIN: f"http://{public_host}",
        **(demo if is_demo(given) else {}),
        **_passed_on(given, own_database=DATABASE_URL not in given),
    }
    ours = {"PYTHONPATH": str(SOURCES), "PYTHONUTF8": "1"}
    return {**completed, HOST: host, PORT: str(port), PUBLIC_HOST: public_host, **ours}


def _passed_on(given: Mapping[str, str], *, own_database: bool) -> dict[str, str]:
    """`given` without PostgreSQL's own variables where the database is ours: they would bend its address."""
    return {name: value for name, value in given.items() if not (own_database and name.startswith("PG"))}
