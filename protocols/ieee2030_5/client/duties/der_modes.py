"""The mode bitmaps of a device, from the names of the modes that it really can do (`Ratings.modes`, as in `modes.py`).

A bit is set for a mode that the device carries out, and for no other: a utility plans with these bits, and a control
for a mode that is not there is refused. Charge and discharge are not modes of a control; they follow from the ratings.
"""

from collections.abc import Mapping
from typing import Final

from wattseal.protocols.ieee2030_5.client.config import DerType, Ratings
from wattseal.protocols.ieee2030_5.vocabulary import DERMode, DERMode2, DoeMode, VppMode

STORAGE: Final = frozenset({DerType.BATTERY, DerType.PV_BATTERY, DerType.EV_CHARGER})
"""The kinds of device that store energy."""

_MODES: Final[Mapping[str, DERMode]] = {
    "opModConnect": DERMode.CONNECT,
    "opModEnergize": DERMode.ENERGIZE,
    "opModFixedPFAbsorbW": DERMode.FIXED_PF_ABSORB_W,
    "opModFixedPFInjectW": DERMode.FIXED_PF_INJECT_W,
    "opModFixedVar": DERMode.FIXED_VAR,
    "opModFixedW": DERMode.FIXED_W,
    "opModFreqDroop": DERMode.FREQ_DROOP,
    "opModFreqWatt": DERMode.FREQ_WATT,
    "opModHFRTMayTrip": DERMode.HFRT_MAY_TRIP,
    "opModHFRTMustTrip": DERMode.HFRT_MUST_TRIP,
    "opModHVRTMayTrip": DERMode.HVRT_MAY_TRIP,
    "opModHVRTMomentaryCessation": DERMode.HVRT_MOMENTARY_CESSATION,
    "opModHVRTMustTrip": DERMode.HVRT_MUST_TRIP,
    "opModLFRTMayTrip": DERMode.LFRT_MAY_TRIP,
    "opModLFRTMustTrip": DERMode.LFRT_MUST_TRIP,
    "opModLVRTMayTrip": DERMode.LVRT_MAY_TRIP,
    "opModLVRTMomentaryCessation": DERMode.LVRT_MOMENTARY_CESSATION,
    "opModLVRTMustTrip": DERMode.LVRT_MUST_TRIP,
    "opModMaxLimW": DERMode.MAX_LIM_W,
    "opModTargetVar": DERMode.TARGET_VAR,
    "opModTargetW": DERMode.TARGET_W,
    "opModVoltVar": DERMode.VOLT_VAR,
    "opModVoltWatt": DERMode.VOLT_WATT,
    "opModWattPF": DERMode.WATT_PF,
    "opModWattVar": DERMode.WATT_VAR,
}
_MODES2: Final[Mapping[str, DERMode2]] = {
    "opModMaxLimPctVAAbsorb": DERMode2.MAX_LIM_PCT_VA_ABSORB,
    "opModMaxLimPctVAInject": DERMode2.MAX_LIM_PCT_VA_INJECT,
    "opModMaxLimPctVarAbsorb": DERMode2.MAX_LIM_PCT_VAR_ABSORB,
    "opModMaxLimPctVarInject": DERMode2.MAX_LIM_PCT_VAR_INJECT,
    "opModMaxLimPctWAbsorb": DERMode2.MAX_LIM_PCT_W_ABSORB,
    "opModMaxLimVarAbsorb": DERMode2.MAX_LIM_VAR_ABSORB,
    "opModMaxLimVarInject": DERMode2.MAX_LIM_VAR_INJECT,
    "opModMaxLimWAbsorb": DERMode2.MAX_LIM_W_ABSORB,
    "opModMaxLimWInject": DERMode2.MAX_LIM_W_INJECT,
    "opModTargetV": DERMode2.TARGET_V,
}
_DOE: Final[Mapping[str, DoeMode]] = {
    "csipaus:opModExpLimW": DoeMode.EXP_LIM_W,
    "csipaus:opModImpLimW": DoeMode.IMP_LIM_W,
    "csipaus:opModGenLimW": DoeMode.GEN_LIM_W,
    "csipaus:opModLoadLimW": DoeMode.LOAD_LIM_W,
}
_VPP: Final[Mapping[str, VppMode]] = {"csipaus:opModStorageTargetW": VppMode.STORAGE_TARGET_W}


def modes_of(ratings: Ratings, der_type: DerType) -> int:
    """The bits of modesSupported (DERControlType)."""
    bits = _bits(ratings, _MODES)
    if der_type in STORAGE:
        bits |= DERMode.CHARGE if ratings.absorb_watts > 0 else 0
        bits |= DERMode.DISCHARGE if ratings.inject_watts > 0 else 0
    return bits


def modes2_of(ratings: Ratings) -> int:
    """The bits of modesSupported2 (2023)."""
    return _bits(ratings, _MODES2)


def doe_modes_of(ratings: Ratings) -> int:
    """The bits of doeModesSupported (CSIP-AUS)."""
    return _bits(ratings, _DOE)


def vpp_modes_of(ratings: Ratings) -> int:
    """The bits of vppModesSupported (CSIP-AUS 1.3)."""
    return _bits(ratings, _VPP)


def _bits(ratings: Ratings, table: Mapping[str, int]) -> int:
    bits = 0
    for name in ratings.modes:
        bits |= table.get(name, 0)
    return bits
