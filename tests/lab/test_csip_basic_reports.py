"""BASIC-027 to 029 of the CSIP procedures: what the box tells of its own: alarms, status, readings.

Expectations are those of the CSIP Conformance Test Procedures 1.3 and of IEEE 2030.5: an alarm's logEventCode is twice
its bit in alarmStatus, and one more for its return; ReadingTypes by their codes (uom 38 W, 63 var, 33 Hz, 29 V), values
as averages of a postRate with flowDirection 19 (generation is positive). postRate is a minute here.
"""

from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio
from csip_lab_world import FOUR, POLL, CsipLab, csip_lab

from wattseal.protocols.ieee2030_5.der_status import DERStatus
from wattseal.protocols.ieee2030_5.log_event import LogEvent

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

SEEN = 15
"""Seconds: a battery is looked at every ten, and then it is told."""
UNDER_VOLTAGE, UNDER_FREQUENCY, OVER_VOLTAGE = 2, 4, 1
WATTS, VARS, HERTZ, VOLTS = 38, 63, 33, 29


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_lab(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[CsipLab]:
    """One device, or an aggregator with four."""
    role = getattr(request, "param", "device")
    names = FOUR if role == "aggregator" else ("battery",)
    directory = tmp_path_factory.mktemp(role)
    async with csip_lab(directory, role=role, names=names, listen=role == "aggregator") as lab:
        await lab.registered()
        yield lab


async def grid(lab: CsipLab, volts: float, hertz: float) -> None:
    await lab.device.tell(set={"volts": volts, "frequency_hz": hertz})


def logged(lab: CsipLab, since: float) -> list[LogEvent]:
    found = [one.resource for one in lab.messages("POST /edev/", since=since)]
    return [one for one in found if isinstance(one, LogEvent)]


async def status(lab: CsipLab) -> dict[str, Any]:
    """The DERStatus that the server has of the first device."""
    sheets = (await lab.admin.ask("list", of="sheets"))["sheets"]
    return dict(sheets[lab.lfdis[lab.device.name]]["der/1/ders"])


async def test_basic_027_log_events(lab: CsipLab) -> None:
    """Three trips and their returns: six LogEvents of the DER function set, in pairs, each when it came about."""
    await grid(lab, 230, 50)
    await lab.advance(2 * SEEN)
    since = lab.now
    course = ((70.0, 50.0, UNDER_VOLTAGE), (230.0, 46.0, UNDER_FREQUENCY), (290.0, 50.0, OVER_VOLTAGE))
    turns = []
    for volts, hertz, bit in course:
        turns.append((2 * bit, lab.now))
        await grid(lab, volts, hertz)
        await lab.advance(2 * SEEN)
        turns.append((2 * bit + 1, lab.now))
        await grid(lab, 230, 50)
        await lab.advance(2 * SEEN)
    events = logged(lab, since)
    assert [one.log_event_code for one in events] == [code for code, _ in turns]
    for event, (_, at) in zip(events, turns, strict=True):
        assert at - 1 <= event.created_date_time - lab.start <= at + 2 * SEEN
        assert (int(event.function_set), event.profile_id, event.log_event_pen) == (11, 2, 40732)
    numbers = [one.log_event_id for one in events]
    assert numbers == list(range(numbers[0], numbers[0] + len(events)))


async def test_basic_028_der_status_with_the_fields_of_storage(lab: CsipLab) -> None:
    """Put every postRate; connected, available, operating; discharging, charging and holding as the power says; the
    charge in hundredths of a percent; at once when an alarm comes.
    """
    await grid(lab, 230, 50)
    for watts, mode, connect in ((3000, 1, 0b111), (-3000, 0, 0b111), (0, 2, 0b011)):
        await lab.device.tell(set={"own_watts": watts, "soc_percent": 55.0})
        await lab.advance(POLL + SEEN)
        told, truth = await status(lab), await lab.device.state()
        assert told["storage_mode_status"]["value"] == mode
        assert abs(told["state_of_charge_status"]["value"] - truth["soc_percent"] * 100) <= 150
        assert told["gen_connect_status"]["value"] == connect
        assert told["stor_connect_status"]["value"] == connect
        assert told["alarm_status"] == 0
        assert told["inverter_status"]["value"] == (8 if watts == 0 else 4)
        assert 0 <= lab.unix - told["reading_time"] <= POLL + SEEN
    since = lab.now
    await lab.advance(4 * POLL)
    put = [one for one in lab.messages("PUT /edev/", since=since) if isinstance(one.resource, DERStatus)]
    assert 4 <= len(put) <= 5
    await lab.advance(POLL - (lab.now - put[-1].at) % POLL + 1)  # the next is told on its beat a minute later
    since = lab.now
    await grid(lab, 70, 50)
    await lab.advance(2 * SEEN)
    told = await status(lab)
    assert told["alarm_status"] == 1 << UNDER_VOLTAGE
    assert told["gen_connect_status"]["value"] & 1 == 0, "its relay is open"
    assert since <= told["at"] - lab.start <= lab.now, "at once, not with the next postRate"
    await grid(lab, 230, 50)
    await lab.advance(POLL)


async def test_basic_029_mirrored_readings(lab: CsipLab) -> None:
    """W, var, Hz and V of the device, a minute each and each minute, as the truth of the device was meanwhile."""
    await grid(lab, 230, 50)
    await lab.device.tell(set={"own_watts": 2000, "soc_percent": 60.0})
    await lab.advance(4 * POLL)
    for name in lab.devices:
        sets = await mirrored(lab, name)
        assert set(sets) >= {WATTS, VARS, HERTZ, VOLTS}
        for rows in sets.values():
            starts = [start for start, _, _ in rows]
            assert [later - start for start, later in pairwise(starts)] == [POLL] * (len(rows) - 1)
            assert {seconds for _, seconds, _ in rows} == {POLL}
        assert sets[WATTS][-1][2] == pytest.approx(2000, abs=2)
        assert sets[VARS][-1][2] == pytest.approx(0, abs=1)
        assert sets[HERTZ][-1][2] == pytest.approx(50, abs=0.01)
        assert sets[VOLTS][-1][2] == pytest.approx(230, abs=0.1)


@pytest.mark.parametrize("shared_lab", ["aggregator"], indirect=True)
async def test_basic_029_an_aggregator_mirrors_each_device_and_their_sum(lab: CsipLab) -> None:
    """Four batteries at 500, 1000, 1500 and 2000 W: one usage point each, and one of their 5000 W."""
    for place, device in enumerate(lab.devices.values()):
        await device.tell(set={"own_watts": 500 * (place + 1), "volts": 230.0, "frequency_hz": 50.0})
    await lab.advance(4 * POLL)
    for place, name in enumerate(lab.devices):
        assert (await mirrored(lab, name))[WATTS][-1][2] == pytest.approx(500 * (place + 1), abs=2)
    sums = [
        one for one in (await lab.admin.ask("list", of="readings"))["readings"]
        if one["mirror"]["device_lfdi"] not in lab.lfdis.values()
    ]  # fmt: skip
    assert [one["mirror"]["device_lfdi"] for one in sums] == [lab.own_lfdi], "a point of the aggregator's own"
    assert abs(rows_of(sums[0])[WATTS][-1][2]) == pytest.approx(5000, abs=8)


Rows = dict[int, list[tuple[int, int, float]]]


async def mirrored(lab: CsipLab, name: str) -> Rows:
    """Start, seconds and value of what a device mirrored, by unit of measure."""
    points = (await lab.admin.ask("list", of="readings"))["readings"]
    (point,) = [one for one in points if one["mirror"]["device_lfdi"] == lab.lfdis[name]]
    assert point["mirror"]["role_flags"] & 0b1001 == 0b1001, "a mirror, of a DER"
    return rows_of(point)


def rows_of(point: dict[str, Any]) -> Rows:
    found: Rows = {}
    for meter in point["meters"]:
        kind = meter["reading_type"]
        scale = 10.0 ** (kind["power_of_ten_multiplier"] or 0)
        rows = [
            (one["time_period"]["start"], one["time_period"]["duration"], one["value"] * scale)
            for reading_set in meter["sets"]
            for one in reading_set["readings"]
        ]
        found[kind["uom"]] = sorted(rows)
    return found
