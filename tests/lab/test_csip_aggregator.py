"""UTIL-002 to 004 and AGG-001 to 012 of the CSIP procedures: an aggregator with four devices, which subscribes.

Expectations are those of the CSIP Conformance Test Procedures 1.3 and of IEEE 2030.5 for events and responses: these
come from exactly the devices under the node, each under its own LFDI, and changes come by notification. The courses of
AGG-002 to 012 are those of BASIC-016 to 026 with three devices under two programmes: two under each, one of them under
both.
"""

from collections.abc import AsyncIterator

import csip_lab_events as courses
import pytest
import pytest_asyncio
from csip_lab_events import LAST, PROMPT, Cast, heard, limits, max_lim, whole
from csip_lab_world import FOUR, POLL, CsipLab, csip_lab, sfdi

from wattseal.protocols.ieee2030_5.core_resources import EndDeviceList
from wattseal.protocols.ieee2030_5.subscription import Notification, Subscription

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

CAST = Cast(first=("battery-a", "battery-b"), second=("battery-b", "battery-c"))
"""battery-d is under no programme, and silent."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CsipLab]:
    """Four devices whose readings come once a minute: here only their events count."""
    directory = tmp_path_factory.mktemp("aggregator")
    async with csip_lab(directory, role="aggregator", names=FOUR, listen=True, sampling=POLL) as lab:
        await lab.registered()
        yield lab


async def subscribed(lab: CsipLab) -> set[str]:
    """Paths of what is subscribed to."""
    return {
        "/" + one["resource"].lstrip("/") for one in (await lab.admin.ask("list", of="subscriptions"))["subscriptions"]
    }


def notifications(lab: CsipLab, since: float) -> list[Notification]:
    """What the server told its subscriber, oldest first."""
    sent = [one.resource for one in lab.messages(direction="sent", since=since) if one.body]
    return [one for one in sent if isinstance(one, Notification)]


async def serials(lab: CsipLab) -> dict[str, int]:
    """Serial of each device's EndDevice at the server, by its name."""
    known = {one["lfdi"]: one["serial"] for one in (await lab.admin.ask("list", of="devices"))["devices"]}
    return {name: known[lfdi] for name, lfdi in lab.lfdis.items()}


# ---- UTIL -------------------------------------------------------------------------------------------------------


async def test_util_002_four_end_devices_are_commissioned(lab: CsipLab) -> None:
    """One EndDevice for each DER under the aggregator's certificate, with its own LFDI and SFDI; its PIN is read."""
    known = (await lab.admin.ask("list", of="devices"))["devices"]
    assert {(one["lfdi"], one["sfdi"]) for one in known} == {(one, sfdi(one)) for one in lab.lfdis.values()}
    assert {one["owner"] for one in known} == {lab.own_lfdi}, "by the aggregator's certificate"
    seen = await lab.requests()
    assert {one.lfdi for one in seen} == {lab.own_lfdi}
    for serial in (await serials(lab)).values():
        assert any(one.path == f"/edev/{serial}/rg" and one.status == 200 for one in seen), "its Registration"
        documents = {one.path.rpartition("/")[2] for one in seen if one.path.startswith(f"/edev/{serial}/der/1/")}
        assert documents >= {"dercap", "derg", "ders"}
    assert (await lab.running.status())["utilities"]["north"]["devices"] == dict.fromkeys(FOUR, "registered")


async def test_util_003_assignments_and_programmes_are_subscribed_to(lab: CsipLab) -> None:
    """G16: EndDeviceList, FSAList, DERProgramList, DERControlList, DefaultDERControl; news is followed at once."""
    programme = await lab.add_programme(*CAST.first)
    await lab.set_default(programme, max_lim(5000))
    await lab.advance(2 * POLL)
    paths = await subscribed(lab)
    assert "/edev" in paths
    for name, serial in (await serials(lab)).items():
        assert f"/edev/{serial}/fsa" in paths
        under = {one for one in paths if one.startswith(f"/edev/{serial}/fsa/") and one.endswith("/derp")}
        assert len(under) == (1 if name in CAST.first else 0)
    assert {f"/derp/{programme.serial}/derc", f"/derp/{programme.serial}/dderc"} <= paths
    since = lab.now
    await lab.set_default(programme, max_lim(7000))
    await lab.advance(PROMPT)
    await limits(lab, dict.fromkeys(CAST.first, 7000))
    assert notifications(lab, since), "it came by notification"


async def test_util_004_responses_come_from_exactly_the_devices_under_the_node(lab: CsipLab) -> None:
    """Three groups: of all, of two, of one. Each event is answered by its group's devices under their own LFDIs."""
    groups = (FOUR, FOUR[1:3], FOUR[3:])
    programmes = [await lab.add_programme(*one, primacy=place + 1) for place, one in enumerate(groups)]
    await lab.advance(POLL + PROMPT)
    posted, begin = lab.now, lab.now + POLL
    mrids = [
        await lab.add_control(one, max_lim(6000), start_in=POLL + place * 2 * LAST, duration=LAST)
        for place, one in enumerate(programmes)
    ]
    await lab.advance(POLL + 5 * LAST + PROMPT)
    for place, (mrid, group) in enumerate(zip(mrids, groups, strict=True)):
        told = dict.fromkeys(group, whole(begin + place * 2 * LAST))
        await heard(lab, mrid, posted, told, delivered_seconds=PROMPT)


# ---- AGG --------------------------------------------------------------------------------------------------------


async def test_agg_001_the_list_of_end_devices_is_subscribed_to(lab: CsipLab) -> None:
    """The Subscription stands as CSIP wants it, and a change of the list is told at once and taken."""
    posted = [one.resource for one in lab.messages("POST /edev/") if b"<Subscription" in one.body[:200]]
    (of_list,) = [one for one in posted if isinstance(one, Subscription) and one.subscribed_resource == "/edev"]
    assert of_list.encoding == 0
    assert of_list.notification_uri.startswith("https://127.0.0.1:")
    assert "/edev" in await subscribed(lab)
    since = lab.now
    stranger = "AB" * 16 + f"{40732:08X}"
    await lab.admin.ask("add_device", lfdi=stranger, owner=lab.own_lfdi)
    await lab.advance(PROMPT)
    (told,) = [one for one in notifications(lab, since) if one.subscribed_resource == "/edev"]
    assert isinstance(told.resource, EndDeviceList)
    assert {stranger, *lab.lfdis.values()} <= {str(one.lfdi).upper() for one in told.resource.items}
    answered = [one.status for one in lab.messages(direction="answered", since=since)]
    assert answered
    assert set(answered) <= {201, 204}
    await lab.admin.ask("drop_device", device=stranger)
    await lab.advance(PROMPT)
    assert set((await lab.running.status())["utilities"]["north"]["devices"].values()) == {"registered"}


async def test_agg_002_the_default_of_one_programme(lab: CsipLab) -> None:
    await courses.default_alone(lab, CAST)


async def test_agg_003_default_event_default(lab: CsipLab) -> None:
    await courses.default_and_event(lab, CAST)


async def test_agg_004_two_events_in_a_row(lab: CsipLab) -> None:
    await courses.two_events_in_a_row(lab, CAST)


async def test_agg_005_the_defaults_of_two_programmes(lab: CsipLab) -> None:
    await courses.two_defaults(lab, CAST)


async def test_agg_006_an_event_in_each_of_two_programmes(lab: CsipLab) -> None:
    await courses.an_event_in_each_programme(lab, CAST)


async def test_agg_007_overlapping_events_known_before(lab: CsipLab) -> None:
    await courses.overlap_known_before(lab, CAST)


async def test_agg_008_overlapping_events_in_reverse_order(lab: CsipLab) -> None:
    await courses.overlap_in_reverse_order(lab, CAST)


async def test_agg_009_an_event_is_superseded_in_flight(lab: CsipLab) -> None:
    await courses.overlap_in_flight(lab, CAST)


async def test_agg_010_independent_controls_of_one_programme_both_run(lab: CsipLab) -> None:
    await courses.independent_in_one_programme(lab, CAST)


async def test_agg_011_independent_controls_of_two_programmes_both_run(lab: CsipLab) -> None:
    await courses.independent_in_two_programmes(lab, CAST)


async def test_agg_012_an_independent_control_joins_one_in_flight(lab: CsipLab) -> None:
    await courses.independent_in_flight(lab, CAST)
