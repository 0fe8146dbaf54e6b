"""What is refused about calendar feeds."""

from kernel.errors import Conflict, NotFound


class FeedNotFound(NotFound):
    """There is no such calendar feed, or it was ended."""

    code = "appointments.feed_not_found"


class TooManyFeeds(Conflict):
    """This person has as many calendar feeds as one may: end one first."""

    code = "appointments.too_many_feeds"
