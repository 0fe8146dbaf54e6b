"""`python -m suishenban_verify`, and the script `suishenban-verify`."""

import sys
import time
import uuid

from suishenban_verify.command import main


def run() -> int:
    """The command, on this machine's clock."""
    prog = "suishenban-verify"
    return main(sys.argv[1:], prog=prog, clock=lambda: int(time.time()), fresh_id=lambda: str(uuid.uuid4()))


if __name__ == "__main__":
    sys.exit(run())
