"""Exactly once, whatever is lost on the way: two duties against a server that keeps what it took, faults on demand.

The wire loses requests and answers, the client restarts with what was on its disk, the server forgets usage points.
"""

from fractions import Fraction
from typing import Any

from duties_world import LFDI, NOW, config, device_read, document, managed, survey
from hypothesis import given
from hypothesis import strategies as st

from wattseal.protocols.ieee2030_5.client.duties.metering import RATE_READ_SECONDS, Metering
from wattseal.protocols.ieee2030_5.client.duties.registration import Registration
from wattseal.protocols.ieee2030_5.client.duty import Errand
from wattseal.protocols.ieee2030_5.client.exchange import Answer
from wattseal.protocols.ieee2030_5.client.measured import Measured
from wattseal.protocols.ieee2030_5.client.survey import Survey
from wattseal.protocols.ieee2030_5.codec import encode
from wattseal.protocols.ieee2030_5.metering import MirrorUsagePoint
from wattseal.protocols.ieee2030_5.profiles import CSIP_2018

STEP_SECONDS = 40
PERIOD_SECONDS = 300
OURS = config(devices=(managed(),), pin=None)


class Utility:
    """Keeps EndDevices, usage points and readings; `forget` loses the usage points, as envoy does on a new database."""

    def __init__(self) -> None:
        self.registered: list[str] = []
        self.points: dict[str, MirrorUsagePoint] = {}
        self.readings: dict[str, tuple[str, int, int, int]] = {}
        self.refused: list[Errand] = []
        self._points_made = 0

    def survey(self) -> Survey:
        return survey(device_read()) if self.registered else survey()

    def forget(self) -> None:
        self.points.clear()

    def take(self, errand: Errand) -> Answer:
        href = errand.request.href
        match errand.request.method, href:
            case "POST", "/edev":
                self.registered.append(document(errand).lfdi)
                return Answer(201, location="/edev/1")
            case "POST", "/mup":
                return self._point(document(errand))
            case "GET", _ if href in self.points:
                return Answer(200, encode(self.points[href], CSIP_2018))
            case "POST", _ if href in self.points:
                return self._reading(errand, self.points[href])
        return Answer(404)

    def _point(self, point: MirrorUsagePoint) -> Answer:
        """The same mRID updates what there is."""
        href = next((at for at, one in self.points.items() if one.mrid == point.mrid), "")
        if not href:
            self._points_made += 1
            href = f"/mup/{self._points_made}"
        self.points[href] = point
        return Answer(201, location=href)

    def _reading(self, errand: Errand, point: MirrorUsagePoint) -> Answer:
        """Refused where its mRID was never defined with a ReadingType (reference 1.9)."""
        posted = document(errand)
        if all(one.mrid != posted.mrid or one.reading_type is None for one in point.mirror_meter_readings):
            self.refused.append(errand)
            return Answer(400)
        (one,) = posted.mirror_reading_sets
        period = one.time_period
        found = (posted.mrid, period.start, period.duration, one.readings[0].value)
        assert self.readings.setdefault(one.mrid, found) == found, "two readings under one mRID"
        return Answer(201)


class Wire:
    """Carries the first errand of each duty, or loses it, or loses its answer."""

    def __init__(self, utility: Utility) -> None:
        self.utility = utility
        self.duties: list[Any] = [Registration(OURS), Metering(OURS)]

    def restart(self) -> None:
        disk = [one.dump() for one in self.duties]
        self.duties = [Registration(OURS), Metering(OURS)]
        for duty, data in zip(self.duties, disk, strict=True):
            duty.load(data)

    def carry(self, now: int, fault: str) -> None:
        seen = self.utility.survey()
        for duty in self.duties:
            for errand in duty.due(seen, now)[:1]:
                if fault == "request lost":
                    continue
                answer = self.utility.take(errand)
                if fault != "answer lost":
                    duty.settled(errand, answer, now)


FAULTS = ("", "", "request lost", "answer lost", "restart", "forget")


@given(st.lists(st.tuples(st.sampled_from(FAULTS), st.integers(-500, 500)), min_size=1, max_size=60))
def test_one_registration_and_every_average_once(steps: list[tuple[str, int]]) -> None:
    """The list is read before a registration is repeated; a reading keeps its mRID however often it is sent."""
    utility = Utility()
    wire, samples, now, restarted = Wire(utility), [], NOW, False
    for fault, watts in steps:
        now += STEP_SECONDS
        if fault == "restart":
            wire.restart()
            restarted = True
        if fault == "forget":
            utility.forget()
        samples.append(Measured("battery", now, watts=watts))
        wire.duties[1].take(samples[-1])
        wire.carry(now, fault)
    for _ in range(60):  # the wire is sound again; a server that forgets in haste is left alone for a while
        now += RATE_READ_SECONDS // 3
        wire.carry(now, "")
    assert utility.registered == [LFDI.hex().upper()]
    assert not utility.refused
    left = [one for duty in wire.duties for one in duty.due(utility.survey(), now) if one.request.method == "POST"]
    assert left == []
    ends = [(mrid, start + duration) for mrid, start, duration, _ in utility.readings.values()]
    assert len(set(ends)) == len(ends)
    if not restarted:
        sent = {start + duration: value for _, start, duration, value in utility.readings.values()}
        assert sent == expected(samples)


def expected(samples: list[Measured]) -> dict[int, int]:
    """End of a period to the rational mean of what was measured in it, to the nearest, a half to the even."""
    by_end: dict[int, list[int]] = {}
    for one in samples:
        by_end.setdefault((one.at // PERIOD_SECONDS + 1) * PERIOD_SECONDS, []).append(one.watts or 0)
    return {end: round(Fraction(sum(values), len(values))) for end, values in by_end.items()}
