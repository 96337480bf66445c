"""What the utility's staff want of an event: plain seconds and numbers, checked before anybody is told.

Times are aware UTC, durations whole seconds. Signs and scales are the wire's: nothing is converted here. Not offered:
eiEventBaseline. Knows no VEN in particular and no clock.
"""

import re
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from wattseal.certs.errors import MisuseError
from wattseal.protocols.openadr20b.common import Target
from wattseal.protocols.openadr20b.duration import LONGEST_SECONDS
from wattseal.protocols.openadr20b.item_base import (
    CurrencyPerKW,
    CurrencyPerKWh,
    EnergyReal,
    ItemBase,
    PowerApparent,
    PowerAttributes,
    PowerReactive,
    PowerReal,
)
from wattseal.protocols.openadr20b.vocabulary import (
    ExtensionToken,
    ResponseRequired,
    SignalName,
    SignalType,
    SiScaleCode,
)

_CURRENCY: Final = re.compile("[A-Z]{3}")
_HIGHEST_LEVEL: Final = 3


class Unit(StrEnum):
    """What a signal's numbers are numbers of."""

    NONE = "none"
    WATT = "W"
    VOLT_AMPERE = "VA"
    VAR = "VAR"
    WATT_HOUR = "Wh"
    CURRENCY_PER_KWH = "currency/kWh"
    CURRENCY_PER_KW = "currency/kW"


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One interval of a signal: so long, this value. A duration of 0 is open-ended (rule 47)."""

    duration_seconds: int
    value: Decimal


class SignalDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One signal. `name` is one of `SignalName` or begins with ``x-``; `device_classes` narrows it.

    `currency` is the ISO 4217 code, used by the two prices only; `hertz`, `volts` and `ac` by the three powers only.
    """

    name: str = SignalName.SIMPLE.value
    type: SignalType = SignalType.LEVEL
    steps: tuple[Step, ...]
    unit: Unit = Unit.NONE
    scale: SiScaleCode = SiScaleCode.NONE
    currency: str = "EUR"
    hertz: Decimal = Decimal(50)
    volts: Decimal = Decimal(230)
    ac: bool = True
    signal_id: str | None = None
    device_classes: tuple[str, ...] = ()

    @property
    def signal_name(self) -> SignalName | ExtensionToken:
        """The name as the wire has it."""
        return SignalName(self.name) if self.name in set(SignalName) else ExtensionToken(self.name)

    @property
    def item_base(self) -> ItemBase | None:
        """The unit as the wire has it."""
        attributes = PowerAttributes(hertz=self.hertz, voltage=self.volts, ac=self.ac)
        match self.unit:
            case Unit.WATT:
                return PowerReal(si_scale_code=self.scale, power_attributes=attributes)
            case Unit.VOLT_AMPERE:
                return PowerApparent(si_scale_code=self.scale, power_attributes=attributes)
            case Unit.VAR:
                return PowerReactive(si_scale_code=self.scale, power_attributes=attributes)
            case Unit.WATT_HOUR:
                return EnergyReal(si_scale_code=self.scale)
            case Unit.CURRENCY_PER_KWH:
                return CurrencyPerKWh(item_units=self.currency, si_scale_code=self.scale)
            case Unit.CURRENCY_PER_KW:
                return CurrencyPerKW(item_units=self.currency, si_scale_code=self.scale)
            case Unit.NONE:
                return None


class EventDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One event. `vens` are the venIDs that are told of it (none: all); `target` is what they read in eiTarget.

    `duration_seconds` 0 is open-ended. `near_seconds` is the border of far and near where there is no ramp-up.
    """

    market_context: str
    dtstart: datetime
    duration_seconds: int
    signals: tuple[SignalDraft, ...]
    vens: tuple[str, ...] = ()
    target: Target = Target()
    priority: int | None = None
    response_required: ResponseRequired = ResponseRequired.ALWAYS
    test_event: str | None = None
    vtn_comment: str | None = None
    start_after_seconds: int | None = None
    notification_seconds: int | None = None
    ramp_up_seconds: int | None = None
    recovery_seconds: int | None = None
    near_seconds: int = 0


def check_draft(draft: EventDraft) -> None:
    """Raises MisuseError (`event_draft_wrong`) with every mistake in one sentence."""
    mistakes = [sentence for wrong, sentence in _checks(draft) if wrong]
    for index, signal in enumerate(draft.signals):
        mistakes += [f"Signal {index}: {sentence}" for wrong, sentence in _signal_checks(draft, signal) if wrong]
    if mistakes:
        raise MisuseError("event_draft_wrong", " ".join(mistakes))


def _checks(draft: EventDraft) -> tuple[tuple[bool, str], ...]:
    offset = draft.dtstart.utcoffset()
    spans = (draft.start_after_seconds, draft.notification_seconds, draft.ramp_up_seconds, draft.recovery_seconds)
    return (
        (offset is None or bool(offset), "dtstart must be in UTC (rule 1)."),
        (not 0 <= draft.duration_seconds <= LONGEST_SECONDS, "duration_seconds is 0 to a hundred years."),
        (not draft.signals, "An event has a signal."),
        (draft.market_context.split() != [draft.market_context], "market_context is a URI, without white space."),
        ((draft.priority or 0) < 0, "priority is 0 (none) or higher."),
        ((draft.start_after_seconds or 0) < 0, "start_after_seconds is no negative number."),
        (any(abs(span or 0) > LONGEST_SECONDS for span in spans), "No span is longer than a hundred years."),
    )


def _signal_checks(draft: EventDraft, signal: SignalDraft) -> tuple[tuple[bool, str], ...]:
    total = sum(step.duration_seconds for step in signal.steps)
    simple = signal.name in {SignalName.SIMPLE, SignalName.SIMPLE_DEPRECATED}
    levels = {Decimal(level) for level in range(_HIGHEST_LEVEL + 1)}
    priced = signal.unit in {Unit.CURRENCY_PER_KW, Unit.CURRENCY_PER_KWH}
    return (
        (not signal.steps, "has no step."),
        (
            signal.name not in set(SignalName) and not signal.name.startswith("x-"),
            "has a name that must begin with x-.",
        ),
        (any(step.duration_seconds < 0 for step in signal.steps), "has a step of negative duration."),
        (total != draft.duration_seconds, f"lasts {total} s, the event {draft.duration_seconds} s (rule 8)."),
        (not all(step.value.is_finite() for step in signal.steps), "has a value that is no number."),
        (simple and signal.type is not SignalType.LEVEL, "is SIMPLE, whose type is level (rule 7)."),
        (simple and any(step.value not in levels for step in signal.steps), "is SIMPLE: 0, 1, 2 or 3 (rule 9)."),
        (priced and not _CURRENCY.fullmatch(signal.currency), "has a currency that is no code of ISO 4217."),
    )
