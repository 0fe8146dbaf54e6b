"""How much was sent, as departments and operators read it: every line whole, and said where lines are left out."""

from uuid import uuid4

import pytest

from kernel.ids import DepartmentId
from notifications.statistics.http import ROWS_MAX
from tests.whole_city import TestCity, code_of

TODAY = "2026-03-02"


async def counted(city: TestCity, sender: str, lines: int) -> None:
    """So many texts that a sender sent today, each to two recipients it named and one it had us find."""
    await city.parts.db.fetch(
        "INSERT INTO notifications.sent_count (caller, day, template, version, channel, is_direct, accepted, delivered,"
        " failed, unknown, withdrawn, segments)"
        " SELECT $1, '2026-03-02', 't' || lpad(nth::text, 6, '0'), 1, 'sms', is_direct,"
        " CASE WHEN is_direct THEN 2 ELSE 1 END, CASE WHEN is_direct THEN 2 ELSE 1 END, 0, 0, 0, 3"
        " FROM generate_series(1, $2::integer) AS nth, (VALUES (false), (true)) AS v (is_direct) RETURNING 1",
        sender, lines,
    )  # fmt: skip


@pytest.mark.parametrize("days", [{"to": "0001-01-05"}, {"from": "9999-12-31", "to": "9999-12-31"}])
async def test_days_that_no_calendar_of_ours_has_are_refused(city: TestCity, days: dict[str, str]) -> None:
    department = city.as_department(DepartmentId(uuid4()), "human_resources", "市人社局")
    for client in (department, city.as_operator()):
        refused = await client.get("/statistics", params=days)
        assert (refused.status_code, code_of(refused)) == (422, "notifications.days_out_of_range")


async def test_more_lines_than_are_told_at_once_are_said_to_be_cut_and_each_told_line_is_whole(city: TestCity) -> None:
    mine = DepartmentId(uuid4())
    department = city.as_department(mine, "human_resources", "市人社局")
    await counted(city, "department:0", 3)
    for client in (department, city.as_operator()):
        assert (await client.get("/statistics", params={"to": TODAY})).json()["is_cut"] is False
    await counted(city, f"department:{mine}", ROWS_MAX // 2 + 1)
    for client in (department, city.as_operator()):
        said = (await client.get("/statistics", params={"to": TODAY})).json()
        assert said["is_cut"] is True
        assert {one["accepted"] for one in said["sent"]} == {3}
        assert ROWS_MAX // 2 - 1 <= len(said["sent"]) <= ROWS_MAX // 2
