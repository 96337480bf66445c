"""What the utility's staff writes to make things: drafts, as JSON has them, and the resources that become of them.

Fields are those of the resources, in Python's case; times are by the server's clock. A draft without `start` begins
`start_in` seconds from now. Without an mRID one is made.
"""

from typing import Annotated, Any

import msgspec

from wattseal.protocols.ieee2030_5.base import DateTimeInterval, EventStatus
from wattseal.protocols.ieee2030_5.demand_response import (
    ApplianceLoadReduction,
    DutyCycle,
    EndDeviceControl,
    Offset,
    SetPoint,
    TargetReduction,
)
from wattseal.protocols.ieee2030_5.der_control import CurveData, DefaultDERControl, DERControl, DERControlBase, DERCurve
from wattseal.protocols.ieee2030_5.messaging import TextMessage
from wattseal.protocols.ieee2030_5.pricing import ConsumptionTariffInterval, TimeTariffInterval
from wattseal.protocols.ieee2030_5.vocabulary import CurveType, EventState, MessagePriority, UnitReference

Seconds = Annotated[int, msgspec.Meta(ge=0, le=4_294_967_295)]
Mrid = Annotated[str, msgspec.Meta(pattern="^([0-9A-Fa-f]{2}){1,16}$")]
_TO_COME = EventStatus(current_status=EventState.SCHEDULED, date_time=0, potentially_superseded=False)


class EventDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every event has. `response_required`: bits 1 received, 2 specific, 4 user; 3 where nothing is said."""

    duration: Seconds
    start: int | None = None
    start_in: int = 0
    creation_time: int | None = None
    mrid: Mrid | None = None
    description: str | None = None
    version: int | None = None
    response_required: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = 3

    def common(self, mrid: str, now: int) -> dict[str, Any]:
        """The fields of an Event, made at `now`."""
        start = now + self.start_in if self.start is None else self.start
        return {
            "mrid": (self.mrid or mrid).upper(),
            "description": self.description,
            "version": self.version,
            "response_required": self.response_required,
            "creation_time": now if self.creation_time is None else self.creation_time,
            "event_status": _TO_COME,
            "interval": DateTimeInterval(start=start, duration=self.duration),
        }


class RandomizableDraft(EventDraft, frozen=True, kw_only=True):
    """With randomisation, seconds from -3600 to 3600."""

    randomize_start: Annotated[int, msgspec.Meta(ge=-3600, le=3600)] | None = None
    randomize_duration: Annotated[int, msgspec.Meta(ge=-3600, le=3600)] | None = None

    def common(self, mrid: str, now: int) -> dict[str, Any]:
        """As for an event, with randomisation."""
        drawn = {"randomize_start": self.randomize_start, "randomize_duration": self.randomize_duration}
        return super().common(mrid, now) | drawn


class ControlDraft(RandomizableDraft, frozen=True, kw_only=True):
    """A DERControl; `base` are its modes. A curve is named by its mRID: ``{"op_mod_volt_var": {"href": MRID}}``."""

    base: DERControlBase
    device_category: int | None = None

    def made(self, mrid: str, now: int) -> DERControl:
        """The event."""
        common = self.common(mrid, now)
        return DERControl(**common, der_control_base=self.base, device_category=self.device_category)


class LoadControlDraft(RandomizableDraft, frozen=True, kw_only=True):
    """An EndDeviceControl."""

    device_category: int = 0
    dr_program_mandatory: bool = False
    load_shift_forward: bool = False
    override_duration: int | None = None
    appliance_load_reduction: ApplianceLoadReduction | None = None
    duty_cycle: DutyCycle | None = None
    offset: Offset | None = None
    set_point: SetPoint | None = None
    target_reduction: TargetReduction | None = None

    def made(self, mrid: str, now: int) -> EndDeviceControl:
        """The event."""
        own = {name: getattr(self, name) for name in LoadControlDraft.__struct_fields__}
        common = self.common(mrid, now)
        extra = {name: own[name] for name in EndDeviceControl.__struct_fields__ if name in own and name not in common}
        return EndDeviceControl(**common, **extra)


class TextDraft(EventDraft, frozen=True, kw_only=True):
    """A TextMessage."""

    text: str
    priority: MessagePriority = MessagePriority.NORMAL
    originator: str | None = None

    def made(self, mrid: str, now: int) -> TextMessage:
        """The event."""
        common = self.common(mrid, now)
        return TextMessage(**common, text_message=self.text, priority=self.priority, originator=self.originator)


class IntervalDraft(RandomizableDraft, frozen=True, kw_only=True):
    """A TimeTariffInterval. `prices`: of each block the Wh from which it holds, and the price (in powers of ten)."""

    prices: Annotated[tuple[tuple[int, int], ...], msgspec.Meta(min_length=1, max_length=16)]
    tou_tier: int = 0

    def blocks(self) -> tuple[ConsumptionTariffInterval, ...]:
        """The blocks, from 1 on; a single one is block 0, which means that there are none."""
        return tuple(
            ConsumptionTariffInterval(consumption_block=number, price=price, start_value=since)
            for number, (since, price) in enumerate(self.prices, start=1 if len(self.prices) > 1 else 0)
        )

    def made(self, mrid: str, now: int) -> TimeTariffInterval:
        """The event."""
        return TimeTariffInterval(**self.common(mrid, now), tou_tier=self.tou_tier)


class CurveDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A DERCurve."""

    curve_type: CurveType
    curve_data: Annotated[tuple[CurveData, ...], msgspec.Meta(min_length=1, max_length=10)]
    y_ref_type: UnitReference = UnitReference.NOT_APPLICABLE
    x_multiplier: int = 0
    y_multiplier: int = 0
    mrid: Mrid | None = None
    description: str | None = None
    open_loop_tms: int | None = None
    ramp_dec_tms: int | None = None
    ramp_inc_tms: int | None = None
    ramp_pt1_tms: int | None = None
    v_ref: int | None = None
    autonomous_v_ref_enable: bool | None = None
    autonomous_v_ref_time_constant: int | None = None

    def made(self, mrid: str, now: int) -> DERCurve:
        """The curve."""
        own = msgspec.structs.asdict(self) | {"mrid": (self.mrid or mrid).upper(), "creation_time": now}
        return DERCurve(**own)


class DefaultDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A DefaultDERControl; `base` are its modes."""

    base: DERControlBase = DERControlBase()
    mrid: Mrid | None = None
    description: str | None = None
    set_es_delay: int | None = None
    set_es_high_freq: int | None = None
    set_es_high_volt: int | None = None
    set_es_low_freq: int | None = None
    set_es_low_volt: int | None = None
    set_es_ramp_tms: int | None = None
    set_es_random_delay: int | None = None
    set_grad_w: int | None = None
    set_soft_grad_w: int | None = None

    def made(self, mrid: str) -> DefaultDERControl:
        """The default."""
        own = msgspec.structs.asdict(self)
        own |= {"mrid": (self.mrid or mrid).upper(), "der_control_base": own.pop("base")}
        return DefaultDERControl(**own)
