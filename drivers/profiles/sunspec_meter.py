"""A meter with one of the SunSpec meter models: 201 to 204 with integers, 211 to 214 with floats. Read only.

The four models of each row differ in wiring (single phase, split phase, wye, delta) and not in layout; a profile names
the first of the row and is answered by whichever the meter has. Which sign of W means export is not uniform over
vendors, so it is part of the profile's name, and the owner signs it; nothing is assumed. The two energy counters are
named by direction in the models, and are taken by their names.
"""

from typing import Final

from wattseal.drivers.device import Scope
from wattseal.drivers.profiles.declaration import (
    FailSafe,
    FedBy,
    IdentityMatch,
    ModelPoint,
    ModelWindow,
    Point,
    Profile,
    Source,
    Transport,
)

_ALL: Final = (Scope.FULL, Scope.METERING, Scope.CONTROL)
_MOST_WATTS: Final = 100_000_000
_MOST_AMPS: Final = 1_000_000
_MOST_WH: Final = 1 << 62
_INTEGERS, _FLOATS = 201, 211
# From the ID register to the last point that is used: the common point of both rows, the scale factor of energy in one.
_REGISTERS: Final = {_INTEGERS: 55, _FLOATS: 70}


def _text(name: str, point: str) -> Point:
    return Point(name, ModelPoint(1, point), "")


def _points(model: int, sign: int) -> tuple[Point, ...]:
    def measured(name: str, point: str, unit: str, most: int, *, signed: bool = True, sign: int = 1) -> Point:
        return Point(name, ModelPoint(model, point), unit, sign, (-most if signed else 0, most))

    return (
        _text("maker", "Mn"),
        _text("model", "Md"),
        _text("serial", "SN"),
        _text("firmware", "Vr"),
        measured("watts", "W", "W", _MOST_WATTS, sign=sign),
        measured("watts_l1", "WphA", "W", _MOST_WATTS, sign=sign),
        measured("watts_l2", "WphB", "W", _MOST_WATTS, sign=sign),
        measured("watts_l3", "WphC", "W", _MOST_WATTS, sign=sign),
        measured("vars", "VAR", "var", _MOST_WATTS, sign=sign),
        measured("volts", "PhV", "V", 100_000, signed=False),
        measured("amps", "A", "A", _MOST_AMPS),
        measured("hertz", "Hz", "Hz", 100, signed=False),
        measured("energy_injected_wh", "TotWhExp", "Wh", _MOST_WH, signed=False),
        measured("energy_absorbed_wh", "TotWhImp", "Wh", _MOST_WH, signed=False),
    )


def _meter(model: int, sign: int) -> Profile:
    form = "float_" if model == _FLOATS else ""
    positive = "export" if sign > 0 else "import"
    return Profile(
        name=f"sunspec_meter_{form}{positive}_positive",
        revision=1,
        title=f"SunSpec meter ({model} to {model + 3}) whose positive W is {positive}",
        transport=Transport(
            port=502,
            unit=1,
            deadline_ms=3000,
            connect_delay_ms=0,
            gap_ms=0,
            write_interval_ms=0,
            single_client=False,
        ),
        identity=IdentityMatch(makers=(), models=(1, model)),
        identity_windows=(ModelWindow(1, 68, _ALL),),
        rating_windows=(),
        windows=(ModelWindow(model, _REGISTERS[model], _ALL),),
        points=_points(model, sign),
        states=(),
        state_point="",
        ratings=(),
        inject_ratings=(),
        absorb_ratings=(),
        storage_rating="",
        commands=(),
        fail_safe=FailSafe(
            timer="",
            unit="s",
            least_seconds=None,
            most_seconds=None,
            renew_seconds=None,
            fed_by=FedBy.ANY_TRAFFIC,
            fallback="none: a meter is never commanded",
        ),
        capabilities=(),
        sources=(
            Source(
                "register maps of models 1, 201 to 204, 211 to 214", "sunspec/models (as shipped by pysunspec2)",
                "Apache-2.0",
            ),
            Source("the sign of W differs between vendors", "public integrations of SunSpec meters", "facts only"),
        ),
    )  # fmt: skip


SUNSPEC_METERS: Final[tuple[Profile, ...]] = tuple(
    _meter(model, sign) for model in (_INTEGERS, _FLOATS) for sign in (-1, 1)
)
