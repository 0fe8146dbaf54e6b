"""Every refusal about department apps."""

from kernel.errors import Conflict, NotFound, Unavailable, UpstreamFailed, UpstreamLate


class AppUnknown(NotFound):
    """There is no department app of this name here."""

    code = "departments.app_unknown"


class RouteUnknown(NotFound):
    """The department's app has no such route."""

    code = "departments.route_unknown"


class AppSuspended(Unavailable):
    """The department's app is closed for the moment."""

    code = "departments.app_suspended"


class AppBusy(Unavailable):
    """The department's app has as many requests as it takes: try again soon."""

    code = "departments.app_busy"


class AppAway(Unavailable):
    """The department's app went wrong several times and is left alone for a while."""

    code = "departments.app_away"


class AppUnreachable(UpstreamFailed):
    """The department's server cannot be reached."""

    code = "departments.app_unreachable"


class AppFailed(UpstreamFailed):
    """The department's app did not answer properly."""

    code = "departments.app_failed"


class AppLate(UpstreamLate):
    """The department's app did not answer in time."""

    code = "departments.app_late"


class DepartmentUnknown(NotFound):
    """There is no such department in this city."""

    code = "departments.department_unknown"


class SlugTaken(Conflict):
    """An app of this name belongs to another department."""

    code = "departments.slug_taken"


class ServerNotReady(Conflict):
    """The department's server does not answer as the manifest says."""

    code = "departments.server_not_ready"
