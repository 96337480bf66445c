"""SunSpec models 705 to 712 as the battery inverter has them: their points, ranges, scale factors and first contents.

Facts of the public model definitions, typed by hand in this file. Names are paths behind the model's number, such as
`705.Crv.2.Pt.1.V`; sets and points count from 1. Set 1 is the active one and cannot be written. Scale factors and
numbers of points differ between the models on purpose. Knows no time and no physics.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from wattseal.drivers.simulators.registers import Kind, Point
from wattseal.drivers.simulators.sunspec_layout import HEADER, ModelLayout

U16, U32, I16 = Kind.U16, Kind.U32, Kind.I16
SETS = 3
LONGEST_TIMER_SECONDS = 0xFFFF_FFFE
LARGEST_TIME = 0x7FFF_FFFE
WHOLE = 10_000  # 100 % at scale factor -2


@dataclass(frozen=True, slots=True)
class Field:
    """One point inside a set, or at the head of a model. `least` None: read-only."""

    path: str
    kind: Kind
    least: int | None = None
    most: int = 0


@dataclass(frozen=True, slots=True)
class CurveShape:
    """One of these models. `lists` are the prefixes of its point lists, (x, y) their names; 711 has none."""

    model: int
    group: str
    request: str
    result: str
    count: str
    points: int
    scales: tuple[tuple[str, int], ...]
    fields: tuple[Field, ...]
    lists: tuple[str, ...]
    axes: tuple[str, str]
    first: tuple[tuple[str, int], ...]
    enabled: int
    reverts: bool

    def name(self, path: str) -> str:
        """The full name of a point at the model's head."""
        return f"{self.model}.{path}"

    def in_set(self, number: int, path: str) -> str:
        """The full name of a point inside a set."""
        return f"{self.model}.{self.group}.{number}.{path}"

    @property
    def reversion_set(self) -> str:
        """The path of the point that names what becomes active at expiry."""
        return f"Rvrt{self.group}"

    def head(self) -> tuple[Field, ...]:
        """Everything before the sets, header left out."""
        # 711 and 712 say that a request of 0 means "no active set"; the others count from 1.
        least = 0 if self.model in {711, 712} else 1
        timers = (
            Field("RvrtTms", U32, 0, LONGEST_TIMER_SECONDS),
            Field("RvrtRem", U32),
            Field(self.reversion_set, U16, 0, SETS),
        )
        return (
            Field("Ena", U16, 0, 1),
            Field(self.request, U16, least, SETS),
            Field(self.result, U16),
            *((Field("NPt", U16),) if self.lists else ()),
            Field(self.count, U16),
            *(timers if self.reverts else ()),
            *(Field(name, I16) for name, _ in self.scales),
        )

    def ranges(self) -> dict[str, tuple[int, int]]:
        """Lowest and highest raw number that each writable point takes."""
        found = {self.name(f.path): (f.least, f.most) for f in self.head() if f.least is not None}
        for number in range(2, SETS + 1):
            found |= {self.in_set(number, f.path): (f.least, f.most) for f in self.fields if f.least is not None}
        return found

    def initial(self) -> dict[str, int]:
        """The values of a device as delivered: the first contents in set 1 and in the last, the others empty."""
        values = dict.fromkeys(self.ranges(), 0)
        values |= {self.name(self.result): 1, self.name(self.count): SETS, self.name("Ena"): self.enabled}
        values |= {self.name(name): scale for name, scale in self.scales}
        if self.lists:
            values[self.name("NPt")] = self.points
        first = dict(self.first)
        for number in range(1, SETS + 1):
            for item in self.fields:
                if item.least is not None:
                    filled = number in {1, SETS} or item.least > 0  # a slot is emptied only as far as its ranges allow
                    values[self.in_set(number, item.path)] = first.get(item.path, 0) if filled else 0
            values[self.in_set(number, "ReadOnly")] = int(number == 1)
        return values

    def layout(self) -> ModelLayout:
        """Where all of it lies."""
        points = list(HEADER)
        for item in self.head():
            points.append(Point(self.name(item.path), points[-1].end, item.kind, item.least is not None))
        for number in range(1, SETS + 1):
            for item in self.fields:
                writable = item.least is not None and number > 1
                points.append(Point(self.in_set(number, item.path), points[-1].end, item.kind, writable))
        return ModelLayout(self.model, points[-1].end - len(HEADER), tuple(points))


def _list(prefix: str, count: int, x: Field, y: Field) -> Iterator[Field]:
    for number in range(1, count + 1):
        yield Field(f"{prefix}Pt.{number}.{x.path}", x.kind, x.least, x.most)
        yield Field(f"{prefix}Pt.{number}.{y.path}", y.kind, y.least, y.most)


def _first(prefix: str, axes: tuple[str, str], points: tuple[tuple[int, int], ...]) -> tuple[tuple[str, int], ...]:
    """A list's first contents."""
    found = [(f"{prefix}ActPt", len(points))]
    for number, (x, y) in enumerate(points, 1):
        found += [(f"{prefix}Pt.{number}.{axes[0]}", x), (f"{prefix}Pt.{number}.{axes[1]}", y)]
    return tuple(found)


def _volt_var(count: int) -> CurveShape:
    axes = ("V", "Var")
    fields = (
        Field("ActPt", U16, 0, count),
        Field("DeptRef", U16, 0, 3),
        Field("Pri", U16, 0, 1),
        Field("VRef", U16, 9_500, 10_500),
        Field("VRefAuto", U16),
        Field("VRefAutoEna", U16, 0, 1),
        Field("VRefAutoTms", U16, 0, 5_000),
        Field("RspTms", U32, 0, LARGEST_TIME),
        Field("ReadOnly", U16),
        *_list("", count, Field("V", U16, 0, 30_000), Field("Var", I16, -WHOLE, WHOLE)),
    )
    points = ((9_200, 4_400), (9_800, 0), (10_200, 0), (10_800, -4_400))
    first = (("DeptRef", 3), ("VRef", WHOLE), ("RspTms", 50), *_first("", axes, points))
    scales = (("V_SF", -2), ("DeptRef_SF", -2), ("RspTms_SF", -1))
    return _curves(705, count, scales, fields, axes, first)


def _volt_watt(count: int) -> CurveShape:
    axes = ("V", "W")
    fields = (
        Field("ActPt", U16, 0, count),
        Field("DeptRef", U16, 0, 1),
        Field("RspTms", U32, 0, LARGEST_TIME),
        Field("ReadOnly", U16),
        *_list("", count, Field("V", U16, 0, 3_000), Field("W", I16, -1_000, 1_000)),
    )
    first = (("RspTms", 1_000), *_first("", axes, ((1_060, 1_000), (1_100, 200))))
    return _curves(706, count, (("V_SF", -1), ("DeptRef_SF", -1), ("RspTms_SF", -2)), fields, axes, first)


def _watt_var(count: int) -> CurveShape:
    axes = ("W", "Var")
    fields = (
        Field("ActPt", U16, 0, count),
        Field("DeptRef", U16, 0, 3),
        Field("Pri", U16, 0, 1),
        Field("ReadOnly", U16),
        *_list("", count, Field("W", I16, -WHOLE, WHOLE), Field("Var", I16, -WHOLE, WHOLE)),
    )
    first = (("DeptRef", 3), *_first("", axes, ((2_000, 0), (5_000, 0), (10_000, -4_400))))
    return _curves(712, count, (("W_SF", -2), ("DeptRef_SF", -2)), fields, axes, first)


def _curves(
    model: int,
    count: int,
    scales: tuple[tuple[str, int], ...],
    fields: tuple[Field, ...],
    axes: tuple[str, str],
    first: tuple[tuple[str, int], ...],
) -> CurveShape:
    return CurveShape(
        model, "Crv", "AdptCrvReq", "AdptCrvRslt", "NCrv", count, scales, fields, ("",), axes, first, 0, reverts=True
    )


def _trip(
    model: int, count: int, x: Field, scales: tuple[tuple[str, int], ...], must: tuple[tuple[int, int], ...]
) -> CurveShape:
    """One of the four trip models; `must` are (threshold, time)."""
    axes = (x.path, "Tms")
    lists = ("MustTrip.", "MayTrip.", "MomCess.")
    fields = [Field("ReadOnly", U16)]
    for prefix in lists:
        fields += [Field(f"{prefix}ActPt", U16, 0, count), *_list(prefix, count, x, Field("Tms", U32, 0, LARGEST_TIME))]
    first = _first("MustTrip.", axes, must)
    return CurveShape(
        model, "Crv", "AdptCrvReq", "AdptCrvRslt", "NCrvSet", count, scales, tuple(fields), lists, axes, first, 1,
        reverts=False,
    )  # fmt: skip


def _freq_droop() -> CurveShape:
    fields = (
        Field("DbOf", U32, 0, 10_000),
        Field("DbUf", U32, 0, 10_000),
        Field("KOf", U16, 0, 1_000),
        Field("KUf", U16, 0, 1_000),
        Field("RspTms", U32, 0, LARGEST_TIME),
        Field("PMin", I16, -100, 100),
        Field("ReadOnly", U16),
    )
    first = (("DbOf", 36), ("DbUf", 36), ("KOf", 50), ("KUf", 50), ("RspTms", 500), ("PMin", -100))
    scales = (("Db_SF", -3), ("K_SF", -3), ("RspTms_SF", -2))
    return CurveShape(
        711, "Ctl", "AdptCtlReq", "AdptCtlRslt", "NCtl", 0, scales, fields, (), ("", ""), first, 0, reverts=True
    )


_VOLTS, _HERTZ = Field("V", U16, 0, 30_000), Field("Hz", U32, 0, 100_000)
_VOLT_SCALES, _HERTZ_SCALES = (("V_SF", -2), ("Tms_SF", -2)), (("Hz_SF", -3), ("Tms_SF", -3))


def shapes(points: int | None = None) -> tuple[CurveShape, ...]:
    """All models in the order in which the device lists them, behind its others; `points`: so many in every list."""
    return (
        _volt_var(points or 6),
        _volt_watt(points or 4),
        _trip(707, points or 5, _VOLTS, _VOLT_SCALES, ((5_000, 200), (7_000, 2_100))),
        _trip(708, points or 5, _VOLTS, _VOLT_SCALES, ((12_000, 16), (11_200, 1_300))),
        _trip(709, points or 5, _HERTZ, _HERTZ_SCALES, ((46_500, 160), (47_500, 300_000))),
        _trip(710, points or 5, _HERTZ, _HERTZ_SCALES, ((52_000, 160), (51_500, 300_000))),
        _freq_droop(),
        _watt_var(points or 6),
    )
