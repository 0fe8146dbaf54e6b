"""A function fits a screen, a module asks for a split, and nothing is called after nothing."""

import ast
import re

from tests.shape.tree import Source, sources

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
NAMES_THAT_SAY_NOTHING = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "misc",
    "base",
    "manager",
    "managers",
    "shared",
}


def too_long(source: Source) -> list[str]:
    """The module, if it is longer than it may be, and each of its functions that is."""
    found = []
    lines = source.text.count("\n")
    if lines > MODULE_LINES_MAX:
        found.append(f"{source.path}: {lines} lines, at most {MODULE_LINES_MAX}")
    for function in source.functions():
        assert function.end_lineno is not None
        length = function.end_lineno - function.lineno + 1
        if length > FUNCTION_LINES_MAX:
            found.append(f"{source.at(function)} {function.name}: {length} lines, at most {FUNCTION_LINES_MAX}")
    return found


def says_nothing(source: Source) -> list[str]:
    words = set(re.split(r"[./_]", source.path.removesuffix(".py")))
    return [f"{source.path}: {word}" for word in sorted(words & NAMES_THAT_SAY_NOTHING)]


def swallows(source: Source) -> list[str]:
    """Where an exception disappears without a word."""
    found = []
    for node in source.nodes:
        match node:
            case ast.ExceptHandler() if _says_nothing(node):
                found.append(f"{source.at(node)}: the exception is swallowed")
            case ast.Call(func=ast.Name(id="suppress") | ast.Attribute(attr="suppress")):
                kinds = {ast.unparse(kind) for kind in node.args} & {"Exception", "BaseException"}
                found += [f"{source.at(node)}: suppress({kind})" for kind in sorted(kinds)]
    return found


def _says_nothing(handler: ast.ExceptHandler) -> bool:
    """Nothing is done; going round a loop once more counts as something when it is said for which exception."""
    kinds = "" if handler.type is None else ast.unparse(handler.type)
    retries = any(isinstance(line, ast.Continue) for line in handler.body)
    named = not {"", "Exception", "BaseException"} & set(kinds.strip("()").split(", "))
    return all(_does_nothing(line) for line in handler.body) and not (retries and named)


def _does_nothing(line: ast.stmt) -> bool:
    return isinstance(line, ast.Pass | ast.Continue) or (
        isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)
    )


def reads_environment(source: Source) -> list[str]:
    """Where the environment is read: only `kernel.settings`' caller at the top, which is in `city`, may."""
    if source.module == "kernel.settings" or source.package == "city":
        return []
    found = []
    for node in source.nodes:
        match node:
            case ast.Attribute(value=ast.Name(id="os"), attr="environ" | "environb" | "getenv" | "putenv"):
                found.append(f"{source.at(node)}: {ast.unparse(node)}")
            case ast.ImportFrom(module="os"):
                names = {alias.name for alias in node.names} & {"environ", "getenv"}
                found += [f"{source.at(node)}: from os import {name}" for name in sorted(names)]
    return found


def test_modules_and_functions_are_short() -> None:
    assert [line for source in sources("src", "tests") for line in too_long(source)] == []


def test_a_long_module_and_a_long_function_are_noticed() -> None:
    body = "    x = 1\n" * FUNCTION_LINES_MAX
    assert len(too_long(Source("src/wallet/a.py", f"def f():\n{body}"))) == 1
    assert too_long(Source("src/wallet/a.py", f"def f():\n{body[10:]}")) == []
    assert len(too_long(Source("src/wallet/a.py", "x = 1\n" * (MODULE_LINES_MAX + 1)))) == 1


def test_modules_are_named_after_what_somebody_does() -> None:
    assert [line for source in sources("src", "tests") for line in says_nothing(source)] == []


def test_a_drawer_module_is_noticed() -> None:
    for path in ("src/wallet/utils.py", "src/gateway/common/http.py", "src/kernel/key_manager.py"):
        assert says_nothing(Source(path, "")) != []
    assert says_nothing(Source("src/city/basement.py", "")) == []


def test_no_failure_is_swallowed() -> None:
    assert [line for source in sources("src", "tests") for line in swallows(source)] == []


def test_a_swallowed_failure_is_noticed() -> None:
    for kind, body in (
        ("ValueError", "pass"),
        ("ValueError", "..."),
        ("(OSError, Exception)", "continue"),
        ("KeyError", '"fine"'),
    ):
        assert swallows(Source("a.py", f"for x in y:\n try:\n  f()\n except {kind}:\n  {body}\n")) != []
    assert swallows(Source("a.py", "for x in y:\n try:\n  f()\n except ValueError:\n  continue\n")) == []
    assert swallows(Source("a.py", "with suppress(Exception):\n f()\n")) != []
    assert swallows(Source("a.py", "try:\n f()\nexcept ValueError:\n return_none()\n")) == []


def test_only_the_top_reads_the_environment() -> None:
    assert [line for source in sources("src") for line in reads_environment(source)] == []


def test_a_part_that_reads_the_environment_is_noticed() -> None:
    for text in ("import os\nx = os.environ['A']", "import os\nx = os.getenv('A')", "from os import environ"):
        assert reads_environment(Source("src/wallet/issuing.py", text)) != []
        assert reads_environment(Source("src/city/cli.py", text)) == []
