"""`keys`: makes the file of sealing and digest keys, or puts a fresh key first in it."""

import argparse
import sys
from pathlib import Path

from city.errors import CannotStart
from kernel.sealing import make_key_file, rotate_key_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `keys`."""
    parser.add_argument("file", metavar="FILE", type=Path, help="the key file; keep it as you keep the database")
    parser.add_argument("--rotate", action="store_true", help="put a fresh sealing key first; old ones stay")
    parser.add_argument("--rotate-digest", action="store_true", help="put a fresh digest key first; old ones stay")


def run(args: argparse.Namespace) -> int:
    """Make or rotate. Exit 0 when the file is as asked; one that exists is never overwritten."""
    path: Path = args.file
    if not (args.rotate or args.rotate_digest):
        if path.exists():
            raise CannotStart(f"{path} exists and is left as it is.", "To put a fresh key first, say --rotate.")
        make_key_file(path)
        sys.stdout.write(f"made {path}; back it up now, the database cannot be read without it\n")
        return 0
    if not path.exists():
        raise CannotStart(f"There is no key file {path}.", "Make one: the same command without --rotate.")
    for wanted, digest in ((args.rotate, False), (args.rotate_digest, True)):
        if wanted:
            rotate_key_file(path, digest=digest)
    sys.stdout.write(f"a fresh key is first in {path}; restart web and worker to use it\n")
    return 0
