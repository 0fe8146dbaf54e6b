"""What the demo's mini-program is registered with at the stand-in. Worth nothing anywhere else."""

from typing import Final

DEMO_APP_ID: Final = "wxsuishenbandemo0"
DEMO_APP_SECRET: Final = "good-at-the-stand-in-and-nowhere"  # noqa: S105  known to everybody, and good for nothing

DEFAULT_PORT: Final = 8701
PORT_VARIABLE: Final = "SUISHENBAN_STANDIN_PORT"
