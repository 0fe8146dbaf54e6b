"""Words that a department writes as it pleases, to stand in an SMS of the city: nobody approved them before. Pure.

They hold no 【 and 】, by which they could pass for another sender's signature, and no link: whoever may send people
somewhere is approved first, with the hosts (`notifications.texts`).
"""

import re
from typing import Final

LINE: Final = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069【】]+$(?!\n)"
"""`kernel.plain_text.ONE_LINE` without 【 and 】."""
LINES: Final = r"^[^\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069【】]+$"
"""`kernel.plain_text.SEVERAL_LINES` likewise."""
_LINK: Final = re.compile(r"://|\bwww\.", re.IGNORECASE)


def holds_link(text: str) -> bool:
    """Whether a telephone would make something of it that leads elsewhere."""
    return _LINK.search(text) is not None
