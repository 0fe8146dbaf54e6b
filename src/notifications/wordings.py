"""The very wording a message was owed in: the city's own texts, and those that departments wrote."""

from collections.abc import Collection, Mapping
from typing import Protocol

from notifications import templates
from notifications.template import Template

_OF_THE_CITY = frozenset(template.id for template in templates.ALL)


class Texts(Protocol):
    """Departments' texts, held in memory."""

    def find(self, template: str, version: int) -> Template | None:
        """A version of a text; None if it is not in memory."""
        ...

    async def read_through(self, wanted: Collection[tuple[str, int]]) -> None:
        """Read versions that are not in memory; those that do not exist stay unknown, and nothing is raised."""
        ...


class Wordings:
    """Finds a text by its name and version, whoever wrote it."""

    def __init__(self, texts: Texts | None = None) -> None:
        self.texts = texts
        """Set once, when the parts are wired."""
        self.of_the_city: Mapping[tuple[str, int], Template] = {}
        """The city's own texts as the city's carriers know them; others are as they are written."""

    def find(self, template: str, version: int) -> Template | None:
        """The text; None for one that is not known here."""
        found = self.of_the_city.get((template, version)) or templates.find(template, version)
        return found if found is not None or self.texts is None else self.texts.find(template, version)

    def may_be_read(self, template: str) -> bool:
        """Whether a text that `find` does not know may be found by reading."""
        return self.texts is not None and template not in _OF_THE_CITY

    async def read_through(self, wanted: Collection[tuple[str, int]]) -> None:
        """See to it that `find` knows what exists of these."""
        if self.texts is not None and wanted:
            await self.texts.read_through(wanted)
