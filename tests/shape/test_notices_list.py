"""docs/NOTICES.md lists every text of the city as the code has it: its lane and channels, and who owes it."""

import ast

from notifications import templates
from notifications.outbox import GOOD_FOR
from notifications.template import Template
from tests.shape.tree import Source, sources, text_of

PAGE = "docs/NOTICES.md"
ANSWERING = {"appointments.replying.confirming"}
"""Speaks of texts that it hears answers to, and owes none."""


def names_of_texts(all_sources: list[Source]) -> dict[str, str]:
    """The constants that texts of the city are kept in, by the text and version they are."""
    found = {}
    for source in all_sources:
        for node in source.tree.body:
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
            value = getattr(node, "value", None)
            if not isinstance(value, ast.Call) or getattr(value.func, "id", "") != "Template":
                continue
            if isinstance(target, ast.Name):
                said = {one.arg: getattr(one.value, "value", None) for one in value.keywords}
                found[f"{said['id']} {said['version']}"] = target.id
    return found


def owed_by(names: set[str], all_sources: list[Source]) -> dict[str, list[str]]:
    """The modules that speak of each of these constants, those that only keep texts left out."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for source in all_sources:
        if source.module in ANSWERING or names_of_texts([source]):
            continue
        said = {node.id for node in source.nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        said |= {
            node.attr
            for node in source.nodes
            if isinstance(node, ast.Attribute)
            and node.attr in names
            and ast.unparse(node.value).endswith(("templates", "texts"))
        }
        for name in said & names:
            found[name].append(source.module)
    return found


def hours(text: Template) -> str:
    seconds = GOOD_FOR[text.lane].total_seconds()
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.0f} h"


def rows() -> list[str]:
    """The rows of the list, as the code has them."""
    everything = [source for source in sources("src") if source.package != "city"]
    names = names_of_texts(everything)
    assert set(names) == {f"{one.id} {one.version}" for one in templates.ALL}
    owing_modules = owed_by(set(names.values()), everything)
    listed = []
    for one in templates.ALL:
        owing = sorted(owing_modules[names[f"{one.id} {one.version}"]])
        is_old = any(other.id == one.id and other.version > one.version for other in templates.ALL)
        assert bool(owing) != is_old, f"{one.id} {one.version} is owed by {owing}"
        cells = (
            f"`{one.id}` {one.version}", one.zh.title, one.lane.name.lower(), ", ".join(one.channels),
            one.optional_sms or "no", hours(one), ", ".join(f"`{module}`" for module in owing) or "nobody any more",
        )  # fmt: skip
        listed.append(f"| {' | '.join(cells)} |")
    return listed


def listed(page: str) -> list[str]:
    """The rows of a page's list."""
    return [line for line in page.splitlines() if line.startswith("| `")]


def test_the_list_of_notices_is_what_the_code_says() -> None:
    ours, theirs = rows(), listed(text_of(PAGE) or "")
    assert [row for row in ours if row not in theirs] == [], "missing in docs/NOTICES.md"
    assert [row for row in theirs if row not in ours] == [], "in docs/NOTICES.md and no more true"
    assert len(ours) == len(theirs)


def test_a_list_that_lags_behind_is_noticed() -> None:
    page, ours = text_of(PAGE) or "", rows()
    assert listed(page.replace("| `violation_recorded` 1 |", "| `violation` 1 |")) != ours
    assert listed(page.replace("| result |", "| change |")) != ours


def test_who_owes_a_text_is_found() -> None:
    keeps = Source("src/wallet/texts.py", 'ENDED = Template(id="ended", version=1)\nALL = (ENDED,)\n')
    owes = Source("src/wallet/ending.py", "def end():\n    return Owed(template=templates.ENDED)\n")
    other = Source("src/wallet/other.py", "def end():\n    return stage.ENDED\n")
    assert names_of_texts([keeps]) == {"ended 1": "ENDED"}
    assert owed_by({"ENDED"}, [keeps, owes, other]) == {"ENDED": ["wallet.ending"]}
