"""The schema is ready to be spread over machines: what each table says of itself, the catalog confirms."""

from typing import Any

import pytest

from tests.shape import catalog

GOOD = """
CREATE SCHEMA planted;
CREATE TABLE planted.kind (code text NOT NULL PRIMARY KEY);
COMMENT ON TABLE planted.kind IS 'Kinds. distribution: reference';
CREATE TABLE planted.stay (
    person_id uuid NOT NULL, stay_id uuid NOT NULL, code text NOT NULL REFERENCES planted.kind, during tstzrange NOT NULL,
    PRIMARY KEY (person_id, stay_id), CONSTRAINT one_at_a_time EXCLUDE USING gist (person_id WITH =, during WITH &&),
    CONSTRAINT not_twice EXCLUDE USING gist (person_id WITH =, tstzrange(lower(during), upper(during)) WITH =)
);
COMMENT ON TABLE planted.stay IS 'Stays. distribution: person';
CREATE TABLE planted.night (
    person_id uuid NOT NULL, stay_id uuid NOT NULL, night date NOT NULL,
    PRIMARY KEY (person_id, stay_id, night), FOREIGN KEY (person_id, stay_id) REFERENCES planted.stay
);
COMMENT ON TABLE planted.night IS 'Nights of stays. distribution: person';
CREATE TABLE planted.errand (
    bucket integer NOT NULL CHECK (bucket BETWEEN 0 AND 63), errand_id uuid NOT NULL, note text NOT NULL DEFAULT '',
    PRIMARY KEY (bucket, errand_id)
);
COMMENT ON TABLE planted.errand IS 'Errands. distribution: bucket';
"""


async def complaints(conn: Any, ddl: str) -> list[str]:
    """What the rules say of the good schema with `ddl` on top."""
    await conn.execute("SET LOCAL search_path = public")  # where btree_gist put its operators
    await conn.execute(GOOD + ddl)
    return catalog.wrong_with(await catalog.read(conn, ["planted"]))


async def test_every_table_can_be_spread_over_machines(schema: catalog.Schema) -> None:
    assert catalog.wrong_with(schema) == []


async def test_every_package_owns_the_schema_of_its_name(schema: catalog.Schema) -> None:
    assert {name.split(".")[0] for name in schema.tables} == {
        "kernel",
        "notifications",
        "appointments",
        "wallet",
        "gateway",
    }


async def test_tables_stand_in_no_other_schema(migrated: Any) -> None:
    elsewhere = await migrated.fetch(
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN"
        " ('pg_catalog', 'information_schema', 'kernel', 'notifications', 'appointments', 'wallet', 'gateway')"
    )
    assert elsewhere == []


async def test_a_schema_that_keeps_the_rules_is_left_alone(migrated: Any) -> None:
    assert await complaints(migrated, "") == []


@pytest.mark.parametrize(
    "ddl",
    [
        "COMMENT ON TABLE planted.kind IS 'Kinds.'",
        "COMMENT ON TABLE planted.kind IS NULL",
        "COMMENT ON TABLE planted.kind IS 'Kinds. distribution: slot'",
        "CREATE TABLE planted.bare (id uuid); COMMENT ON TABLE planted.bare IS 'Bare. distribution: local'",
        "CREATE TABLE planted.loose (person_id uuid, id uuid PRIMARY KEY); COMMENT ON TABLE planted.loose IS 'L. distribution: person'",
        "ALTER TABLE planted.night ADD UNIQUE (stay_id)",
        "CREATE UNIQUE INDEX ON planted.night (night) WHERE night IS NOT NULL",
        "ALTER TABLE planted.stay ADD EXCLUDE USING gist (code WITH =, during WITH &&)",
        "ALTER TABLE planted.stay ADD EXCLUDE USING gist (person_id WITH <>, during WITH &&)",
        "ALTER TABLE planted.stay ADD UNIQUE (person_id, code) DEFERRABLE",
        "ALTER TABLE planted.stay ADD FOREIGN KEY (code) REFERENCES planted.kind DEFERRABLE INITIALLY DEFERRED",
        "ALTER TABLE planted.stay ALTER code DROP NOT NULL, ADD FOREIGN KEY (code) REFERENCES planted.kind ON DELETE SET NULL",
        "ALTER TABLE planted.night ADD FOREIGN KEY (person_id, stay_id) REFERENCES planted.stay ON UPDATE CASCADE",
        "ALTER TABLE planted.errand ADD person_id uuid, ADD stay_id uuid, ADD FOREIGN KEY (person_id, stay_id) REFERENCES planted.stay",
        "ALTER TABLE planted.errand ADD nth bigint GENERATED ALWAYS AS IDENTITY",
        "CREATE SEQUENCE planted.numbers",
        "CREATE TYPE planted.mood AS ENUM ('good', 'bad')",
        "CREATE VIEW planted.codes AS SELECT code FROM planted.kind",
        "ALTER TABLE planted.errand ADD at timestamptz DEFAULT now()",
        "ALTER TABLE planted.errand ADD id uuid DEFAULT gen_random_uuid()",
        "ALTER TABLE planted.errand ADD at timestamp",
        "ALTER TABLE planted.errand DROP CONSTRAINT errand_bucket_check",
        "CREATE TABLE planted.other (person_id text PRIMARY KEY); COMMENT ON TABLE planted.other IS 'O. distribution: person'",
        "CREATE TRIGGER t BEFORE UPDATE ON planted.kind FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    ],
)
async def test_a_table_that_could_not_be_spread_is_noticed(migrated: Any, ddl: str) -> None:
    assert len(await complaints(migrated, ddl)) >= 1
