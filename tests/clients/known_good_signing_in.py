"""Good requests of people and machines who sign in and out."""

from typing import Final

from kernel.principal import Audience
from tests.clients.everybody import Everybody, real_name_of
from tests.clients.known_good import FORM, Good, good, plain

STAFF: Final = (Audience.DEPARTMENT, Audience.OPERATOR)

plain(Audience.RESIDENT, "exportAccount", "listSessions")
plain(Audience.OPERATOR, "readStaffMe")


@good("askForCode", Audience.RESIDENT)
def _(everybody: Everybody) -> Good:
    return Good(body={"phone": everybody.stranger.phone, "language": "en"})


@good("signIn", Audience.RESIDENT)
def _(everybody: Everybody) -> Good:
    return Good(body=everybody.challenge(Audience.RESIDENT, everybody.newcomer.phone))


@good("refreshSession", Audience.RESIDENT)
def _(everybody: Everybody) -> Good:
    return Good(body={"refresh_token": everybody.by_sms(Audience.RESIDENT, everybody.visitor.phone).refresh_token})


@good("signInFromChat", Audience.MINI)
def _(everybody: Everybody) -> Good:
    return Good(body=everybody.js_codes(everybody.person))


@good("refreshSession", Audience.MINI)
def _(everybody: Everybody) -> Good:
    return Good(body={"refresh_token": everybody.from_chat(everybody.visitor).refresh_token})


@good("checkRealName", Audience.RESIDENT)
def _(everybody: Everybody) -> Good:
    token = everybody.by_sms(Audience.RESIDENT, everybody.newcomer.phone).access_token
    return Good(body=real_name_of(everybody.newcomer), token=token)


@good("checkRealName", Audience.MINI)
def _(everybody: Everybody) -> Good:
    return Good(body=real_name_of(everybody.visitor), token=everybody.from_chat(everybody.visitor).access_token)


@good("signOut", Audience.RESIDENT)
def _(everybody: Everybody) -> Good:
    return Good(token=everybody.by_sms(Audience.RESIDENT, everybody.leaver.phone).access_token)


@good("signOut", Audience.MINI)
def _(everybody: Everybody) -> Good:
    return Good(token=everybody.from_chat(everybody.leaver).access_token)


@good("closeAccount", Audience.RESIDENT)
def _(everybody: Everybody) -> Good:
    return Good(token=everybody.by_sms(Audience.RESIDENT, everybody.leaver.phone).access_token)


@good("endSession", Audience.RESIDENT)
def _(everybody: Everybody) -> Good:
    everybody.by_sms(Audience.RESIDENT, everybody.person.phone)
    mine = everybody.ask("GET", "/resident/sessions", everybody.resident.access_token).json()["sessions"]
    return Good({"session_id": next(one["session_id"] for one in mine if not one["is_this"])})


@good("giveMachineToken", Audience.VENUE)
def _(everybody: Everybody) -> Good:
    return Good(body=everybody.assertion_form(everybody.gate_client), media=FORM)


@good("giveMachineToken", Audience.DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good(body=everybody.assertion_form(everybody.police_client), media=FORM)


@good("askForStaffCode", *STAFF)
def _(everybody: Everybody) -> Good:
    return Good(body={"phone": everybody.stranger.phone})


@good("signInStaff", Audience.DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good(body=everybody.challenge(Audience.DEPARTMENT, everybody.desk_phone))


@good("signInStaff", Audience.OPERATOR)
def _(everybody: Everybody) -> Good:
    return Good(body=everybody.challenge(Audience.OPERATOR, everybody.operator_phone))


@good("refreshStaffSession", Audience.DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good(body={"refresh_token": everybody.by_sms(Audience.DEPARTMENT, everybody.desk_phone).refresh_token})


@good("refreshStaffSession", Audience.OPERATOR)
def _(everybody: Everybody) -> Good:
    return Good(body={"refresh_token": everybody.by_sms(Audience.OPERATOR, everybody.operator_phone).refresh_token})


@good("signOutStaff", Audience.DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good(token=everybody.by_sms(Audience.DEPARTMENT, everybody.desk_phone).access_token)


@good("signOutStaff", Audience.OPERATOR)
def _(everybody: Everybody) -> Good:
    return Good(token=everybody.by_sms(Audience.OPERATOR, everybody.operator_phone).access_token)


@good("readStaffMe", Audience.DEPARTMENT)
def _(everybody: Everybody) -> Good:
    return Good(token=everybody.desk.access_token)
