"""The processes of a city that are ours, and how each is asked whether it is ready."""

import signal
import sys
from collections.abc import Callable, Mapping

from city import asking, environment
from city.children import Part

STAGES = (("web", "departments", "standins", "worker"), ("redis", "postgres"))
"""The order in which a city stops: whoever answers people first, the servers they stand on last."""

STOP = ((signal.SIGTERM, 10.0),)
READY_WITHIN_SECONDS = 60.0
WORKER_READY_AFTER_SECONDS = 1.0
ONCE_WITHIN_SECONDS = 600.0
SERVERS = ("postgres", "redis")


def city_parts(environ: Mapping[str, str], host: str, port: int) -> list[Part]:
    """Web and worker, and for a demo the outside world and the departments."""
    parts = [
        _part("web", "serve", environ, lambda _: asking.answers_well(host, port, "/health/ready"), needs=SERVERS),
        _part("worker", "worker", environ, _lives, needs=SERVERS, ready_after_seconds=WORKER_READY_AFTER_SECONDS),
    ]
    if environment.is_demo(environ):
        here = environment.DEFAULT_HOST
        parts += [
            _part("standins", "standins", environ, lambda _: asking.listens(here, port + 1)),
            _part("departments", "departments", environ, lambda _: asking.listens(here, port + 2)),
        ]
    return parts


def once(command: str, environ: Mapping[str, str]) -> Part:
    """A command that does its work and ends."""
    return Part(
        name=command,
        command=command_line(command),
        environ=environ,
        stop=STOP,
        ready_within_seconds=ONCE_WITHIN_SECONDS,
    )


def command_line(*words: str) -> tuple[str, ...]:
    """How to run a command of this program in a process of its own."""
    return (sys.executable, "-P", "-m", "city", *words)


def _lives(_: int) -> bool:
    return True


def _part(
    name: str,
    command: str,
    environ: Mapping[str, str],
    is_ready: Callable[[int], bool],
    *,
    needs: tuple[str, ...] = (),
    ready_after_seconds: float = 0.0,
) -> Part:
    return Part(
        name=name,
        command=command_line(command),
        environ=environ,
        stop=STOP,
        needs=needs,
        is_ready=is_ready,
        ready_after_seconds=ready_after_seconds,
        ready_within_seconds=READY_WITHIN_SECONDS,
    )
