"""Why something ended as it did, in the words that operators and departments read; `docs/ALERTS.md` says what to do.

Beside these stand what providers say when they refuse (their own codes), and the names of what surprised a driver.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Our own reasons. Stored: a word once used stays."""

    UNKNOWN_TEXT = "unknown text"
    CANNOT_BE_READ = "cannot be read"
    NO_NUMBER = "no number"
    NO_ADDRESS = "no address"
    NO_GRANT = "no grant"
    NO_PROVIDER = "no provider"
    NOBODY_LEFT = "nobody left to carry it"
    UNWRITABLE = "cannot be written for its provider"
    RECEIPT = "receipt"
    NO_RECEIPT = "no receipt"
    SENDER_GONE = "sender gone"
    NEVER_SENT = "never sent"
    TOO_LATE = "too late"
    QUIET_HOURS = "quiet hours"
    ALL_BUSY = "every provider is busy"
    OPTED_OUT = "opted out"
    SAID_BEFORE = "said before"
    TOLD_TOO_OFTEN = "told too often today"
    NOT_WANTED = "not wanted any more"
    TAKEN_BACK = "taken back"
