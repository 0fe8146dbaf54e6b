"""Every refusal of signing in by phone and of the real-name check."""

from kernel.errors import Conflict, TooMany, Unavailable, Unprocessable, UpstreamFailed, UpstreamLate


class PhoneNotValid(Unprocessable):
    """This is not a phone number that can be reached by SMS."""

    code = "residents.phone_not_valid"


class TooManyCodes(TooMany):
    """Too many codes were asked for: wait as long as Retry-After says."""

    code = "residents.too_many_codes"


class CodeNotAccepted(Unprocessable):
    """This code is wrong, was used, or is no longer good: ask for another one."""

    code = "residents.code_not_accepted"


class NameNotValid(Unprocessable):
    """This cannot be a name as it stands on an identity card."""

    code = "residents.name_not_valid"


class IdNumberNotValid(Unprocessable):
    """This is not a resident identity number: its form, day of birth or check digit is wrong."""

    code = "residents.id_number_not_valid"


class RealNameMismatch(Unprocessable):
    """Name, ID number and phone do not belong together."""

    code = "residents.real_name_mismatch"


class RealNameSettled(Conflict):
    """This account was checked under another real name; that cannot be changed here."""

    code = "residents.real_name_settled"


class PersonHasAccount(Conflict):
    """This person has an account under another phone: sign in there, or close it first."""

    code = "residents.person_has_account"


class RealNameOff(Unavailable):
    """Real names cannot be checked in this city at present."""

    code = "residents.real_name_off"


class RealNameAway(UpstreamFailed):
    """The real-name check did not answer properly: try again soon."""

    code = "residents.real_name_away"


class RealNameLate(UpstreamLate):
    """The real-name check did not answer in time: try again soon."""

    code = "residents.real_name_late"


class RealNameBusy(TooMany):
    """Too many real-name checks of this account: wait as long as Retry-After says."""

    code = "residents.real_name_busy"
