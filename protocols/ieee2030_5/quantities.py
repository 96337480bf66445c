"""Numbers with a power of ten, exactly as the wire has them, and their forms inside a DERControlBase.

A quantity is `value` times ten to the `multiplier`; nothing is multiplied out here. Since 2023 a control may be
`disabled`: the mode is then to be switched off, and the value is only there for peers that do not know the attribute.
"""

from typing import Annotated

import msgspec

from wattseal.protocols.ieee2030_5.editions import E2023
from wattseal.protocols.ieee2030_5.lexicals import (
    INT16,
    INT32,
    INT48,
    MULTIPLIER,
    UINT16,
    UINT32,
    UINT48,
)
from wattseal.protocols.ieee2030_5.vocabulary import DeltaDirection, UnitReference, Uom
from wattseal.protocols.xml_wire import wire


class _Signed(msgspec.Struct, frozen=True, kw_only=True):
    multiplier: Annotated[int, wire("multiplier", MULTIPLIER)]
    value: Annotated[int, wire("value", INT16)]


class _Unsigned(msgspec.Struct, frozen=True, kw_only=True):
    multiplier: Annotated[int, wire("multiplier", MULTIPLIER)]
    value: Annotated[int, wire("value", UINT16)]


class ActivePower(_Signed, frozen=True, kw_only=True):
    """W; positive is output (generation) where a control or a rating of DER says so."""


class ReactivePower(_Signed, frozen=True, kw_only=True):
    """var."""


class ApparentPower(_Unsigned, frozen=True, kw_only=True):
    """VA."""


class UnsignedActivePower(_Unsigned, frozen=True, kw_only=True):
    """W, never negative (2023)."""


class UnsignedReactivePower(_Unsigned, frozen=True, kw_only=True):
    """var, never negative (2023)."""


class CurrentRMS(_Unsigned, frozen=True, kw_only=True):
    """A."""


class VoltageRMS(_Unsigned, frozen=True, kw_only=True):
    """V."""


class AmpereHour(_Unsigned, frozen=True, kw_only=True):
    """Ah."""


class WattHour(_Unsigned, frozen=True, kw_only=True):
    """Wh, up to 65535 times a power of ten."""


class ReactiveSusceptance(_Unsigned, frozen=True, kw_only=True):
    """S."""


class RealEnergy(msgspec.Struct, frozen=True, kw_only=True):
    """Wh, never negative."""

    multiplier: Annotated[int, wire("multiplier", MULTIPLIER)]
    value: Annotated[int, wire("value", UINT48)]


class SignedRealEnergy(msgspec.Struct, frozen=True, kw_only=True):
    """Wh; in a flow reservation positive is charging, the opposite of a DER control."""

    multiplier: Annotated[int, wire("multiplier", MULTIPLIER)]
    value: Annotated[int, wire("value", INT48)]


class UnitValue(msgspec.Struct, frozen=True, kw_only=True):
    """A number in a unit that it names."""

    multiplier: Annotated[int, wire("multiplier", MULTIPLIER)]
    unit: Annotated[Uom, wire("unit")]
    value: Annotated[int, wire("value", INT32)]


class PowerFactor(msgspec.Struct, frozen=True, kw_only=True):
    """A displacement power factor: 950 with multiplier -3 is 0.95."""

    displacement: Annotated[int, wire("displacement", UINT16)]
    multiplier: Annotated[int, wire("multiplier", MULTIPLIER)]


class PowerFactorWithExcitationControl(msgspec.Struct, frozen=True, kw_only=True):
    """A power factor with its side: `excitation` true is under-excited, absorbing var."""

    disabled: Annotated[bool | None, wire("@disabled?", of=E2023)] = None
    displacement: Annotated[int, wire("displacement", UINT16)]
    excitation: Annotated[bool, wire("excitation")]
    multiplier: Annotated[int, wire("multiplier", MULTIPLIER)]


class ActivePowerControl(ActivePower, frozen=True, kw_only=True):
    """A wish in W; positive is output."""

    disabled: Annotated[bool | None, wire("@disabled?", of=E2023)] = None


class ActivePowerDeltaControl(ActivePowerControl, frozen=True, kw_only=True):
    """A change in W from what flows when the control begins (2023)."""

    bidirectional: Annotated[DeltaDirection | None, wire("@bidirectional?", of=E2023)] = None


class ReactivePowerControl(ReactivePower, frozen=True, kw_only=True):
    """A wish in var; positive is injected."""

    disabled: Annotated[bool | None, wire("@disabled?", of=E2023)] = None


class ReactivePowerDeltaControl(ReactivePowerControl, frozen=True, kw_only=True):
    """A change in var from what flows when the control begins (2023)."""

    bidirectional: Annotated[DeltaDirection | None, wire("@bidirectional?", of=E2023)] = None


class UnsignedActivePowerControl(UnsignedActivePower, frozen=True, kw_only=True):
    """A limit in W (2023)."""

    disabled: Annotated[bool | None, wire("@disabled?", of=E2023)] = None


class UnsignedReactivePowerControl(UnsignedReactivePower, frozen=True, kw_only=True):
    """A limit in var (2023)."""

    disabled: Annotated[bool | None, wire("@disabled?", of=E2023)] = None


class VoltageRMSControl(VoltageRMS, frozen=True, kw_only=True):
    """A wish in V (2023)."""

    disabled: Annotated[bool | None, wire("@disabled?", of=E2023)] = None


class PerCentControl(msgspec.Struct, frozen=True, kw_only=True):
    """Hundredths of a percent, never negative; of what, says the mode."""

    disabled: Annotated[bool | None, wire("@disabled?", of=E2023)] = None
    value: Annotated[int, wire(".", UINT16)]


class SignedPerCentControl(msgspec.Struct, frozen=True, kw_only=True):
    """Hundredths of a percent; of what and which way, says the mode."""

    disabled: Annotated[bool | None, wire("@disabled?", of=E2023)] = None
    value: Annotated[int, wire(".", INT16)]


class FixedVarControl(msgspec.Struct, frozen=True, kw_only=True):
    """Hundredths of a percent of `ref_type`; positive injects var."""

    disabled: Annotated[bool | None, wire("@disabled?", of=E2023)] = None
    ref_type: Annotated[UnitReference, wire("refType")]
    value: Annotated[int, wire("value", INT16)]


class UnsignedFixedVarControl(msgspec.Struct, frozen=True, kw_only=True):
    """Hundredths of a percent of `ref_type`, a limit (2023)."""

    disabled: Annotated[bool | None, wire("@disabled?", of=E2023)] = None
    ref_type: Annotated[UnitReference, wire("refType")]
    value: Annotated[int, wire("value", UINT16)]


class FreqDroop(msgspec.Struct, frozen=True, kw_only=True):
    """Frequency droop: dead bands `dbof` and `dbuf` in mHz, slopes `kof` and `kuf` in thousandths of per-unit
    frequency per per-unit power, `open_loop_tms` in hundredths of a second; `p_min` since 2023.
    """

    disabled: Annotated[bool | None, wire("@disabled?", of=E2023)] = None
    dbof: Annotated[int, wire("dBOF", UINT32)]
    dbuf: Annotated[int, wire("dBUF", UINT32)]
    kof: Annotated[int, wire("kOF", UINT16)]
    kuf: Annotated[int, wire("kUF", UINT16)]
    open_loop_tms: Annotated[int, wire("openLoopTms", UINT16)]
    p_min: Annotated[ActivePower | None, wire("pMin?", of=E2023)] = None
