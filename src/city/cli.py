"""The `suishenban` command: `./run COMMAND` in a checkout. With no command, the whole city comes up.

A command is a module with `add_arguments(parser)` and `run(args) -> int`; it is loaded only when it is asked for.
`args.environ` holds the environment: no other module reads it from the system.
"""

import argparse
import difflib
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

from city.errors import CannotStart

STOPPED_BY_CTRL_C = 130
READER_WENT_AWAY = 141  # what a shell reports for SIGPIPE


class Command(NamedTuple):
    """A name on the command line, the module that answers to it, and one line of help."""

    name: str
    module: str
    help: str
    passes_on: bool = False
    """Whether what it does not know goes on to another program, as `args.rest`."""
    is_help_passed_on: bool = False


DEFAULT = "up"
COMMANDS = (
    Command("up", "city.starting", "bring the whole city up and keep it up; what ./run does alone"),
    Command("journey", "city.journey", "play a certificate's way from a department to a venue's scanner, over HTTP"),
    Command("check", "city.checking", "say of each part whether it is in order, and what to do if not"),
    Command("verify", "city.verifying_offline", "say without a network whether a code is good", True, True),
    Command("verify-ledger", "city.auditing_ledger", "audit the ledger's log: was anything removed or altered?"),
    Command("bench", "city.bench", "measure a headline figure against a bare server in the same run"),
    Command("prove-delivery", "city.proving.command", "prove against other people's servers that nothing owed is lost"),
    Command("test", "city.testing", "run the test suite; what ./test does", passes_on=True),
    Command("serve", "city.serving", "the web process alone"),
    Command("worker", "city.working", "the worker process alone: sending, reminding, rebuilding lists"),
    Command("standins", "city.standins.serving", "the outside world of the demo: chat platform, real-name check"),
    Command("departments", "city.departments.serving", "the demo's departments, real servers behind the entrance"),
    Command("migrate", "city.migrating", "bring the database's schema up to date"),
    Command("seed", "city.seeding", "plant the demo city"),
    Command("department", "city.joining", "a department joins by its manifest, goes live, is taken away"),
    Command("keys", "city.keeping_keys", "make the file of sealing keys, or rotate them"),
    Command("openapi", "city.writing_openapi", "write openapi/*.json from the handlers"),
    Command("schema", "city.writing_schema", "write schema.sql, the sum of the migrations"),
    Command("errors", "city.writing_errors", "write docs/ERRORS.md from the refusals"),
    Command("settings", "city.writing_settings", "write docs/SETTINGS.md from the settings"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the result is the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        return _run(list(sys.argv[1:] if arguments is None else arguments))
    except CannotStart as reason:
        sys.stderr.write(f"{reason}\n")
        return 1
    except KeyboardInterrupt:
        return STOPPED_BY_CTRL_C
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains once more at its end
        return READER_WENT_AWAY


def _run(words: list[str]) -> int:
    if words and words[0] in {"-h", "--help", "help"}:
        sys.stdout.write(overview())
        return 0
    name = words.pop(0) if words and not words[0].startswith("-") else DEFAULT
    command = next((known for known in COMMANDS if known.name == name), None)
    if command is None:
        near = difflib.get_close_matches(name, [known.name for known in COMMANDS], n=1)
        raise CannotStart(
            f"There is no command {name}.",
            f"Did you mean {called()} {near[0]}?" if near else f"{called()} --help names them all.",
        )
    module = importlib.import_module(command.module)
    parser = parser_of(command, module)
    if command.passes_on:
        args, rest = parser.parse_known_args(words)
        args.rest = rest
    else:
        args = parser.parse_args(words)
    args.environ = dict(os.environ)
    result: int = module.run(args)
    return result


def parser_of(command: Command, module: ModuleType) -> argparse.ArgumentParser:
    """The parser of one command, with the options its module adds."""
    parser = argparse.ArgumentParser(
        prog=f"{called()} {command.name}",
        description=f"{command.help[0].upper()}{command.help[1:]}.",
        allow_abbrev=False,
        add_help=not command.is_help_passed_on,
    )
    module.add_arguments(parser)
    return parser


def overview() -> str:
    """What `--help` says: every command in a line, and how to go on."""
    width = max(len(command.name) for command in COMMANDS)
    name = called()
    return "\n".join(
        (
            f"usage: {name} [COMMAND] [OPTION…]",
            "",
            "Suishenban (随申办): a city's one entrance. With no command, the whole city comes up on this machine:",
            "a private PostgreSQL and Redis, web and worker, and a demo city to try. Ctrl-C stops it; data stays.",
            "",
            *(f"  {command.name:<{width}}  {command.help}" for command in COMMANDS),
            "",
            f"{name} --fresh              start over: remove this city's data first",
            f"{name} --port 8800          answer on another port (default 8700, and the two after it)",
            f"{name} --data DIR           keep data elsewhere (default .data beside this program)",
            f"{name} COMMAND --help       every option of a command",
            "",
            "With SUISHENBAN_DATABASE_URL and SUISHENBAN_REDIS_URL set, those servers are used, not private ones.",
            "",
        )
    )


def called() -> str:
    """How the person called us."""
    return "suishenban" if os.path.basename(sys.argv[0]) == "suishenban" else "./run"  # noqa: PTH119
