"""The key file of a city that brings its own: made once, before anything is sealed, and never made a second time."""

from collections.abc import Mapping
from pathlib import Path

from city.data_directory import DataDirectory
from city.environment import KEY_FILE
from city.errors import CannotStart


def ensure_keys(directory: DataDirectory, environ: Mapping[str, str]) -> None:
    """Make the key file if this city is new. Raises CannotStart if it is missing from a city that has data already."""
    path = Path(environ[KEY_FILE])
    if path.exists():
        return
    record = directory.record()
    if path != directory.key_file or (record and record.planted):
        raise CannotStart(
            f"The key file {path} is missing, and the database cannot be read without it.",
            "Restore it from where you keep it. If it is lost, only --fresh helps: it starts over.",
        )
    from kernel.sealing import make_key_file  # cryptography takes a moment to load, and is needed here only once

    make_key_file(path)
