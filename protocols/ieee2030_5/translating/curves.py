"""Curves of all fifteen kinds, in the units of `wish.CurveKind`, exactly or not at all.

    kind                           x on the wire         y on the wire              x inside    y inside
    volt-var, volt-watt            % of nominal volts    % of yRefType              ‱           ‱
    watt-var                       % of max watts        % of yRefType              ‱           ‱
    watt-PF                        % of max watts        displacement, excitation   ‱           1/10000, - under-excited
    freq-watt                      Hz                    % of yRefType              mHz         ‱
    voltage ride-through           s                     % of nominal volts         ms          ‱
    frequency ride-through         s                     Hz                         ms          mHz

Each number is `value` times ten to its multiplier. `openLoopTms` 0 ("no limit") is carried as 0 ms; `vRef` is ‱.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from wattseal.protocols.ieee2030_5.client.config import Ratings
from wattseal.protocols.ieee2030_5.der_control import CurveData, DERCurve
from wattseal.protocols.ieee2030_5.translating.meaning import Meant, NotCarriedError, Reader
from wattseal.protocols.ieee2030_5.translating.numbers import WHOLE, exact
from wattseal.protocols.ieee2030_5.translating.reactive import REFERENCES, VAR_REFERENCES
from wattseal.protocols.ieee2030_5.vocabulary import CurveType
from wattseal.protocols.wish import Curve, CurveKind, Reference

_PERCENT: Final = 2  # the power of ten from a percentage to ‱
_MILLI: Final = 3
_PF: Final = 4
_MS_PER_HUNDREDTH: Final = 10
_HUNDREDTHS_PER_SECOND: Final = 100
_WATT_REFERENCES: Final = frozenset(
    {Reference.MAX_WATTS, Reference.MAX_CHARGE_WATTS, Reference.MAX_DISCHARGE_WATTS, Reference.AVAILABLE_WATTS}
)
_VOLTAGE_ONLY: Final = frozenset({Reference.NONE, Reference.NOMINAL_VOLTS})


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of curve: powers of ten to its units, and what its y may be a part of (None: y is no part)."""

    kind: CurveKind
    x_shift: int
    y_shift: int
    references: frozenset[Reference] | None
    implied: Reference = Reference.NONE


def _voltage_trip(kind: CurveKind) -> Shape:
    return Shape(kind, _MILLI, _PERCENT, _VOLTAGE_ONLY, Reference.NOMINAL_VOLTS)


def _frequency_trip(kind: CurveKind) -> Shape:
    return Shape(kind, _MILLI, _MILLI, None)


SHAPES: Final[Mapping[CurveType, Shape]] = {
    CurveType.FREQ_WATT: Shape(CurveKind.FREQ_WATT, _MILLI, _PERCENT, _WATT_REFERENCES),
    CurveType.HFRT_MAY_TRIP: _frequency_trip(CurveKind.HF_MAY_TRIP),
    CurveType.HFRT_MUST_TRIP: _frequency_trip(CurveKind.HF_MUST_TRIP),
    CurveType.HVRT_MAY_TRIP: _voltage_trip(CurveKind.HV_MAY_TRIP),
    CurveType.HVRT_MOMENTARY_CESSATION: _voltage_trip(CurveKind.HV_MOMENTARY_CESSATION),
    CurveType.HVRT_MUST_TRIP: _voltage_trip(CurveKind.HV_MUST_TRIP),
    CurveType.LFRT_MAY_TRIP: _frequency_trip(CurveKind.LF_MAY_TRIP),
    CurveType.LFRT_MUST_TRIP: _frequency_trip(CurveKind.LF_MUST_TRIP),
    CurveType.LVRT_MAY_TRIP: _voltage_trip(CurveKind.LV_MAY_TRIP),
    CurveType.LVRT_MOMENTARY_CESSATION: _voltage_trip(CurveKind.LV_MOMENTARY_CESSATION),
    CurveType.LVRT_MUST_TRIP: _voltage_trip(CurveKind.LV_MUST_TRIP),
    CurveType.VOLT_VAR: Shape(CurveKind.VOLT_VAR, _PERCENT, _PERCENT, VAR_REFERENCES),
    CurveType.VOLT_WATT: Shape(CurveKind.VOLT_WATT, _PERCENT, _PERCENT, _WATT_REFERENCES),
    CurveType.WATT_PF: Shape(CurveKind.WATT_PF, _PERCENT, _PF, None),
    CurveType.WATT_VAR: Shape(CurveKind.WATT_VAR, _PERCENT, _PERCENT, VAR_REFERENCES),
}


def curve(expected: CurveType) -> Reader:
    """The reader of the mode that takes curves of this type."""
    shape = SHAPES[expected]

    def read(value: tuple[DERCurve, bool], ratings: Ratings) -> Meant:
        made, _disabled = value
        if made.curve_type is not expected:
            raise NotCarriedError("curve_type_wrong", f"the curve is of type {int(made.curve_type)}")
        reference = _reference(made, shape)
        wish = Curve(
            kind=shape.kind,
            reference=reference,
            points=_points(made, shape),
            open_loop_ms=None if made.open_loop_tms is None else made.open_loop_tms * _MS_PER_HUNDREDTH,
            volt_reference_per_ten_thousand=_volt_reference(made),
            autonomous_seconds=_autonomous_seconds(made),
        )
        return Meant(wish, (*_left_out(made), *_other_base(reference, ratings)))

    return read


def _other_base(reference: Reference, ratings: Ratings) -> tuple[str, ...]:
    """The server means parts of the setMaxVar that it was told; the inverter takes parts of its own."""
    if reference is not Reference.MAX_VARS or ratings.inject_vars is None:
        return ()
    return (f"parts of setMaxVar ({ratings.inject_vars} var as told) are taken by the inverter as parts of its own",)


def _reference(made: DERCurve, shape: Shape) -> Reference:
    if shape.references is None:
        return Reference.NONE
    named = REFERENCES.get(made.y_ref_type, Reference.NONE)
    if named not in shape.references:
        raise NotCarriedError("reference_wrong", f"yRefType {int(made.y_ref_type)} does not fit this curve")
    return named if shape.implied is Reference.NONE else shape.implied


def _points(made: DERCurve, shape: Shape) -> tuple[tuple[int, int], ...]:
    points = tuple(_point(one, made, shape) for one in made.curve_data)
    if any(later[0] < earlier[0] for earlier, later in pairwise(points)) or len(set(points)) != len(points):
        raise NotCarriedError("points_unordered", "the points of the curve do not run from left to right")
    return points


def _point(one: CurveData, made: DERCurve, shape: Shape) -> tuple[int, int]:
    x = exact(one.xvalue, made.x_multiplier + shape.x_shift, "an x of the curve")
    y = exact(one.yvalue, made.y_multiplier + shape.y_shift, "a y of the curve")
    if shape.kind is not CurveKind.WATT_PF:
        return x, y
    if not 0 < y <= WHOLE:
        raise NotCarriedError("value_out_of_range", f"{y} ten-thousandths is no power factor")
    return x, -y if one.excitation else y


def _volt_reference(made: DERCurve) -> int | None:
    if made.v_ref is not None and made.curve_type is not CurveType.VOLT_VAR:
        raise NotCarriedError("v_ref_wrong", "only a volt-var curve may have a vRef")
    return made.v_ref


def _autonomous_seconds(made: DERCurve) -> int | None:
    if not made.autonomous_v_ref_enable:
        return None
    seconds, rest = divmod(made.autonomous_v_ref_time_constant or 0, _HUNDREDTHS_PER_SECOND)
    if rest or not seconds or made.curve_type is not CurveType.VOLT_VAR:
        raise NotCarriedError("autonomous_v_ref_wrong", "the autonomous vRef has no time constant of whole seconds")
    return seconds


def _left_out(made: DERCurve) -> Iterator[str]:
    """The ramps and the filter of a curve belong to settings that no wish holds."""
    for name, value in (
        ("rampDecTms", made.ramp_dec_tms),
        ("rampIncTms", made.ramp_inc_tms),
        ("rampPT1Tms", made.ramp_pt1_tms),
    ):
        if value is not None:
            yield f"{name} {value} is not carried"
