"""Where the points of SunSpec models 1, 203, 701, 702, 703, 704 and 713 lie: offsets from each model's ID register.

Facts of the public model definitions, typed by hand in this file. Knows no values and no device.
"""

from dataclasses import dataclass

from wattseal.drivers.simulators.registers import Kind, Point

U16, U32, U64, I16, I32 = Kind.U16, Kind.U32, Kind.U64, Kind.I16, Kind.I32


@dataclass(frozen=True, slots=True)
class ModelLayout:
    """A model's id, its L (words after the header) and its points."""

    model: int
    length: int
    points: tuple[Point, ...]


def _run(offset: int, kind: Kind, names: str, *, writable: bool = False) -> tuple[Point, ...]:
    """Consecutive points of one kind."""
    points = []
    for name in names.split():
        points.append(Point(name, offset, kind, writable))
        offset = points[-1].end
    return tuple(points)


def _text(name: str, offset: int, words: int) -> Point:
    return Point(name, offset, Kind.TEXT, text_words=words)


def _phase(offset: int, phase: str, line: str) -> tuple[Point, ...]:
    """The 23 words of one phase in model 701."""
    return (
        *_run(offset, I16, f"W{phase} VA{phase} Var{phase} PF{phase} A{phase}"),
        *_run(offset + 5, U16, f"V{line} V{phase}"),
        *_run(offset + 7, U64, f"TotWhInj{phase} TotWhAbs{phase} TotVarhInj{phase} TotVarhAbs{phase}"),
    )


HEADER = _run(0, U16, "ID L")

COMMON = ModelLayout(
    1,
    66,
    (
        *HEADER,
        _text("Mn", 2, 16),
        _text("Md", 18, 16),
        _text("Opt", 34, 8),
        _text("Vr", 42, 8),
        _text("SN", 50, 16),
        Point("DA", 66, U16, writable=True),
        Point("Pad", 67, I16),
    ),
)

AC_MEASUREMENT = ModelLayout(
    701,
    153,
    (
        *HEADER,
        *_run(2, U16, "ACType St InvSt ConnSt"),
        *_run(6, U32, "Alrm DERMode"),
        *_run(10, I16, "W VA Var PF A"),
        *_run(15, U16, "LLV LNV"),
        Point("Hz", 17, U32),
        *_run(19, U64, "TotWhInj TotWhAbs TotVarhInj TotVarhAbs"),
        *_run(35, I16, "TmpAmb TmpCab TmpSnk TmpTrns TmpSw TmpOt"),
        *_phase(41, "L1", "L1L2"),
        *_phase(64, "L2", "L2L3"),
        *_phase(87, "L3", "L3L1"),
        Point("ThrotPct", 110, U16),
        Point("ThrotSrc", 111, U32),
        *_run(113, I16, "A_SF V_SF Hz_SF W_SF PF_SF VA_SF Var_SF TotWh_SF TotVarh_SF Tmp_SF"),
        _text("MnAlrmInfo", 123, 32),
    ),
)

CAPACITY = ModelLayout(
    702,
    50,
    (
        *HEADER,
        *_run(2, U16, "WMaxRtg WOvrExtRtg WOvrExtRtgPF WUndExtRtg WUndExtRtgPF VAMaxRtg VarMaxInjRtg VarMaxAbsRtg"),
        *_run(10, U16, "WChaRteMaxRtg WDisChaRteMaxRtg VAChaRteMaxRtg VADisChaRteMaxRtg VNomRtg VMaxRtg VMinRtg"),
        *_run(17, U16, "AMaxRtg PFOvrExtRtg PFUndExtRtg ReactSusceptRtg NorOpCatRtg AbnOpCatRtg"),
        Point("CtrlModes", 23, U32),
        Point("IntIslandCatRtg", 25, U16),
        Point("WMax", 26, U16, writable=True),
        *_run(27, U16, "WMaxOvrExt WOvrExtPF WMaxUndExt WUndExtPF"),
        *_run(31, U16, "VAMax VarMaxInj VarMaxAbs WChaRteMax WDisChaRteMax", writable=True),
        *_run(36, U16, "VAChaRteMax VADisChaRteMax VNom VMax VMin AMax PFOvrExt PFUndExt IntIslandCat"),
        *_run(45, I16, "W_SF PF_SF VA_SF Var_SF V_SF A_SF S_SF"),
    ),
)

AC_CONTROLS = ModelLayout(
    704,
    65,
    (
        *HEADER,
        *_run(2, U16, "PFWInjEna PFWInjEnaRvrt", writable=True),
        Point("PFWInjRvrtTms", 4, U32, writable=True),
        Point("PFWInjRvrtRem", 6, U32),
        *_run(8, U16, "PFWAbsEna PFWAbsEnaRvrt", writable=True),
        Point("PFWAbsRvrtTms", 10, U32, writable=True),
        Point("PFWAbsRvrtRem", 12, U32),
        *_run(14, U16, "WMaxLimPctEna WMaxLimPct WMaxLimPctRvrt WMaxLimPctEnaRvrt", writable=True),
        Point("WMaxLimPctRvrtTms", 18, U32, writable=True),
        Point("WMaxLimPctRvrtRem", 20, U32),
        *_run(22, U16, "WSetEna WSetMod", writable=True),
        *_run(24, I32, "WSet WSetRvrt", writable=True),
        *_run(28, I16, "WSetPct WSetPctRvrt", writable=True),
        Point("WSetEnaRvrt", 30, U16, writable=True),
        Point("WSetRvrtTms", 31, U32, writable=True),
        Point("WSetRvrtRem", 33, U32),
        *_run(35, U16, "VarSetEna VarSetMod VarSetPri", writable=True),
        *_run(38, I32, "VarSet VarSetRvrt", writable=True),
        *_run(42, I16, "VarSetPct VarSetPctRvrt", writable=True),
        Point("VarSetEnaRvrt", 44, U16, writable=True),
        Point("VarSetRvrtTms", 45, U32, writable=True),
        Point("VarSetRvrtRem", 47, U32),
        *_run(49, U16, "WRmp WRmpRef VarRmp AntiIslEna", writable=True),
        *_run(53, I16, "PF_SF WMaxLimPct_SF WSet_SF WSetPct_SF VarSet_SF VarSetPct_SF"),
        *_run(59, U16, "PFWInjPF PFWInjExt PFWInjRvrtPF PFWInjRvrtExt", writable=True),
        *_run(63, U16, "PFWAbsPF PFWAbsExt PFWAbsRvrtPF PFWAbsRvrtExt", writable=True),
    ),
)

STORAGE = ModelLayout(713, 7, (*HEADER, *_run(2, U16, "WHRtg WHAvail SoC SoH Sta"), *_run(7, I16, "WH_SF Pct_SF")))

METER = ModelLayout(
    203,
    105,
    (
        *HEADER,
        *_run(2, I16, "A AphA AphB AphC A_SF PhV PhVphA PhVphB PhVphC PPV PhVphAB PhVphBC PhVphCA V_SF"),
        *_run(16, I16, "Hz Hz_SF W WphA WphB WphC W_SF VA VAphA VAphB VAphC VA_SF VAR VARphA VARphB VARphC VAR_SF"),
        *_run(33, I16, "PF PFphA PFphB PFphC PF_SF"),
        *_run(38, U32, "TotWhExp TotWhExpPhA TotWhExpPhB TotWhExpPhC"),
        *_run(46, U32, "TotWhImp TotWhImpPhA TotWhImpPhB TotWhImpPhC"),
        Point("TotWh_SF", 54, I16),
        *_run(55, U32, "TotVAhExp TotVAhExpPhA TotVAhExpPhB TotVAhExpPhC"),
        *_run(63, U32, "TotVAhImp TotVAhImpPhA TotVAhImpPhB TotVAhImpPhC"),
        Point("TotVAh_SF", 71, I16),
        *_run(72, U32, "TotVArhImpQ1 TotVArhImpQ1PhA TotVArhImpQ1PhB TotVArhImpQ1PhC"),
        *_run(80, U32, "TotVArhImpQ2 TotVArhImpQ2PhA TotVArhImpQ2PhB TotVArhImpQ2PhC"),
        *_run(88, U32, "TotVArhExpQ3 TotVArhExpQ3PhA TotVArhExpQ3PhB TotVArhExpQ3PhC"),
        *_run(96, U32, "TotVArhExpQ4 TotVArhExpQ4PhA TotVArhExpQ4PhB TotVArhExpQ4PhC"),
        Point("TotVArh_SF", 104, I16),
        Point("Evt", 105, U32),
    ),
)

ENTER_SERVICE = ModelLayout(
    703,
    17,
    (
        *HEADER,
        *_run(2, U16, "ES ESVHi ESVLo", writable=True),
        *_run(5, U32, "ESHzHi ESHzLo ESDlyTms ESRndTms ESRmpTms", writable=True),
        Point("ESDlyRemTms", 15, U32),
        *_run(17, I16, "V_SF Hz_SF"),
    ),
)

CHAIN = (COMMON, AC_MEASUREMENT, CAPACITY, AC_CONTROLS, STORAGE, ENTER_SERVICE)
"""The order in which the battery inverter lists its models: not that of their numbers, as on devices in the field."""
END_MODEL = 0xFFFF
MARKER = (0x5375, 0x6E53)
"""The text "SunS"."""
