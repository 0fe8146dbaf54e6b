"""Whom the private servers run as. PostgreSQL refuses to run as root, so root needs somebody else for it.

Nobody is created and no folder is opened for others: an account that exists already is used, and what it must reach
is put where it can.
"""

import os
import pwd
import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec

from city.errors import CannotStart

PREFERRED = ("postgres", "_postgres", "nobody")  # Debian's, macOS's, and the one every system has
_ALL_CAN_BE_ENTERED = 'for path; do [ -x "$path" ] || exit 1; done'


class Account(msgspec.Struct, frozen=True):
    """A user of this machine, other than the one who started us."""

    name: str
    uid: int
    gid: int

    def reaches(self, *paths: Path) -> bool:
        """Whether this account may enter each folder and run each program: asked of the system, as that account."""
        asked = subprocess.run(
            ["/bin/sh", "-c", _ALL_CAN_BE_ENTERED, "sh", *map(str, paths)],
            user=self.uid, group=self.gid, extra_groups=[], cwd="/", check=False,
        )  # fmt: skip
        return asked.returncode == 0

    def owns(self, path: Path) -> None:
        """Give `path` to this account."""
        os.chown(path, self.uid, self.gid)


def server_account(asked: str | None, environ: Mapping[str, str]) -> Account | None:
    """The account to run the servers as; None means: as whoever started us, who is not root.

    Root's choice is `asked`, else who called sudo, else the first of PREFERRED there is. Raises CannotStart when the
    choice is not possible.
    """
    if os.geteuid() != 0:
        _refuse_what_only_root_may(asked)
        return None
    sudoer = environ.get("SUDO_USER", "root")
    wanted = [asked] if asked else [*([sudoer] if sudoer != "root" else []), *PREFERRED]
    for name in wanted:
        account = _find(name)
        if account is not None and account.uid != 0:
            return account
    if asked:
        raise CannotStart(
            f"PostgreSQL cannot run as {asked}: " + ("it refuses root." if _find(asked) else "there is no such user."),
            f"Name another user of this machine, e.g. --user {PREFERRED[-1]}.",
        )
    raise CannotStart(
        "PostgreSQL refuses to run as root, and this machine has no other user we know.",
        "Name one with --user, or start as an ordinary user.",
    )


def _refuse_what_only_root_may(asked: str | None) -> None:
    try:
        own = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise CannotStart(
            f"PostgreSQL needs a user with a name, and user number {os.geteuid()} has none on this machine.",
            "Start as a user that /etc/passwd knows.",
        ) from None
    if asked not in (None, own):
        raise CannotStart(
            f"Only root can run the servers as {asked}; you are {own}.",
            "Leave --user out, or start with sudo.",
        )


def _find(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def named(uid: int) -> str:
    """The name of a user number, or the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
