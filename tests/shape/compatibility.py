"""Whether an API description still keeps what a released one promised.

Refused: a path, an operation, a field, a parameter or an answer that is gone; something newly required of the caller;
something no longer certain in an answer; another type; fewer values taken; more values given than a caller knows.
"""

from collections.abc import Iterator, Mapping
from typing import Any

DEPTH_MAX = 12
"""How far into nested structures to look; ours end long before, and structures that hold themselves never would."""
METHODS = ("get", "put", "post", "delete", "patch", "head", "options")

Document = Mapping[str, Any]


def broken(released: Document, now: Document) -> list[str]:
    """Every promise of the released description that the present one breaks."""
    found = []
    for path, method, before in operations(released):
        after = now.get("paths", {}).get(path, {}).get(method)
        at = f"{method.upper()} {path}"
        if after is None:
            found.append(f"{at}: gone")
            continue
        if before.get("operationId") != after.get("operationId"):
            found.append(f"{at}: its operationId was {before.get('operationId')}")
        found += _parameters(at, before, after)
        found += _body(at, released, before, now, after)
        found += _answers(at, released, before, now, after)
    return found


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, methods in document.get("paths", {}).items():
        for method in METHODS:
            if method in methods:
                yield path, method, methods[method]


def _parameters(at: str, before: Document, after: Document) -> list[str]:
    was = {(each["in"], each["name"]): each for each in before.get("parameters", [])}
    is_now = {(each["in"], each["name"]): each for each in after.get("parameters", [])}
    found = [f"{at}: parameter {name} gone" for place, name in was.keys() - is_now.keys()]
    for (place, name), each in is_now.items():
        if each.get("required") and not was.get((place, name), {}).get("required"):
            found.append(f"{at}: parameter {name} is newly required")
    return found


def _body(at: str, old: Document, before: Document, new: Document, after: Document) -> list[str]:
    was, is_now = before.get("requestBody", {}), after.get("requestBody", {})
    if is_now.get("required") and not was.get("required"):
        return [f"{at}: a body is newly required"]
    found = []
    for media, content in was.get("content", {}).items():
        if media not in is_now.get("content", {}):
            found.append(f"{at}: takes {media} no more")
        else:
            found += _Comparison(old, new, taken=True).compare(
                f"{at} body", content.get("schema", {}), is_now["content"][media].get("schema", {}), 0
            )
    return found


def _answers(at: str, old: Document, before: Document, new: Document, after: Document) -> list[str]:
    found = []
    for status, was in before.get("responses", {}).items():
        is_now = after.get("responses", {}).get(status)
        if is_now is None:
            found += [f"{at}: answers {status} no more"] if status.startswith("2") else []
            continue
        for media, content in was.get("content", {}).items():
            if media not in is_now.get("content", {}):
                found.append(f"{at} {status}: gives {media} no more")
            else:
                found += _Comparison(old, new, taken=False).compare(
                    f"{at} {status}", content.get("schema", {}), is_now["content"][media].get("schema", {}), 0
                )
    return found


class _Comparison:
    """Two schemas, of what is taken from a caller or of what is given to one."""

    def __init__(self, old: Document, new: Document, *, taken: bool) -> None:
        self._old, self._new, self._taken = old, new, taken

    def compare(self, at: str, before: Document, after: Document, depth: int) -> list[str]:
        if depth > DEPTH_MAX:
            return []
        before, after = _resolved(self._old, before), _resolved(self._new, after)
        found = self._types(at, before, after) + self._values(at, before, after) + self._required(at, before, after)
        later = after.get("properties", {})
        for name, each in before.get("properties", {}).items():
            if name not in later:
                found.append(f"{at}: field {name} gone")
            else:
                found += self.compare(f"{at}.{name}", each, later[name], depth + 1)
        if isinstance(before.get("items"), Mapping) and isinstance(after.get("items"), Mapping):
            found += self.compare(f"{at}[]", before["items"], after["items"], depth + 1)
        return found + self._alternatives(at, before, after, depth)

    def _types(self, at: str, before: Document, after: Document) -> list[str]:
        was, is_now = _types_of(before), _types_of(after)
        lost = (was - is_now) if self._taken else (is_now - was)
        return [f"{at}: was {sorted(was)}, is {sorted(is_now)}"] if was and is_now and lost else []

    def _values(self, at: str, before: Document, after: Document) -> list[str]:
        was, is_now = before.get("enum"), after.get("enum")
        if self._taken and is_now is not None:
            gone = set(map(str, was or ["anything"])) - set(map(str, is_now))
            return [f"{at}: takes {value} no more" for value in sorted(gone)]
        return []

    def _required(self, at: str, before: Document, after: Document) -> list[str]:
        was, is_now = set(before.get("required", [])), set(after.get("required", []))
        if self._taken:
            return [f"{at}: field {name} is newly required" for name in sorted(is_now - was)]
        return [
            f"{at}: field {name} is no longer certain"
            for name in sorted(was - is_now)
            if name in after.get("properties", {})
        ]

    def _alternatives(self, at: str, before: Document, after: Document, depth: int) -> list[str]:
        found = []
        for word in ("oneOf", "anyOf", "allOf"):
            was, is_now = before.get(word, []), after.get(word, [])
            if was and len(was) == len(is_now):
                for nth, (one, other) in enumerate(zip(was, is_now, strict=True)):
                    found += self.compare(f"{at}({nth})", one, other, depth + 1)
            elif len(was) > len(is_now):
                found.append(f"{at}: {len(was)} forms became {len(is_now)}")
        return found


def _resolved(document: Document, schema: Document) -> Document:
    for _ in range(DEPTH_MAX):
        if "$ref" not in schema:
            break
        found: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


def _types_of(schema: Document) -> set[str]:
    kinds = schema.get("type", [])
    return {kinds} if isinstance(kinds, str) else set(kinds)
