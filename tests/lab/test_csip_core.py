"""CORE tests of the CSIP procedures, for a device and for an aggregator: what is read, what is put, what is followed.

Expectations are those of `reference/ieee2030_5.md`, section 4.1 and the rules of section 1. Times are virtual seconds.
"""

import pytest
from csip_lab_world import POLL, RATED_WATTS, CsipLab, polled_well, sfdi

from wattseal.protocols.ieee2030_5.core_resources import EndDevice

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PROMPT = 3
"""Seconds within which a box acts on what it knows: an order, its write and its read-back."""
AGGREGATOR = pytest.mark.parametrize("shared_lab", ["aggregator"], indirect=True)


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
        subscribed = await lab.subscribed()
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


LIMITS = ("set_max_w", "set_max_charge_rate_w", "set_max_discharge_rate_w", "set_max_va", "set_max_var", "set_max_wh")
SIMPLE = {
    "op_mod_energize": True,
    "op_mod_max_lim_w": {"value": 5000},
    "op_mod_fixed_w": {"value": 2000},
    "op_mod_target_w": {"multiplier": 0, "value": 1000},
    "op_mod_fixed_pf_inject_w": {"displacement": 950, "excitation": False, "multiplier": -3},
    "op_mod_fixed_pf_absorb_w": {"displacement": 950, "excitation": True, "multiplier": -3},
    "op_mod_fixed_var": {"ref_type": 2, "value": 1000},
    "op_mod_target_var": {"multiplier": 0, "value": 500},
    "op_mod_connect": True,
}
BITS = {
    "op_mod_connect": 2, "op_mod_energize": 3, "op_mod_fixed_pf_absorb_w": 4, "op_mod_fixed_pf_inject_w": 5,
    "op_mod_fixed_var": 6, "op_mod_fixed_w": 7, "op_mod_max_lim_w": 20, "op_mod_target_var": 21, "op_mod_target_w": 22,
}  # fmt: skip


async def test_core_014_settings_within_ratings_and_mode_bits_that_are_true(lab: CsipLab) -> None:
    """1.8: no setting above its rating; a mode whose bit is set moves the battery, another is answered 252."""
    sheets = (await lab.admin.ask("list", of="sheets"))["sheets"]
    for lfdi in lab.lfdis.values():
        ratings, settings = sheets[lfdi]["der/1/dercap"], sheets[lfdi]["der/1/derg"]
        for name in LIMITS:
            assert _number(settings[name]) <= _number(ratings[name.replace("set_", "rtg_")]), name
        assert _number(ratings["rtg_max_var_neg"]) <= _number(settings["set_max_var_neg"]) < 0
        assert settings["modes_enabled"] & ~ratings["modes_supported"] == 0
        assert _number(ratings["rtg_max_w"]) == RATED_WATTS
    bits = sheets[next(iter(lab.lfdis.values()))]["der/1/dercap"]["modes_supported"]
    programme = await lab.add_programme()
    lead, hold = 2 * POLL, 30
    begin = lab.now + lead
    made = [
        (name, await lab.add_control(programme, {name: value}, start_in=lead + place * hold, duration=hold))
        for place, (name, value) in enumerate(SIMPLE.items())
    ]
    await lab.advance_to(begin + len(made) * hold + PROMPT)
    for place, (name, mrid) in enumerate(made):
        for device in lab.devices:
            written = lab.writes(device, since=begin + place * hold, until=begin + (place + 1) * hold)
            if bits >> BITS[name] & 1:
                assert await lab.statuses(mrid, device) == [1, 2, 3], name
                assert written, f"{name} is told of and moved nothing"
            else:
                assert await lab.statuses(mrid, device) == [252], name


def _number(told: dict[str, int]) -> float:
    return told["value"] * 10.0 ** told.get("multiplier", 0)


@AGGREGATOR
async def test_core_018_subscribed_assignments_are_notified_answered_201_and_read(lab: CsipLab) -> None:
    """1.10: the FSAList of each device is subscribed to; a new group is told, answered 201, and what it links read."""
    subscribed = await lab.subscribed()
    assert {f"/edev/{serial}/fsa" for serial in range(1, 5)} <= subscribed
    mark, since = await lab.count(), lab.now
    programme = await lab.add_programme("battery-b")
    await lab.set_default(programme, max_lim(4200))
    await lab.advance(PROMPT + 7)
    notes = lab.messages("https://", direction="answered", since=since)
    assert notes, "nobody was notified"
    assert {one.status for one in notes} == {201}
    read = {one.path for one in await lab.requests(mark, method="GET")}
    assert f"/derp/{programme.serial}/dderc" in read
    assert await lab.limits() == [None, 4200, None, None]


@AGGREGATOR
async def test_core_019_after_a_cancelled_subscription_the_resource_is_read_or_subscribed_to_again(
    lab: CsipLab,
) -> None:
    """1.10: status 1 is answered 201 or 204; from then on it is polled, or there is a new subscription."""
    found = (await lab.admin.ask("list", of="subscriptions"))["subscriptions"]
    ended = next(one for one in found if one["resource"] == "edev/1/fsa")
    mark, since = await lab.count(), lab.now
    await lab.admin.ask("end_subscription", subscription=ended["serial"], status=1)
    await lab.advance(3 * POLL)
    (note,) = (one for one in lab.messages("https://", direction="answered", since=since) if one.at < since + 2)
    assert note.status in {201, 204}
    after = (await lab.admin.ask("list", of="subscriptions"))["subscriptions"]
    assert all(one["serial"] != ended["serial"] for one in after)
    polls = await lab.requests(mark, method="GET", path="/edev/1/fsa")
    assert len(polls) >= 2 or any(one["resource"] == "edev/1/fsa" for one in after)
    programme = await lab.add_programme("battery-a")
    await lab.set_default(programme, max_lim(3100))
    await lab.advance(POLL + PROMPT)
    assert await lab.limit("battery-a") == 3100


async def test_core_021_randomised_start_and_duration(lab: CsipLab) -> None:
    """1.6: between 0 and the value, sign kept, once an event; each device of an aggregator draws for itself."""
    programme = await lab.add_programme()
    lead, hold, span = 2 * POLL, 60, 180
    begin = lab.now + lead
    draws = [(0, 0), (30, 0), (-30, 0), (0, 30), (0, -30)]
    mrids = [
        await lab.add_control(
            programme, max_lim(2000 + 100 * place), start_in=lead + place * span, duration=hold,
            randomize_start=start, randomize_duration=duration,
        )
        for place, (start, duration) in enumerate(draws)
    ]  # fmt: skip
    await lab.advance_to(begin + len(draws) * span)
    drawn: list[tuple[float, ...]] = []
    for name in lab.devices:
        drawn.append(())
        for place, (mrid, (start, duration)) in enumerate(zip(mrids, draws, strict=True)):
            told = {one.status: one for one in await lab.responses(mrid, name)}
            assert sorted(told) == [1, 2, 3]
            late, length = told[2].created - (begin + place * span), told[3].created - told[2].created
            assert min(start, 0) - 1 <= late <= max(start, 0) + 1
            assert hold + min(duration, 0) - 1 <= length <= hold + max(duration, 0) + 1
            wrote = [
                at for at, _, words in lab.writes(name, since=begin + place * span - 31) if 2000 + 100 * place in words
            ]
            assert abs(wrote[0] - told[2].created) <= PROMPT
            drawn[-1] += (late, length)
    if is_aggregator(lab):
        assert len(set(drawn)) > 1, "four devices drew the same five times"


async def test_core_022_responses_on_time_and_on_cancellation(lab: CsipLab) -> None:
    """1.7: 1 when first seen, 2 at the start, 3 at the end; 6 when cancelled, before it and in the midst of it."""
    programme = await lab.add_programme()
    made = int(lab.now)
    whole = await lab.add_control(programme, max_lim(5000), start_in=150, duration=60)
    unborn = await lab.add_control(programme, max_lim(4000), start_in=330, duration=30)  # a poll and more after 250
    broken = await lab.add_control(programme, max_lim(3000), start_in=400, duration=600)
    await lab.advance_to(made + 250)
    await lab.cancel(unborn)
    await lab.advance_to(made + 400 + PROMPT)
    await everywhere(lab, 3000)
    await lab.cancel(broken)
    cancelled = int(lab.now)
    await lab.advance(POLL + PROMPT)
    await everywhere(lab, None)
    for name in lab.devices:
        one, two, three = await lab.responses(whole, name)
        assert (one.status, two.status, three.status) == (1, 2, 3)
        assert made <= one.created <= made + POLL + PROMPT
        assert (two.created, three.created) == (pytest.approx(made + 150, abs=1), pytest.approx(made + 210, abs=1))
        assert all(heard.at - heard.created <= PROMPT for heard in (one, two, three))
        assert await lab.statuses(unborn, name) == [1, 6]
        first, second, last = await lab.responses(broken, name)
        assert (first.status, second.status, last.status) == (1, 2, 6)
        assert cancelled <= last.created <= cancelled + POLL + PROMPT


async def test_core_023_of_three_that_overlap_the_losers_are_superseded(lab: CsipLab) -> None:
    """1.6: lower primacy wins, then the later creation; the loser is answered 7 or 14 and does not resume."""
    better, worse = await lab.add_programme(primacy=2), await lab.add_programme(primacy=9)
    lead = 2 * POLL
    begin = lab.now + lead
    first = await lab.add_control(worse, max_lim(9000), start_in=lead, duration=240, creation_time=lab.unix - 100)
    second = await lab.add_control(worse, max_lim(8000), start_in=lead + 60, duration=180, creation_time=lab.unix)
    third = await lab.add_control(better, max_lim(7000), start_in=lead + 120, duration=60)
    for at, limit in ((1, 9000), (61, 8000), (121, 7000), (181, None), (241, None)):
        await lab.advance_to(begin + at + PROMPT)
        await everywhere(lab, limit)
    for name in lab.devices:
        assert await lab.statuses(first, name) in ([1, 2, 7], [1, 2, 14])
        assert await lab.statuses(second, name) in ([1, 2, 7], [1, 2, 14])
        assert await lab.statuses(third, name) == [1, 2, 3]
