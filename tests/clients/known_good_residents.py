"""Good requests of residents, in the app and in the mini-program."""

from typing import Final
from uuid import uuid4

from appointments.model import service_id_of
from kernel.principal import Audience
from tests.clients import library
from tests.clients.everybody import SCENARIO, Everybody
from tests.clients.known_good import Good, good, plain
from tests.clients.served_city import ALWAYS_OPEN

BOTH: Final = (Audience.RESIDENT, Audience.MINI)
APP: Final = "parks"

for _audience in BOTH:
    plain(
        _audience,
        "listApps", "listBookings", "listCertificates", "readContactPreferences", "readInbox", "readMe", "listOffices",
        "listScenarios", "listServices", "listUses",
    )  # fmt: skip


@good("readApp", *BOTH)
def _(_: Everybody) -> Good:
    return Good({"slug": APP})


@good("readFromApp", *BOTH)
def _(_: Everybody) -> Good:
    return Good({"slug": APP, "rest": "parks"})


for _write in ("writeToApp", "replaceInApp", "changeInApp", "deleteFromApp"):

    @good(_write, *BOTH)
    def _(_: Everybody) -> Good:
        return Good({"slug": library.SLUG, "rest": "shelf"}, body={"book": "one"})


@good("readCertificate", *BOTH)
def _(everybody: Everybody) -> Good:
    return Good({"certificate_id": everybody.certificate_id})


@good("showCertificate", *BOTH)
def _(everybody: Everybody) -> Good:
    return Good({"certificate_id": everybody.certificate_id}, body={"scenario_code": SCENARIO})


@good("lookAtAsk", *BOTH)
def _(everybody: Everybody) -> Good:
    return Good(body={"text": everybody.asked()["text"]})


@good("declineAsk", *BOTH)
def _(everybody: Everybody) -> Good:
    return Good(body={"text": everybody.asked()["text"]})


@good("consentToAsk", *BOTH)
def _(everybody: Everybody) -> Good:
    text, certificate_id = everybody.asked()["text"], everybody.certificate_id
    return Good(body={"text": text, "certificate_id": certificate_id, "fields": everybody.fields_asked_of(text)})


@good("chooseContactPreferences", *BOTH)
def _(_: Everybody) -> Good:
    wants = {"language": "en", "sms_results": True, "sms_reminders": True, "sms_notices": False}
    return Good(body=wants)


@good("markMessageRead", *BOTH)
def _(everybody: Everybody) -> Good:
    return Good({"message_id": everybody.message_id()})


@good("searchSlots", *BOTH)
def _(_: Everybody) -> Good:
    return Good(query={"service_id": str(service_id_of(ALWAYS_OPEN))})


for _audience in BOTH:  # each booking is of a citizen of its own: nobody books without end

    @good("bookPlace", _audience)
    def _(everybody: Everybody, audience: Audience = _audience) -> Good:
        wanted = {"slot_id": everybody.free_slot()}
        return Good({"booking_id": str(uuid4())}, body=wanted, token=everybody.city.a_citizen(audience))

    @good("readBooking", _audience)
    def _(everybody: Everybody, audience: Audience = _audience) -> Good:
        booking_id, token = everybody.booked_by_another(audience)
        return Good({"booking_id": booking_id}, token=token)

    @good("cancelBooking", _audience)
    def _(everybody: Everybody, audience: Audience = _audience) -> Good:
        booking_id, token = everybody.booked_by_another(audience)
        return Good({"booking_id": booking_id}, token=token)

    @good("rescheduleBooking", _audience)
    def _(everybody: Everybody, audience: Audience = _audience) -> Good:
        booking_id, token = everybody.booked_by_another(audience)
        return Good({"booking_id": booking_id}, body={"slot_id": everybody.free_slot()}, token=token)
