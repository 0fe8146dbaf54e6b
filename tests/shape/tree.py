"""The project's own files, as the shape tests read them."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("kernel", "notifications", "appointments", "wallet", "gateway", "city")
INSTALLED_ALONE = "suishenban_verify"
"""What a venue installs: it has no schema, and knows none of the others."""

type_of_function = (ast.FunctionDef, ast.AsyncFunctionDef)


class Source:
    """A Python file: where it is from the top of the project, and what stands in it."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the tree, in no order to rely on."""
        return tuple(ast.walk(self.tree))

    @property
    def module(self) -> str:
        """`wallet.http` for `src/wallet/http.py`."""
        parts = Path(self.path).with_suffix("").parts
        parts = parts[1:] if parts[0] == "src" else parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def package(self) -> str:
        return self.module.split(".")[0]

    @property
    def name(self) -> str:
        return Path(self.path).stem

    def at(self, node: ast.AST) -> str:
        return f"{self.path}:{getattr(node, 'lineno', 1)}"

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in self.nodes:
            if isinstance(node, type_of_function):
                yield node


@cache
def tracked() -> tuple[str, ...]:
    """Every file of the project that is, or may be, committed."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return tuple(sorted({path for path in listed.split("\0") if path and (ROOT / path).is_file()}))


@cache
def text_of(path: str) -> str | None:
    """The text of a file of the project; None for what is no text."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


@cache
def sources(*under: str) -> tuple[Source, ...]:
    """Every Python file under these folders."""
    found = []
    for path in tracked():
        text = text_of(path) if path.endswith(".py") and path.startswith(tuple(f"{top}/" for top in under)) else None
        if text is not None:
            found.append(Source(path, text))
    assert found, f"no Python under {under}"
    return tuple(found)


def docstrings(source: Source) -> set[ast.Constant]:
    """The constants of a module that document it: docstrings, and texts standing alone under a field or constant."""
    return {
        node.value
        for node in source.nodes
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }
