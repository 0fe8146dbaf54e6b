"""What each column of a package's tables holds that could hold a person in clear: decided one by one, and looked at.

A column of text, bytes or JSON that is not named in a decision is a column nobody has thought about yet.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import asyncpg

from kernel.log import redact
from kernel.sealing import FORMAT, OVERHEAD_BYTES, MasterKey

HASH_BYTES: Final = 32
SHORT_HASH_BYTES: Final = 16
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_ACTOR: Final = re.compile(
    r"(person|department|operator|device|staff|system|city):[A-Za-z0-9_.:-]{1,80}|system|city|load"
)
_SIGNED: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_SENDER: Final = re.compile(r"department:[0-9a-f-]{36}|[a-z][a-z_.]{1,40}|\*")
_PROMISE: Final = re.compile(r"[\x21-\x7e]{1,200}")
DASH_OF_NOTES: Final = "\u2014"
"""Before each signature of a checkpoint."""

SEALED: Final = "sealed, or forgotten"
DIGEST: Final = "digests and salts"
SHORT_DIGEST: Final = "half a digest"
WORD: Final = "a code, or a word out of few"
ACTOR: Final = "who acted, by id"
SENDER: Final = "a part of the city, or a department by id"
PROMISE: Final = "the name of a promise, made of words and ids, or as a department chose it"
OURS: Final = "our own words"
SAID: Final = "what a provider said of a message, with every number struck out"
NUMBERS: Final = "numbers of rows"
THEIRS: Final = "a department's own words, told to hold nothing personal"
ORGANISATION: Final = "what is public of an organisation or of the catalogue"
SIGNED: Final = "signed for everybody to read"
KEYS: Final = "public keys"

Decisions = Mapping[str, Mapping[str, str]]


class Columns:
    """The tables of one schema, and what was decided of each of their columns."""

    def __init__(self, schema: str, decided: Decisions) -> None:
        self._schema = schema
        self._decided = decided

    async def undecided(self, conn: asyncpg.Connection) -> set[str]:
        """Columns that could hold a person and that nobody has decided on, and those decided on that are gone."""
        rows = await conn.fetch(
            "SELECT table_name || '.' || column_name AS name FROM information_schema.columns"
            " WHERE table_schema = $1 AND data_type IN"
            " ('text', 'bytea', 'jsonb', 'json', 'ARRAY', 'character varying', 'character', 'xml')",
            self._schema,
        )
        decided = {f"{table}.{column}" for table, columns in self._decided.items() for column in columns}
        return decided ^ {row["name"] for row in rows}

    async def unlike_decided(self, conn: asyncpg.Connection, key: MasterKey) -> set[str]:
        """Columns of which some value is not what was decided. `key` seals. Says no value."""
        looks_as = _looks(FORMAT + bytes.fromhex(key.key_id))
        found = set()
        for table, columns in self._decided.items():
            for column, decision in columns.items():
                fits = looks_as.get(decision)
                if fits is None:
                    continue  # it may say anything
                values = await conn.fetch(f'SELECT DISTINCT "{column}" AS value FROM {self._schema}."{table}"')
                if not all(fits(one) for row in values for one in _each(row["value"])):
                    found.add(f"{table}.{column} is not: {decision}")
        return found

    async def unseen(self, conn: asyncpg.Connection) -> set[str]:
        """Tables with a sealed column in which nobody is yet: there is nothing in them to find."""
        tables = [table for table, columns in self._decided.items() if SEALED in columns.values()]
        return {table for table in tables if not await conn.fetchval(f'SELECT count(*) FROM {self._schema}."{table}"')}


def _looks(head: bytes) -> dict[str, Callable[[Any], bool]]:
    return {
        SEALED: lambda value: not value or (value.startswith(head) and len(value) >= OVERHEAD_BYTES),
        DIGEST: lambda value: len(value) % HASH_BYTES == 0,
        SHORT_DIGEST: lambda value: len(value) == SHORT_HASH_BYTES,
        WORD: lambda value: _WORD.fullmatch(value) is not None,
        ACTOR: lambda value: _ACTOR.fullmatch(value) is not None,
        SENDER: lambda value: _SENDER.fullmatch(value) is not None,
        PROMISE: lambda value: _PROMISE.fullmatch(value) is not None and _names_nobody(value),
        OURS: lambda value: value.replace(DASH_OF_NOTES, "").isascii(),
        SAID: _names_nobody,
        THEIRS: _names_nobody,
        SIGNED: lambda value: isinstance(value, bytes) or _SIGNED.fullmatch(value) is not None,
    }


def _names_nobody(value: str) -> bool:
    """Whether no number of a person, no address and no token stands in it, as logs are kept clear of them."""
    return redact(value) == value


def _each(value: Any) -> Iterator[Any]:
    """The values in a column's value: none, itself, or those of an array."""
    if isinstance(value, list):
        yield from value
    elif value is not None:
        yield value
