"""What of a certificate leaves: values as they stand, and answers yes or no where a kind's predicate was named."""

from datetime import date

from wallet.model import Attributes, Kind, Value


def disclosed(attributes: Attributes, names: tuple[str, ...], kind: Kind | None, today: date) -> dict[str, Value]:
    """The named values that this certificate has, and the answers to the named predicates, in the order named.

    `today` is the day in the city on which the predicates are answered. A predicate is always answered: what cannot be
    told is no. Nothing is spent on predicates where none is named.
    """
    values = attributes.picked(names)
    if len(values) == len(names) or kind is None or not kind.predicates:
        return values
    answers = {
        predicate.name: predicate.answer(attributes.values, today)
        for predicate in kind.predicates
        if predicate.name in names and predicate.name not in values
    }
    found: dict[str, Value] = {**values, **answers}
    return {name: found[name] for name in names if name in found}
