"""The locks fit pyproject.toml and each other: every dependency pinned, with hashes, and no address to fetch it from."""

import re
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.shape.tree import text_of

_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)(?: ; (.+?))?(?: \\)?$", re.MULTILINE)


def pins(lock: str) -> dict[str, set[str]]:
    """The versions pinned of each package; several where markers tell them apart."""
    found: dict[str, set[str]] = {}
    for name, version, _ in _PIN.findall(lock):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


def without_hash(lock: str) -> list[str]:
    """Lines that pin nothing, or pin without a hash."""
    entries = re.split(r"\n(?=\S)", lock.strip())
    return [entry.splitlines()[0] for entry in entries if not _PIN.match(entry) or "--hash=sha256:" not in entry]


def unmet(wanted: list[str], lock: str) -> list[str]:
    """Requirements that the lock does not pin, or pins to a version that does not fit."""
    pinned = pins(lock)
    found = []
    for line in wanted:
        requirement = Requirement(line)
        versions = pinned.get(canonicalize_name(requirement.name), set())
        if not versions or not all(version in requirement.specifier for version in versions):
            found.append(f"{line}: {', '.join(sorted(versions)) or 'not pinned'}")
    return found


def apart(lock: str, other: str) -> list[str]:
    """Packages that two locks pin to different versions, or that only the first has."""
    second = pins(other)
    return [
        f"{name}: {versions} and {second.get(name)}"
        for name, versions in pins(lock).items()
        if second.get(name) != versions
    ]


def project() -> tuple[list[str], list[str], str, str]:
    settings = tomllib.loads(text_of("pyproject.toml") or "")
    wanted, for_tests = settings["project"]["dependencies"], settings["dependency-groups"]["test"]
    return wanted, for_tests, text_of("requirements.lock") or "", text_of("requirements-test.lock") or ""


def test_every_dependency_is_pinned_as_asked_for() -> None:
    wanted, for_tests, lock, test_lock = project()
    assert unmet(wanted, lock) == [], "run make lock"
    assert unmet(for_tests, test_lock) == [], "run make lock"


def test_every_pin_has_hashes() -> None:
    _, _, lock, test_lock = project()
    assert without_hash(lock) == []
    assert without_hash(test_lock) == []


def test_tests_run_on_what_the_city_runs_on() -> None:
    _, _, lock, test_lock = project()
    assert apart(lock, test_lock) == []


def test_a_lock_that_does_not_fit_is_noticed() -> None:
    lock = "a-b==1.2 \\\n    --hash=sha256:00\nc==3 ; python_version < '3.12' \\\n    --hash=sha256:00\n"
    assert pins(lock) == {"a-b": {"1.2"}, "c": {"3"}}
    assert unmet(["a_b>=1,<2", "C"], lock) == []
    assert unmet(["a-b>=2", "d"], lock) == ["a-b>=2: 1.2", "d: not pinned"]
    assert without_hash(lock) == []
    assert without_hash("a==1\nb==2 \\\n    --hash=sha256:00\n-e .\n") == ["a==1", "-e ."]
    assert apart(lock, lock.replace("3 ;", "4 ;")) == ["c: {'3'} and {'4'}"]
