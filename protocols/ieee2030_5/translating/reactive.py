"""Power factors, fixed and target vars, and frequency droop by parameters. Positive vars are injected, as inside.

opModFixedPFInjectW, -AbsorbW   displacement x 10^multiplier; excitation true is under-excited (absorbs vars)
opModFixedVar                   ‱ of refType, + injects; of a setMaxVar that we told: so many var
opModTargetVar                  var, + injects
opModFreqDroop                  dead bands mHz, droops thousandths, response 1/100 s
"""

from collections.abc import Mapping
from typing import Final

from wattseal.protocols.ieee2030_5.client.config import Ratings
from wattseal.protocols.ieee2030_5.quantities import (
    FixedVarControl,
    PowerFactorWithExcitationControl,
    ReactivePowerControl,
)
from wattseal.protocols.ieee2030_5.quantities import FreqDroop as WireFreqDroop
from wattseal.protocols.ieee2030_5.translating.meaning import Meant, NotCarriedError, Reader
from wattseal.protocols.ieee2030_5.translating.numbers import MOST_WATTS, WHOLE, exact, nearest, part_nearest
from wattseal.protocols.ieee2030_5.vocabulary import UnitReference
from wattseal.protocols.wish import FixedVar, Flow, FreqDroop, PowerFactor, Reference, TargetVar

REFERENCES: Final[Mapping[UnitReference, Reference]] = {
    UnitReference.NOT_APPLICABLE: Reference.NONE,
    UnitReference.SET_MAX_W: Reference.MAX_WATTS,
    UnitReference.SET_MAX_VAR: Reference.MAX_VARS,
    UnitReference.STAT_VAR_AVAIL: Reference.AVAILABLE_VARS,
    UnitReference.SET_EFFECTIVE_V: Reference.NOMINAL_VOLTS,
    UnitReference.SET_MAX_CHARGE_RATE_W: Reference.MAX_CHARGE_WATTS,
    UnitReference.SET_MAX_DISCHARGE_RATE_W: Reference.MAX_DISCHARGE_WATTS,
    UnitReference.STAT_W_AVAIL: Reference.AVAILABLE_WATTS,
    UnitReference.SET_MAX_VA: Reference.MAX_VOLT_AMPERES,
}
VAR_REFERENCES: Final = frozenset(
    {Reference.MAX_WATTS, Reference.MAX_VARS, Reference.AVAILABLE_VARS, Reference.MAX_VOLT_AMPERES}
)
_MS_PER_HUNDREDTH: Final = 10


def power_factor(flow: Flow) -> Reader:
    """The reader of opModFixedPFInjectW or opModFixedPFAbsorbW."""

    def read(value: PowerFactorWithExcitationControl, _: Ratings) -> Meant:
        ten_thousandths = exact(value.displacement, value.multiplier + 4, "a power factor")
        if not 0 < ten_thousandths <= WHOLE:
            raise NotCarriedError("value_out_of_range", f"{ten_thousandths} ten-thousandths is no power factor")
        return Meant(PowerFactor(flow, ten_thousandths, not value.excitation))

    return read


def fixed_var(value: FixedVarControl, ratings: Ratings) -> Meant:
    """Of opModFixedVar. A part of the setMaxVar that the server was told is so many vars, to the nearest."""
    reference = REFERENCES.get(value.ref_type, Reference.NONE)
    if reference not in VAR_REFERENCES:
        raise NotCarriedError("reference_wrong", f"refType {int(value.ref_type)} is no reference of vars")
    told = ratings.absorb_vars if value.value < 0 and ratings.absorb_vars is not None else ratings.inject_vars
    if reference is not Reference.MAX_VARS or told is None:
        return Meant(FixedVar(reference, value.value))
    asked, exactly = part_nearest(value.value, told)
    remark = f"{value.value} ten-thousandths of {told} var taken as {asked} var"
    return Meant(TargetVar(asked), () if exactly else (remark,))


def target_var(value: ReactivePowerControl, _: Ratings) -> Meant:
    """Of opModTargetVar, to the nearest var, halves to even."""
    asked, exactly = nearest(value.value, value.multiplier)
    if abs(asked) > MOST_WATTS:
        raise NotCarriedError("value_out_of_range", f"{asked} var is beyond {MOST_WATTS} var; no site has that")
    return Meant(TargetVar(asked), () if exactly else (f"{value.value}e{value.multiplier} var taken as {asked} var",))


def freq_droop(value: WireFreqDroop, _: Ratings) -> Meant:
    """Of opModFreqDroop."""
    remarks = () if value.p_min is None else ("pMin is not carried",)
    open_loop_ms = value.open_loop_tms * _MS_PER_HUNDREDTH
    return Meant(FreqDroop(value.dbof, value.dbuf, value.kof, value.kuf, open_loop_ms), remarks)
