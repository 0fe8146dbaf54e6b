"""Tests test: none is skipped or hollow, each is named as a sentence, and nothing of ours is patched."""

import ast
from collections.abc import Callable

import pytest

from tests.shape.tree import Source, sources

WORDS_MIN = 3


def hollow(source: Source) -> list[str]:
    """Tests that may not run, or assert nothing that could be false."""
    found = []
    for node in source.nodes:
        match node:
            case ast.Attribute(
                value=ast.Name(id="pytest") | ast.Attribute(attr="mark"),
                attr="skip" | "skipif" | "xfail" | "importorskip",
            ):
                found.append(f"{source.at(node)}: {ast.unparse(node)}")
            case ast.Assert(test=ast.Constant(value=value)) if value:
                found.append(f"{source.at(node)}: {ast.unparse(node)}")
    return found


def unspoken(source: Source) -> list[str]:
    """Tests whose names are no sentences."""
    names = [function.name for function in source.functions() if function.name.startswith("test_")]
    return [f"{source.path}: {name}" for name in names if len(name.removeprefix("test_").split("_")) < WORDS_MIN]


def patched(source: Source) -> list[str]:
    """Where our own code is replaced under a test: only the outside world has stand-ins."""
    found = []
    for node in source.nodes:
        match node:
            case ast.Import() | ast.ImportFrom() if "mock" in ast.unparse(node):
                found.append(f"{source.at(node)}: {ast.unparse(node)}")
            case ast.Attribute(value=ast.Name(id="monkeypatch" | "mocker"), attr="setattr" | "setitem" | "patch"):
                found.append(f"{source.at(node)}: {ast.unparse(node)}")
    return found


@pytest.mark.parametrize("rule", [hollow, unspoken, patched])
def test_every_test_is_a_sentence_that_is_tested(rule: Callable[[Source], list[str]]) -> None:
    assert [line for source in sources("tests") for line in rule(source)] == []


def test_a_hollow_test_is_noticed() -> None:
    left_out = "skip"
    marked = f"@pytest.mark.{left_out}\ndef test_a_place_is_free(): ..."
    inside = f"def test_a_place_is_free():\n    pytest.{left_out}('later')"
    always = f"def test_a_place_is_free():\n    assert {True}"
    assert all(hollow(Source("tests/test_a.py", text)) for text in (marked, inside, always))
    assert unspoken(Source("tests/test_a.py", "def test_cancel(): ...")) == ["tests/test_a.py: test_cancel"]
    for text in (
        "from unittest.mock import Mock",
        "def test_x(monkeypatch):\n    monkeypatch.setattr(booking, 'book', None)",
    ):
        assert patched(Source("tests/test_a.py", text)) != []
    fine = Source("tests/test_a.py", "def test_a_place_is_free():\n    assert places() == 1")
    assert hollow(fine) + unspoken(fine) + patched(fine) == []
