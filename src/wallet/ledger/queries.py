"""Every statement on the ledger's log."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from kernel.db import Connection, Row
from kernel.grouping import Many
from kernel.ids import PersonId, UseId, VenueId
from suishenban_verify.merkle import TileId
from wallet.ledger.model import Entry, Erasure, Head, RecordRow, Signed

HEAD_ID = 1

_INSERT_PENDING = Many(
    """
    -- wallet.ledger.insert_pending
    INSERT INTO wallet.ledger_pending (bucket, entry_id, commitment) VALUES {rows}
    """,
    columns=3,
)
_DELETE_PENDING = Many(
    """
    -- wallet.ledger.delete_pending
    DELETE FROM wallet.ledger_pending AS p USING (VALUES {rows}) AS done (bucket, entry_id)
     WHERE p.bucket = done.bucket AND p.entry_id = done.entry_id
    """,
    columns=2,
    row="({}::integer, {}::uuid)",
)
_INSERT_LEAVES = Many(
    """
    -- wallet.ledger.insert_leaves
    INSERT INTO wallet.ledger_leaf (log_index, commitment) VALUES {rows}
    """,
    columns=2,
)
_INSERT_POSITIONS = Many(
    """
    -- wallet.ledger.insert_positions
    INSERT INTO wallet.ledger_position (commitment, log_index) VALUES {rows}
    """,
    columns=2,
)
_PUT_TILES = Many(
    """
    -- wallet.ledger.put_tiles
    INSERT INTO wallet.ledger_tile (level, tile, hashes) VALUES {rows}
    ON CONFLICT (level, tile) DO UPDATE SET hashes = EXCLUDED.hashes
    """,
    columns=3,
    sizes=(1, 4, 16),
)
_SELECT_TILES = Many(
    """
    -- wallet.ledger.select_tiles
    SELECT t.level, t.tile, t.hashes
      FROM (VALUES {rows}) AS wanted (level, tile)
      JOIN wallet.ledger_tile AS t ON t.level = wanted.level AND t.tile = wanted.tile
    """,
    columns=2,
    row="({}::smallint, {}::bigint)",
    sizes=(1, 4, 16),
)
_INSERT_ERASURES = Many(
    """
    -- wallet.ledger.insert_erasures
    INSERT INTO wallet.ledger_erasure (commitment, tombstone, salt, reason, erased_at) VALUES {rows}
    """,
    columns=5,
)
_DELETE_USES = Many(
    """
    -- wallet.ledger.delete_uses
    DELETE FROM wallet.use AS u USING (VALUES {rows}) AS erased (person_id, code_hash)
     WHERE u.person_id = erased.person_id AND u.code_hash = erased.code_hash
    """,
    columns=2,
    row="({}::uuid, {}::bytea)",
)


async def insert_pending(conn: Connection, entries: Sequence[Entry]) -> None:
    """What the log owes a leaf."""
    await _INSERT_PENDING.fetch(conn, entries)


async def delete_pending(conn: Connection, entries: Sequence[Entry]) -> None:
    await _DELETE_PENDING.fetch(conn, [(bucket, entry_id) for bucket, entry_id, _ in entries])


async def select_pending(conn: Connection, first: int, last: int, *, limit: int) -> list[Entry]:
    """What waits in the buckets from `first` to `last`, the longest waiting of each bucket first."""
    rows = await conn.fetch(
        """
        -- wallet.ledger.select_pending
        SELECT bucket, entry_id, commitment FROM wallet.ledger_pending
         WHERE bucket BETWEEN $1 AND $2 ORDER BY bucket, entry_id LIMIT $3
        """,
        first, last, limit,
    )  # fmt: skip
    return [(row[0], row[1], row[2]) for row in rows]


async def select_pending_commitment(conn: Connection, bucket: int, entry_id: UUID) -> bytes | None:
    found: bytes | None = await conn.fetchval(
        """
        -- wallet.ledger.select_pending_commitment
        SELECT commitment FROM wallet.ledger_pending WHERE bucket = $1 AND entry_id = $2
        """,
        bucket, entry_id,
    )  # fmt: skip
    return found


async def lock_head(conn: Connection) -> Head | None:
    """The head of the log, held until the transaction ends: one appends at a time. None: somebody does, or no head."""
    row = await conn.fetchrow(
        """
        -- wallet.ledger.lock_head
        SELECT size, frontier FROM wallet.ledger_head WHERE head_id = $1 FOR UPDATE SKIP LOCKED
        """,
        HEAD_ID,
    )
    return None if row is None else Head(*row)


async def lock_head_in_turn(conn: Connection) -> Head | None:
    """The same, waiting for whoever appends. None: there is no head."""
    row = await conn.fetchrow(
        """
        -- wallet.ledger.lock_head_in_turn
        SELECT size, frontier FROM wallet.ledger_head WHERE head_id = $1 FOR UPDATE
        """,
        HEAD_ID,
    )
    return None if row is None else Head(*row)


async def insert_head(conn: Connection, head: Head) -> bool:
    """Begin the log; false when it has begun."""
    begun = await conn.fetchval(
        """
        -- wallet.ledger.insert_head
        INSERT INTO wallet.ledger_head (head_id, size, frontier) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING RETURNING true
        """,
        HEAD_ID, head.size, head.frontier,
    )  # fmt: skip
    return bool(begun)


async def update_head(conn: Connection, head: Head) -> None:
    await conn.execute(
        """
        -- wallet.ledger.update_head
        UPDATE wallet.ledger_head SET size = $2, frontier = $3 WHERE head_id = $1
        """,
        HEAD_ID, head.size, head.frontier,
    )  # fmt: skip


async def insert_leaves(conn: Connection, first: int, commitments: Sequence[bytes]) -> None:
    """Leaves from index `first` on, and where each stands."""
    placed = list(enumerate(commitments, first))
    await _INSERT_LEAVES.fetch(conn, placed)
    await _INSERT_POSITIONS.fetch(conn, [(commitment, log_index) for log_index, commitment in placed])


async def select_leaves(conn: Connection, first: int, end: int) -> list[tuple[int, bytes]]:
    """The leaves from `first` up to `end`, in order; those that are missing are missing."""
    rows = await conn.fetch(
        """
        -- wallet.ledger.select_leaves
        SELECT log_index, commitment FROM wallet.ledger_leaf
         WHERE log_index >= $1 AND log_index < $2 ORDER BY log_index
        """,
        first, end,
    )  # fmt: skip
    return [(row[0], row[1]) for row in rows]


async def select_last_leaf(conn: Connection) -> int | None:
    """The index of the last leaf there is."""
    found: int | None = await conn.fetchval(
        """
        -- wallet.ledger.select_last_leaf
        SELECT max(log_index) FROM wallet.ledger_leaf
        """
    )
    return found


async def select_positions(conn: Connection, commitments: Collection[bytes]) -> dict[bytes, int]:
    """Where these commitments stand in the log; those that do not are missing."""
    rows = await conn.fetch(
        """
        -- wallet.ledger.select_positions
        SELECT commitment, log_index FROM wallet.ledger_position WHERE commitment = ANY ($1::bytea[])
        """,
        list(commitments),
    )
    return {row[0]: row[1] for row in rows}


async def select_positions_after(conn: Connection, commitment: bytes, *, limit: int) -> list[tuple[bytes, int]]:
    """Positions in the order of their commitments, from after this one."""
    rows = await conn.fetch(
        """
        -- wallet.ledger.select_positions_after
        SELECT commitment, log_index FROM wallet.ledger_position
         WHERE commitment > $1 ORDER BY commitment LIMIT $2
        """,
        commitment, limit,
    )  # fmt: skip
    return [(row[0], row[1]) for row in rows]


async def put_tiles(conn: Connection, tiles: Mapping[TileId, bytes]) -> None:
    await _PUT_TILES.fetch(conn, [(tile.level, tile.tile, hashes) for tile, hashes in tiles.items()])


async def select_tiles(conn: Connection, wanted: Collection[TileId]) -> dict[TileId, bytes]:
    """These tiles; those that are missing are missing."""
    return {TileId(row[0], row[1]): row[2] for row in await _SELECT_TILES.fetch(conn, list(wanted))}


async def select_tile_ids_after(conn: Connection, tile: TileId, *, limit: int) -> list[TileId]:
    """Which tiles there are, in order, from after this one."""
    rows = await conn.fetch(
        """
        -- wallet.ledger.select_tile_ids_after
        SELECT level, tile FROM wallet.ledger_tile
         WHERE (level, tile) > ($1::smallint, $2::bigint) ORDER BY level, tile LIMIT $3
        """,
        tile.level, tile.tile, limit,
    )  # fmt: skip
    return [TileId(*row) for row in rows]


async def insert_checkpoint(conn: Connection, signed: Signed) -> None:
    await conn.execute(
        """
        -- wallet.ledger.insert_checkpoint
        INSERT INTO wallet.ledger_checkpoint (size, root, note, signed_at) VALUES ($1, $2, $3, $4)
        """,
        signed.size, signed.root, signed.note, signed.signed_at,
    )  # fmt: skip


async def update_checkpoint(conn: Connection, signed: Signed) -> None:
    """The same size and root, signed anew."""
    await conn.execute(
        """
        -- wallet.ledger.update_checkpoint
        UPDATE wallet.ledger_checkpoint SET note = $2, signed_at = $3 WHERE size = $1
        """,
        signed.size, signed.note, signed.signed_at,
    )  # fmt: skip


async def select_last_checkpoint(conn: Connection) -> Signed | None:
    """The checkpoint of the largest size."""
    row = await conn.fetchrow(
        """
        -- wallet.ledger.select_last_checkpoint
        SELECT size, root, note, signed_at FROM wallet.ledger_checkpoint ORDER BY size DESC LIMIT 1
        """
    )
    return None if row is None else Signed(*row)


async def select_checkpoint(conn: Connection, size: int) -> Signed | None:
    row = await conn.fetchrow(
        """
        -- wallet.ledger.select_checkpoint
        SELECT size, root, note, signed_at FROM wallet.ledger_checkpoint WHERE size = $1
        """,
        size,
    )
    return None if row is None else Signed(*row)


async def select_checkpoints(conn: Connection, smallest: int, largest: int) -> list[Signed]:
    """The checkpoints of these sizes and those between, in order."""
    rows = await conn.fetch(
        """
        -- wallet.ledger.select_checkpoints
        SELECT size, root, note, signed_at FROM wallet.ledger_checkpoint WHERE size BETWEEN $1 AND $2 ORDER BY size
        """,
        smallest, largest,
    )  # fmt: skip
    return [Signed(*row) for row in rows]


async def insert_erasures(conn: Connection, erasures: Sequence[Erasure]) -> None:
    rows = [(one.commitment, one.tombstone, one.salt, one.reason, one.erased_at) for one in erasures]
    await _INSERT_ERASURES.fetch(conn, rows)


async def select_erasures_after(conn: Connection, commitment: bytes, *, limit: int) -> list[Erasure]:
    """Erasures in the order of the commitments erased, from after this one."""
    rows = await conn.fetch(
        """
        -- wallet.ledger.select_erasures_after
        SELECT commitment, tombstone, salt, reason, erased_at FROM wallet.ledger_erasure
         WHERE commitment > $1 ORDER BY commitment LIMIT $2
        """,
        commitment, limit,
    )  # fmt: skip
    return [Erasure(*row) for row in rows]


async def lock_records_of_person(
    conn: Connection, person_id: PersonId, *, used_before: datetime, limit: int
) -> list[RecordRow]:
    """A person's oldest records, held until the transaction ends."""
    rows = await conn.fetch(
        """
        -- wallet.ledger.lock_records_of_person
        SELECT person_id, code_hash, used_at, use_id, device_id, venue_id, scenario_code, scenario_edition,
               certificate_id, kind_code, route, outcome, fields, mandate_id, agent_person_id, flags, recorded_at, salt
          FROM wallet.use WHERE person_id = $1 AND used_at < $2
         ORDER BY used_at, code_hash LIMIT $3 FOR UPDATE
        """,
        person_id, used_before, limit,
    )  # fmt: skip
    return [RecordRow(*row) for row in rows]


async def delete_uses(conn: Connection, records: Sequence[RecordRow]) -> None:
    await _DELETE_USES.fetch(conn, [(record.person_id, record.code_hash) for record in records])


async def select_record(conn: Connection, person_id: PersonId, code_hash: bytes) -> RecordRow | None:
    row = await conn.fetchrow(
        """
        -- wallet.ledger.select_record
        SELECT person_id, code_hash, used_at, use_id, device_id, venue_id, scenario_code, scenario_edition,
               certificate_id, kind_code, route, outcome, fields, mandate_id, agent_person_id, flags, recorded_at, salt
          FROM wallet.use WHERE person_id = $1 AND code_hash = $2
        """,
        person_id, code_hash,
    )  # fmt: skip
    return None if row is None else RecordRow(*row)


async def select_records_of_venue(
    conn: Connection, venue_id: VenueId, use_id: UseId, *, since: datetime, until: datetime, limit: int
) -> list[RecordRow]:
    """What a venue's devices saw under an id of theirs between two moments, both included."""
    rows = await conn.fetch(
        """
        -- wallet.ledger.select_records_of_venue
        SELECT person_id, code_hash, used_at, use_id, device_id, venue_id, scenario_code, scenario_edition,
               certificate_id, kind_code, route, outcome, fields, mandate_id, agent_person_id, flags, recorded_at, salt
          FROM wallet.use WHERE venue_id = $1 AND used_at BETWEEN $3 AND $4 AND use_id = $2
         ORDER BY used_at, code_hash LIMIT $5
        """,
        venue_id, use_id, since, until, limit,
    )  # fmt: skip
    return [RecordRow(*row) for row in rows]


async def select_records_after(
    conn: Connection, person_id: PersonId, code_hash: bytes, *, limit: int
) -> list[RecordRow]:
    """Records in the order of person and hash, from after this one."""
    rows: list[Row] = await conn.fetch(
        """
        -- wallet.ledger.select_records_after
        SELECT person_id, code_hash, used_at, use_id, device_id, venue_id, scenario_code, scenario_edition,
               certificate_id, kind_code, route, outcome, fields, mandate_id, agent_person_id, flags, recorded_at, salt
          FROM wallet.use WHERE (person_id, code_hash) > ($1::uuid, $2::bytea)
         ORDER BY person_id, code_hash LIMIT $3
        """,
        person_id, code_hash, limit,
    )  # fmt: skip
    return [RecordRow(*row) for row in rows]
