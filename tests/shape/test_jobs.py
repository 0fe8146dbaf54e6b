"""Every kind of job has a worker: what waits to be done when its time comes is on a beat in `gateway.worker`."""

import ast
import re
from collections.abc import Iterable

from tests.shape.tree import Source, sources

WORKER = "gateway.worker"
NAMED_LIKE_A_JOB = re.compile(
    r".+_(due|expired|everywhere|ahead|arrived|overdue|stale)$|^(rebuild|sweep|purge|expire)_.+|^keep_\w+ing$"
)
"""How we name what is done because its hour came, and not because somebody asked."""

Job = tuple[str, str]

PLAYED_BY_HAND: set[Job] = {("notifications.delivering", "send_everything_due")}
"""What the worker's `keep_carrying` does batch by batch, done at once: for tests, and to show a beat without waiting."""


def jobs(all_sources: Iterable[Source]) -> set[Job]:
    """Every coroutine named like a job, as (module, name). Statements are not jobs, and neither is what the worker adds."""
    return {
        (source.module, function.name)
        for source in all_sources
        if source.name != "queries" and source.module != WORKER
        for function in source.functions()
        if isinstance(function, ast.AsyncFunctionDef) and NAMED_LIKE_A_JOB.match(function.name)
    }


def without_worker(all_sources: Iterable[Source]) -> list[str]:
    """Jobs that neither the worker calls nor a job that it calls."""
    all_sources = list(all_sources)
    found, reached = jobs(all_sources), set[Job]()
    waiting = list(PLAYED_BY_HAND & found)
    waiting += [
        job for source in all_sources if source.module == WORKER for job in _called(source.nodes, WORKER, found)
    ]
    while waiting:
        job = waiting.pop()
        if job not in reached:
            reached.add(job)
            for source in all_sources:
                if source.module == job[0]:
                    for function in source.functions():
                        if function.name == job[1]:
                            waiting += _called(ast.walk(function), source.module, found)
    return [".".join(job) for job in sorted(found - reached)]


def _called(nodes: Iterable[ast.AST], module: str, known: set[Job]) -> list[Job]:
    """The jobs that some code speaks of: within its own package by name, elsewhere by package or module and name."""
    names = {what for _, what in known}
    package = module.split(".")[0]
    found = []
    for node in nodes:
        match node:
            case ast.Attribute(attr=last) | ast.Name(id=last) if last in names:
                before = set(ast.unparse(node).split(".")[:-1])
                found += [
                    (where, what)
                    for where, what in known
                    if what == last
                    and ((package != "gateway" and where.split(".")[0] == package) or before & set(where.split(".")))
                ]
    return found


def test_every_kind_of_job_has_a_worker() -> None:
    of_the_city = [source for source in sources("src") if source.package != "city"]
    assert without_worker(of_the_city) == []
    assert len(jobs(of_the_city)) >= 6


def test_a_job_that_nobody_works_at_is_noticed() -> None:
    worker = Source(
        f"src/{WORKER.replace('.', '/')}.py", "beats = [parts.notifications.send_due, sessions.forget_expired]"
    )
    sending = Source("src/notifications/sending.py", "async def send_due(): ...\n")
    forgotten = Source("src/wallet/uses.py", "async def close_due(): ...\n")
    through = Source(
        "src/gateway/sessions/parts.py",
        "class S:\n async def forget_expired(self): await self.keeping.drop_expired()\n",
    )
    reached = Source("src/gateway/sessions/keeping.py", "async def drop_expired(): ...\n")
    assert without_worker([worker, sending, through, reached]) == []
    assert without_worker([worker, sending, forgotten]) == ["wallet.uses.close_due"]
    assert without_worker([worker.__class__(worker.path, "beats = []"), sending]) == ["notifications.sending.send_due"]
