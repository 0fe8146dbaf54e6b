"""What others rely on, for `check`: signing keys, trust list, status lists, the ledger's log, the calendar."""

from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from appointments.calendars import queries as of_calendars
from appointments.offices.replanning.applying import AHEAD_MAX
from city.finding import Finding
from kernel.clock import SystemClock, in_shanghai
from kernel.db import Connection, Database, DatabaseAway, OutcomeUnknown
from kernel.ids import BUCKETS
from kernel.keys import SigningKeys, Stage
from kernel.purposes import PURPOSES, STATUS
from kernel.sealing import KeyFileRefused, Keys
from kernel.settings import Settings
from wallet.ledger import queries as of_ledger
from wallet.ledger.model import was_made_before
from wallet.status import queries as of_status
from wallet.status.building import PUBLISHED_MAX, RENEWED_BEFORE
from wallet.trust import queries as of_trust

CONNECTIONS_MAX = 1
LISTED_WITHIN = timedelta(seconds=60)
"""A revocation is in the next list that is fetched after so long."""
LOGGED_WITHIN = timedelta(seconds=30)
"""The worker appends every two seconds; after so long it does not."""
RENEWED_WITHIN = timedelta(hours=1)
"""A list is signed anew twelve hours before it ends; an hour later it should have been."""
TRUSTED_FOR_MIN = timedelta(days=28)
"""The trust list serves thirty days and is renewed every day."""
WAITING_MAX = 100_000
"""Entries that are looked at; if so many wait, the log is late in any case."""
_WORKER = "See that the worker runs (./run worker); docs/RUNBOOK.md says more."


async def look(settings: Settings) -> list[Finding]:
    """A finding for each, or one that says why there is none. The database must answer."""
    try:
        keys = Keys.read(settings.key_file)
        db = await Database.open(settings.database_url.reveal(), connections_max=CONNECTIONS_MAX)
    except (KeyFileRefused, DatabaseAway) as problem:
        return [Finding("signing keys", is_fine=False, found=str(problem), remedy="Put that in order first.")]
    clock = SystemClock()
    signing = SigningKeys(db, keys.sealer("kernel.signing_key"), clock)
    try:
        await signing.snapshot.refresh()
        return await published(db, signing, clock.now())
    except asyncpg.UndefinedTableError:
        return [Finding("schema", is_fine=False, found="is older than this program", remedy="./run migrate")]
    except (DatabaseAway, OutcomeUnknown, asyncpg.PostgresError) as problem:
        return [Finding("lists and log", is_fine=False, found=f"cannot be read: {problem}", remedy="Look again.")]
    finally:
        await db.close()


async def published(db: Database, signing: SigningKeys, now: datetime) -> list[Finding]:
    """Whether what others rely on is there and fresh."""
    found = [_keys(signing)]
    async with db.connection() as conn:
        found.append(await _trust_list(conn, now))
        found.append(await _status_lists(conn, signing, now))
        found.append(await _ledger(conn, now))
        found.append(await _calendar(conn, now))
    return found


async def _calendar(conn: Connection, now: datetime) -> Finding:
    """Whether the holidays of every year that slots are planned for are known; it is a note, and stops nothing."""
    first, last = in_shanghai(now).year, in_shanghai(now + AHEAD_MAX).year
    known = await of_calendars.select_years(conn)
    assumed = [str(year) for year in range(first, last + 1) if year not in known]
    if not assumed:
        return Finding("calendar", is_fine=True, found=f"holidays known to the end of {last}")
    said = f"nobody has said the holidays of {', '.join(assumed)}: hours there go by weekdays alone"
    remedy = "An operator fills the year, or puts it by hand: PUT /operator/calendar/{year}."
    return Finding("calendar", is_fine=True, found=said, remedy=remedy)


def _keys(signing: SigningKeys) -> Finding:
    """Each purpose has a key that signs; those that venues must have heard of ahead have the next one announced."""
    stages = {(key.purpose, signing.stage_of(key)) for key in signing.snapshot.current}
    silent = [name for name in PURPOSES if (name, Stage.SIGNS) not in stages]
    unannounced = [
        name for name, purpose in PURPOSES.items() if purpose.has_spare and (name, Stage.ANNOUNCED) not in stages
    ]
    if silent or unannounced:
        said = [f"nothing signs for {', '.join(silent)}"] if silent else []
        said += [f"no next key is announced for {', '.join(unannounced)}"] if unannounced else []
        return Finding("signing keys", is_fine=False, found="; ".join(said), remedy=_WORKER)
    spare = sum(purpose.has_spare for purpose in PURPOSES.values())
    return Finding(
        "signing keys", is_fine=True, found=f"{len(PURPOSES)} purposes sign, {spare} have their next key announced"
    )


async def _trust_list(conn: Connection, now: datetime) -> Finding:
    found = await of_trust.select_trust_publication(conn)
    if found is None:
        return Finding("trust list", is_fine=False, found="none is published", remedy=_WORKER)
    said = f"number {found.sequence}, good until {in_shanghai(found.expires_at):%Y-%m-%d}"
    is_fine = found.expires_at >= now + TRUSTED_FOR_MIN
    return Finding("trust list", is_fine=is_fine, found=said, remedy="" if is_fine else _WORKER)


async def _status_lists(conn: Connection, signing: SigningKeys, now: datetime) -> Finding:
    signers = [key for key in signing.snapshot.current if key.purpose == STATUS.name and key.signs_at(now)]
    if not signers:
        return Finding("status lists", is_fine=False, found="nothing signs them", remedy=_WORKER)
    key_id = signing.signer(STATUS.name).key_id
    listed = await of_status.select_published(conn, limit=PUBLISHED_MAX)
    expiring_before = now + RENEWED_BEFORE - RENEWED_WITHIN
    due = await of_status.select_lists_to_build(conn, key_id, expiring_before=expiring_before, limit=PUBLISHED_MAX)
    late = [list_id for list_id in due if await _is_late(conn, list_id, now)]
    said = f"{len(listed)} published, {len(due)} to be built"
    if late:
        said += f", {len(late)} late: {', '.join(map(str, late[:5]))}{' …' if len(late) > 5 else ''}"
    return Finding("status lists", is_fine=not late, found=said, remedy=_WORKER if late else "")


async def _is_late(conn: Connection, list_id: int, now: datetime) -> bool:
    """Whether something of a list should have been published by now: a change, or the list itself."""
    changes: list[UUID] = await of_status.select_changes_of_list(conn, list_id, limit=1)
    if changes:
        return was_made_before(changes[0], now - LISTED_WITHIN)
    head = await of_status.select_publication_head(conn, list_id)
    return head is not None and head[1] < now - RENEWED_BEFORE - RENEWED_WITHIN


async def _ledger(conn: Connection, now: datetime) -> Finding:
    signed = await of_ledger.select_last_checkpoint(conn)
    if signed is None:
        return Finding("ledger log", is_fine=False, found="has no checkpoint", remedy=_WORKER)
    waiting = await of_ledger.select_pending(conn, 0, BUCKETS - 1, limit=WAITING_MAX)
    late = [entry_id for _, entry_id, _ in waiting if was_made_before(entry_id, now - LOGGED_WITHIN)]
    said = f"{signed.size:,} leaves, {len(waiting):,} wait"
    if late:
        seconds = int(LOGGED_WITHIN.total_seconds())
        said += f", {len(late):,} for more than {seconds} s"
    return Finding(
        "ledger log", is_fine=not late, found=said, remedy=f"{_WORKER} ./run verify-ledger audits it." if late else ""
    )
