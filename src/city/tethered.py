"""Becomes another program that does not outlive the process that started it.

Run as a script, by path, with nothing but the standard library:

    python -I -S tethered.py SIGNAL PARENT UID GID PROGRAM ARGUMENT…

On Linux the kernel sends SIGNAL when the parent ends, however it ends. Elsewhere the next start ends what is left
over (`leftovers`). UID and GID are numbers, or `-` to stay who we are; the tether is tied after they are taken on,
because changing them unties it. The parent is the *thread* that started us: start from one that lives on.
"""

import os
import sys

if sys.platform == "linux":
    import ctypes  # before anything is given up: another user may not be able to read our Python

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PRIVATE = 0o077


def become(death_signal: int, parent: int, uid: int | None, gid: int | None, command: list[str]) -> None:
    """Replace this process by `command`. Returns only if the parent has gone already."""
    os.umask(_PRIVATE)
    if uid is not None and gid is not None:
        os.setgroups([gid])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() == parent:
        os.execv(command[0], command)  # noqa: S606


def main(arguments: list[str]) -> int:
    death_signal, parent, uid, gid, *command = arguments
    try:
        become(int(death_signal), int(parent), _number(uid), _number(gid), command)
    except OSError as problem:
        sys.stderr.write(f"cannot start {command[0]}: {problem.strerror}\n")
        return 127
    return 0


def _number(text: str) -> int | None:
    return None if text == "-" else int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
