"""The pure parts of bringing a city up: its environment, its lock files, the words on the screen."""

import io
from pathlib import Path

import pytest

from city import environment
from city import locked_requirements as locks
from city.errors import CannotStart
from city.progress import Progress
from kernel.settings import load

LOCK = """\
aiohttp==3.14.5 \\
    --hash=sha256:00 \\
    --hash=sha256:01
Typing_Extensions==4.1 ; python_version < '3.13' \\
    --hash=sha256:02
"""


def told(given: dict[str, str], host: str = "127.0.0.1", port: int = 8700) -> dict[str, str]:
    return environment.for_parts(
        given,
        database_url="postgresql://here",
        redis_url="unix:///here",
        key_file=Path("/keys.json"),
        host=host,
        port=port,
        public_host=environment.public_host_of(host, port),
    )


@pytest.mark.parametrize("given", [{}, {"SUISHENBAN_DEMO": "false"}])
def test_every_process_gets_settings_the_kernel_takes(given: dict[str, str]) -> None:
    settings = load(told(given, port=8800))
    assert settings.port == 8800
    assert settings.public_origin == "http://127.0.0.1:8800"
    assert settings.demo is not bool(given)


def test_what_somebody_set_stays() -> None:
    theirs = {"SUISHENBAN_REDIS_URL": "redis://theirs", "SUISHENBAN_CODE_LIFETIME_SECONDS": "30"}
    completed = told(theirs)
    assert theirs.items() <= completed.items()
    assert completed["SUISHENBAN_DATABASE_URL"] == "postgresql://here"


def test_postgres_variables_bend_only_an_address_of_their_own() -> None:
    assert "PGHOST" not in told({"PGHOST": "elsewhere"})
    theirs = {"PGPASSFILE": "/pass", "SUISHENBAN_DATABASE_URL": "postgresql://theirs"}
    assert told(theirs)["PGPASSFILE"] == "/pass"


@pytest.mark.parametrize("host, name", [("0.0.0.0", "127.0.0.1:80"), ("::", "localhost:80"), ("city.cn", "city.cn:80")])
def test_codes_name_an_address_that_can_be_called(host: str, name: str) -> None:
    assert environment.public_host_of(host, 80) == name


@pytest.mark.parametrize("said", [0, -1, environment.PORT_MAX + 1])
def test_a_port_out_of_bounds_is_refused(said: int) -> None:
    with pytest.raises(CannotStart):
        environment.port_of({}, said)


def test_a_port_in_words_is_refused() -> None:
    with pytest.raises(CannotStart):
        environment.port_of({"SUISHENBAN_PORT": "http"})


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """An environment with one package of two files, installed whole."""
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    (packages / "aiohttp-3.14.5.dist-info").mkdir(parents=True)
    (packages / "aiohttp.py").write_text("12345")
    (packages / "aiohttp-3.14.5.dist-info" / "RECORD").write_text(
        "aiohttp.py,sha256=0,5\n__pycache__/aiohttp.pyc,,\naiohttp-3.14.5.dist-info/RECORD,,\n"
    )
    return tmp_path


def test_a_lock_file_is_read_with_every_hash_and_marker(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text(LOCK)
    blocks = locks.read(tmp_path / "lock")
    assert "".join(blocks) == LOCK
    assert [locks.key(block) for block in blocks] == [("aiohttp", "3.14.5"), ("typing-extensions", "4.1")]


def test_a_whole_environment_is_told_from_a_broken_one(installed: Path) -> None:
    assert locks.installed(installed) == {("aiohttp", "3.14.5")}
    assert locks.is_whole(installed)
    file = installed / "lib" / "python3.11" / "site-packages" / "aiohttp.py"
    file.write_text("1234")
    assert not locks.is_whole(installed)
    file.unlink()
    assert not locks.is_whole(installed)


def test_an_installation_broken_off_before_its_record_is_not_whole(installed: Path) -> None:
    next(installed.rglob("RECORD")).unlink()
    assert not locks.is_whole(installed)


def test_a_quick_step_takes_one_line() -> None:
    out = io.StringIO()
    with Progress(out).step("schema up to date") as step:
        step.tick()
        step.outcome = "3 applied"
    assert out.getvalue() == "  schema up to date: 3 applied (0.0 s)\n"
