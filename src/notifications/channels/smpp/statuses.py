"""What an SMSC's command_status means for a message: later, not by this carrier, or by nobody.

SMPP v3.4 §5.1.3, table 5-2. A status other than zero is certain: the message was not taken, and has no message_id.
"""

from enum import IntEnum
from typing import Final

from notifications.channels.provider import Refused
from notifications.model import RefusalKind


class Status(IntEnum):
    """Codes by the specification's names, without their `ESME_`."""

    ROK = 0x00
    RINVMSGLEN = 0x01
    RINVCMDLEN = 0x02
    RINVCMDID = 0x03
    RINVBNDSTS = 0x04
    RALYBND = 0x05
    RINVPRTFLG = 0x06
    RINVREGDLVFLG = 0x07
    RSYSERR = 0x08
    RINVSRCADR = 0x0A
    RINVDSTADR = 0x0B
    RINVMSGID = 0x0C
    RBINDFAIL = 0x0D
    RINVPASWD = 0x0E
    RINVSYSID = 0x0F
    RCANCELFAIL = 0x11
    RREPLACEFAIL = 0x13
    RMSGQFUL = 0x14
    RINVSERTYP = 0x15
    RINVNUMDESTS = 0x33
    RINVDLNAME = 0x34
    RINVDESTFLAG = 0x40
    RINVSUBREP = 0x42
    RINVESMCLASS = 0x43
    RCNTSUBDL = 0x44
    RSUBMITFAIL = 0x45
    RINVSRCTON = 0x48
    RINVSRCNPI = 0x49
    RINVDSTTON = 0x50
    RINVDSTNPI = 0x51
    RINVSYSTYP = 0x53
    RINVREPFLAG = 0x54
    RINVNUMMSGS = 0x55
    RTHROTTLED = 0x58
    RINVSCHED = 0x61
    RINVEXPIRY = 0x62
    RINVDFTMSGID = 0x63
    RX_T_APPN = 0x64
    RX_P_APPN = 0x65
    RX_R_APPN = 0x66
    RQUERYFAIL = 0x67
    RINVOPTPARSTREAM = 0xC0
    ROPTPARNOTALLWD = 0xC1
    RINVPARLEN = 0xC2
    RMISSINGOPTPARAM = 0xC3
    RINVOPTPARAMVAL = 0xC4
    RDELIVERYFAILURE = 0xFE
    RUNKNOWNERR = 0xFF


SLOW_DOWN: Final = frozenset({Status.RTHROTTLED, Status.RMSGQFUL})
"""We send too fast, or its queue is full: nothing more is sent for a moment."""

BUSY: Final = SLOW_DOWN | {
    Status.RSYSERR,  # "system error": of the SMSC, not of the message
    Status.RINVBNDSTS,  # it thinks us unbound: bound again, it may take it
    Status.RALYBND,
    Status.RSUBMITFAIL,  # "submit_sm failed", for no reason that lies in the message
    Status.RX_T_APPN,  # "temporary"
}
RECIPIENT: Final = frozenset({Status.RINVDSTADR, Status.RDELIVERYFAILURE})
"""The number is none, or cannot be reached, whoever tries."""
OF_THE_MESSAGE: Final = frozenset({Status.RINVMSGLEN, Status.RINVEXPIRY})
"""How long it is, until when it is good: another may well be taken."""


def name_of(status: int) -> str:
    """`ESME_RTHROTTLED`, or the number of a code that is the carrier's own (§5.1.3 reserves 0x400 – 0x4FF for them)."""
    try:
        return f"ESME_{Status(status).name}"
    except ValueError:
        return f"command_status {status:#010x}"


def kind_of(status: int) -> RefusalKind:
    """What a refusal means. A code nobody knows, or one about how we write: never by this carrier as it is set up."""
    if status in BUSY:
        return "busy"
    if status in RECIPIENT:
        return "recipient"
    return "message" if status in OF_THE_MESSAGE else "provider"


def refusal_of(status: int) -> Refused:
    assert status != Status.ROK
    return Refused(kind_of(status), name_of(status))
