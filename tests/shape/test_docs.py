"""What the documents tell people to type exists, and their links lead somewhere."""

import re
from pathlib import PurePosixPath

from city.cli import COMMANDS
from tests.shape.tree import ROOT, text_of, tracked

_RUN = re.compile(r"(?:^|[\s`(])\./run[ \t]+([a-z][a-z-]*)\b")
_MAKE = re.compile(r"(?:^|`|\n\s*)make ([a-z][a-z-]*)\b")
_TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s#]+)(?:#[^)]*)?\)")
_TITLE = re.compile(r"# (\d+)\. (.+)")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def documents() -> list[str]:
    return [path for path in tracked() if path.endswith(".md") or path in ("Makefile", ".ci/run")]


def unknown_commands(text: str) -> set[str]:
    """Commands of `./run` that a text names and that there are not."""
    return set(_RUN.findall(text)) - {command.name for command in COMMANDS}


def unknown_targets(text: str, makefile: str) -> set[str]:
    """Targets of `make` that a text names and that there are not."""
    return set(_MAKE.findall(text)) - set(_TARGET.findall(makefile))


def dead_links(path: str, text: str, files: set[str]) -> set[str]:
    """Links to files of the project that are not there."""
    found = set()
    for target in _LINK.findall(_FENCE.sub("", text)):
        if "://" in target or target.startswith(("mailto:", "/")):
            continue
        parts: list[str] = []
        for part in (PurePosixPath(path).parent / target).parts:
            parts = parts[:-1] if part == ".." else [*parts, part]
        there = "/".join(parts)
        if there not in files and not any(file.startswith(f"{there}/") for file in files):
            found.add(target)
    return found


def test_every_command_the_documents_name_exists() -> None:
    assert {path: names for path in documents() if (names := unknown_commands(text_of(path) or ""))} == {}


def test_every_make_target_the_documents_name_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    texts = [
        path for path in tracked() if path.endswith((".md", ".py", ".sql")) and not path.startswith("tests/shape/")
    ]
    assert {path: names for path in texts if (names := unknown_targets(text_of(path) or "", makefile))} == {}


def test_every_link_between_documents_leads_somewhere() -> None:
    files = set(tracked())
    texts = [path for path in documents() if path.endswith(".md")]
    assert {path: dead for path in texts if (dead := dead_links(path, text_of(path) or "", files))} == {}


def unlisted(pages: dict[str, str], index: str) -> set[str]:
    """Decisions that the index does not name by number and title, and such as there are not."""
    titles = {name: _TITLE.match(text) for name, text in pages.items()}
    due = {f"| [{title[1]}]({name}) | {title[2]} |" if title else name for name, title in titles.items()}
    return due ^ {line for line in index.splitlines() if line.startswith("| [")}


def test_every_decision_is_in_the_index_under_its_title() -> None:
    folder = ROOT / "docs" / "decisions"
    pages = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("0*.md")}
    assert unlisted(pages, (folder / "README.md").read_text(encoding="utf-8")) == set()


def test_a_decision_that_is_not_in_the_index_is_noticed() -> None:
    pages = {"0001-a.md": "# 1. One thing\n", "0002-b.md": "# 2. Another\n"}
    assert unlisted(pages, "| [1](0001-a.md) | One thing |\n") == {"| [2](0002-b.md) | Another |"}
    assert unlisted(pages, "| [1](0001-a.md) | One thing |\n| [2](0002-b.md) | Another |\n") == set()


def test_a_command_a_target_and_a_link_that_are_not_there_are_noticed() -> None:
    assert unknown_commands("type `./run journey`, then `./run jurney --url …` or ./run --fresh") == {"jurney"}
    assert unknown_targets("run `make schema` or `make scheme`, and make do", "schema: ## x\n") == {"scheme"}
    links = "[a](docs/A.md#b) [c](../C.md) [d](docs/decisions) [e](https://example.org) [f](docs/B.md)"
    assert dead_links("README.md", links, {"docs/A.md", "C.md", "docs/decisions/1.md"}) == {"docs/B.md"}


def test_every_make_target_says_in_one_line_what_it_does() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.findall(r"^([a-z][a-z-]*):(?!.*## \S)", makefile, re.MULTILINE) == []
