"""The command of a venue: judge codes without a network, keep what that takes up to date, send in what was scanned."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, TextIO

from suishenban_verify import fetching
from suishenban_verify.bundle import Bundle, BundleRefused, NothingPinned, keys_of_set
from suishenban_verify.fetching import CannotFetch
from suishenban_verify.jws import NotSigned, strict_json
from suishenban_verify.remembering import Memory, Scan
from suishenban_verify.replay import CannotRemember
from suishenban_verify.signatures import b64url, thumbprint
from suishenban_verify.verifying import Outcome, Verdict, Verifier

YES, NO, CANNOT_TELL = 0, 1, 2
BUNDLE = "suishenban-bundle"
LINE_CHARACTERS_MAX = 4096
_SHANGHAI = timezone(timedelta(hours=8))
_IN_DOUBT = (Outcome.CANNOT_TELL, Outcome.CLOCK_WRONG)
_SUBCOMMANDS = ("code", "update", "roots", "upload")

_ABOUT = """\
Says whether an offline code of Suishenban (EC1:…) is good, without a network.

  %(prog)s EC1:…                                judge one code
  %(prog)s -                                    judge codes from standard input, one a line: connect a scanner
  %(prog)s --image FILE                         judge the code in a picture
  %(prog)s roots --pin FILE                     trust the city's root keys: the first thing to do, once
  %(prog)s update --city URL --token-file FILE  fetch what is granted, trust list and status lists; daily
  %(prog)s upload --city URL --token-file FILE  send in what was scanned

The root keys are at URL/.well-known/trust-roots; compare the thumbprints that `roots` shows with those that the city's
operator reads out (./run keys roots there). The token is the access token of your device, from POST URL/venue/token.
"""
_EPILOG = """\
exit code: 0 every code was good; 1 one was not; 2 one cannot be told (no list that still serves, a clock that is
wrong), or the command could not be carried out. Only 0 is a yes.

The device keeps what it needs in one directory (--bundle, default: suishenban-bundle). A code is good once: what was
accepted is remembered there, and so is every scan until it is uploaded. Codes are good only for scenarios that the
device is granted: those of the last update with --token-file, or of --scenarios FILE, a JSON object from scenario to
kind to names of fields.
"""


class _Unable(Exception):
    """Why the command cannot be carried out, for people."""


def main(
    arguments: Sequence[str],
    *,
    prog: str,
    clock: Callable[[], int],
    fresh_id: Callable[[], str],
    source: TextIO | None = None,
) -> int:
    """Run one command; the result is the exit code.

    `clock` gives Unix seconds, `fresh_id` a UUID for each scan; `source` is what `-` reads, standard input if None.
    """
    words = list(arguments)
    if not words or words[0] not in (*_SUBCOMMANDS, "-h", "--help"):
        words.insert(0, "code")
    args = _parser(prog).parse_args(words)
    args.source, args.program = source or sys.stdin, prog
    try:
        return int(_COMMANDS[args.command](args, clock, fresh_id))
    except NothingPinned as problem:
        sys.stderr.write(f"{prog}: {problem}. Say: {prog} roots --pin FILE --bundle {args.bundle}\n")
        return CANNOT_TELL
    except (_Unable, BundleRefused, CannotFetch, CannotRemember) as problem:
        sys.stderr.write(f"{prog}: {problem}\n")
        return CANNOT_TELL


def _parser(prog: str) -> argparse.ArgumentParser:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog=prog, description=_ABOUT % {"prog": prog}, epilog=_EPILOG, formatter_class=shape, allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    code = _subparser(commands, "code", "judge codes; COMMAND may be left out")
    code.add_argument("text", nargs="?", metavar="EC1:…", help="the text of a code, or - for one on each line of input")
    code.add_argument("--image", type=Path, metavar="FILE", help="read the code from a picture (needs zxing-cpp)")
    code.add_argument("--json", action="store_true", help="answer in JSON, an object a line")
    update = _subparser(commands, "update", "fetch trust list and status lists")
    _add_city(update)
    update.add_argument("--scenarios", type=Path, metavar="FILE", help="what the device is granted, from a JSON file")
    update.add_argument(
        "--token-file", metavar="FILE", help="the device's access token (- for input): ask the city what is granted"
    )
    roots = _subparser(commands, "roots", "show the root keys trusted, or pin others")
    roots.add_argument("--pin", metavar="FILE", help="trust the keys of this JWK Set (- for input), and no others")
    roots.add_argument("--json", action="store_true", help="answer as a JWK Set")
    upload = _subparser(commands, "upload", "send in what was scanned")
    _add_city(upload)
    upload.add_argument("--token-file", required=True, metavar="FILE", help="the device's access token (- for input)")
    return parser


def _subparser(commands: Any, name: str, about: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(
        name, help=about, description=f"{about[0].upper()}{about[1:]}.", epilog=_EPILOG, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    made.add_argument(
        "--bundle", type=Path, default=Path(BUNDLE), metavar="DIR", help=f"what the device keeps (default: {BUNDLE})"
    )
    return made


def _add_city(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--city", required=True, metavar="URL", help="where the city answers")


def _judge(args: argparse.Namespace, clock: Callable[[], int], fresh_id: Callable[[], str]) -> int:
    if (args.text is None) == (args.image is None):
        raise _Unable("give the text of a code, or - for input, or --image FILE; --help says more")
    bundle = Bundle(args.bundle)
    bundle.roots()
    memory = bundle.memory()
    try:
        verifier = bundle.verifier(memory, clock())
        worst = YES
        for text in _texts(args):
            verdict = _judged(verifier, memory, text, clock(), fresh_id(), as_json=args.json)
            worst = max(worst, YES if verdict.is_valid else CANNOT_TELL if verdict.outcome in _IN_DOUBT else NO)
        return worst
    finally:
        memory.close()


def _judged(verifier: Verifier, memory: Memory, text: str, now: int, use_id: str, *, as_json: bool) -> Verdict:
    """Judge one code; nothing is answered before the scan is kept for the city."""
    verdict = verifier.verify(text, now)
    if verdict.outcome is not Outcome.NOT_OURS:
        memory.owe(Scan(text, use_id, now, verdict.outcome.value))
    sys.stdout.write(_as_json(verdict, now, use_id) if as_json else _as_text(verdict))
    sys.stdout.flush()
    return verdict


def _texts(args: argparse.Namespace) -> Iterator[str]:
    if args.image is not None:
        yield _from_image(args.image)
    elif args.text == "-":
        while line := args.source.readline(LINE_CHARACTERS_MAX):
            if line.strip():
                yield line.rstrip("\r\n")
    else:
        yield args.text


def _from_image(file: Path) -> str:
    """The text of the one QR in a picture."""
    try:
        import zxingcpp  # what a device with a scanner of its own does without
        from PIL import Image
    except ImportError:
        raise _Unable("reading pictures needs two more packages: pip install zxing-cpp pillow") from None
    try:
        with Image.open(file) as picture:
            found = [each.text for each in zxingcpp.read_barcodes(picture.convert("L")) if each.text]
    except (OSError, ValueError) as problem:
        raise _Unable(f"{file} is no picture that can be read: {problem}") from None
    if len(found) != 1:
        raise _Unable(f"{file} shows {len(found) or 'no'} codes that can be read; one was expected")
    return str(found[0])


def _as_json(verdict: Verdict, now: int, use_id: str) -> str:
    said = verdict._asdict() | {
        "certificates": [each._asdict() for each in verdict.certificates],
        "scanned_at": now,
        "use_id": use_id,
    }
    return json.dumps(said, ensure_ascii=False) + "\n"


def _as_text(verdict: Verdict) -> str:
    lines = [f"{'YES' if verdict.is_valid else 'NO '}  {verdict.outcome}" + (verdict.reason and f": {verdict.reason}")]
    for each in verdict.certificates:
        lines.append(f"     {each.kind_code}, issued by {each.issuer_code}, for {verdict.scenario_code}")
        lines += [f"       {name}: {value}" for name, value in each.fields.items()]
    if verdict.as_of is not None:
        lines.append(f"     not withdrawn as of {_in_shanghai(verdict.as_of)}")
    if verdict.clock_skew_seconds:
        lines.append(f"     this clock is {verdict.clock_skew_seconds} s behind the one that made the code")
    return "\n".join(lines) + "\n"


def _in_shanghai(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone(_SHANGHAI).strftime("%Y-%m-%d %H:%M:%S +08:00")


def _update(args: argparse.Namespace, clock: Callable[[], int], fresh_id: Callable[[], str]) -> int:
    del fresh_id
    bundle = Bundle(args.bundle)
    bundle.roots()
    if args.scenarios is not None:
        bundle.keep_scenarios(_json_of(args.scenarios.read_bytes))
    token = None if args.token_file is None else _token(args)
    done = fetching.update(bundle, args.city, clock(), token=token)
    sys.stdout.write(
        f"trust list {done.trust.sequence}, good until {_in_shanghai(done.trust.expires_at)}\n"
        f"{done.lists} status lists\n{len(bundle.scenarios())} scenarios granted\n"
    )
    sys.stderr.writelines(f"{problem}\n" for problem in done.problems)
    if not bundle.scenarios():
        asked = "the city grants this device none; ask its operator for some"
        unasked = "ask the city with --token-file FILE, or name them with --scenarios FILE"
        sys.stderr.write(
            f"{args.program}: no code is good here without a scenario: {unasked if token is None else asked}\n"
        )
    return CANNOT_TELL if done.problems else YES


def _roots(args: argparse.Namespace, clock: Callable[[], int], fresh_id: Callable[[], str]) -> int:
    del clock, fresh_id
    bundle = Bundle(args.bundle)
    if args.pin is not None:
        read = (lambda: args.source.read().encode()) if args.pin == "-" else Path(args.pin).read_bytes
        bundle.pin(keys_of_set(_json_of(read)))
    roots = bundle.roots()
    if args.json:
        sys.stdout.write(json.dumps({"keys": [dict(root.jwk) for root in roots]}) + "\n")
    else:
        sys.stdout.writelines(f"{root.key_id}  {root.algorithm}  {b64url(thumbprint(root.jwk))}\n" for root in roots)
    return YES


def _upload(args: argparse.Namespace, clock: Callable[[], int], fresh_id: Callable[[], str]) -> int:
    del clock, fresh_id
    bundle = Bundle(args.bundle)
    bundle.roots()
    memory = bundle.memory()
    try:
        done = fetching.upload(memory, args.city, _token(args))
    finally:
        memory.close()
    sys.stdout.write(f"{done.sent} scans sent\n")
    sys.stdout.writelines(f"{use_id}: {', '.join(found)}\n" for use_id, found in done.findings)
    return YES


def _token(args: argparse.Namespace) -> str:
    """An access token, which is given in a file so that no list of processes shows it."""
    file = args.token_file
    try:
        lines: Iterable[str] = [args.source.readline()] if file == "-" else Path(file).read_text("ascii").splitlines()
    except (OSError, ValueError):
        raise _Unable(f"{file} cannot be read") from None
    token = next(iter(lines), "").strip()
    if not token:
        raise _Unable("the access token is empty")
    return token


def _json_of(read: Callable[[], bytes]) -> Any:
    try:
        return strict_json(read())
    except (OSError, NotSigned) as problem:
        raise _Unable(f"the file cannot be read: {problem}") from None


_COMMANDS = {"code": _judge, "update": _update, "roots": _roots, "upload": _upload}
