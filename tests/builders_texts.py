"""Texts of departments: as they are written, and as they are sent."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec

from kernel.ids import DepartmentId
from notifications.template import ProviderIds
from notifications.texts.model import Content, DepartmentText, TextSort, TextState, Version, text_of

AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
READY: dict[str, Any] = {
    "name": "取件通知",
    "lane": "result",
    "zh": {"body": "((申请人))，您的((document))已办好，请于((until))前到((hall))领取。"},
    "en": {"body": "((申请人)), your ((document)) is ready. Collect it at ((hall)) by ((until))."},
    "placeholders": {
        "申请人": {"kind": "name"},
        "document": {"kind": "one_of", "words": {"passport": {"zh": "护照", "en": "passport"}}},
        "until": {"kind": "day"},
        "hall": {"kind": "text", "most": 30},
    },
    "signature": "市人社局",
}
READY_VALUES = {"申请人": "闻人静", "document": "passport", "until": "2026-03-05", "hall": "三号厅"}
MAIL: dict[str, Any] = {
    "name": "Newsletter",
    "lane": "bulk",
    "zh": {"subject": "((月))月简报", "body": "您好：\n本月简报见 ((link))"},
    "placeholders": {"月": {"kind": "count"}, "link": {"kind": "url", "hosts": ["www.example.org"]}},
}


def content(written: dict[str, Any] = READY, **changed: Any) -> Content:
    return msgspec.convert({**written, **changed}, Content)


def a_version(
    said: Content | None = None,
    *,
    sort: TextSort = TextSort.SMS,
    state: TextState = TextState.APPROVED,
    text_id: UUID | None = None,
    provider_ids: dict[str, ProviderIds] | None = None,
) -> Version:
    return Version(
        text_id=text_id or uuid4(),
        department_id=DepartmentId(uuid4()),
        sort=sort,
        version=1,
        revision=3,
        content=said or content(),
        provider_ids=provider_ids or {},
        state=state,
        written_at=AT,
        submitted_at=AT,
        approved_at=AT,
        ended_at=None,
        decided_by=None,
        reason=None,
    )


def a_text(said: Content | None = None, **how: Any) -> DepartmentText:
    return text_of(a_version(said, **how))
