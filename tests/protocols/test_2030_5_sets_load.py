"""Load control: an EndDeviceControl follows the one set of event rules, becomes a limit, and is answered."""

import dataclasses

import pytest
from client_2030_5_sets import (
    CHARGER,
    EVSE,
    RATING,
    charger_config,
    lay_sets,
    limit_at,
    load_control,
    served,
    show,
    translated,
)
from client_2030_5_world import LFDI, T0, World, control, device, lay, lfdi, plain, status
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from wattseal.protocols.ieee2030_5.base import DateTimeInterval, ListLink
from wattseal.protocols.ieee2030_5.client.config import Ratings, Role
from wattseal.protocols.ieee2030_5.client.exchange import Silence
from wattseal.protocols.ieee2030_5.client.happenings import ScheduleChanged, Told
from wattseal.protocols.ieee2030_5.demand_response import (
    ApplianceLoadReduction,
    DutyCycle,
    Offset,
    SetPoint,
    TargetReduction,
)
from wattseal.protocols.ieee2030_5.der_control import DERControlBase, DERControlList
from wattseal.protocols.ieee2030_5.profiles import CSIP_2018
from wattseal.protocols.ieee2030_5.quantities import ActivePower
from wattseal.protocols.ieee2030_5.response import DrResponse
from wattseal.protocols.ieee2030_5.set_values import LOAD
from wattseal.protocols.ieee2030_5.vocabulary import ApplianceReduction, EventState, ReductionUnit

EDC = "/dr/1/edc"


def world_with(*controls, **options) -> World:
    world = lay_sets(World(charger_config(), **options))
    show(world, EDC, *controls)
    return world.begin()


def test_a_duty_cycle_is_a_limit_for_its_time_and_is_answered_with_what_was_applied():
    """1.11 DRLC: DutyCycle is a percentage of the time, 50 % of 7400 W; 1.7: Responses 1, 2, 3 on time."""
    world = world_with(load_control(1, 100, 200, 50)).run(50)
    assert [limit_at(world, second) for second in (99, 100, 299, 300)] == [None, 3700, 3700, None]
    world.run(400)
    assert world.responses == [(1, 1, LFDI), (1, 2, LFDI), (1, 3, LFDI)]
    answers = [one for _, one in world.server.posted]
    assert all(type(one) is DrResponse for one in answers)
    assert [one.duty_cycle for one in answers] == [None, DutyCycle(normal_value=50), DutyCycle(normal_value=50)]
    assert [one.created_date_time - T0 for one in answers] == [0, 100, 300]
    assert all(one.applied_target_reduction is None for one in answers)


@pytest.mark.parametrize(
    ("asked", "watts"),
    [
        ({"duty_cycle": DutyCycle(normal_value=33)}, 2442),
        ({"duty_cycle": DutyCycle(normal_value=0)}, 0),
        ({"duty_cycle": DutyCycle(normal_value=255)}, RATING),
        ({"offset": Offset(load_adjustment_percentage_offset=2501)}, 5549),  # 74.99 % of 7400 is 5549.26
        ({"offset": Offset(load_adjustment_percentage_offset=12000)}, 0),
        ({"target_reduction": TargetReduction(type=ReductionUnit.WATT, value=900)}, 6500),
        ({"target_reduction": TargetReduction(type=ReductionUnit.KILOWATT, value=3)}, 4400),
        ({"target_reduction": TargetReduction(type=ReductionUnit.KILOWATT, value=8)}, 0),
        (
            {
                "duty_cycle": DutyCycle(normal_value=50),
                "target_reduction": TargetReduction(type=ReductionUnit.WATT, value=5000),
            },
            2400,
        ),
    ],
)
def test_what_is_asked_becomes_a_limit_rounded_down(asked, watts):
    """A limit never lets more through than was asked for; where two are asked, the tighter one holds."""
    world = world_with(load_control(1, 10, 60, **({"duty_cycle": None} | asked))).run(5)
    assert limit_at(world, 10) == watts
    assert translated(world).remarks


@pytest.mark.parametrize(
    "asked",
    [
        {"set_point": SetPoint(cooling_setpoint=2500)},
        {"offset": Offset(cooling_offset=20)},
        {"appliance_load_reduction": ApplianceLoadReduction(type=ApplianceReduction.DELAY)},
        {"target_reduction": TargetReduction(type=ReductionUnit.KILOWATT_HOUR, value=3)},
        {"duty_cycle": DutyCycle(normal_value=100), "load_shift_forward": True},
        {},
    ],
)
def test_what_no_charger_can_do_is_answered_with_252_and_moves_nothing(asked):
    """1.7: 252, control or parameter not applicable."""
    world = world_with(load_control(1, 10, 60, **({"duty_cycle": None} | asked))).run(100)
    assert world.responses == [(1, 252, LFDI)]
    assert limit_at(world, 20) is None


@pytest.mark.parametrize(("bit", "ours"), [(16, True), (17, True), (25, False), (13, False), (20, False)])
def test_a_control_for_another_category_is_ignored_without_a_word(bit, ours):
    """EndDeviceControl deviceCategory: devices ignore events that do not indicate their category (16 EV, 17 EVSE)."""
    world = world_with(load_control(1, 10, 60, device_category=1 << bit)).run(5)
    assert (limit_at(world, 10) is not None) is ours
    assert bool(world.responses) is ours


def test_a_device_that_takes_no_limit_answers_252():
    unable = dataclasses.replace(CHARGER, ratings=Ratings(0, RATING, modes=frozenset({"opModEnergize"})))
    world = lay_sets(World(charger_config(unable)))
    show(world, EDC, load_control(1, 10, 60))
    world.begin().run(5)
    assert world.responses == [(1, 252, LFDI)]


def test_two_controls_of_one_programme_supersede_like_any_events():
    """1.6: same primacy, the later creationTime wins; 7, and the loser does not resume."""
    world = world_with(load_control(1, 100, 300, 80), load_control(2, 200, 100, 20)).run(50)
    assert [limit_at(world, at) for at in (99, 150, 250, 350)] == [None, 5920, 1480, None]
    world.run(1000)
    assert world.responses == [(1, 1, LFDI), (2, 1, LFDI), (1, 2, LFDI), (1, 7, LFDI), (2, 2, LFDI), (2, 3, LFDI)]


def test_a_cancel_ends_the_limit_at_once():
    world = world_with(load_control(1, 10, 1000)).run(50)
    assert limit_at(world, 50) == 3700
    show(world, EDC, load_control(1, 10, 1000, event_status=status(EventState.CANCELLED)))
    world.run(600)
    assert limit_at(world, 600) is None
    assert world.responses == [(1, 1, LFDI), (1, 2, LFDI), (1, 6, LFDI)]


def test_a_restart_without_network_keeps_the_limit_and_answers_nothing_twice():
    """1.6: a reboot without network comes up with what is stored."""
    world = world_with(load_control(1, 10, 3000)).run(50)
    other = world.restarted()
    other.server.down = Silence("peer_unreachable")
    assert limit_at(other, 60) == 3700
    other.run(3600)
    assert limit_at(other, 3600) is None
    assert other.responses == []
    other.server.down = None
    other.run(600)
    assert other.responses == [(1, 3, LFDI)]


def test_controls_of_der_and_of_load_control_hold_side_by_side():
    """Two sets, one schedule: telling what changed of one does not take back the other."""
    limit = DERControlBase(op_mod_load_lim_w=ActivePower(multiplier=0, value=6000))
    world = lay_sets(World(charger_config()))
    world.server.resources["/derp/1/derc"] = DERControlList(
        href="/derp/1/derc", items=(control(2, 100, 600, der_control_base=limit),)
    )
    world.begin().run(150)
    assert limit_at(world, 150) == 6000
    show(world, EDC, load_control(1, 300, 100, 50))
    world.run(600)
    assert [limit_at(world, at) for at in (700,)] == [None]
    told = [one for one in world.of(ScheduleChanged) if any(part.force.mode == LOAD for part in one.segments)]
    world.told = [told[0]]
    assert [limit_at(world, at) for at in (200, 350, 450, 701)] == [6000, 3700, 6000, None]
    restarted = world.restarted()
    assert {len(one.segments) for one in restarted.of(ScheduleChanged)} == {0}


def test_of_an_aggregators_chargers_only_those_under_the_programme_follow_and_answer():
    """Section 2: never respond for a DER outside of the event's group; each answers under its own LFDI."""
    chargers = [dataclasses.replace(CHARGER, name=f"c{number}", lfdi=lfdi(number)) for number in (1, 2, 3)]
    world = lay_sets(World(dataclasses.replace(charger_config(*chargers), role=Role.AGGREGATOR)))
    sets = {path: found for path, found in world.server.resources.items() if path.startswith("/dr")}
    lay(world, [device(number) for number in (1, 2, 3)])
    world.server.resources |= sets
    for number in (1, 3):
        listed = world.server.resources[f"/edev/{number}/fsa"]
        linked = replace(listed.items[0], demand_response_program_list_link=ListLink(href="/dr"))
        world.server.resources[f"/edev/{number}/fsa"] = replace(listed, items=(linked,))
    show(world, EDC, load_control(1, 10, 60, 50))
    world.begin().run(30)
    (event,) = translated(world).events
    assert event.courses[0].devices == ("c1", "c3")
    world.run(100)
    assert sorted(world.responses) == sorted((1, code, lfdi(number)) for code in (1, 2, 3) for number in (1, 3))


EVENTS = st.lists(
    st.tuples(
        st.integers(-50, 400),  # start
        st.integers(1, 300),  # duration
        st.integers(0, 2),  # creationTime
        st.sampled_from([0, 0, 30, -30]),  # randomizeStart
        st.sampled_from([0, 0, 20, -20]),  # randomizeDuration
        st.sampled_from([EventState.SCHEDULED, EventState.SCHEDULED, EventState.CANCELLED]),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=25, deadline=None)
@given(EVENTS)
def test_load_controls_run_and_are_answered_like_der_controls(events):
    """The engine is held against an oracle elsewhere; here the adapter: the same events, the same draws, the same words
    at the same seconds, whether they come as DERControls or as EndDeviceControls.
    """
    said = []
    for kind in (control, load_control):
        items = [
            replace(
                kind(number, start, seconds),
                creation_time=T0 - 1000 + created,
                randomize_start=drawn or None,
                randomize_duration=lasting or None,
                event_status=status(state),
                interval=DateTimeInterval(start=T0 + start, duration=seconds),
                response_required=0x03,
            )
            for number, (start, seconds, created, drawn, lasting, state) in enumerate(events, start=1)
        ]
        if kind is control:
            world = plain(World())
            world.server.resources["/derp/1/derc"] = DERControlList(href="/derp/1/derc", items=tuple(items))
        else:
            world = lay_sets(World(charger_config()))
            show(world, EDC, *items)
        world.begin().run(1200)
        posted = [one for path, one in world.server.posted if path.startswith("/rsp")]
        said.append([(one.subject, int(one.status), one.created_date_time - T0) for one in posted])
    assert sorted(said[0]) == sorted(said[1])


def test_against_our_server_a_control_is_followed_answered_and_cancelled():
    """One story with both of our sides; every document that is posted is valid where the schemas are at hand."""
    world, server = served(CSIP_2018)
    bench = server.bench
    program = bench.program(bench.group(server.lfdi), kind="load")
    draft = {"duration": 600, "start_in": 100, "device_category": EVSE, "duty_cycle": {"normal_value": 25}}
    mrid = bench.do("add_load_control", program=program, control=draft)["mrid"]
    world.begin().run(50)
    assert limit_at(world, 100) == 1850
    world.run(200)
    bench.do("cancel", mrid=mrid)
    world.run(700)
    assert limit_at(world, 650) is None
    assert [(int(one.subject, 16) == int(mrid, 16), int(one.status)) for _, one in server.posted] == [
        (True, 1), (True, 2), (True, 6),
    ]  # fmt: skip
    assert [one.status for one in world.of(Told)] == [201, 201, 201]
    assert server.valid == (3 if bench.validated else 0)
