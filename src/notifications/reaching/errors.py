"""What choosing how to be reached refuses."""

from kernel.errors import Conflict, TooMany, Unprocessable


class EmailNotValid(Unprocessable):
    """This is no e-mail address that we can write to."""

    code = "reaching.email_not_valid"


class EmailCodeNotAccepted(Unprocessable):
    """This code does not answer this challenge, or not any more: ask for a fresh one."""

    code = "reaching.email_code_not_accepted"


class TooManyEmailCodes(TooMany):
    """Too many codes were asked for or tried: wait as long as Retry-After says."""

    code = "reaching.too_many_email_codes"


class EmailNotConfirmed(Conflict):
    """No e-mail address of yours is confirmed: confirm one before you choose e-mail."""

    code = "reaching.email_not_confirmed"


class ConsentNeeded(Unprocessable):
    """A channel that is new to you needs your consent: send the version of the words you agreed to."""

    code = "reaching.consent_needed"


class SubscriptionUnknown(Unprocessable):
    """This city sends no subscribe message by this template."""

    code = "reaching.subscription_unknown"


class ChatNotLinked(Conflict):
    """This account is not linked to a user of the chat app: sign in from the mini-program first."""

    code = "reaching.chat_not_linked"


class LinkUnknown(Unprocessable):
    """This link is none of ours, or not whole."""

    code = "reaching.link_unknown"
