"""Which modes are carried, by whom they are read and where they hold; which are not, and why. Together: all modes."""

from collections.abc import Mapping
from typing import Final

from wattseal.protocols.grid_event import Point
from wattseal.protocols.ieee2030_5.translating import power, reactive, service
from wattseal.protocols.ieee2030_5.translating.curves import curve
from wattseal.protocols.ieee2030_5.translating.meaning import Carried
from wattseal.protocols.ieee2030_5.vocabulary import CurveType
from wattseal.protocols.wish import Flow

_DEVICE: Final = Point.DEVICE
_SITE: Final = Point.SITE

CURVES: Final[Mapping[str, CurveType]] = {
    "opModFreqWatt": CurveType.FREQ_WATT,
    "opModHFRTMayTrip": CurveType.HFRT_MAY_TRIP,
    "opModHFRTMustTrip": CurveType.HFRT_MUST_TRIP,
    "opModHVRTMayTrip": CurveType.HVRT_MAY_TRIP,
    "opModHVRTMomentaryCessation": CurveType.HVRT_MOMENTARY_CESSATION,
    "opModHVRTMustTrip": CurveType.HVRT_MUST_TRIP,
    "opModLFRTMayTrip": CurveType.LFRT_MAY_TRIP,
    "opModLFRTMustTrip": CurveType.LFRT_MUST_TRIP,
    "opModLVRTMayTrip": CurveType.LVRT_MAY_TRIP,
    "opModLVRTMomentaryCessation": CurveType.LVRT_MOMENTARY_CESSATION,
    "opModLVRTMustTrip": CurveType.LVRT_MUST_TRIP,
    "opModVoltVar": CurveType.VOLT_VAR,
    "opModVoltWatt": CurveType.VOLT_WATT,
    "opModWattPF": CurveType.WATT_PF,
    "opModWattVar": CurveType.WATT_VAR,
}

CARRIED: Final[Mapping[str, Carried]] = {
    "opModConnect": Carried(_DEVICE, service.connect),
    "opModEnergize": Carried(_DEVICE, service.energize),
    "opModFixedPFAbsorbW": Carried(_DEVICE, reactive.power_factor(Flow.ABSORB)),
    "opModFixedPFInjectW": Carried(_DEVICE, reactive.power_factor(Flow.INJECT)),
    "opModFixedVar": Carried(_DEVICE, reactive.fixed_var),
    "opModFixedW": Carried(_DEVICE, power.fixed),
    "opModFreqDroop": Carried(_DEVICE, reactive.freq_droop),
    "opModMaxLimPctWAbsorb": Carried(_DEVICE, power.max_absorb),
    "opModMaxLimW": Carried(_DEVICE, power.max_inject),
    "opModMaxLimWAbsorb": Carried(_DEVICE, power.absorb_limit),
    "opModMaxLimWInject": Carried(_DEVICE, power.inject_limit),
    "opModTargetVar": Carried(_DEVICE, reactive.target_var),
    "opModTargetW": Carried(_DEVICE, power.target),
    "csipaus:opModExpLimW": Carried(_SITE, power.inject_limit),
    "csipaus:opModGenLimW": Carried(_DEVICE, power.inject_limit),
    "csipaus:opModImpLimW": Carried(_SITE, power.absorb_limit),
    "csipaus:opModLoadLimW": Carried(_DEVICE, power.absorb_limit),
    "csipaus:opModStorageTargetW": Carried(_DEVICE, power.target),
    "setGradW": Carried(_DEVICE, service.gradient),
    **{name: Carried(_DEVICE, reader) for name, reader in service.RETURN_PARTS.items()},
    **{name: Carried(_DEVICE, curve(kind)) for name, kind in CURVES.items()},
}
"""Every mode that can become a wish, by its name in `modes.modes`."""

_NO_APPARENT: Final = "no wish holds a limit on apparent power"
_NO_VAR_LIMIT: Final = "no wish holds a limit on vars"
_NO_VOLTAGE: Final = "no wish holds a voltage; volt-var and volt-watt curves are carried"
_NO_DELTA: Final = "a change from what flows at the start: what is in force could not be said from the record"
_NO_MICROGRID: Final = "for microgrid controllers; a site here is on the grid"

NOT_CARRIED: Final[Mapping[str, str]] = {
    "opModDeltaVar": _NO_DELTA,
    "opModDeltaW": _NO_DELTA,
    "opModFixedV": _NO_VOLTAGE,
    "opModGridConnectPermit": _NO_MICROGRID,
    "opModIslandPermit": _NO_MICROGRID,
    "opModMaxLimPctVAAbsorb": _NO_APPARENT,
    "opModMaxLimPctVAInject": _NO_APPARENT,
    "opModMaxLimPctVarAbsorb": _NO_VAR_LIMIT,
    "opModMaxLimPctVarInject": _NO_VAR_LIMIT,
    "opModMaxLimVarAbsorb": _NO_VAR_LIMIT,
    "opModMaxLimVarInject": _NO_VAR_LIMIT,
    "opModTargetV": _NO_VOLTAGE,
    "setSoftGradW": "after a trip a device ramps by setESRampTms; no wish holds a second gradient",
}
"""Modes that never become a wish, and why. They are never among a device's modes, so that the engine answers 252."""

FIELDS_NOT_CARRIED: Final[Mapping[str, str]] = {
    "DERCurve.href": "the curve itself is carried, and needs no address",
    "DERCurve.mrid": "the curve itself is carried, and needs no name",
    "DERCurve.description": "for people",
    "DERCurve.version": "the curve itself is compared",
    "DERCurve.creation_time": "the curve itself is compared",
    "CurveData.excitation": "only the y of a watt-PF curve has a side",
    "DERCurve.y_ref_type": "the y of a watt-PF or frequency curve is a part of nothing",
    "DERCurve.ramp_dec_tms": "no wish holds the ramp of a curve; remarked",
    "DERCurve.ramp_inc_tms": "no wish holds the ramp of a curve; remarked",
    "DERCurve.ramp_pt1_tms": "no wish holds the filter of a curve; remarked",
    "FreqDroop.p_min": "no wish holds a least power; remarked",
}
"""Fields of values that are carried in part, and why (excitation and yRefType: for some kinds of curves only).

A test changes every field and fails for one that is neither carried nor named here.
"""
