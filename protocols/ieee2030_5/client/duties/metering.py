"""Mirror metering: a usage point for the site and for each device, and averages of what was measured, posted to it.

A point is posted when something was measured there, with the reading types of what was measured; posting it again
under the same mRID adds a quantity that came later. Its Location is then read for the postRate, and read again now and
then, because the server may change it. Averages are posted oldest first for each quantity, and stay (also over a
restart) until the server has them. A server that answers 404 has forgotten the point: it is posted anew, then the rest.

What a value rests on travels in the mRID of its MirrorReadingSet (`identifiers.evidence_mrid`).
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from wattseal.certs.errors import PeerError
from wattseal.protocols.ieee2030_5.base import DateTimeInterval
from wattseal.protocols.ieee2030_5.client.config import ClientConfig
from wattseal.protocols.ieee2030_5.client.duties.averages import Average, Collector, average, last, total
from wattseal.protocols.ieee2030_5.client.duties.durable import pack, unpack
from wattseal.protocols.ieee2030_5.client.duties.identifiers import evidence_mrid
from wattseal.protocols.ieee2030_5.client.duties.mirror_points import (
    Point,
    Quantity,
    points_of,
    quantity_mrid,
    usage_point_of,
)
from wattseal.protocols.ieee2030_5.client.duties.surroundings import (
    MayServe,
    everybody,
    path_of,
    post_seconds,
    server_time,
)
from wattseal.protocols.ieee2030_5.client.duty import Errand
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Method, Request
from wattseal.protocols.ieee2030_5.client.happenings import Happening, Told
from wattseal.protocols.ieee2030_5.client.measured import Measured
from wattseal.protocols.ieee2030_5.client.survey import Survey
from wattseal.protocols.ieee2030_5.codec import decode_as, encode
from wattseal.protocols.ieee2030_5.metering import MirrorMeterReading, MirrorReadingSet, MirrorUsagePoint, Reading

RATE_READ_SECONDS: Final = 900
"""How often a point is read for a changed postRate: the standard's own pollRate."""
REFUSED_AGAIN_SECONDS: Final = 86_400
MOST_ROWS: Final = 1_200
"""How many values of one point wait for a server that is away, a day of four; the oldest are given up first."""
_FORGOTTEN: Final = 404
_LAYOUT: Final = 1
_USAGE_POINT: Final = "usage_point"
_RATE: Final = "rate"


class Row(msgspec.Struct, frozen=True, array_like=True):
    """One value that waits. `start` by the server's clock."""

    quantity: str
    start: int
    seconds: int
    value: int
    mrid: str


class Mirror(msgspec.Struct, frozen=True, array_like=True):
    """A point at the server. `defined`: the quantities that have their reading type there. Times are our seconds.

    `rests_until`: after a refusal, and where the server forgets the point as soon as it is posted.
    """

    location: str = ""
    located_at: int = 0
    defined: tuple[str, ...] = ()
    post_rate: int | None = None
    rate_read_at: int | None = None
    rests_until: int = 0


class MeteringState(msgspec.Struct, frozen=True):
    """Mirrors by point, and by point the rows that wait."""

    mirrors: dict[str, Mirror] = {}
    rows: dict[str, tuple[Row, ...]] = {}


class Metering:
    """The duty."""

    name: Final = "metering"

    def __init__(self, config: ClientConfig, may_serve: MayServe = everybody) -> None:
        self._config = config
        self._may_serve = may_serve
        self._points = {point.name: point for point in points_of(config)}
        self._lfdis = {device.name: device.lfdi for device in config.devices}
        self._fed: dict[str, list[Point]] = {}
        for point in self._points.values():
            for source in point.sources:
                self._fed.setdefault(source, []).append(point)
        self._collectors = {
            point.name: {source: Collector() for source in point.sources} for point in self._points.values()
        }
        self._measured: dict[str, dict[str, None]] = {name: {} for name in self._points}
        self._state = MeteringState()
        self._offset_seconds = 0

    def take(self, measured: Measured) -> None:
        """A new look at a device, or at the site."""
        for point in self._fed.get(measured.device, ()):
            self._collectors[point.name][measured.device].take(measured)
            known = (one.name for one in point.quantities if one.read(measured) is not None)
            self._measured[point.name].update(dict.fromkeys(known))

    def due(self, survey: Survey, now: int) -> tuple[Errand, ...]:
        """Points to post, rates to read, and the oldest value of each quantity."""
        self._offset_seconds = server_time(survey, 0)
        self._close(now)
        href = survey.links.get("MirrorUsagePointListLink", "")
        return tuple(errand for point in self._points.values() for errand in self._due(point, href, now))

    def wake_at(self, now: int) -> int | None:
        """The end of the next period, or the next reading of a rate."""
        instants: list[int] = []
        for name, collectors in self._collectors.items():
            mirror = self._mirror(name)
            closes = (
                one.next_close(post_seconds(mirror.post_rate), self._offset_seconds) for one in collectors.values()
            )
            instants += [at for at in closes if at is not None]
            instants.append(mirror.rests_until)
            if mirror.location and mirror.rate_read_at is not None:
                instants.append(mirror.rate_read_at + RATE_READ_SECONDS)
        return min((at for at in instants if at > now), default=None)

    def settled(self, errand: Errand, answer: Answer, now: int) -> tuple[Happening, ...]:
        """A point, a rate or a value was taken or refused."""
        name, what = errand.key[1:3]
        if what == _RATE:
            self._rate_read(name, errand.request.href, answer, now)
            return ()
        kind = what if what == _USAGE_POINT else "reading"
        told = Told(kind, name, errand.request.href, errand.request.body, answer.status)
        if what == _USAGE_POINT:
            self._point_settled(name, errand, answer, now)
        elif answer.status == _FORGOTTEN:
            self._forget(name, errand.request.href, now)
        else:
            self._drop(name, what, int(errand.key[3]))
        return (told,)

    def dump(self) -> bytes:
        """Where the points are, and what waits."""
        return pack(self._state, _LAYOUT)

    def load(self, data: bytes) -> None:
        """Raises DutyStateError."""
        self._state = unpack(MeteringState, data, _LAYOUT)

    # What is owed.

    def _due(self, point: Point, href: str, now: int) -> Iterator[Errand]:
        mirror = self._mirror(point.name)
        if now < mirror.rests_until or not self._may_serve(point.lfdi):
            return
        wanted = tuple(one for one in point.quantities if one.name in self._wanted(point, mirror))
        if not mirror.location or any(one.name not in mirror.defined for one in wanted):
            if href and wanted:
                body = encode(usage_point_of(self._config, point, wanted), self._config.profile)
                yield Errand((self.name, point.name, _USAGE_POINT), Request(Method.POST, href, body))
            return
        if mirror.rate_read_at is None or now >= mirror.rate_read_at + RATE_READ_SECONDS:
            yield Errand((self.name, point.name, _RATE), Request(Method.GET, mirror.location))
        waiting = self._state.rows.get(point.name, ())
        for quantity in wanted:
            row = next((one for one in waiting if one.quantity == quantity.name), None)
            if row is not None:
                request = Request(Method.POST, mirror.location, self._reading(point, quantity, row))
                yield Errand((self.name, point.name, quantity.name, str(row.start)), request)

    def _wanted(self, point: Point, mirror: Mirror) -> set[str]:
        """What was measured since the start, what waits, and what the server knows already."""
        waiting = {row.quantity for row in self._state.rows.get(point.name, ())}
        return {*self._measured[point.name], *mirror.defined, *waiting}

    def _reading(self, point: Point, quantity: Quantity, row: Row) -> bytes:
        period = DateTimeInterval(duration=row.seconds, start=row.start)
        readings = (Reading(time_period=period, value=row.value),)
        sets = (MirrorReadingSet(mrid=row.mrid, time_period=period, readings=readings),)
        mrid = quantity_mrid(self._config, point, quantity)
        return encode(MirrorMeterReading(mrid=mrid, mirror_reading_sets=sets), self._config.profile)

    def _close(self, now: int) -> None:
        """Periods that have ended become rows."""
        for point in self._points.values():
            seconds = post_seconds(self._mirror(point.name).post_rate)
            windows_of = {
                source: one.close(now, seconds, self._offset_seconds)
                for source, one in self._collectors[point.name].items()
            }
            closed = [windows for source, windows in windows_of.items() if self._serves(source)]
            rows: list[Row] = []
            ends = sorted({window.end for windows in closed for window in windows})
            for end in ends:
                windows = [next((one for one in each if one.end == end), None) for each in closed]
                for quantity in point.quantities:
                    take = average if quantity.averaged else last
                    parts = [None if one is None else take(one, quantity.read) for one in windows]
                    value = total(parts)
                    if value is not None:
                        rows.append(self._row(point, quantity, value))
            if rows:
                self._put_rows(point.name, (*self._state.rows.get(point.name, ()), *rows)[-MOST_ROWS:])

    def _serves(self, source: str) -> bool:
        """The site is served with its point; a sum is that of the devices that are served."""
        lfdi = self._lfdis.get(source)
        return lfdi is None or self._may_serve(lfdi)

    def _row(self, point: Point, quantity: Quantity, value: Average) -> Row:
        start = value.start + self._offset_seconds
        meter_reading = quantity_mrid(self._config, point, quantity)
        return Row(
            quantity=quantity.name,
            start=start,
            seconds=value.seconds,
            value=value.value * (point.sign if quantity.directed else 1),
            mrid=evidence_mrid(self._config.pen, meter_reading, start, value.evidence),
        )

    # What was answered.

    def _point_settled(self, name: str, errand: Errand, answer: Answer, now: int) -> None:
        mirror = self._mirror(name)
        location = path_of(answer.location, errand.request.href) or mirror.location
        if not answer.good or not location:
            self._put(name, msgspec.structs.replace(mirror, rests_until=now + REFUSED_AGAIN_SECONDS))
            return
        posted = decode_as(MirrorUsagePoint, errand.request.body, self._config.profile).resource
        defined = tuple(one.description or "" for one in posted.mirror_meter_readings)
        self._put(name, Mirror(location, now, defined, mirror.post_rate, None))

    def _rate_read(self, name: str, href: str, answer: Answer, now: int) -> None:
        if answer.status == _FORGOTTEN:
            self._forget(name, href, now)
            return
        mirror = self._mirror(name)
        rate = mirror.post_rate
        if answer.good:
            try:
                rate = decode_as(MirrorUsagePoint, answer.body, self._config.profile).resource.post_rate
            except PeerError:
                rate = mirror.post_rate  # what cannot be read changes nothing; it is read again in a while
        self._put(name, msgspec.structs.replace(mirror, post_rate=rate, rate_read_at=now))

    def _forget(self, name: str, href: str, now: int) -> None:
        """The server no longer knows the point that was at `href`. One that forgets at once is left alone a while."""
        mirror = self._mirror(name)
        if mirror.location != href:
            return  # a late answer about a place that is forgotten already
        hasty = now - mirror.located_at < RATE_READ_SECONDS
        self._put(name, Mirror(post_rate=mirror.post_rate, rests_until=now + RATE_READ_SECONDS if hasty else 0))

    def _drop(self, point: str, quantity: str, start: int) -> None:
        rows = self._state.rows.get(point, ())
        self._put_rows(point, tuple(one for one in rows if (one.quantity, one.start) != (quantity, start)))

    def _put_rows(self, point: str, rows: tuple[Row, ...]) -> None:
        self._state = msgspec.structs.replace(self._state, rows={**self._state.rows, point: rows})

    def _mirror(self, name: str) -> Mirror:
        return self._state.mirrors.get(name, Mirror())

    def _put(self, name: str, mirror: Mirror) -> None:
        self._state = msgspec.structs.replace(self._state, mirrors={**self._state.mirrors, name: mirror})
