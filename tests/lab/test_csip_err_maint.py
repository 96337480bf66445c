"""ERR and MAINT tests of the CSIP procedures: redirects, bad notifications, devices and groups that change at work.

Expectations are those of `reference/ieee2030_5.md`, section 4.1 and the rules of section 1. Times are virtual seconds.
"""

import pytest
from csip_lab_world import POLL, CsipLab

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PROMPT = 3
AGGREGATOR = pytest.mark.parametrize("shared_lab", ["aggregator"], indirect=True)
A, B, C, D = "battery-a", "battery-b", "battery-c", "battery-d"


def max_lim(percent_hundredths: int) -> dict[str, object]:
    return {"op_mod_max_lim_w": {"value": percent_hundredths}}


@pytest.mark.parametrize("status", [302, 307])
async def test_err_001_a_redirect_of_dcap_is_followed(lab: CsipLab, status: int) -> None:
    """1.1: redirects are followed, also on DeviceCapability; what the box does goes on as before."""
    programme = await lab.add_programme()
    await lab.set_default(programme, max_lim(6600))
    mark = await lab.count()
    await lab.admin.ask("misbehave", tricks=[{"kind": "redirect", "route": "dcap", "status": status, "times": None}])
    await lab.advance(2 * POLL + PROMPT)
    asked = await lab.requests(mark, method="GET", route="dcap")
    assert (status, 200) in list(zip([one.status for one in asked], [one.status for one in asked[1:]], strict=False))
    assert {one.path for one in asked if one.status == 200} == {"/moved/dcap"}
    assert await lab.limits() == [6600] * len(lab.devices)


async def test_err_001_a_redirect_that_leads_nowhere_is_given_up_and_the_schedule_goes_on(lab: CsipLab) -> None:
    """1.1: the count is capped, a loop fails closed; afterwards the box is as it was."""
    programme = await lab.add_programme()
    await lab.set_default(programme, max_lim(6500))
    await lab.advance(POLL + PROMPT)
    mark = await lab.count()
    await lab.admin.ask("misbehave", tricks=[{"kind": "redirect_loop", "route": "dcap", "times": None}])
    await lab.advance(2 * POLL)
    asked = await lab.requests(mark, method="GET", route="dcap")
    assert 2 <= len(asked) <= 60, "each poll gives up after a few hops"
    assert await lab.limits() == [6500] * len(lab.devices)
    await lab.admin.ask("behave")
    await lab.set_default(programme, max_lim(6400))
    await lab.advance(3 * POLL)
    assert await lab.limits() == [6400] * len(lab.devices)


@AGGREGATOR
@pytest.mark.parametrize("kind", ["note_malformed", "note_wrong_type"])
async def test_err_002_a_bad_notification_is_answered_400(lab: CsipLab, kind: str) -> None:
    """1.10: wrong type or malformed: 400, and the server drops the subscription; what changed is read all the same."""
    programme = await lab.add_programme(B)
    await lab.set_default(programme, max_lim(2900))
    await lab.advance(2 * POLL + PROMPT)
    assert f"/derp/{programme.serial}/dderc" in await lab.subscribed()
    since = lab.now
    await lab.admin.ask("misbehave", tricks=[{"kind": kind, "times": 1}])
    await lab.set_default(programme, max_lim(2700))
    await lab.advance(PROMPT)
    first = lab.messages("https://", direction="answered", since=since)[0]
    assert first.status == 400
    await lab.advance(2 * POLL)
    assert await lab.limit(B) == 2700


@AGGREGATOR
async def test_maint_001_a_deleted_end_device_is_managed_no_longer(lab: CsipLab) -> None:
    """1.3: 404 on its EndDevice: nothing is put for it or answered for it; the others go on."""
    programme = await lab.add_programme()
    await lab.add_control(programme, max_lim(5500), start_in=30, duration=3600)
    await lab.advance(30 + PROMPT)
    assert await lab.limits() == [5500] * 4
    serial = _serials(await lab.admin.ask("list", of="devices"))[lab.lfdis[C]]
    try:
        await lab.admin.ask("drop_device", device=lab.lfdis[C])
        await lab.advance(POLL + PROMPT)
        mark = await lab.count()
        later = await lab.add_control(programme, max_lim(5000), start_in=2 * POLL, duration=60)
        await lab.advance(2 * POLL + 60 + PROMPT)
        about = [one for one in await lab.requests(mark) if one.path.startswith(f"/edev/{serial}")]
        assert about == []
        assert await lab.statuses(later, C) == []
        assert lab.lfdis[C] not in _serials(await lab.admin.ask("list", of="devices")), "it is not registered anew"
        for name in (A, B, D):
            assert await lab.statuses(later, name) == [1, 2, 3]
    finally:
        if lab.lfdis[C] not in _serials(await lab.admin.ask("list", of="devices")):
            await lab.admin.ask("add_device", lfdi=lab.lfdis[C], owner=lab.own_lfdi)
        await lab.advance(2 * POLL)


def _serials(told: dict[str, list[dict[str, object]]]) -> dict[object, object]:
    return {one["lfdi"]: one["serial"] for one in told["devices"]}


@AGGREGATOR
async def test_maint_003_a_device_is_moved_to_another_group(lab: CsipLab) -> None:
    """1.4: it follows what its new group has, and answers for it; those that stayed follow the old one."""
    old, new = await lab.add_programme(A, B, primacy=5), await lab.add_programme(C, D, primacy=5)
    await lab.set_default(old, max_lim(8100))
    await lab.set_default(new, max_lim(3200))
    await lab.advance(POLL + PROMPT)
    assert await lab.limits() == [8100, 8100, 3200, 3200]
    await lab.admin.ask("move_device", device=lab.lfdis[B], to=new.group, out_of=old.group)
    await lab.advance(POLL + PROMPT)
    assert await lab.limits() == [8100, 3200, 3200, 3200]
    mrid = await lab.add_control(new, max_lim(2800), start_in=60, duration=60)
    await lab.advance(60 + PROMPT)
    assert await lab.limits() == [8100, 2800, 2800, 2800]
    await lab.advance(60 + PROMPT)
    assert await lab.limits() == [8100, 3200, 3200, 3200]
    assert await lab.statuses(mrid, A) == []
    for name in (B, C, D):
        assert await lab.statuses(mrid, name) == [1, 2, 3]


@AGGREGATOR
async def test_maint_004_a_control_that_is_added_at_work_is_followed(lab: CsipLab) -> None:
    """1.6: while one runs, another is added behind it and one in the midst of it for another mode; each in its time."""
    programme = await lab.add_programme()
    first = await lab.add_control(programme, max_lim(7700), start_in=2 * POLL, duration=120)
    await lab.advance(2 * POLL + PROMPT)
    behind = await lab.add_control(programme, max_lim(3300), start_in=120 - PROMPT, duration=60)
    beside = await lab.add_control(programme, {"op_mod_fixed_w": {"value": 1000}}, start_in=0, duration=60)
    await lab.advance(PROMPT)
    for name in lab.devices:
        assert await lab.statuses(behind, name) == [1], "it is told of, and not polled for"
        assert await lab.statuses(beside, name) == [1, 2]
        assert await lab.devices[name].setpoint() == 500, "what is within the limit needs no limit beside it"
    await lab.advance(60)
    assert await lab.limits() == [7700] * 4
    await lab.advance(60)
    assert await lab.limits() == [3300] * 4
    await lab.advance(60)
    for mrid in (first, behind, beside):
        for name in lab.devices:
            assert await lab.statuses(mrid, name) == [1, 2, 3]


@AGGREGATOR
async def test_maint_005_primacies_are_swapped(lab: CsipLab) -> None:
    """1.4, 1.6: of two programmes the one that is better now holds, its control as well as its default."""
    one, other = await lab.add_programme(primacy=3), await lab.add_programme(primacy=7)
    await lab.set_default(one, max_lim(9100))
    await lab.set_default(other, max_lim(4100))
    await lab.advance(POLL + PROMPT)
    assert await lab.limits() == [9100] * 4
    await lab.admin.ask("change_program", program=one.serial, primacy=7)
    await lab.admin.ask("change_program", program=other.serial, primacy=3)
    await lab.advance(POLL + PROMPT)
    assert await lab.limits() == [4100] * 4
    weak = await lab.add_control(one, max_lim(9000), start_in=90, duration=60)
    strong = await lab.add_control(other, max_lim(4000), start_in=90, duration=60)
    await lab.advance(90 + PROMPT)
    assert await lab.limits() == [4000] * 4
    await lab.advance(60 + PROMPT)
    for name in lab.devices:
        assert await lab.statuses(strong, name) == [1, 2, 3]
        assert await lab.statuses(weak, name) in ([1, 7], [1, 14])
