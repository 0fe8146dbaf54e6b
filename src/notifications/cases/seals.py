"""How what a department said of a case is kept: the content sealed, the case and its person as keyed digests."""

from typing import Any

import msgspec

from kernel.ids import DepartmentId
from kernel.sealing import Keys
from notifications.cases.model import CONTENTS, CaseKind, Content


class CaseSeals:
    """Under which keys, and bound to what."""

    def __init__(self, keys: Keys) -> None:
        self._sealer = keys.sealer("notifications.case_notice")
        self._cases = keys.digester("notifications.case")
        self._holders = keys.digester("notifications.case_holder")
        self._contents = keys.digester("notifications.case_content")

    def every_case(self, department_id: DepartmentId, reference: str) -> list[bytes]:
        """Every digest a case may be filed under, newest first."""
        return self._cases.every_digest(f"{department_id}\0{reference}")

    def every_holder(self, id_number: str) -> list[bytes]:
        return self._holders.every_digest(id_number)

    def every_content(self, kind: CaseKind, revision: int, content: Content) -> list[bytes]:
        """Every digest that the same notice may have, newest first."""
        said = msgspec.json.encode(content, order="sorted").decode()
        return self._contents.every_digest(f"{kind}\0{revision}\0{said}")

    def seal(self, case_digest: bytes, kind: CaseKind, number: int, content: Content) -> bytes:
        return self._sealer.seal_struct(content, _place(case_digest, kind, number))

    def open(self, case_digest: bytes, kind: CaseKind, number: int, envelope: bytes) -> Any:
        """The content; it is of the kind's own type."""
        plain = self._sealer.unseal(envelope, _place(case_digest, kind, number))
        return msgspec.msgpack.decode(plain, type=CONTENTS[kind])


def _place(case_digest: bytes, kind: CaseKind, number: int) -> bytes:
    return b"%b%b\0%d" % (case_digest, kind.encode(), number)
