"""Which office a member of staff acts for, and who may act for all of it."""

from appointments.errors import NoOffice, NotASupervisor
from kernel.ids import OfficeId
from kernel.principal import Staff


def office_of(staff: Staff) -> OfficeId:
    """Raises NoOffice."""
    if staff.office_id is None:
        raise NoOffice
    return staff.office_id


def supervised_office_of(staff: Staff) -> OfficeId:
    """The office that a supervisor answers for. Raises NoOffice, NotASupervisor."""
    office_id = office_of(staff)
    if not staff.is_supervisor:
        raise NotASupervisor
    return office_id
