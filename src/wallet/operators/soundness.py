"""Whether an entry of the catalogue makes sense: pure rules. Refusals name fields and questions, never values."""

from collections.abc import Mapping, Sequence

from wallet.errors import CatalogueIncomplete, PredicateUnsound, TermsRefused
from wallet.model import EVERY_DAY, IDENTIFIER_FIELD, Field, FieldType, Kind, Scenario, Terms
from wallet.predicates import AGE_MAX, OPERANDS_MAX, Predicate, Test

FIELDS_OF_TEST: Mapping[Test, frozenset[FieldType]] = {
    Test.AGE_AT_LEAST: frozenset({FieldType.DATE}),
    Test.AT_LEAST: frozenset({FieldType.INTEGER}),
    Test.ONE_OF: frozenset({FieldType.TEXT, FieldType.CODE}),
    Test.STARTS_WITH: frozenset({FieldType.TEXT, FieldType.CODE}),
    Test.IS_TRUE: frozenset({FieldType.BOOLEAN}),
}
"""About which types of fields each question can be asked."""


def check_kind(kind: Kind) -> None:
    """Whether a kind is sound by itself: each name stands for one thing, and each question can be answered.

    Raises CatalogueIncomplete, PredicateUnsound.
    """
    fields = {field.name: field for field in kind.fields}
    names = [field.name for field in kind.fields] + [predicate.name for predicate in kind.predicates]
    if len(set(names)) < len(names) or IDENTIFIER_FIELD in names:
        raise CatalogueIncomplete("a kind names each field and each question once, and none `identifier`")
    if len(set(kind.face)) < len(kind.face) or not set(kind.face) <= fields.keys():
        raise CatalogueIncomplete("the face shows fields of the kind, each once")
    for predicate in kind.predicates:
        field = fields.get(predicate.field)
        problem = "asks about a field that the kind has not" if field is None else _problem_of(predicate, field)
        if problem is not None:
            raise PredicateUnsound(f"`{predicate.name}` {problem}")


def _problem_of(predicate: Predicate, field: Field) -> str | None:
    """What is wrong with a question about this field, in words."""
    if not predicate.is_sound:
        return "has not exactly the operand that its test compares with"
    if field.type not in FIELDS_OF_TEST[predicate.test]:
        return f"cannot be asked about a field that is a {field.type.value}"
    if predicate.test is Test.AGE_AT_LEAST and predicate.number is not None and not 0 <= predicate.number <= AGE_MAX:
        return f"compares with an age that is not 0 to {AGE_MAX}"
    if len(predicate.texts) > OPERANDS_MAX or "" in predicate.texts:
        return f"compares with more than {OPERANDS_MAX} texts, or with an empty one"
    if predicate.test is Test.ONE_OF and field.codes and not set(predicate.texts) <= set(field.codes):
        return "compares with a code that the field never has"
    return None


def check_change(before: Kind | None, after: Kind, granted: Mapping[str, Sequence[str]]) -> None:
    """Whether scenarios still see what they were granted. `granted` has names they see of this kind, by scenario.

    A question that became a field of the same name would show the value to whoever was granted a yes or no. Raises
    CatalogueIncomplete.
    """
    there = _names_of(after)
    for scenario_code, names in granted.items():
        for name in names:
            if name == IDENTIFIER_FIELD:
                continue
            if name not in there:
                raise CatalogueIncomplete(f"the scenario {scenario_code} is granted `{name}`: take it back there first")
            if before is not None and _names_of(before).get(name, there[name]) is not there[name]:
                raise CatalogueIncomplete(f"`{name}`, granted to {scenario_code}, was a field or a question: name anew")


def _names_of(kind: Kind) -> dict[str, type]:
    """Every name of a kind, and whether it is a field's or a question's."""
    fields: dict[str, type] = {field.name: Field for field in kind.fields}
    return fields | {predicate.name: Predicate for predicate in kind.predicates}


def check_grants(kinds: Mapping[str, Kind], scenario: Scenario) -> None:
    """Whether a scenario grants fields and questions of kinds that there are. Raises CatalogueIncomplete."""
    for kind_code, names in scenario.grants.items():
        kind = kinds.get(kind_code)
        if kind is None or not set(names) <= {*_names_of(kind), IDENTIFIER_FIELD}:
            raise CatalogueIncomplete("a scenario grants fields and questions of kinds that exist")


def check_terms(scenario: Scenario, terms: Terms) -> None:
    """Whether a venue can be granted a scenario under these terms. Raises TermsRefused."""
    if terms.grants is not None:
        if not terms.grants:
            raise TermsRefused("the terms grant nothing: leave `grants` out for all that the scenario sees")
        for kind_code, names in terms.grants.items():
            if not names or not set(names) <= set(scenario.grants.get(kind_code, ())):
                raise TermsRefused("the terms grant what the scenario does not see")
    if not 1 <= terms.days <= EVERY_DAY:
        raise TermsRefused("the terms name no day of the week")
    if (terms.opens_minute is None) != (terms.closes_minute is None):
        raise TermsRefused("hours have two ends")
    if terms.opens_minute is not None and terms.opens_minute == terms.closes_minute:
        raise TermsRefused("the hours close when they open: leave both out for all day")
