"""IEEE 2030.5 modes into wishes: signs, percents, multipliers, curves, by the documentation of the schema (1.5)."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattseal.protocols.grid_event import EventStatus, Point
from wattseal.protocols.ieee2030_5 import codec, modes, quantities
from wattseal.protocols.ieee2030_5.client.config import DerType, Managed, Ratings
from wattseal.protocols.ieee2030_5.der_control import CurveData, DERControlBase, DERCurve, DERCurveLink
from wattseal.protocols.ieee2030_5.engine.force import InForce, Source
from wattseal.protocols.ieee2030_5.engine.forecast import Segment
from wattseal.protocols.ieee2030_5.engine.inputs import Setting
from wattseal.protocols.ieee2030_5.mentioned import Mentioned, mentioned_in
from wattseal.protocols.ieee2030_5.profiles import CSIP_2018
from wattseal.protocols.ieee2030_5.translate import (
    TranslationContext,
    ended,
    translate,
)
from wattseal.protocols.ieee2030_5.translating.curves import curve as curve_reader
from wattseal.protocols.ieee2030_5.translating.reactive import fixed_var
from wattseal.protocols.ieee2030_5.vocabulary import CurveType, UnitReference
from wattseal.protocols.wish import (
    AbsorbLimit,
    Connect,
    Curve,
    CurveKind,
    Energize,
    FixedVar,
    Flow,
    FreqDroop,
    InjectLimit,
    PowerFactor,
    RampRate,
    Reference,
    ReturnToService,
    Setpoint,
    TargetVar,
)

LFDI, LFDI_2 = b"\x01" * 20, b"\x02" * 20
PROGRAM, EVENT = b"\xaa" * 16, b"\xbb" * 16
RATINGS = Ratings(inject_watts=5000, absorb_watts=4000)
CONTEXT = TranslationContext(
    "north-grid",
    {
        LFDI: Managed("battery", LFDI, 0, DerType.BATTERY, RATINGS),
        LFDI_2: Managed("charger", LFDI_2, 0, DerType.EV_CHARGER, Ratings(0, 22000)),
    },
    {PROGRAM: "feeder"},
)
T0 = 1_800_000_000


def settings_of(base: DERControlBase, curve: DERCurve | None = None) -> tuple[Setting, ...]:
    return modes.settings_of(base, lambda _: curve)


def segment(setting: Setting, since=0, until=600, devices=(LFDI,), source=Source.EVENT, **force) -> Segment:
    subject = b"" if source is Source.DEFAULT else force.pop("subject", EVENT)
    held = InForce(setting.mode, setting.value, None, source, PROGRAM, subject, None, 3, 2)
    return Segment(devices, T0 + since, None if until is None else T0 + until, msgspec.structs.replace(held, **force))


def wishes(base: DERControlBase, curve: DERCurve | None = None, devices=(LFDI,)) -> list[object]:
    """The wishes of each mode of a control, by the mode's name."""
    made = translate([segment(one, devices=devices) for one in settings_of(base, curve)], CONTEXT)
    return [interval.wish for event in made.events for course in event.courses for interval in course.intervals]


def remarks(base: DERControlBase, curve: DERCurve | None = None) -> list[str]:
    made = translate([segment(one) for one in settings_of(base, curve)], CONTEXT)
    return [f"{one.mode} {one.what}" for one in made.remarks]


def watts(value: int, multiplier: int = 0) -> quantities.ActivePowerControl:
    return quantities.ActivePowerControl(value=value, multiplier=multiplier)


def signed(value: int) -> quantities.SignedPerCentControl:
    return quantities.SignedPerCentControl(value=value)


def part(value: int) -> quantities.PerCentControl:
    return quantities.PerCentControl(value=value)


@pytest.mark.parametrize(
    ("hundredths", "expected"),
    [
        (10_000, 5000),  # + of what it may discharge
        (-10_000, -4000),  # - of what it may charge
        (5000, 2500),
        (-2500, -1000),
        (0, 0),
        (1, 0),  # half a watt, to even
        (3, 2),  # a watt and a half, to even
        (32_767, 16_384),  # 163.835 W x 100: more than the whole; the plan and the gate narrow it
        (-32_768, -13_107),
    ],
)
def test_fixed_watts_are_hundredths_of_a_percent_of_the_rate_in_that_direction(hundredths: int, expected: int) -> None:
    """1.5, opModFixedW: + %setMaxDischargeRateW or %setMaxW, - %setMaxChargeRateW, in hundredths."""
    assert wishes(DERControlBase(op_mod_fixed_w=signed(hundredths))) == [Setpoint(expected)]


@pytest.mark.parametrize(
    ("value", "multiplier", "expected"),
    [(1500, 0, 1500), (-1500, 0, -1500), (15, 2, 1500), (15_000, -1, 1500), (3, 9, None), (32_767, 4, 327_670_000),
     (-32_768, 0, -32_768), (1, -9, 0), (25, -1, 2), (35, -1, 4), (-25, -1, -2), (1, 9, 1_000_000_000)],
)  # fmt: skip
def test_target_watts_take_any_multiplier(value: int, multiplier: int, expected: int | None) -> None:
    """1.5, opModTargetW: W = value x 10^multiplier, -9 to 9, + is output; the nearest watt, halves to even."""
    found = wishes(DERControlBase(op_mod_target_w=watts(value, multiplier)))
    assert found == ([] if expected is None else [Setpoint(expected)])


@given(st.integers(-32_768, 32_767), st.integers(-9, 9))
def test_every_int16_and_multiplier_comes_within_half_a_watt(value: int, multiplier: int) -> None:
    """1.5: value is Int16, multiplier -9 to 9; nothing else is done to a target than rounding to watts."""
    found = wishes(DERControlBase(op_mod_target_w=watts(value, multiplier)))
    if abs(value) * 10**multiplier > 1_000_000_000:
        assert found == []
        return
    (wish,) = found
    assert isinstance(wish, Setpoint)
    scale = 10 ** max(0, -multiplier)
    assert 2 * abs(wish.watts * scale - value * 10 ** max(0, multiplier)) <= scale


@given(st.integers(-32_768, 32_767), st.integers(-9, 9))
def test_a_limit_is_never_rounded_up_and_never_lost(value: int, multiplier: int) -> None:
    """1.5: limits round down; one below zero, which csipaus forbids, is no licence."""
    base = DERControlBase(op_mod_exp_lim_w=quantities.ActivePower(value=value, multiplier=multiplier))
    (wish,) = wishes(base)
    assert isinstance(wish, InjectLimit)
    scale = 10 ** max(0, -multiplier)
    asked = value * 10 ** max(0, multiplier)
    assert wish.watts >= 0
    assert wish.watts * scale <= max(0, asked)
    assert wish.watts * scale > min(max(0, asked), 1_000_000_000 * scale) - scale


LIMITS = [
    (DERControlBase(op_mod_max_lim_w=part(3333)), InjectLimit(1666), Point.DEVICE),  # 1666.5 W, down
    (DERControlBase(op_mod_max_lim_w=part(65_535)), InjectLimit(32_767), Point.DEVICE),
    (DERControlBase(op_mod_max_lim_pct_w_absorb=part(3333)), AbsorbLimit(1333), Point.DEVICE),  # 1333.2 W, down
    (
        DERControlBase(op_mod_max_lim_w_inject=quantities.UnsignedActivePowerControl(value=65_535, multiplier=-1)),
        InjectLimit(6553),
        Point.DEVICE,
    ),
    (
        DERControlBase(op_mod_max_lim_w_absorb=quantities.UnsignedActivePowerControl(value=7, multiplier=3)),
        AbsorbLimit(7000),
        Point.DEVICE,
    ),
    (DERControlBase(op_mod_exp_lim_w=watts(15, 2)), InjectLimit(1500), Point.SITE),
    (DERControlBase(op_mod_imp_lim_w=watts(0)), AbsorbLimit(0), Point.SITE),
    (DERControlBase(op_mod_gen_lim_w=watts(1999, -1)), InjectLimit(199), Point.DEVICE),
    (DERControlBase(op_mod_load_lim_w=watts(2000)), AbsorbLimit(2000), Point.DEVICE),
    (DERControlBase(op_mod_storage_target_w=watts(-2000)), Setpoint(-2000), Point.DEVICE),
]


@pytest.mark.parametrize(("base", "expected", "point"), LIMITS)
def test_limits_and_where_they_hold(base: DERControlBase, expected: object, point: Point) -> None:
    """1.5: csipaus import and export limits hold at the connection point; all other modes at the device."""
    (event,) = translate([segment(one) for one in settings_of(base)], CONTEXT).events
    (course,) = event.courses
    assert [interval.wish for interval in course.intervals] == [expected]
    assert (course.point, course.devices) == (point, () if point is Point.SITE else ("battery",))


def test_switches_factors_and_vars() -> None:
    """1.5: excitation true is under-excited, absorbing var; fixed var is a part of refType, + injects."""
    factor = quantities.PowerFactorWithExcitationControl
    base = DERControlBase(
        op_mod_connect=True,
        op_mod_energize=False,
        op_mod_fixed_pf_absorb_w=factor(displacement=9, excitation=False, multiplier=-1),
        op_mod_fixed_pf_inject_w=factor(displacement=950, excitation=True, multiplier=-3),
        op_mod_fixed_var=quantities.FixedVarControl(ref_type=UnitReference.SET_MAX_VAR, value=-2500),
        op_mod_freq_droop=quantities.FreqDroop(dbof=36, dbuf=17, kof=50, kuf=40, open_loop_tms=20),
        op_mod_target_var=quantities.ReactivePowerControl(value=-15, multiplier=2),
    )
    assert wishes(base) == [
        Connect(True),
        Energize(False),
        PowerFactor(Flow.ABSORB, 9000, over_excited=True),
        PowerFactor(Flow.INJECT, 9500, over_excited=False),
        FixedVar(Reference.MAX_VARS, -2500),
        FreqDroop(36, 17, 50, 40, 200),
        TargetVar(-1500),
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    # 50 % of 2200 var; 25 % of 1000 var absorbed; a thousandth of 1000 var has no half
    [(5000, 1100), (-2500, -250), (1, 0), (10000, 2200), (-10000, -1000)],
)
def test_a_part_of_the_set_max_var_that_was_told_is_so_many_vars(value: int, expected: int) -> None:
    """OpModFixedVar counts from setMaxVar and setMaxVarNeg as the server has them, whatever the inverter's own are."""
    ratings = Ratings(5000, 4000, inject_vars=2200, absorb_vars=1000)
    asked = quantities.FixedVarControl(ref_type=UnitReference.SET_MAX_VAR, value=value)
    assert fixed_var(asked, ratings).wish == TargetVar(expected)
    of_watts = quantities.FixedVarControl(ref_type=UnitReference.SET_MAX_W, value=value)
    assert fixed_var(of_watts, ratings).wish == FixedVar(Reference.MAX_WATTS, value)


def test_a_curve_in_parts_of_a_set_max_var_that_was_told_is_remarked() -> None:
    """The inverter takes parts of its own maximum: never silently, where the two may differ."""
    read = curve_reader(CurveType.VOLT_VAR)
    told = Ratings(5000, 4000, inject_vars=2200)
    of_vars = curve(CurveType.VOLT_VAR, ref=UnitReference.SET_MAX_VAR)
    assert read((of_vars, False), Ratings(5000, 4000)).remarks == ()
    assert "2200 var" in read((of_vars, False), told).remarks[0]
    of_watts = curve(CurveType.VOLT_VAR, ref=UnitReference.SET_MAX_W)
    assert read((of_watts, False), told).remarks == ()


def test_what_cannot_be_meant_is_remarked_and_the_rest_is_carried() -> None:
    """A power factor of 1.2, a reference that vars do not have: named, not guessed; the limit beside them holds."""
    factor = quantities.PowerFactorWithExcitationControl
    base = DERControlBase(
        op_mod_fixed_pf_inject_w=factor(displacement=12, excitation=True, multiplier=-1),
        op_mod_fixed_pf_absorb_w=factor(displacement=95_001 % 65_536, excitation=True, multiplier=-5),
        op_mod_fixed_var=quantities.FixedVarControl(ref_type=UnitReference.SET_MAX_CHARGE_RATE_W, value=1),
        op_mod_max_lim_w=part(0),
    )
    assert wishes(base) == [InjectLimit(0)]
    assert [one.split(":")[0] for one in remarks(base)] == [
        "opModFixedPFAbsorbW is not carried (too_fine)",
        "opModFixedPFInjectW is not carried (value_out_of_range)",
        "opModFixedVar is not carried (reference_wrong)",
    ]


PERCENT_POINTS = ((9200, 3000), (9800, 0), (10_200, 0), (10_800, -3000))


def curve(kind: CurveType, points=PERCENT_POINTS, x=-2, y=-2, ref=UnitReference.SET_MAX_VAR, **more) -> DERCurve:
    data = tuple(CurveData(xvalue=point[0], yvalue=point[1]) for point in points)
    more.setdefault("curve_data", data)
    return DERCurve(mrid="01", curve_type=kind, x_multiplier=x, y_multiplier=y, y_ref_type=ref, **more)


def link() -> DERCurveLink:
    return DERCurveLink(href="/c/1")


WATT = UnitReference.SET_MAX_W
VOLTS = UnitReference.SET_EFFECTIVE_V
NONE = UnitReference.NOT_APPLICABLE
TRIP_V = {"points": ((16, 5000), (200, 5000), (200, 7000)), "x": -2, "y": -2, "ref": VOLTS}
TRIP_V_OUT = ((160, 5000), (2000, 5000), (2000, 7000))
TRIP_HZ = {"points": ((16, 565), (30_000, 565)), "x": -2, "y": -1, "ref": NONE}
TRIP_HZ_OUT = ((160, 56_500), (300_000, 56_500))
CURVES = [
    ("op_mod_freq_watt", CurveType.FREQ_WATT, {"points": ((6000, 100), (6200, 0)), "x": -2, "y": 0, "ref": WATT},
     CurveKind.FREQ_WATT, Reference.MAX_WATTS, ((60_000, 10_000), (62_000, 0))),
    ("op_mod_volt_var", CurveType.VOLT_VAR, {}, CurveKind.VOLT_VAR, Reference.MAX_VARS, PERCENT_POINTS),
    ("op_mod_volt_watt", CurveType.VOLT_WATT, {"points": ((106, 100), (110, 0)), "x": 0, "y": 0, "ref": WATT},
     CurveKind.VOLT_WATT, Reference.MAX_WATTS, ((10_600, 10_000), (11_000, 0))),
    ("op_mod_watt_var", CurveType.WATT_VAR, {"points": ((20, 0), (100, -44)), "x": 0, "y": 0},
     CurveKind.WATT_VAR, Reference.MAX_VARS, ((2000, 0), (10_000, -4400))),
    ("op_mod_hvrt_may_trip", CurveType.HVRT_MAY_TRIP, TRIP_V, CurveKind.HV_MAY_TRIP, Reference.NOMINAL_VOLTS,
     TRIP_V_OUT),
    ("op_mod_hvrt_momentary_cessation", CurveType.HVRT_MOMENTARY_CESSATION, TRIP_V, CurveKind.HV_MOMENTARY_CESSATION,
     Reference.NOMINAL_VOLTS, TRIP_V_OUT),
    ("op_mod_hvrt_must_trip", CurveType.HVRT_MUST_TRIP, TRIP_V, CurveKind.HV_MUST_TRIP, Reference.NOMINAL_VOLTS,
     TRIP_V_OUT),
    ("op_mod_lvrt_may_trip", CurveType.LVRT_MAY_TRIP, TRIP_V, CurveKind.LV_MAY_TRIP, Reference.NOMINAL_VOLTS,
     TRIP_V_OUT),
    ("op_mod_lvrt_momentary_cessation", CurveType.LVRT_MOMENTARY_CESSATION, TRIP_V, CurveKind.LV_MOMENTARY_CESSATION,
     Reference.NOMINAL_VOLTS, TRIP_V_OUT),
    ("op_mod_lvrt_must_trip", CurveType.LVRT_MUST_TRIP, {**TRIP_V, "ref": NONE}, CurveKind.LV_MUST_TRIP,
     Reference.NOMINAL_VOLTS, TRIP_V_OUT),
    ("op_mod_hfrt_may_trip", CurveType.HFRT_MAY_TRIP, TRIP_HZ, CurveKind.HF_MAY_TRIP, Reference.NONE, TRIP_HZ_OUT),
    ("op_mod_hfrt_must_trip", CurveType.HFRT_MUST_TRIP, TRIP_HZ, CurveKind.HF_MUST_TRIP, Reference.NONE, TRIP_HZ_OUT),
    ("op_mod_lfrt_may_trip", CurveType.LFRT_MAY_TRIP, TRIP_HZ, CurveKind.LF_MAY_TRIP, Reference.NONE, TRIP_HZ_OUT),
    ("op_mod_lfrt_must_trip", CurveType.LFRT_MUST_TRIP, TRIP_HZ, CurveKind.LF_MUST_TRIP, Reference.NONE, TRIP_HZ_OUT),
]  # fmt: skip


@pytest.mark.parametrize(("field", "kind", "made", "expected", "reference", "points"), CURVES)
def test_curves_in_the_units_of_their_kind(field, kind, made, expected, reference, points) -> None:
    """1.5 and the schema: percents, hertz and seconds by the multipliers into ‱, millihertz and milliseconds."""
    given_curve = curve(kind, **made, open_loop_tms=500)
    base = DERControlBase(**{field: link()})
    assert wishes(base, given_curve) == [Curve(expected, reference, points, open_loop_ms=5000)]


def test_a_watt_pf_curve_has_its_side_in_the_excitation() -> None:
    """Schema, opModWattPF: an unsigned displacement in y, with the excitation set according to the boolean."""
    data = (
        CurveData(xvalue=0, yvalue=100, excitation=False),
        CurveData(xvalue=50, yvalue=100, excitation=False),
        CurveData(xvalue=100, yvalue=90, excitation=True),
    )
    made = curve(CurveType.WATT_PF, x=0, y=-2, ref=NONE, curve_data=data)
    expected = Curve(CurveKind.WATT_PF, Reference.NONE, ((0, 10_000), (5000, 10_000), (10_000, -9000)))
    assert wishes(DERControlBase(op_mod_watt_pf=link()), made) == [expected]


def test_the_centre_of_a_volt_var_curve() -> None:
    """Schema, DERCurve: vRef in ‱; autonomousVRef only for volt-var, its time constant in hundredths of a second."""
    made = curve(CurveType.VOLT_VAR, v_ref=9800, autonomous_v_ref_enable=True, autonomous_v_ref_time_constant=30_000)
    (wish,) = wishes(DERControlBase(op_mod_volt_var=link()), made)
    assert isinstance(wish, Curve)
    assert (wish.volt_reference_per_ten_thousand, wish.autonomous_seconds) == (9800, 300)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (curve(CurveType.VOLT_VAR, x=-5), "too_fine"),
        (curve(CurveType.VOLT_WATT), "curve_type_wrong"),
        (curve(CurveType.VOLT_VAR, ref=NONE), "reference_wrong"),
        (curve(CurveType.VOLT_VAR, points=((2, 0), (1, 0)), x=0), "points_unordered"),
        (curve(CurveType.VOLT_VAR, points=((1, 0), (1, 0)), x=0), "points_unordered"),
        (curve(CurveType.VOLT_VAR, autonomous_v_ref_enable=True), "autonomous_v_ref_wrong"),
    ],
)
def test_a_curve_is_carried_exactly_or_not_at_all(made: DERCurve, reason: str) -> None:
    base = DERControlBase(op_mod_volt_var=link())
    assert wishes(base, made) == []
    (remark,) = remarks(base, made)
    assert f"({reason})" in remark


def test_ramps_of_a_curve_and_a_least_power_are_named() -> None:
    made = curve(CurveType.VOLT_VAR, ramp_dec_tms=1, ramp_inc_tms=2, ramp_pt1_tms=3)
    assert [one.split(" ")[1] for one in remarks(DERControlBase(op_mod_volt_var=link()), made)] == [
        "rampDecTms",
        "rampIncTms",
        "rampPT1Tms",
    ]


def test_defaults_join_their_settings_into_one_wish() -> None:
    """1.5, DefaultDERControl: setES* in hundredths of a second, of a hertz, of a percent; setGradW ‱ per second."""
    encode = msgspec.msgpack.encode
    values = {"setESDelay": 30_000, "setESHighFreq": 6050, "setESLowFreq": 5950, "setESHighVolt": 10_500,
              "setESLowVolt": 9170, "setESRampTms": 5000, "setESRandomDelay": 100, "setGradW": 27}  # fmt: skip
    told = [segment(Setting(name, encode(v)), until=None, source=Source.DEFAULT) for name, v in values.items()]
    (event,) = translate(told, CONTEXT).events
    assert (event.origin.event_id, event.priority) == ("default:" + "AA" * 16, 2**32 + 1 + 3)
    assert (event.duration_seconds, event.origin.programme) == (None, "feeder")
    assert [(course.signal_name, course.intervals[0].wish) for course in event.courses] == [
        ("setES", ReturnToService(300_000, 1000, 50_000, 60_500, 59_500, 10_500, 9170)),
        ("setGradW", RampRate(27)),
    ]


def test_a_disabled_mode_asks_nothing() -> None:
    """2023: `disabled` switches the mode off; the value beside it is for older devices."""
    off = quantities.PerCentControl(value=0, disabled=True)
    base = DERControlBase(op_mod_max_lim_w=off, op_mod_volt_var=DERCurveLink(href="/c", disabled=True))
    assert wishes(base, curve(CurveType.VOLT_VAR)) == []
    assert remarks(base, curve(CurveType.VOLT_VAR)) == [
        "opModMaxLimW is switched off (disabled)",
        "opModVoltVar is switched off (disabled)",
    ]


def test_each_device_gets_watts_of_its_own_settings() -> None:
    """One control for two devices: percent of each; equal wishes share a course."""
    base = DERControlBase(op_mod_fixed_w=signed(-5000), op_mod_max_lim_w_absorb=None)
    (event,) = translate([segment(one, devices=(LFDI, LFDI_2)) for one in settings_of(base)], CONTEXT).events
    found = {course.devices: course.intervals[0].wish for course in event.courses}
    assert found == {("battery",): Setpoint(-2000), ("charger",): Setpoint(-11_000)}
    limit = DERControlBase(op_mod_load_lim_w=watts(100))
    (event,) = translate(
        [segment(one, devices=(LFDI, LFDI_2, b"?" * 20)) for one in settings_of(limit)], CONTEXT
    ).events
    assert [course.devices for course in event.courses] == [("battery", "charger")]


def test_one_event_for_a_control_with_its_intervals() -> None:
    """Id, version, priority and programme; a held value goes on without an edge; a gap stays a gap."""
    (one,) = settings_of(DERControlBase(op_mod_fixed_w=signed(1000)))
    told = [segment(one, 0, 100), segment(one, 100, 130, source=Source.HELD), segment(one, 200, 300)]
    (event,) = translate(told, CONTEXT).events
    assert (event.origin.dialect, event.origin.utility, event.origin.event_id) == (
        "ieee2030.5",
        "north-grid",
        "BB" * 16,
    )
    assert (event.origin.version, event.priority, event.start, event.duration_seconds) == (2, 3, T0, 300)
    (course,) = event.courses
    assert [(i.offset_seconds, i.duration_seconds) for i in course.intervals] == [(0, 130), (200, 100)]


def test_a_ramp_time_of_whole_seconds_is_carried_and_a_finer_one_named() -> None:
    """1.5, rampTms: hundredths of a second from the old setting to the new."""
    (one,) = settings_of(DERControlBase(op_mod_fixed_w=signed(1000)))
    (event,) = translate([segment(one, ramp_hundredths=3000)], CONTEXT).events
    assert event.ramp_up_seconds == 30
    made = translate([segment(one, ramp_hundredths=3050)], CONTEXT)
    assert made.events[0].ramp_up_seconds is None
    assert [(remark.mode, remark.what) for remark in made.remarks] == [("rampTms", "3050/100 s is finer than a second")]


def test_an_event_too_long_for_one_statement_is_told_in_several() -> None:
    """A thousand devices of different rating: no limit is lost, and every part can be sealed."""
    many = {
        bytes([n // 256, n % 256]) * 10: Managed(f"device-with-a-long-name-{n}", b"", 0, DerType.PV, Ratings(n, 0))
        for n in range(1, 2001)
    }
    (one,) = settings_of(DERControlBase(op_mod_max_lim_w=part(5000)))
    made = translate([segment(one, devices=tuple(many))], replace(CONTEXT, devices=many))
    assert len(made.events) > 1
    assert all(len(event.encode("x")) < 60_000 for event in made.events)
    names = [name for event in made.events for course in event.courses for name in course.devices]
    assert sorted(names) == sorted(one.name for one in many.values())
    assert len({event.origin.event_id for event in made.events}) == len(made.events)


def test_an_unknown_mode_and_an_unreadable_value_are_remarked() -> None:
    told = [segment(Setting("?{urn:x}opModNew", b"")), segment(Setting("opModMaxLimW", b"\xc1"))]
    made = translate(told, CONTEXT)
    assert made.events == ()
    assert [one.mode for one in made.remarks] == ["?{urn:x}opModNew", "opModMaxLimW"]


CONTROL = """<DERControl xmlns="urn:ieee:std:2030.5:ns"><mRID>{mrid}</mRID><creationTime>1</creationTime><EventStatus>
<currentStatus>{status}</currentStatus><dateTime>1</dateTime><potentiallySuperseded>false</potentiallySuperseded>
</EventStatus><interval><duration>60</duration><start>1</start></interval><DERControlBase><opModMaxLimW>0</opModMaxLimW>
</DERControlBase></DERControl>"""


def test_what_a_message_speaks_of() -> None:
    """1.6: currentStatus 2 and 3 are cancelled; a list or a single control; what cannot be read speaks of nothing."""
    inner = CONTROL.format(mrid="0a" * 16, status=2).replace(' xmlns="urn:ieee:std:2030.5:ns"', "")
    other = CONTROL.format(mrid="0B" * 16, status=1).replace(' xmlns="urn:ieee:std:2030.5:ns"', "")
    listed = (
        f'<DERControlList xmlns="urn:ieee:std:2030.5:ns" all="2" href="/l" results="2">{inner}{other}</DERControlList>'
    )
    alone = CONTROL.format(mrid="0C" * 16, status=3)
    assert codec.decode(listed.encode(), CSIP_2018).left_out == ()
    assert mentioned_in(listed.encode(), "/l", {}) == Mentioned(("0A" * 16, "0B" * 16), frozenset({"0A" * 16}))
    assert mentioned_in(alone.encode(), "/c", {}) == Mentioned(("0C" * 16,), frozenset({"0C" * 16}))
    for nothing in (b"<x/>", b"\x00", b'<Time xmlns="urn:ieee:std:2030.5:ns"/>'):
        assert mentioned_in(nothing, "/l", {"/l": ("0A",)}) == Mentioned((), frozenset())


def test_a_default_is_named_by_where_it_lies_and_a_programme_by_its_mrid() -> None:
    default = b'<DefaultDERControl xmlns="urn:ieee:std:2030.5:ns"><mRID>01</mRID><DERControlBase/></DefaultDERControl>'
    assert mentioned_in(default, "/d", {"/d": ("0a" * 16,)}).names == ("default:" + "0A" * 16,)
    assert mentioned_in(default, "/e", {"/d": ("0a" * 16,)}).names == ()
    program = b'<DERProgram xmlns="urn:ieee:std:2030.5:ns"><mRID>0a</mRID><primacy>1</primacy></DERProgram>'
    assert mentioned_in(program, "/p", {}).names == ("programme:0A",)


def test_an_event_that_ended_keeps_all_but_its_status() -> None:
    (one,) = settings_of(DERControlBase(op_mod_fixed_w=signed(1000)))
    (event,) = translate([segment(one)], CONTEXT).events
    gone = ended(event, EventStatus.WITHDRAWN)
    assert gone == replace(event, status=EventStatus.WITHDRAWN)
