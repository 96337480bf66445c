"""BASIC-015 to 026 of the CSIP procedures on one device that polls: what becomes of events, alone and overlapping.

Expectations are those of the CSIP Conformance Test Procedures 1.3 and of IEEE 2030.5 for events and responses.
BASIC-016 to 026 are written out in `csip_lab_events`, since an aggregator plays the same courses.
"""

import csip_lab_events as courses
import pytest
from csip_lab_events import LEAD, PROMPT, everybody, limits, max_lim
from csip_lab_world import POLL, CsipLab

pytestmark = [
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("shared_lab", ["device"], indirect=True),
]

STORED, SLOT = 24, 30


async def test_basic_015_24_controls_are_stored_then_cancelled(lab: CsipLab) -> None:
    """All are received; the first two run to their ends, the third is cancelled as it runs, the rest before (6)."""
    programme, name = await lab.add_programme(), lab.device.name
    await lab.set_default(programme, max_lim(9900))
    begin = lab.now + LEAD
    mrids = [
        await lab.add_control(programme, max_lim(1000 + 100 * place), start_in=LEAD + place * SLOT, duration=SLOT)
        for place in range(STORED)
    ]
    await lab.advance(2 * POLL)
    for mrid in mrids:
        assert await lab.statuses(mrid) == [1]
    for place in range(3):
        await lab.advance_to(begin + place * SLOT + PROMPT)
        await limits(lab, {name: 1000 + 100 * place})
    for mrid in mrids[2:]:
        await lab.cancel(mrid)
    until = lab.now + POLL + PROMPT
    for place in range(3, 5):  # nothing that was cancelled begins, unless its news has not come yet
        await lab.advance_to(min(begin + place * SLOT + PROMPT, until))
    await lab.advance_to(until)
    await limits(lab, {name: 9900})
    told = [await lab.statuses(mrid) for mrid in mrids]
    assert told[:2] == [[1, 2, 3]] * 2
    assert told[2] in ([1, 2, 6], [1, 2, 3]), "by the time of the poll it had ended, or it was cancelled"
    begun = [place for place, one in enumerate(told) if 2 in one]
    assert begun == list(range(len(begun)))
    assert len(begun) <= 3 + POLL // SLOT
    assert all(one[-1] == 6 for one in told[len(begun) :])
    assert [1, 2, 6] in told, "the one that ran when the news came"
    await lab.advance(STORED * SLOT)
    assert [await lab.statuses(mrid) for mrid in mrids] == told, "and nothing more is told"


async def test_basic_016_the_default_of_one_programme(lab: CsipLab) -> None:
    await courses.default_alone(lab, everybody(lab))


async def test_basic_017_default_event_default(lab: CsipLab) -> None:
    await courses.default_and_event(lab, everybody(lab))


async def test_basic_018_two_events_in_a_row(lab: CsipLab) -> None:
    await courses.two_events_in_a_row(lab, everybody(lab))


async def test_basic_019_the_defaults_of_two_programmes(lab: CsipLab) -> None:
    await courses.two_defaults(lab, everybody(lab))


async def test_basic_020_an_event_in_each_of_two_programmes(lab: CsipLab) -> None:
    await courses.an_event_in_each_programme(lab, everybody(lab))


async def test_basic_021_overlapping_events_known_before(lab: CsipLab) -> None:
    await courses.overlap_known_before(lab, everybody(lab))


async def test_basic_022_overlapping_events_in_reverse_order(lab: CsipLab) -> None:
    await courses.overlap_in_reverse_order(lab, everybody(lab))


async def test_basic_023_an_event_is_superseded_in_flight(lab: CsipLab) -> None:
    await courses.overlap_in_flight(lab, everybody(lab))


async def test_basic_024_independent_controls_of_one_programme_both_run(lab: CsipLab) -> None:
    await courses.independent_in_one_programme(lab, everybody(lab))


async def test_basic_025_independent_controls_of_two_programmes_both_run(lab: CsipLab) -> None:
    await courses.independent_in_two_programmes(lab, everybody(lab))


async def test_basic_026_an_independent_control_joins_one_in_flight(lab: CsipLab) -> None:
    await courses.independent_in_flight(lab, everybody(lab))
