"""Every refusal of the wallet."""

from kernel.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    Gone,
    NotFound,
    TooMany,
    Unavailable,
    Unprocessable,
    UpstreamFailed,
)


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


class PredicateUnsound(Unprocessable):
    """A question of this kind does not fit the field it asks about."""

    code = "wallet.predicate_unsound"


class VenueNotFound(NotFound):
    """There is no such venue."""

    code = "wallet.venue_not_found"


class TermsRefused(Unprocessable):
    """These terms do not fit the scenario, the application or the clock."""

    code = "wallet.terms_refused"


class CreditCodeRefused(Unprocessable):
    """This is not a unified social credit code: its check digit disagrees."""

    code = "wallet.credit_code_refused"


class DeviceKeyRefused(Unprocessable):
    """This is not the public half of a key on P-256."""

    code = "wallet.device_key_refused"


class TooManyApplications(TooMany):
    """Too many venues are applying: try again later."""

    code = "wallet.too_many_applications"


class ApplicationKnown(Conflict):
    """This application was filed before: read it with the secret it was answered with."""

    code = "wallet.application_known"


class ApplicationNotFound(NotFound):
    """There is no such application, or the secret is not its own."""

    code = "wallet.application_not_found"


class ApplicationDecided(Conflict):
    """This application was decided or withdrawn already, and otherwise than asked now."""

    code = "wallet.application_decided"


class TooManyDevices(Conflict):
    """This venue has as many devices as a venue may have."""

    code = "wallet.too_many_devices"


class LastDevice(Conflict):
    """A venue's last device cannot be withdrawn by the venue: register another first."""

    code = "wallet.last_device"


class CertificateNamedTwice(Unprocessable):
    """A presentation shows each certificate once."""

    code = "wallet.certificate_named_twice"


class MandateNotFound(NotFound):
    """There is no such mandate."""

    code = "wallet.mandate_not_found"


class MandateEnded(Conflict):
    """This mandate does not stand now: it was ended, has expired, or has not begun."""

    code = "wallet.mandate_ended"


class MandateDoesNotCover(Forbidden):
    """This mandate does not cover this kind of certificate or this scenario."""

    code = "wallet.mandate_does_not_cover"


class MandateReused(Unprocessable):
    """This id stands for another mandate."""

    code = "wallet.mandate_reused"


class MandateToOneself(Unprocessable):
    """Nobody is their own agent or guardian."""

    code = "wallet.mandate_to_oneself"


class MandatePeriodRefused(Unprocessable):
    """A mandate cannot begin or end then."""

    code = "wallet.mandate_period_refused"


class TooManyMandates(Conflict):
    """You have given as many mandates as can stand at once, or be given in a day."""

    code = "wallet.too_many_mandates"


class MandateNotYoursToEnd(Forbidden):
    """A guardianship is ended by the department that registered it, or by the guardian."""

    code = "wallet.mandate_not_yours_to_end"


class AgentRefused(Unprocessable):
    """The agent's or guardian's ID number is not a valid one."""

    code = "wallet.agent_refused"


class GuardianshipNotEntitled(Forbidden):
    """This department is not entitled to register guardianships."""

    code = "wallet.guardianship_not_entitled"


class GuardianshipNotFound(NotFound):
    """There is no such guardianship."""

    code = "wallet.guardianship_not_found"


class OutsideHours(Conflict):
    """The venue was granted this scenario for other hours."""

    code = "wallet.outside_hours"


class OverQuota(Conflict):
    """The venue has had as many looks today as it was granted."""

    code = "wallet.over_quota"


class LoadNotFound(NotFound):
    """There is no such load."""

    code = "wallet.load_not_found"


class LoadFinished(Conflict):
    """This load was finished and takes no more lines: open another."""

    code = "wallet.load_finished"


class LoadGap(Conflict):
    """Lines are missing before the first one sent; `next_line` is the number of the one wanted."""

    code = "wallet.load_gap"


class LoadRefusedTooOften(Conflict):
    """Too many lines of this load were refused: mend them and open another."""

    code = "wallet.load_refused_too_often"


class LoadsBusy(Unavailable):
    """As many loads are being read as can be: try again soon."""

    code = "wallet.loads_busy"


class LineTooLong(Unprocessable):
    """This line of a load is longer than a line may be."""

    code = "wallet.line_too_long"


class ReferenceMissing(Unprocessable):
    """Send a reference of your own, or Idempotency-Key."""

    code = "wallet.reference_missing"


class RevisionReused(Unprocessable):
    """This revision of the register's entry was told before with other data."""

    code = "wallet.revision_reused"


class KindNotCollected(NotFound):
    """No department lets certificates of this kind be collected here."""

    code = "wallet.kind_not_collected"


class RegisterAway(Unavailable):
    """The department's register cannot be asked for the moment."""

    code = "wallet.register_away"


class RegisterAnswerRefused(UpstreamFailed):
    """The department's register answered with something that may not be issued to you."""

    code = "wallet.register_answer_refused"


class KindNotPrintable(Unprocessable):
    """Certificates of this kind cannot be printed as a proof."""

    code = "wallet.kind_not_printable"


class ProofsBusy(Unavailable):
    """As many proofs are being drawn as can be: try again in a moment."""

    code = "wallet.proofs_busy"


class MandateNotForBooking(Forbidden):
    """This mandate does not let you book."""

    code = "wallet.mandate_not_for_booking"
