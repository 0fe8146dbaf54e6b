"""The ledger's log over HTTP: checkpoints for everybody, proofs of a record for its person and for who looked."""

import base64
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import MediaType, Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from kernel.audience import Handlers
from kernel.errors import MalformedRequest, RealNameNeeded
from kernel.ids import UseId
from kernel.principal import Audience, Citizen, VenueDevice
from kernel.problems import refuses
from suishenban_verify.signatures import b64url, un_b64url
from wallet.ledger.errors import NoCheckpointYet, NotInLogYet, SizesRefused, UseNotFound
from wallet.ledger.model import RecordRow
from wallet.ledger.parts import LedgerLog
from wallet.ledger.proving import Proved

CHECKPOINT_LIVES_SECONDS = 5
"""How long others may hold the latest checkpoint; one of a given size never changes what it says."""
YEAR_MIN, YEAR_MAX = 2000, 2999
"""Years in which a scan may have been made."""


class EventView(msgspec.Struct):
    """What the log commits to, without whose it is."""

    code_hash: str
    used_at: datetime
    recorded_at: datetime | None
    use_id: UUID
    device_id: UUID
    venue_id: UUID
    scenario_code: str
    scenario_edition: int
    kind_code: str
    route: str
    outcome: str
    fields: list[str]
    flags: list[str]

    @classmethod
    def of(cls, record: RecordRow) -> "EventView":
        return cls(
            code_hash=b64url(record.code_hash),
            used_at=record.used_at,
            recorded_at=record.recorded_at,
            use_id=record.use_id,
            device_id=record.device_id,
            venue_id=record.venue_id,
            scenario_code=record.scenario_code,
            scenario_edition=record.scenario_edition,
            kind_code=record.kind_code,
            route=record.route,
            outcome=record.outcome,
            fields=list(record.fields),
            flags=list(record.flags),
        )


class ProofView(msgspec.Struct):
    """A record that is proved to be in the log.

    Its leaf is made of `event` and `subject`, a digest of whose it is, under `salt`; `proof` is a C2SP tlog-proof that
    the leaf is in the log, down to the signed checkpoint. `suishenban_verify.ledger.proved_event` checks all of it.
    """

    event: EventView
    salt: str
    subject: str
    proof: str

    @classmethod
    def of(cls, proved: Proved) -> "ProofView":
        return cls(EventView.of(proved.record), b64url(proved.salt), b64url(proved.subject), proved.proof)


class SubjectView(msgspec.Struct):
    """Whose record it is, of which `subject` is the digest."""

    person_id: UUID
    certificate_id: UUID
    mandate_id: UUID | None
    agent_person_id: UUID | None


class OwnProofView(msgspec.Struct):
    """A record of one's own, proved, with what its `subject` is made of."""

    proved: ProofView
    whose: SubjectView

    @classmethod
    def of(cls, proved: Proved) -> "OwnProofView":
        record = proved.record
        whose = SubjectView(record.person_id, record.certificate_id, record.mandate_id, record.agent_person_id)
        return cls(ProofView.of(proved), whose)


class ProofsView(msgspec.Struct):
    """One proof for each certificate that the scan was shown."""

    proofs: list[ProofView]


class ConsistencyView(msgspec.Struct):
    """That the log of `new` leaves continues the one of `old` (RFC 9162 §2.1.4): hashes in base64, in order."""

    old: int
    new: int
    hashes: list[str]


@get("/ledger/checkpoint", operation_id="readCheckpoint", summary="The latest signed checkpoint of the ledger's log",
     media_type=MediaType.TEXT, responses=refuses(NoCheckpointYet))  # fmt: skip
async def read_checkpoint(ledger_log: NamedDependency[LedgerLog]) -> Response[str]:
    """A C2SP tlog-checkpoint. Keep it: with an old one anybody can prove that the ledger was changed, if it was."""
    latest = await ledger_log.prover.latest()
    return Response(latest.note, headers={"Cache-Control": f"public, max-age={CHECKPOINT_LIVES_SECONDS}"})


@get("/ledger/checkpoints/{size:int}", operation_id="readCheckpointOfSize", media_type=MediaType.TEXT,
     summary="A checkpoint of the ledger's log by its size",
     responses=refuses(MalformedRequest, NoCheckpointYet))  # fmt: skip
async def read_checkpoint_of_size(size: FromPath[int], ledger_log: NamedDependency[LedgerLog]) -> Response[str]:
    """The checkpoint that was signed when the log had this size. Not every size has one."""
    return Response((await ledger_log.prover.checkpoint(size)).note)


@get("/ledger/checkpoints/{size:int}/consistency", operation_id="proveConsistency",
     summary="Proof that the ledger's log has only grown",
     responses=refuses(MalformedRequest, NoCheckpointYet, SizesRefused))  # fmt: skip
async def prove_consistency(
    size: FromPath[int],
    ledger_log: NamedDependency[LedgerLog],
    old: Annotated[int, QueryParameter(name="from", ge=0, description="The size of the checkpoint that you kept.")],
) -> ConsistencyView:
    """The consistency proof from the log of size `from` to the log of this size."""
    found = await ledger_log.prover.prove_consistency(old, size)
    return ConsistencyView(found.old, found.new, [base64.b64encode(hashed).decode() for hashed in found.hashes])


@get("/uses/{look:str}/proof", operation_id="proveUse", summary="Proof that a look at your certificate is in the log",
     responses=refuses(MalformedRequest, RealNameNeeded, UseNotFound, NotInLogYet))  # fmt: skip
async def prove_use(
    look: FromPath[str], citizen: NamedDependency[Citizen], ledger_log: NamedDependency[LedgerLog]
) -> OwnProofView:
    """The record named `look` in the list of your uses, as it was logged. Keep it, and nobody can say it was not."""
    try:
        code_hash = un_b64url(look)
    except ValueError:
        raise UseNotFound from None
    return OwnProofView.of(await ledger_log.prover.prove_for_person(citizen.person_id, code_hash))


@get("/uses/{use_id:uuid}/proof", operation_id="proveVerification", summary="Proof that a scan of yours is in the log",
     responses=refuses(MalformedRequest, UseNotFound, NotInLogYet))  # fmt: skip
async def prove_verification(
    use_id: FromPath[UUID],
    device: NamedDependency[VenueDevice],
    ledger_log: NamedDependency[LedgerLog],
    near: Annotated[datetime, QueryParameter(description="When you scanned, to five minutes.")],
) -> ProofsView:
    """What any device of your venue saw under this `use_id`. It does not tell whose certificate it was."""
    if near.tzinfo is None:
        raise MalformedRequest("near: a time that says how far it is from UTC")
    if not YEAR_MIN <= near.year <= YEAR_MAX:
        raise UseNotFound
    proved = await ledger_log.prover.prove_for_venue(device.venue_id, UseId(use_id), near)
    return ProofsView([ProofView.of(one) for one in proved])


_PUBLIC: list[HTTPRouteHandler] = [read_checkpoint, read_checkpoint_of_size, prove_consistency]
HANDLERS: Handlers = {
    Audience.PUBLIC: _PUBLIC,
    Audience.RESIDENT: [prove_use],
    Audience.MINI: [prove_use],
    Audience.VENUE: [prove_verification],
}
