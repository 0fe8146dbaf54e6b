"""What the first page refuses."""

from kernel.errors import NotFound, Unavailable


class NoSuchDescription(NotFound):
    """There is no API description of that name."""

    code = "home.no_such_description"


class NotReady(Unavailable):
    """A part the city needs is away; `parts` says which."""

    code = "home.not_ready"
