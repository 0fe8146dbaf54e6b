"""A resident takes their whole ledger along: as JSON for programs, as CSV for a spreadsheet.

It is read and sent page by page, so that however long it is nobody waits for it whole. A page that cannot be read
breaks the answer off, and what arrived is plainly not all.
"""

import csv
import io
from collections.abc import AsyncIterator

import msgspec

from kernel.clock import in_shanghai
from kernel.ids import PersonId
from wallet.catalogue import Catalogue
from wallet.queries import Wanted
from wallet.residents.uses.listing import Ledger
from wallet.residents.uses.views import UseView

EXPORT_PAGE = 500
EXPORT_PAGES_MAX = 20_000
"""Ten million looks: somebody whose certificate is looked at every minute takes twenty years."""
MARK = "\ufeff"
"""The byte order mark, by which spreadsheets know UTF-8."""
FORMULA_SIGNS = tuple("=+-@\t\r\n＝＋－＠")
"""What makes a spreadsheet take a text for a formula, in the full-width forms too."""
COLUMNS = (
    "时间", "场所", "场景", "用途", "证照", "看到的内容", "方式", "结果", "代办", "代办依据",
    "场景代码", "证照类型代码", "证照编号", "记录编号",
)  # fmt: skip


async def as_json(
    ledger: Ledger, catalogue: Catalogue, person_id: PersonId, wanted: Wanted, *, is_agent: bool
) -> AsyncIterator[bytes]:
    """One JSON document: `{"uses": [...]}`, newest first."""
    yield b'{"uses":['
    between = b""
    async for page in _pages(ledger, catalogue, person_id, wanted, is_agent=is_agent):
        yield between + b",".join([msgspec.json.encode(view) for view in page])
        between = b","
    yield b"]}"


async def as_csv(
    ledger: Ledger, catalogue: Catalogue, person_id: PersonId, wanted: Wanted, *, is_agent: bool
) -> AsyncIterator[bytes]:
    """RFC 4180 with a header row, UTF-8 with its mark; times on the city's clock. No cell is taken for a formula."""
    yield (MARK + _rows([COLUMNS])).encode()
    async for page in _pages(ledger, catalogue, person_id, wanted, is_agent=is_agent):
        yield _rows([_row(view) for view in page]).encode()


async def _pages(
    ledger: Ledger, catalogue: Catalogue, person_id: PersonId, wanted: Wanted, *, is_agent: bool
) -> AsyncIterator[list[UseView]]:
    read = ledger.list_acted if is_agent else ledger.list_uses
    cursor = None
    for _ in range(EXPORT_PAGES_MAX):
        page = await read(person_id, wanted, cursor=cursor, limit=EXPORT_PAGE)
        if page.uses:
            yield [UseView.of(catalogue, listed) for listed in page.uses]
        cursor = page.next_cursor
        if cursor is None:
            return
    raise AssertionError("a ledger longer than anybody's")


def _row(view: UseView) -> tuple[str, ...]:
    acted = view.acted
    return (
        in_shanghai(view.used_at).strftime("%Y-%m-%d %H:%M:%S"),
        view.venue_zh,
        view.scenario_zh,
        view.purpose_zh,
        view.kind_zh,
        "、".join([field.label_zh for field in view.fields]),
        view.route,
        view.outcome,
        "" if acted is None else acted.other,
        "" if acted is None else acted.basis.value,
        view.scenario_code,
        view.kind_code,
        str(view.certificate_id),
        view.look,
    )


def _rows(rows: list[tuple[str, ...]]) -> str:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(
        [[_plain(cell) for cell in row] for row in rows]
    )
    return out.getvalue()


def _plain(cell: str) -> str:
    """A cell that is shown as it is written."""
    return "'" + cell if cell.startswith(FORMULA_SIGNS) else cell
