"""CORE tests of the CSIP procedures, for a device and for an aggregator: what is read, what is put, what is followed.

Expectations are those of `reference/ieee2030_5.md`, section 4.1 and the rules of section 1. Times are virtual seconds.
"""

import pytest
from csip_lab_world import POLL, CsipLab, polled_well, sfdi

from wattseal.protocols.ieee2030_5.core_resources import EndDevice

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PROMPT = 3
"""Seconds within which a box acts on what it knows: an order, its write and its read-back."""
AGGREGATOR = pytest.mark.parametrize("shared_lab", ["aggregator"], indirect=True)
DEVICE = pytest.mark.parametrize("shared_lab", ["device"], indirect=True)


def max_lim(percent_hundredths: int) -> dict[str, object]:
    return {"op_mod_max_lim_w": {"value": percent_hundredths}}


def is_aggregator(lab: CsipLab) -> bool:
    return len(lab.devices) > 1


async def everywhere(lab: CsipLab, percent_hundredths: int | None) -> None:
    assert await lab.limits() == [percent_hundredths] * len(lab.devices)


async def test_core_003_every_resource_at_its_poll_rate_own_end_device_pin_and_best_program(lab: CsipLab) -> None:
    """Windows of three intervals hold two to six polls of each address; the default of primacy 1 holds."""
    for primacy, limit in ((3, 8000), (1, 4000), (2, 6000)):
        await lab.set_default(await lab.add_programme(primacy=primacy), max_lim(limit))
    rates = {"dcap": 120, "tm": 90, "edev": 75, "rg": 150, "fsa": 60, "derp": 60, "derc": 45, "dderc": 100}
    try:
        await lab.polls(**rates)
        await lab.advance(2 * POLL)  # the old rates run out
        since, mark = lab.now, await lab.count()
        await lab.advance(3 * max(rates.values()) + 5)
        seen = [one for one in await lab.requests(mark, method="GET") if one.query.startswith("s=0&") or not one.query]
        subscribed = {one["resource"] for one in (await lab.admin.ask("list", of="subscriptions"))["subscriptions"]}
        paths = {
            one.path: rates[one.route.rpartition("/")[2].strip("#") or "derp"] for one in seen if _rated(one, rates)
        }
        kinds = {path.rpartition("/")[2] for path in paths} | {path.rpartition("/")[2] for path in subscribed}
        assert kinds >= {"dcap", "tm", "edev", "rg", "fsa", "derp", "derc", "dderc"}, kinds
        for path, rate in paths.items():
            times = [one.at for one in seen if one.path == path]
            if path in subscribed:
                assert len(times) <= 1, f"{path} is subscribed to and need not be polled"
            else:
                polled_well(times, rate, since, lab.now)
        await everywhere(lab, 4000)
    finally:
        await lab.polls(**dict.fromkeys(rates, POLL))
    own = {one["lfdi"] for one in (await lab.admin.ask("list", of="devices"))["devices"]}
    assert own == set(lab.lfdis.values())


def _rated(one, rates) -> bool:
    return one.route.rpartition("/")[2] in rates


async def test_core_005_the_servers_clock_is_followed_though_its_quality_is_7(lab: CsipLab) -> None:
    """1.2: events run on the time of the server that issued them; the battery is told when that clock says so."""
    programme = await lab.add_programme()
    try:
        await lab.admin.ask("set_time", clock={"offset": -900, "quality": 7})
        await lab.advance(2 * POLL)
        begin = lab.now + 150
        mrid = await lab.add_control(programme, max_lim(5000), start_in=150, duration=120)
        await lab.advance_to(begin - 1)
        await everywhere(lab, None)
        await lab.advance(1 + PROMPT)
        await everywhere(lab, 5000)
        await lab.advance(120)
        await everywhere(lab, None)
        told = await lab.responses(mrid)
        assert [one.status for one in told] == [1] * len(lab.devices) + [2] * len(lab.devices) + [3] * len(lab.devices)
        started = [one.created for one in told if one.status == 2]
        assert all(abs(at - (begin - 900)) <= PROMPT for at in started), "a Response is dated by the server's clock"
    finally:
        await lab.admin.ask("set_time", clock={"offset": 0, "quality": 3})
        await lab.advance(2 * POLL)


async def test_core_009_der_resources_are_put_and_absent_end_devices_posted(lab: CsipLab) -> None:
    """1.3, 1.8: one EndDevice each, with own LFDI, SFDI and category 25 (other storage); then all four documents."""
    posted = lab.messages("POST /edev")
    made = [one.resource for one in posted if isinstance(one.resource, EndDevice)]
    assert {(one.lfdi.upper(), one.sfdi) for one in made} == {(one, sfdi(one)) for one in lab.lfdis.values()}
    assert len(made) == len(lab.devices), "none is posted twice"
    assert all(one.device_category == 1 << 25 for one in made)
    await lab.advance(max(0.0, 2 * POLL - lab.now))
    sheets = (await lab.admin.ask("list", of="sheets"))["sheets"]
    for lfdi in lab.lfdis.values():
        assert {f"der/1/{name}" for name in ("dercap", "derg", "ders", "dera")} <= set(sheets[lfdi])
    refused = [one for one in await lab.requests(method="PUT") if one.status not in {201, 204}]
    assert refused == []


async def test_core_010_one_assignment_with_seven_programs(lab: CsipLab) -> None:
    """All seven are read, and of what each would have, that of the lowest primacy number holds."""
    first = await lab.add_programme(primacy=64)
    rest = [await lab.add_programme(primacy=one, group=first.group) for one in (17, 5, 90, 33, 12, 71)]
    for programme, limit in zip((first, *rest), (9000, 8000, 3000, 7000, 6000, 5000, 4000), strict=True):
        await lab.set_default(programme, max_lim(limit))
    mark = await lab.count()
    await lab.advance(2 * POLL)
    read = {one.path for one in await lab.requests(mark, method="GET", route="derp/#/derc")}
    assert read == {f"/derp/{one.serial}/derc" for one in (first, *rest)}
    await everywhere(lab, 3000)


async def test_core_011_fifteen_assignments(lab: CsipLab) -> None:
    """1.4: a device in fifteen groups; the best programme is picked, whichever group it comes by."""
    order = (40, 12, 33, 8, 77, 54, 21, 95, 16, 3, 68, 29, 81, 47, 60)
    programmes = [await lab.add_programme(primacy=one) for one in order]
    for programme, primacy in zip(programmes, order, strict=True):
        await lab.set_default(programme, max_lim(primacy * 100))
    mark = await lab.count()
    await lab.advance(2 * POLL)
    read = {one.path for one in await lab.requests(mark, method="GET", route="derp/#/derc")}
    assert read == {f"/derp/{one.serial}/derc" for one in programmes}
    await everywhere(lab, 300)


CURVE = [(88, 30), (90, 28), (92, 20), (94, 12), (98, 0), (102, 0), (106, -12), (108, -20), (110, -28), (112, -30)]


async def test_core_012_a_curve_of_ten_points_and_the_default_until_it_starts(lab: CsipLab) -> None:
    """Volt-var in percent of effective volts and of setMaxVar; until its start the default holds and no curve does."""
    programme = await lab.add_programme()
    await lab.set_default(programme, max_lim(7500))
    points = [{"xvalue": x, "yvalue": y} for x, y in CURVE]
    curve = {"curve_type": 11, "y_ref_type": 2, "curve_data": points, "mrid": "C0FFEE"}
    await lab.admin.ask("add_curve", program=programme.serial, curve=curve)
    begin = lab.now + 150
    mrid = await lab.add_control(programme, {"op_mod_volt_var": {"href": "C0FFEE"}}, start_in=150, duration=120)
    await lab.advance_to(begin - 1)
    await everywhere(lab, 7500)
    words = [word for x, y in CURVE for word in (x * 100, y * 100 % 65536)]
    for name in lab.devices:
        assert not any(written == words for _, _, written in lab.writes(name, since=begin - 150))
    await lab.advance(1 + 2 * PROMPT)
    for name, device in lab.devices.items():
        assert any(written == words for _, _, written in lab.writes(name, since=begin)), "the ten points, as they are"
        assert (await device.state())["curves"]["705"]["enabled"] is True
    await everywhere(lab, 7500)
    await lab.advance(120)
    for name in lab.devices:
        assert await lab.statuses(mrid, name) == [1, 2, 3]


async def test_core_013_ten_programs_of_ten_controls_in_priority_order(lab: CsipLab) -> None:
    """Programme k holds ten slots, one earlier than the one above it: each slot belongs to the best that is there."""
    slot, lead = 30, 2 * POLL + 30
    begin = lab.now + lead
    mrids: dict[tuple[int, int], str] = {}
    programmes = [await lab.add_programme(primacy=10 + rank) for rank in (4, 9, 0, 7, 2, 5, 8, 1, 6, 3)]
    ranks = (4, 9, 0, 7, 2, 5, 8, 1, 6, 3)
    for programme, rank in zip(programmes, ranks, strict=True):
        for place in range(9 - rank, 19 - rank):
            base, start = max_lim(1000 + rank * 100), lead + place * slot
            mrids[rank, place] = await lab.add_control(programme, base, start_in=start, duration=slot)
    for place in range(19):
        await lab.advance_to(begin + place * slot + PROMPT)
        await everywhere(lab, 1000 + max(0, 9 - place) * 100)
    await lab.advance(slot + PROMPT)
    await everywhere(lab, None)
    for (rank, place), mrid in mrids.items():
        for name in lab.devices:
            told = await lab.statuses(mrid, name)
            if rank == max(0, 9 - place):
                assert told == [1, 2, 3], (rank, place)
            else:
                assert told in ([1, 7], [1, 14]), (rank, place)
