"""What the clouds' error codes mean to us. A code that is in no table, and of no known kind, is not certain.

Sources: help.aliyun.com document_detail/101346 (API错误码) and its common gateway errors; cloud.tencent.com
document/api/382/59177 (短信发送错误码) and 52075 (公共错误码), with the official SDK's sms/v20210111/errorcodes.

Our reading of them. `busy` is what passes or an operator mends (limits, arrears, keys, addresses): another goes first,
and it is tried again; `later` is the same where the limit is one number's. `message` is what this provider will never
send as it is: its template, its signature, its words, its number; `provider` is how we ask, whatever it is. `recipient`
is a number that is none, or somebody who told the carrier to send them nothing more: we do not go
round that through another. What may have happened after the message was taken is in no table: it is *unknown*.
"""

from collections.abc import Mapping

from notifications.channels.provider import Refused
from notifications.model import RefusalKind


class NotCertain(Exception):
    """The provider's answer leaves open whether the message left."""


ALIYUN: Mapping[str, RefusalKind] = {
    # limits: of a number by minute, hour and day; of the account by day and month; of numbers to test with
    "isv.BUSINESS_LIMIT_CONTROL": "later",
    "isv.DAY_LIMIT_CONTROL": "busy",
    "isv.MONTH_LIMIT_CONTROL": "busy",
    "isv.SMS_TEST_NUMBER_LIMIT": "later",
    # the account and its keys
    "isv.AMOUNT_NOT_ENOUGH": "busy",
    "isv.OUT_OF_SERVICE": "busy",
    "isv.ACCOUNT_NOT_EXISTS": "busy",
    "isv.ACCOUNT_ABNORMAL": "busy",
    "isv.SECURITY_FROZEN_ACCOUNT": "busy",
    "isv.PRODUCT_UN_SUBSCRIPT": "busy",
    "isv.PRODUCT_UNSUBSCRIBE": "busy",
    "isv.DENY_IP_RANGE": "busy",
    "isp.RAM_PERMISSION_DENY": "busy",
    # the number, and whoever has it
    "isv.MOBILE_NUMBER_ILLEGAL": "recipient",
    "isv.CUSTOMER_REFUSED": "recipient",
}
ALIYUN_KINDS: tuple[tuple[str, RefusalKind], ...] = (
    ("Throttling", "busy"),
    ("SignatureDoesNotMatch", "busy"),
    ("IncompleteSignature", "busy"),
    ("SignatureNonceUsed", "busy"),
    ("InvalidTimeStamp", "busy"),
    ("InvalidAccessKeyId", "busy"),
    ("InvalidSecurityToken", "busy"),
    ("Forbidden", "busy"),
    ("NoPermission", "busy"),
    ("isv.SMS_", "message"),
    ("isv.SIGN", "message"),
    ("isv.TEMPLATE", "message"),
    ("isv.PARAM", "message"),
    ("isv.INVALID", "message"),
    ("isv.BLACK_KEY", "message"),
    ("isv.", "provider"),
    ("Invalid", "provider"),
    ("Missing", "provider"),
    ("Unsupported", "provider"),
)
"""By how a code begins, the first that fits. `isv.` is a fault of the caller's, by Aliyun's own division; `isp.` is one
of theirs, and says nothing about how far they got."""

TENCENT: Mapping[str, RefusalKind] = {
    "FailedOperation.InsufficientBalanceInSmsPackage": "busy",
    "FailedOperation.MarketingSendTimeConstraint": "busy",
    "FailedOperation.PhoneNumberInBlacklist": "recipient",
    "FailedOperation.PhoneNumberOnBlacklist": "recipient",
    "FailedOperation.ContainSensitiveWord": "message",
    "FailedOperation.FailResolvePacket": "provider",
    "FailedOperation.JsonParseFail": "provider",
    "FailedOperation.SignatureIncorrectOrUnapproved": "message",
    "FailedOperation.TemplateIncorrectOrUnapproved": "message",
    "FailedOperation.TemplateUnapprovedOrNotExist": "message",
    "FailedOperation.TemplateParamSetNotMatchApprovedTemplate": "message",
    "InternalError.JsonParseFail": "provider",
    "InternalError.RequestTimeException": "busy",
    "InternalError.RestApiInterfaceNotExist": "provider",
    "InternalError.SigFieldMissing": "busy",
    "InternalError.SigVerificationFail": "busy",
    "InvalidParameterValue.IncorrectPhoneNumber": "recipient",
    "InvalidParameterValue.SdkAppIdNotExist": "provider",
}
TENCENT_KINDS: tuple[tuple[str, RefusalKind], ...] = (
    ("AuthFailure", "busy"),
    ("IpInBlacklist", "busy"),
    ("IpNotInWhitelist", "busy"),
    ("LimitExceeded.PhoneNumber", "later"),
    ("LimitExceeded", "busy"),
    ("RequestLimitExceeded", "busy"),
    ("ResourceInsufficient", "busy"),
    ("UnauthorizedOperation", "busy"),
    ("InvalidParameterValue", "message"),
    ("InvalidParameter", "provider"),
    ("InvalidRequest", "provider"),
    ("InvalidAction", "provider"),
    ("MissingParameter", "provider"),
    ("UnknownParameter", "provider"),
    ("UnsupportedOperation", "provider"),
    ("UnsupportedRegion", "provider"),
    ("NoSuchVersion", "provider"),
    ("NoSuchProduct", "provider"),
)
"""Of their `InternalError` and `FailedOperation` only what the table names is certain: the others come of time-outs
behind their door, after which the message may be on its way."""


def of_aliyun(code: str) -> Refused:
    """Raises NotCertain."""
    return _refused(code, ALIYUN, ALIYUN_KINDS)


def of_tencent(code: str) -> Refused:
    """Raises NotCertain."""
    return _refused(code, TENCENT, TENCENT_KINDS)


def _refused(code: str, table: Mapping[str, RefusalKind], kinds: tuple[tuple[str, RefusalKind], ...]) -> Refused:
    kind = table.get(code) or next((kind for start, kind in kinds if code.startswith(start)), None)
    if kind is None:
        raise NotCertain(code)
    return Refused(kind, code)
