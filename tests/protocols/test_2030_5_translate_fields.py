"""Every mode, and every field of a mode's value, is carried into the GridEvent or named: found by walking the types."""

from collections.abc import Iterator
from enum import Enum
from typing import Any

import msgspec
import pytest

from wattseal.protocols.ieee2030_5 import modes, quantities
from wattseal.protocols.ieee2030_5.client.config import DerType, Managed, Ratings
from wattseal.protocols.ieee2030_5.der_control import CurveData, DERCurve
from wattseal.protocols.ieee2030_5.engine.force import InForce, Source
from wattseal.protocols.ieee2030_5.engine.forecast import Segment
from wattseal.protocols.ieee2030_5.translate import Translation, TranslationContext, translate
from wattseal.protocols.ieee2030_5.translating.table import CARRIED, CURVES, FIELDS_NOT_CARRIED, NOT_CARRIED
from wattseal.protocols.ieee2030_5.vocabulary import CurveType, UnitReference

LFDI = b"\x01" * 20
MANAGED = Managed("battery", LFDI, 0, DerType.BATTERY, Ratings(50_000, 40_000))
CONTEXT = TranslationContext("north-grid", {LFDI: MANAGED})
FORCE = InForce("opModFixedW", b"", 100, Source.EVENT, b"\xaa" * 16, b"\xbb" * 16, None, 3, 2)


def told(mode: str, value: Any, **force: Any) -> Translation:
    held = msgspec.structs.replace(FORCE, mode=mode, value=msgspec.msgpack.encode(value), **force)
    return translate([Segment((LFDI,), 1000, 1600, held)], CONTEXT)


def full(mode: str) -> Any:
    """A value of the mode with every field filled."""
    if mode in CURVES:
        return full_curve(CURVES[mode]), False
    kind = modes.modes()[mode].type
    if kind in {bool, int}:
        return kind(1)
    if kind is quantities.FreqDroop:
        least = quantities.ActivePower(multiplier=0, value=5)
        return kind(disabled=False, dbof=36, dbuf=17, kof=50, kuf=40, open_loop_tms=20, p_min=least)
    if kind is quantities.PowerFactorWithExcitationControl:
        return kind(disabled=False, displacement=90, excitation=True, multiplier=-2)
    fields = {"disabled": False, "value": 25, "multiplier": 1, "ref_type": UnitReference.SET_MAX_VAR}
    return kind(**{name: fields[name] for name in kind.__struct_fields__})


def full_curve(kind: CurveType) -> DERCurve:
    volt_var = kind is CurveType.VOLT_VAR
    ref = UnitReference.SET_EFFECTIVE_V if kind.name[:4] in {"HVRT", "LVRT"} else UnitReference.SET_MAX_W
    return DERCurve(
        href="/c", mrid="01", description="d", version=1, creation_time=5, curve_type=kind, open_loop_tms=10,
        autonomous_v_ref_enable=volt_var, autonomous_v_ref_time_constant=300 if volt_var else None,
        ramp_dec_tms=1, ramp_inc_tms=2, ramp_pt1_tms=3, v_ref=9800 if volt_var else None, x_multiplier=1,
        y_multiplier=-2, y_ref_type=ref, curve_data=(CurveData(xvalue=10, yvalue=20, excitation=True),),
    )  # fmt: skip


PARTLY = {
    "CurveData.excitation": {"opModWattPF"},
    "DERCurve.y_ref_type": {
        mode for mode in CURVES if not mode.startswith(("opModHFRT", "opModLFRT")) and mode != "opModWattPF"
    },
}
"""Fields that are carried in these modes, and named for all others."""


def is_named(mode: str, path: str) -> bool:
    return path in FIELDS_NOT_CARRIED and mode not in PARTLY.get(path, ())


def changes(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Each field of a value, with the whole value in which it alone is another."""
    if isinstance(value, tuple):
        for index, one in enumerate(value):
            for below, changed in changes(one, path):
                yield below, (*value[:index], changed, *value[index + 1 :])
    elif isinstance(value, msgspec.Struct):
        name = type(value).__name__
        for field in value.__struct_fields__:
            held = getattr(value, field)
            if held is None:
                continue  # only a volt-var curve has a centre; that one has it filled
            inner = changes(held, f"{name}.{field}") if nested(held) else [(f"{name}.{field}", changed_leaf(held))]
            for below, changed in inner:
                where = f"{name}.{field}" if f"{name}.{field}" in FIELDS_NOT_CARRIED else below
                yield where, msgspec.structs.replace(value, **{field: changed})
    else:
        yield path, changed_leaf(value)


def nested(held: Any) -> bool:
    return isinstance(held, tuple | msgspec.Struct)


def changed_leaf(held: Any) -> Any:
    match held:
        case bool():
            return not held
        case Enum():
            return type(held)(int(held) + 1)
        case int():
            return held + 1
        case str():
            return held + "1"
    raise AssertionError(f"no variant of {held!r}")


ALL = [(mode, path, value) for mode in CARRIED for path, value in changes(full(mode), mode)]


def test_every_mode_is_carried_or_named() -> None:
    """All elements of DERControlBase and settings of DefaultDERControl (1.5), and none besides."""
    assert not CARRIED.keys() & NOT_CARRIED.keys()
    assert CARRIED.keys() | NOT_CARRIED.keys() == modes.modes().keys()


def test_no_field_is_named_in_vain() -> None:
    assert set(FIELDS_NOT_CARRIED) <= {path for _, path, _ in ALL}


@pytest.mark.parametrize("mode", CARRIED)
def test_the_full_value_is_carried(mode: str) -> None:
    assert len(told(mode, full(mode)).events) == 1


@pytest.mark.parametrize(("mode", "path", "value"), ALL, ids=[f"{mode}-{path}" for mode, path, _ in ALL])
def test_field_is_carried_or_named(mode: str, path: str, value: Any) -> None:
    """A change of a carried field changes or ends the event; a change of a named one changes no event."""
    before, after = told(mode, full(mode)), told(mode, value)
    if is_named(mode, path):
        assert after.events == before.events
    else:
        assert after.events != before.events


@pytest.mark.parametrize(
    "change",
    [{"ramp_hundredths": 200}, {"source": Source.DEFAULT}, {"program": b"\xac" * 16}, {"subject": b"\xbc" * 16},
     {"primacy": 4}, {"version": 3}],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_what_stands_behind_a_value_is_carried(change: dict[str, Any]) -> None:
    """Ramp, source, programme, event, primacy and version of a value in force."""
    value = full("opModFixedW")
    assert told("opModFixedW", value, **change).events != told("opModFixedW", value).events
