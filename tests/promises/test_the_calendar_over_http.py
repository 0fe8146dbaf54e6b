"""The calendar over HTTP: anybody reads a year, operators keep it."""

from uuid import uuid4

import pytest

from kernel.ids import SessionId, StaffId
from kernel.principal import Audience, Operator
from tests.builders_appointments import Wire, open_appointments

MAKE_UP = {"sort": "makeup", "name_zh": "补班", "name_en": "Make-up day", "as_weekday": 4}


@pytest.fixture
async def wire(db, clock, keys):
    return Wire(await open_appointments(db, clock, keys))


def operator(wire):
    return wire.signed_in(Audience.OPERATOR, Operator(StaffId(uuid4()), SessionId(uuid4())))


async def test_an_operator_fills_a_year_puts_days_and_resets_them_and_everybody_reads_it(db, wire):
    async with operator(wire) as client:
        assert (await client.get("/calendar/2026")).json()["assumed"] is True
        filled = (await client.post("/calendar/2026/fill")).json()
        assert (filled["assumed"], filled["source"]) == (False, "library")
        put = await client.put("/calendar/days/2026-03-07", json=MAKE_UP)
        assert (put.status_code, put.json()["as_weekday"]) == (200, 4)
        days = {one["day"]: one for one in (await client.get("/calendar/2026")).json()["days"]}
        assert (days["2026-03-07"]["source"], days["2026-10-01"]["sort"]) == ("operator", "holiday")
        reset = (await client.delete("/calendar/days/2026-03-07")).json()
        assert "2026-03-07" not in {one["day"] for one in reset["days"]}
    public = wire.signed_in(Audience.PUBLIC, None)
    public.base_url = "http://city"
    async with public as anybody:
        assert (await anybody.get("/public/calendar/2026")).json()["days"] == filled["days"]
        assert (await anybody.get("/public/calendar/2050")).json() == {
            "year": 2050, "assumed": True, "source": None, "days": [],
        }  # fmt: skip
    assert await db.fetchval("SELECT count(*) FROM kernel.audit WHERE act LIKE 'appointments.%calendar%'") == 3


async def test_what_cannot_be_is_refused(wire):
    async with operator(wire) as client:
        unknown = await client.post("/calendar/2099/fill")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "appointments.year_unknown")
        for path, body in (
            ("/calendar/days/2026-03-07", MAKE_UP | {"as_weekday": None}),
            ("/calendar/days/2026-03-07", MAKE_UP | {"sort": "holiday"}),
            ("/calendar/2026", {"days": [MAKE_UP | {"day": "2027-03-06"}]}),
            ("/calendar/2026", {"days": [MAKE_UP | {"day": "2026-03-07"}] * 2}),
            ("/calendar/days/1999-03-07", MAKE_UP),
        ):
            answer = await client.put(path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (422, "appointments.day_unsound")
        assert (await client.get("/calendar/1999")).status_code == 400
        whole = await client.put("/calendar/2050", json={"days": [MAKE_UP | {"day": "2050-03-05"}]})
        assert (whole.json()["assumed"], whole.json()["source"]) == (False, "operator")
