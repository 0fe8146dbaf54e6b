"""Every refusal has a code of its own, a title in one line, somebody who raises it, and a place in docs/ERRORS.md."""

import re
from collections import Counter
from collections.abc import Iterable

import pytest

from city.writing_errors import describe, refusals
from kernel.errors import Conflict, Refusal
from tests.shape.tree import sources, text_of

KERNEL_SPEAKS_OF = {"request", "access", "limits", "idempotency", "service"}
"""What the kernel's refusals are about: it knows no feature, and its own name says nothing to a caller."""
TITLE_MAX = 120


def wrong_with(kinds: Iterable[type[Refusal]]) -> list[str]:
    """Codes shared or out of form, titles missing or too long, refusals defined where nobody looks for them."""
    kinds = list(kinds)
    found = [f"{code}: {times} refusals" for code, times in Counter(kind.code for kind in kinds).items() if times > 1]
    for kind in kinds:
        *packages, module = kind.__module__.split(".")
        allowed = KERNEL_SPEAKS_OF if packages[:1] == ["kernel"] else set(packages)
        if not re.fullmatch(r"[a-z]+(_[a-z]+)*\.[a-z0-9]+(_[a-z0-9]+)*", kind.code):
            found.append(f"{kind.code}: not of the form package.reason")
        elif kind.code.split(".")[0] not in allowed:
            found.append(f"{kind.code}: not named after {' or '.join(sorted(allowed))}")
        title = (vars(kind).get("__doc__") or "").strip()
        if not title or "\n" in title or len(title) > TITLE_MAX or not title.endswith("."):
            found.append(f"{kind.code}: its docstring is not a sentence on one line")
        if module != "errors":
            found.append(f"{kind.code}: defined in {kind.__module__}")
        if not 400 <= getattr(kind, "status", 0) < 600:
            found.append(f"{kind.code}: no status of a refusal")
    return found


def test_refusals_are_told_apart_and_explained() -> None:
    assert wrong_with(refusals()) == []


def test_every_refusal_is_raised_by_somebody() -> None:
    words = Counter(word for source in sources("src") for word in re.findall(r"\w+", source.text))
    assert [kind.code for kind in refusals() if words[kind.__name__] < 2] == []


def test_every_refusal_stands_in_the_list_for_callers() -> None:
    assert describe(refusals()) == text_of("docs/ERRORS.md"), "run make errors"
    assert len(refusals()) > 30


def planted(code: str, title: str | None, module: str = "planted.wallet.errors") -> type[Refusal]:
    return type("Planted", (Conflict,), {"code": code, "__doc__": title, "__module__": module})


@pytest.mark.parametrize(
    "kinds",
    [
        [planted("wallet.a", "Gone."), planted("wallet.a", "Gone too.")],
        [planted("wallet.Bad", "Gone.")],
        [planted("wallet", "Gone.")],
        [planted("gateway.a", "Gone.")],
        [planted("wallet.a", None)],
        [planted("wallet.a", "Gone.\n\nAnd more.")],
        [planted("wallet.a", "Gone")],
        [planted("wallet.a", "Gone.", "planted.wallet.issuing")],
        [planted("kernel.a", "Gone.", "kernel.planted.errors")],
    ],
)
def test_a_refusal_out_of_form_is_noticed(kinds: list[type[Refusal]]) -> None:
    assert wrong_with(kinds) != []


def test_a_refusal_in_form_is_left_alone() -> None:
    assert (
        wrong_with(
            [
                planted("wallet.kind_gone", "This kind is gone."),
                planted("residents.a", "No.", "planted.residents.errors"),
            ]
        )
        == []
    )


def test_a_list_that_drifted_is_noticed() -> None:
    assert describe([*refusals(), planted("wallet.zz_new", "New.")]) != describe(refusals())
