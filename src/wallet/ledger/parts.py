"""The ledger's log, wired."""

from kernel.clock import Clock
from kernel.db import Database
from kernel.sealing import Keys
from wallet.ledger.auditing import Auditor
from wallet.ledger.erasing import Eraser
from wallet.ledger.keys import LogKeys
from wallet.ledger.proving import Prover
from wallet.ledger.sequencing import Sequencer

_NAME_BYTES = 8


def erasing_key_of(keys: Keys) -> bytes:
    """What erasures are salted with: it is in the key file, and so beyond whoever has the database alone."""
    return keys.derived("wallet.ledger.erasure")


def origin_of(keys: Keys) -> str:
    """The name of this installation's log: the same whatever its address is, and nobody else's."""
    return f"suishenban/ledger/{keys.derived('wallet.ledger.origin')[:_NAME_BYTES].hex()}"


class LedgerLog:
    """Everything that is done with the log in one process."""

    def __init__(self, db: Database, clock: Clock, keys: LogKeys) -> None:
        self.keys = keys
        self.sequencer = Sequencer(db, clock, keys)
        self.prover = Prover(db)
        self.eraser = Eraser(db, clock, keys)
        self.auditor = Auditor(db, clock, keys)
