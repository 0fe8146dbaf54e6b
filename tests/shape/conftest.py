"""One migrated database for all shape tests: they look, and roll back what they plant."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from city import embedded
from tests.shape import catalog
from tests.shape.statements import Keys
from tests.shape.tree import PACKAGES


@pytest.fixture(scope="session")
async def migrated_url(servers: embedded.Running, template: str) -> str:
    """The address of a migrated, empty database that no test changes."""
    admin = await asyncpg.connect(servers.database_url)
    await admin.execute(f"CREATE DATABASE shape TEMPLATE {template}")
    await admin.close()
    return urlunsplit(urlsplit(servers.database_url)._replace(path="/shape"))


@pytest.fixture
async def migrated(migrated_url: str) -> AsyncIterator[Any]:
    """A connection inside a transaction that is rolled back. Nothing is found without its schema's name."""
    conn = await asyncpg.connect(migrated_url, server_settings={"search_path": ""})
    transaction = conn.transaction()
    await transaction.start()
    yield conn
    await transaction.rollback()
    await conn.close()


@pytest.fixture
async def schema(migrated: Any) -> catalog.Schema:
    return await catalog.read(migrated, PACKAGES)


@pytest.fixture
def keys_of(schema: catalog.Schema) -> Keys:
    """How the city's tables are distributed."""
    return Keys(
        {name: table.key for name, table in schema.tables.items()},
        {name: table.distribution or "" for name, table in schema.tables.items()},
    )
