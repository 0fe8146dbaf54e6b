"""Every refusal of the wallet."""

from kernel.errors import BadRequest, Conflict, Forbidden, Gone, NotFound, Unprocessable


class CatalogueIncomplete(Unprocessable):
    """This names something the catalogue does not have."""

    code = "wallet.catalogue_incomplete"


class KindNotFound(NotFound):
    """There is no such kind of certificate."""

    code = "wallet.kind_not_found"


class KindNotEntitled(Forbidden):
    """This department is not entitled to issue certificates of this kind."""

    code = "wallet.kind_not_entitled"


class HolderRefused(Unprocessable):
    """The holder's ID number is not a valid one."""

    code = "wallet.holder_refused"


class ValueRefused(Unprocessable):
    """A value does not fit the kind's fields; `field` names it."""

    code = "wallet.value_refused"


class ValidityRefused(Unprocessable):
    """The days of validity do not fit together or not the kind."""

    code = "wallet.validity_refused"


class ReferenceReused(Unprocessable):
    """This reference was used before for another certificate."""

    code = "wallet.reference_reused"


class IdentifierTaken(Conflict):
    """Another certificate of this kind and issuer has this serial and version."""

    code = "wallet.identifier_taken"


class VersionsExhausted(Conflict):
    """This certificate has had all the versions its identifier can count."""

    code = "wallet.versions_exhausted"


class CertificateNotFound(NotFound):
    """There is no such certificate."""

    code = "wallet.certificate_not_found"


class CertificateNotGood(Conflict):
    """This certificate cannot be shown now; `state` says why."""

    code = "wallet.certificate_not_good"


class StepNotAllowed(Conflict):
    """A certificate in this state cannot take this step."""

    code = "wallet.step_not_allowed"


class ScenarioNotFound(NotFound):
    """There is no such scenario."""

    code = "wallet.scenario_not_found"


class KindNotInScenario(Unprocessable):
    """This scenario does not look at certificates of this kind."""

    code = "wallet.kind_not_in_scenario"


class FieldNotInScenario(Unprocessable):
    """This scenario does not allow a field that was chosen."""

    code = "wallet.field_not_in_scenario"


class ScenarioNotGranted(Forbidden):
    """This venue was not granted this scenario."""

    code = "wallet.scenario_not_granted"


class DeviceNotRegistered(Forbidden):
    """This device is not registered with a venue, or was withdrawn."""

    code = "wallet.device_not_registered"


class DeviceNotFound(NotFound):
    """There is no such device."""

    code = "wallet.device_not_found"


class AskNotFound(NotFound):
    """There is no such ask."""

    code = "wallet.ask_not_found"


class AskClosed(Conflict):
    """This ask was answered or declined already."""

    code = "wallet.ask_closed"


class AskExpired(Gone):
    """This ask has expired: let the venue ask again."""

    code = "wallet.ask_expired"


class CursorRefused(BadRequest):
    """The cursor is not one that this list gave out."""

    code = "wallet.cursor_refused"
