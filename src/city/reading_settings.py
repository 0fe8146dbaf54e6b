"""The settings of a command, or a plain sentence about the variable that is wrong."""

import difflib
from collections.abc import Mapping
from pathlib import Path

from city.environment import DEMO_DEPARTMENT_PORT, PREFIX, STANDIN_PORT
from city.errors import CannotStart
from kernel.settings import Settings, SettingsRefused, load

KNOWN = frozenset(
    {STANDIN_PORT, DEMO_DEPARTMENT_PORT, *(PREFIX + field.upper() for field in Settings.__struct_fields__)}
)


def read_settings(environ: Mapping[str, str]) -> Settings:
    """`kernel.settings.load`, refusing in words. Raises CannotStart."""
    unknown = next((name for name in environ if name.startswith(PREFIX) and name not in KNOWN), None)
    if unknown:
        near = difflib.get_close_matches(unknown, KNOWN, n=1)
        raise CannotStart(
            f"There is no setting {unknown}{f'; did you mean {near[0]}?' if near else '.'}",
            "Correct that variable or unset it; docs/SETTINGS.md lists them all.",
        )
    try:
        settings = load(environ)
    except SettingsRefused as reason:
        raise CannotStart(
            f"The environment does not make valid settings: {reason}",
            "Correct or unset that variable; docs/SETTINGS.md lists them all.",
        ) from None
    if settings.carriers is not None:
        _check_carriers(settings.carriers)
    return settings


def _check_carriers(path: Path) -> None:
    """Raises CannotStart for a file that makes no carriers."""
    from gateway.carriers.building import (
        carriers_of,
    )  # every channel's driver: only a city that has carriers loads them
    from gateway.carriers.reading import CarriersRefused
    from kernel.clock import SystemClock

    try:
        carriers_of(path, SystemClock())
    except CarriersRefused as reason:
        raise CannotStart(
            f"The file of carriers cannot be used. {reason}", "Correct it; docs/CARRIERS.md explains every line."
        ) from None
