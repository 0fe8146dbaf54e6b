"""`keys`: the file of sealing and digest keys; a city's signing keys, its roots, and what to do when one leaked."""

import argparse
import sys
from pathlib import Path

from city import replacing_keys
from city.errors import CannotStart
from kernel.sealing import make_key_file, rotate_key_file

ACTS = {
    "signing": "list the signing keys, or rotate those of a purpose",
    "roots": "read out the root keys, with the thumbprints (RFC 7638) that venues compare",
    "leaked": "a signing key leaked: trust nothing it signed, and replace it at once",
}
_HELP = "\n".join(
    (
        "FILE            make the file of sealing keys, or put a fresh key first in it",
        *(f"{act:<15} {says}; {act} --help says more" for act, says in ACTS.items()),
    )
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `keys`. What comes after the first word is read by whoever that word calls."""
    parser.formatter_class = argparse.RawTextHelpFormatter
    parser.usage = "%(prog)s FILE [--rotate] [--rotate-digest]\n       %(prog)s {signing,roots,leaked} …"
    parser.epilog = "Exit 0 when it is as asked, 1 when it was refused and nothing was changed."
    _add_rotations(parser)
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="FILE | signing … | roots … | leaked …", help=_HELP)
    parser.set_defaults(prog=parser.prog)


def run(args: argparse.Namespace) -> int:
    """Make or rotate. Exit 0 when the file is as asked; one that exists is never overwritten."""
    act = args.words[0] if args.words else None
    if act not in ACTS:
        return _keep_file(_file_parser(args.prog).parse_args(args.words, args))
    parser = argparse.ArgumentParser(
        prog=f"{args.prog} {act}", description=f"{ACTS[act][0].upper()}{ACTS[act][1:]}.", allow_abbrev=False
    )
    replacing_keys.add_arguments(parser, act)
    return replacing_keys.run(parser.parse_args(args.words[1:], argparse.Namespace(act=act, environ=args.environ)))


def _file_parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, allow_abbrev=False)
    parser.add_argument("file", metavar="FILE", type=Path, help="the key file; keep it as you keep the database")
    _add_rotations(parser)
    return parser


def _add_rotations(parser: argparse.ArgumentParser) -> None:
    for name, which in (("--rotate", "sealing"), ("--rotate-digest", "digest")):
        parser.add_argument(
            name, action="store_true", default=argparse.SUPPRESS, help=f"put a fresh {which} key first; old ones stay"
        )


def _keep_file(args: argparse.Namespace) -> int:
    path: Path = args.file
    wanted = [digest for name, digest in (("rotate", False), ("rotate_digest", True)) if getattr(args, name, False)]
    if not wanted:
        if path.exists():
            raise CannotStart(f"{path} exists and is left as it is.", "To put a fresh key first, say --rotate.")
        make_key_file(path)
        sys.stdout.write(f"made {path}; back it up now, the database cannot be read without it\n")
        return 0
    if not path.exists():
        raise CannotStart(f"There is no key file {path}.", "Make one: the same command without --rotate.")
    for digest in wanted:
        rotate_key_file(path, digest=digest)
    sys.stdout.write(f"a fresh key is first in {path}; restart web and worker to use it\n")
    return 0
