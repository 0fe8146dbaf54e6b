"""Which draft goes out now, through whom, and what becomes of the others. Hands of providers are taken here."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from kernel.ids import MessageId
from kernel.log import get_logger
from notifications import queries
from notifications.carrying.plans import Decision, Flight, Loaded, Plan, move
from notifications.carrying.queries import NewDelivery
from notifications.channels.inbox import Item
from notifications.composing import Draft, parcel, road_of, stand_ins
from notifications.ending.endings import Ended
from notifications.ending.reasons import Reason
from notifications.model import MAY_REPEAT, Channel, DeliveryStage, Lane, Step, has_surely_failed
from notifications.reaching.grants import Granted
from notifications.routing.carriers import Carriers, Full, Road
from notifications.routing.rules import About, Rules

HELD: Final = timedelta(seconds=1)
"""How long a parcel waits for which nobody has a hand free."""

log = get_logger(__name__)


class Deciding:
    """Decides draft by draft, and writes it into the plan."""

    def __init__(
        self,
        carriers: Carriers,
        rules: Rules,
        plan: Plan,
        bucket: int,
        stopped: Mapping[About, str],
        granted: Mapping[MessageId, Granted],
        lease_until: datetime,
        now: datetime,
    ) -> None:
        self._carriers = carriers
        self._rules = rules
        self._plan = plan
        self._bucket = bucket
        self._stopped = stopped
        self._granted = granted
        self._lease_until = lease_until
        self._now = now
        self._mornings: dict[Lane, datetime | None] = {}

    def decide(self, draft: Draft) -> None:
        if draft.delivery is not None:
            self._again(draft, draft.delivery)
        elif draft.contact is None:
            self._to_nobody(draft)
        else:
            self._first(draft)

    def _to_nobody(self, draft: Draft) -> None:
        """Told as if it lay in an inbox, so that its sender cannot tell."""
        message = draft.message
        end = DeliveryStage.DELIVERED
        self._plan.ended.append(
            Ended(self._bucket, message.message_id, "inbox", end, message.caller, None, message.lane)
        )

    def _first(self, draft: Draft) -> None:
        message, template = draft.message, draft.template
        is_filed = "inbox" in template.channels and message.person_id is not None
        if is_filed and message.person_id is not None:
            self._plan.items.append(Item(message.person_id, message.message_id, template, draft.values))
            self._write(draft, "inbox", Decision(Step(DeliveryStage.DELIVERED)))
        later = stand_ins(draft.ways)
        if "subscribe" in draft.ways and self._is_without_grant(draft):
            later = []  # they go at once
        begun = is_filed
        for channel in draft.ways:
            if channel not in later:
                begun = self._begin(draft, channel, later if channel == "subscribe" else []) or begun
        if not begun and not draft.ways and template.optional_sms is not None and message.person_id is not None:
            self._write(draft, _outside(template.channels), Decision(Step(DeliveryStage.WITHDRAWN), Reason.NOT_WANTED))
        elif not begun:
            channel = draft.ways[0] if draft.ways else _outside(template.channels)
            reason = Reason.NO_ADDRESS if channel == "email" else Reason.NO_NUMBER
            self._write(draft, channel, Decision(Step(DeliveryStage.UNDELIVERABLE), reason))

    def _begin(self, draft: Draft, channel: Channel, instead: list[Channel]) -> bool:
        """Plan the first try by a channel; whether there is anything to be tried."""
        if channel == "subscribe" and self._is_without_grant(draft):
            return False
        road = road_of(draft, channel)
        if channel != "subscribe" and road is None:
            return False
        decided = self._decided(draft, channel, road)
        if isinstance(decided, Decision):
            self._write(draft, channel, decided, instead)
            return True
        message = draft.message
        self._plan.deliveries.append(
            NewDelivery(
                self._bucket, message.message_id, channel, message.lane, DeliveryStage.SENDING, 1, self._lease_until,
                message.expires_at, None, None, instead or None, message.batch_id,
            )
        )  # fmt: skip
        self._fly(draft, channel, 1, decided, road, has_stand_in=bool(instead))
        return True

    def _is_without_grant(self, draft: Draft) -> bool:
        """Whether there is no grant, and it is not only too late in the day to ask for one."""
        waits = draft.has_quiet_hours and self._morning(draft.message.lane) is not None
        return not waits and draft.message.message_id not in self._granted

    def _again(self, draft: Draft, delivery: queries.DueDelivery) -> None:
        message = draft.message
        is_certain = has_surely_failed(draft.tried.values())
        over = DeliveryStage.UNDELIVERABLE if is_certain else DeliveryStage.UNKNOWN
        channel = delivery.channel
        road = road_of(draft, channel)
        if not (is_certain or message.lane in MAY_REPEAT):
            decided: Loaded | Decision = Decision(Step(over), Reason.NOBODY_LEFT)
        elif not self._carriers.has_any(channel):
            decided = Decision(Step(over), Reason.NO_PROVIDER)
        elif channel not in draft.ways:
            stage = DeliveryStage.WITHDRAWN if is_certain else over
            decided = Decision(Step(stage), Reason.NOT_WANTED)
        elif channel != "subscribe" and road is None:
            decided = Decision(Step(over), Reason.NO_NUMBER if channel == "sms" else Reason.NO_ADDRESS)
        elif channel == "subscribe" and self._is_without_grant(draft):
            decided = Decision(Step(over), Reason.NO_GRANT)
        else:
            decided = self._decided(draft, channel, road, over)
        if isinstance(decided, Decision):
            move(self._plan, self._bucket, delivery, decided, self._now)
        else:
            self._fly(draft, channel, delivery.fence, decided, road, has_stand_in=delivery.has_stand_in)

    def _decided(
        self, draft: Draft, channel: Channel, road: Road | None, over: DeliveryStage = DeliveryStage.UNDELIVERABLE
    ) -> Loaded | Decision:
        """The provider that takes it now, or what else becomes of it; a grant nothing goes out under is given back."""
        decided = self._ruled(draft, channel) or self._loaded(draft, channel, road, over)
        if over is DeliveryStage.UNKNOWN and isinstance(decided, Decision) and decided.step.next_at is None:
            decided = Decision(Step(over), decided.reason or Reason.TOO_LATE)
        if channel == "subscribe" and isinstance(decided, Decision):
            granted = self._granted.get(draft.message.message_id)
            if granted is not None:
                self._plan.ungranted.append(granted)
        return decided

    def _ruled(self, draft: Draft, channel: Channel) -> Decision | None:
        """What our own rules say against sending it now."""
        message, now = draft.message, self._now
        if message.expires_at <= now:
            return Decision(Step(DeliveryStage.EXPIRED))
        if (why := self._stopped.get((message.message_id, channel))) is not None:
            return Decision(Step(DeliveryStage.WITHDRAWN), why)
        if channel == "email" or not draft.has_quiet_hours:
            return None
        morning = self._morning(message.lane)
        if morning is None:
            return None
        if morning >= message.expires_at:
            return Decision(Step(DeliveryStage.EXPIRED), Reason.QUIET_HOURS)
        return Decision(Step(DeliveryStage.WAITING, morning), Reason.QUIET_HOURS)

    def _morning(self, lane: Lane) -> datetime | None:
        """When the quiet hours end, asked once for all of a lane."""
        if lane not in self._mornings:
            self._mornings[lane] = self._rules.quiet_until(lane, self._now)
        return self._mornings[lane]

    def _loaded(self, draft: Draft, channel: Channel, road: Road | None, over: DeliveryStage) -> Loaded | Decision:
        message, now = draft.message, self._now
        assert road is not None
        provider = self._carriers.choose(road, message.lane, draft.tried, now, draft.template.provider_ids)
        if provider is None:
            return Decision(Step(over), Reason.NOBODY_LEFT if draft.tried else Reason.NO_PROVIDER)
        if isinstance(provider, Full):
            return Decision(Step(DeliveryStage.WAITING, now + HELD), Reason.ALL_BUSY)
        granted = self._granted.get(message.message_id) if channel == "subscribe" else None
        try:
            made = parcel(draft, channel, provider.name, None if granted is None else granted.openid)
        except Exception as fault:  # noqa: BLE001 -- a provider's gaps that are not the text's; it is alerted
            self._carriers.let_go(provider.name, message.lane)
            log.warning("a parcel cannot be made", message_id=str(message.message_id), error=type(fault).__name__)
            return Decision(Step(over), Reason.UNWRITABLE)
        return Loaded(provider.name, made)

    def _fly(
        self, draft: Draft, channel: Channel, fence: int, loaded: Loaded, road: Road | None, *, has_stand_in: bool
    ) -> None:
        message = draft.message
        assert road is not None
        granted = self._granted.get(message.message_id) if channel == "subscribe" else None
        self._plan.flights.append(
            Flight(
                message.message_id, channel, fence, message.expires_at, loaded.provider, road.group, message.caller,
                message.template, draft.tried, draft.tries, loaded.parcel, granted, draft.template.provider_ids,
                has_stand_in,
            )
        )  # fmt: skip

    def _write(self, draft: Draft, channel: Channel, decided: Decision, instead: Sequence[Channel] = ()) -> None:
        """A first delivery that does not go out now."""
        message, step = draft.message, decided.step
        ended_at = self._now if step.next_at is None else None
        self._plan.deliveries.append(
            NewDelivery(
                self._bucket, message.message_id, channel, message.lane, step.stage, 0, step.next_at,
                message.expires_at, ended_at, decided.reason, list(instead) or None, message.batch_id,
            )
        )  # fmt: skip
        if ended_at is not None:
            self._plan.ended.append(
                Ended(
                    self._bucket, message.message_id, channel, step.stage, message.caller, decided.reason, message.lane
                )
            )


def _outside(channels: Sequence[Channel]) -> Channel:
    return next((one for one in channels if one != "inbox"), "sms")
