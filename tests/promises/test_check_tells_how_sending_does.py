"""`./run check` says in one line whether sending is in order: what is late, and which carriers get less than theirs."""

from datetime import timedelta

from city import checking_sending
from city.checking_sending import finding
from city.finding import Finding
from kernel.clock import SystemClock
from notifications import templates
from notifications.routing.health import REST, UNWELL_AT
from tests.builders_notifications import Carrier, a_promise, owe
from tests.builders_standing import over, results, told_by
from tests.whole_city import TestCity


async def checked(city: TestCity) -> Finding:
    return finding((await city.parts.standing.lanes()).lanes, await city.parts.standing.workers())


async def test_check_finds_sending_in_order_while_nothing_is_late(city: TestCity) -> None:
    found = await checked(city)
    assert found.is_fine
    assert found.found == "nothing is late; no worker says how the carriers do"
    assert "./run worker" in found.remedy
    await city.parts.standing.telling.tell()
    await owe(city.parts.notifications, *results(city, 3))
    assert await checked(city) == Finding("sending", is_fine=True, found="nothing is late")


async def test_check_names_every_lane_that_is_late_and_by_how_much(city: TestCity) -> None:
    now = city.clock.now()
    code = a_promise(templates.SIGN_IN_CODE, due_at=now - timedelta(seconds=11))
    await owe(city.parts.notifications, code, a_promise(due_at=now - timedelta(minutes=7)))
    found = await checked(city)
    assert not found.is_fine
    assert found.found.startswith("otp is late by 11 s, result is late by 7 min")
    assert "docs/RUNBOOK.md" in found.remedy


async def test_check_names_carriers_that_get_less_than_what_is_theirs(city: TestCity) -> None:
    well, unwell = over(city, Carrier("sms")), over(city, Carrier("sms"))
    for _ in range(UNWELL_AT):
        well.carriers.note("sms", "mobile", is_failure=False, now=city.clock.now())
        unwell.carriers.note("sms", "mobile", is_failure=True, now=city.clock.now())
    city.clock.advance(REST)
    await told_by(city, well, "here:1").tell()
    await told_by(city, unwell, "here:2").tell()
    found = await checked(city)
    assert not found.is_fine
    assert found.found == "nothing is late; less than its own goes by sms to mobile: 1%"


async def test_check_looks_by_the_settings_of_a_city(city: TestCity) -> None:
    await city.parts.standing.telling.tell()
    [found] = await checking_sending.look(city.settings)
    assert (found.is_fine, found.found) == (True, "nothing is late")
    await owe(city.parts.notifications, a_promise(due_at=SystemClock().now() - timedelta(minutes=6)))
    [found] = await checking_sending.look(city.settings)
    assert (found.is_fine, found.found) == (False, "result is late by 6 min")
