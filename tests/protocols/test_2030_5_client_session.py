"""The client against a small server on a virtual clock: what it reads, what follows from it, what it answers."""

import dataclasses

import msgspec
import pytest
from client_2030_5_world import (
    EXPORT,
    LFDI,
    SFDI,
    T0,
    World,
    config,
    control,
    default,
    device,
    lay,
    lfdi,
    plain,
    status,
)

from wattseal.certs.clock import ClockQuality
from wattseal.certs.errors import WorldError
from wattseal.protocols.ieee2030_5.base import Link, ListLink
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Silence
from wattseal.protocols.ieee2030_5.client.happenings import (
    ScheduleChanged,
    Told,
    UtilityAnswers,
    UtilitySilent,
)
from wattseal.protocols.ieee2030_5.client.session import ClientSession
from wattseal.protocols.ieee2030_5.core_resources import EndDeviceList, FunctionSetAssignmentsList
from wattseal.protocols.ieee2030_5.der_control import DERControlList, DERProgramList
from wattseal.protocols.ieee2030_5.profiles import CSIP_2018, CSIP_2023
from wattseal.protocols.ieee2030_5.quantities import PerCentControl
from wattseal.protocols.ieee2030_5.vocabulary import EventState, TimeQuality

DOWN = Silence("peer_unreachable")


def put(world: World, *controls, path: str = "/derp/1/derc", **more) -> None:
    world.server.resources[path] = DERControlList(href=path, items=tuple(controls), **more)


def change(world: World, path: str, **fields) -> None:
    world.server.resources[path] = msgspec.structs.replace(world.server.resources[path], **fields)


def test_the_root_is_asked_first_and_everything_else_is_linked():
    """COMM-002: the configured address, then what it links; nothing that nobody linked."""
    world = plain(World()).begin().run(1)
    asked = [request.href.partition("?")[0] for _, request in world.server.asked]
    assert asked[0] == "/dcap"
    assert set(asked) == set(world.server.resources)
    assert len(asked) == len(set(asked))


def test_lists_are_asked_with_a_limit_because_the_default_is_one():
    world = plain(World()).begin().run(1)
    lists = [request.href for _, request in world.server.asked if "?" in request.href]
    assert lists
    assert all(href.endswith("?s=0&l=255") for href in lists)


def test_an_event_runs_and_is_answered_on_time_in_order():
    """CORE-022: 1 when it is received, 2 at its start, 3 at its end; the default before and after."""
    world = plain(World(), [control(1, 100, 200, 1500)]).begin().run(50)
    assert world.responses == [(1, 1, LFDI)]
    assert [world.watts_at(second) for second in (60, 99, 100, 299, 300)] == [0, 0, 1500, 1500, 0]
    world.run(49)
    assert len(world.responses) == 1
    world.run(2)
    assert world.responses[1:] == [(1, 2, LFDI)]
    world.run(300)
    assert world.responses == [(1, 1, LFDI), (1, 2, LFDI), (1, 3, LFDI)]
    made = [one.created_date_time - T0 for _, one in world.server.posted]
    assert made == [0, 100, 300]


def test_nothing_is_told_twice():
    world = plain(World(), [control(1, 100, 200)]).begin().run(50)
    world.told.clear()
    world.run(40)
    assert world.told == []


def test_a_schedule_says_which_messages_made_it():
    world = plain(World()).begin().run(30)
    put(world, control(1, 200, 60))
    world.run(60)
    heard = world.of(ScheduleChanged)[-1].heard
    assert [(one.href, one.pushed) for one in heard] == [("/derp/1/derc", False)]
    assert b"<DERControlList" in heard[0].raw


def test_no_responses_where_none_are_wanted():
    """An absent responseRequired is 00: send none."""
    world = plain(World(), [control(1, 10, 20, response_required=None)]).begin().run(100)
    assert world.responses == []


def test_poll_rates_are_inherited_and_followed():
    """A pollRate covers a resource and those below it, and changes at run time; its own goes first."""
    world = plain(World(), poll=120)
    change(world, "/derp", poll_rate=60)
    world.begin().run(241)
    assert world.server.gets("/dcap") == [0, 120, 240]
    assert world.server.gets("/derp/1/dderc") == [0, 60, 120, 180, 240]
    assert world.server.gets("/derp/1/derc") == [0, 60, 120, 180, 240]
    change(world, "/derp", poll_rate=300)
    world.run(800)
    assert world.server.gets("/derp")[5:] == [300, 600, 900]
    assert world.server.gets("/derp/1/derc")[5:] == [300, 600, 900]
    assert world.server.gets("/edev") == [120 * number for number in range(9)]


def test_rates_where_the_server_says_none():
    """2030.5: 900 s; CSIP: controls and defaults every 600 s."""
    world = plain(World(), poll=None).begin().run(1801)
    assert world.server.gets("/edev") == [0, 900, 1800]
    assert world.server.gets("/derp/1/derc") == [0, 600, 1200, 1800]
    assert world.server.gets("/derp/1/dderc") == [0, 600, 1200, 1800]


def test_our_device_is_found_on_the_last_of_many_pages():
    world = plain(World())
    others = tuple(device(number) for number in range(1, 300))
    own = world.server.resources["/edev"].items
    change(world, "/edev", items=(*others, *own))
    world.server.page_most = 50
    world.begin().run(1)
    assert world.watts_at(1) == 0
    assert world.server.gets("/edev/1/fsa")


@pytest.mark.parametrize("lie", [{"all": 0, "results": 0}, {"all": 1, "results": 9}, {"all": 1, "results": 1}])
def test_all_and_results_that_lie_lose_no_control(lie):
    world = plain(World())
    put(world, control(1, 10, 20), **lie)
    world.begin().run(5)
    assert world.responses == [(1, 1, LFDI)]


def test_an_empty_list_of_assignments_keeps_being_polled():
    """A public complaint: clients that give up at all="0" before the first programme exists."""
    world = plain(World())
    full = world.server.resources["/edev/1/fsa"]
    world.server.resources["/edev/1/fsa"] = FunctionSetAssignmentsList(href="/edev/1/fsa", all=0, results=0)
    world.begin().run(130)
    assert world.of(ScheduleChanged) == [] or world.watts_at(130) is None
    world.server.resources["/edev/1/fsa"] = full
    world.run(61)
    assert world.watts_at(192) == 0


@pytest.mark.parametrize("fate", ["disabled", "gone"])
def test_a_device_that_is_disabled_or_deleted_is_no_longer_served(fate):
    """MAINT-001."""
    world = plain(World(), [control(1, 100, 200, 1500)]).begin().run(30)
    own = world.server.resources["/edev"].items[0]
    gone = () if fate == "gone" else (msgspec.structs.replace(own, enabled=False),)
    world.server.resources["/edev"] = EndDeviceList(href="/edev", items=gone, poll_rate=60)
    world.run(400)
    assert world.responses == [(1, 1, LFDI)]
    assert world.watts_at(150) is None


def test_a_list_of_devices_that_cannot_be_read_deletes_nobody():
    world = plain(World(), [control(1, 100, 200, 1500)]).begin().run(30)
    world.server.faults["/edev"] = Answer(500)
    world.run(120)
    assert world.watts_at(150) == 1500
    world.server.faults["/edev"] = Answer(200, b"<EndDeviceList")
    world.run(120)
    assert [status for _, status, _ in world.responses] == [1, 2]


def test_our_own_device_must_agree_in_lfdi_and_sfdi_a_managed_one_in_its_lfdi():
    """BASIC-001; servers register managed devices without the check digit, so their SFDI decides nothing."""
    world = plain(World())
    change(world, "/edev", items=(msgspec.structs.replace(world.server.resources["/edev"].items[0], sfdi=SFDI + 1),))
    world.begin().run(5)
    assert world.session.survey.devices == {}
    many = World(config(2))
    lay(many, [device(1, sfdi=999), device(2, lfdi=lfdi(2).hex().lower()), device(3)])
    many.begin().run(5)
    assert set(many.session.survey.devices) == {lfdi(1), lfdi(2)}


def test_an_aggregator_answers_for_each_of_its_devices_under_its_own_lfdi():
    world = World(config(3))
    lay(world, [device(number) for number in (1, 2, 3)], [control(1, 10, 20)])
    world.begin().run(60)
    assert sorted(world.responses) == sorted((1, code, lfdi(n)) for code in (1, 2, 3) for n in (1, 2, 3))
    for number in (1, 2, 3):
        assert [code for _, code, who in world.responses if who == lfdi(number)] == [1, 2, 3]


def test_an_aggregators_own_device_may_carry_nothing_but_subscriptions():
    """CSIP-AUS: a virtual EndDevice for the aggregator itself; it has no assignments and is no device of ours."""
    world = World(config(1))
    virtual = device(0, lfdi=LFDI.hex().upper(), sfdi=SFDI, function_set_assignments_list_link=None,
                     subscription_list_link=ListLink(href="/edev/0/sub"))  # fmt: skip
    lay(world, [virtual, device(1)], [control(1, 10, 20)])
    world.begin().run(60)
    assert set(world.session.survey.devices) == {lfdi(1)}
    assert world.session.survey.own.end_device.subscription_list_link.href == "/edev/0/sub"
    assert {who for _, _, who in world.responses} == {lfdi(1)}


def test_a_control_that_vanishes_goes_on_in_2018_and_is_cancelled_in_2023():
    """2023, 10.2.2.3 p."""
    for profile, codes in ((CSIP_2018, [1, 2, 3]), (CSIP_2023, [1, 2, 6])):
        world = plain(World(config(profile=profile)))
        base = control(1, 10, 200).der_control_base
        base = msgspec.structs.replace(base, op_mod_exp_lim_w=None, op_mod_energize=False)
        world.server.resources["/derp/1/dderc"] = default(der_control_base=base)
        put(world, control(1, 10, 200, der_control_base=base))
        world.begin().run(40)
        put(world)
        world.run(300)
        assert [code for _, code, _ in world.responses] == codes
        with_modes = [one.modes_responded for _, one in world.server.posted]
        assert with_modes == ([1 << 3] * 3 if profile is CSIP_2023 else [None] * 3)


def test_a_cancelled_event_is_answered_with_6():
    world = plain(World(), [control(1, 10, 200)]).begin().run(40)
    put(world, control(1, 10, 200, event_status=status(EventState.CANCELLED)))
    world.run(100)
    assert [code for _, code, _ in world.responses] == [1, 2, 6]
    assert world.watts_at(141) == 0


def test_an_event_for_another_category_of_device_is_not_ours():
    """A deviceCategory is present and not ours: ignored without a Response."""
    world = plain(World(), [control(1, 10, 200, device_category=1 << 21)]).begin().run(60)
    assert world.responses == []
    assert world.watts_at(60) == 0


def test_an_event_with_modes_that_we_cannot_do_is_answered_with_252():
    base = control(1, 0, 1).der_control_base
    base = msgspec.structs.replace(base, op_mod_exp_lim_w=None, op_mod_max_lim_w=PerCentControl(value=5000))
    world = plain(World(), [control(1, 10, 200, der_control_base=base)]).begin().run(60)
    assert [code for _, code, _ in world.responses] == [252]


def test_an_event_that_was_over_at_first_sight_is_answered_with_254_once():
    world = plain(World(), [control(1, -500, 200)]).begin().run(600)
    assert [code for _, code, _ in world.responses] == [254]


def test_hrefs_that_change_are_no_new_events():
    """Programmes may move between polls: everything is kept by mRID."""
    world = plain(World(), [control(1, 10, 300, 1500)]).begin().run(40)
    program = world.server.resources["/derp"].items[0]
    moved = msgspec.structs.replace(
        program,
        href="/x/1",
        der_control_list_link=ListLink(href="/x/1/c"),
        default_der_control_link=Link(href="/x/1/d"),
    )
    world.server.resources["/edev/1/fsa"] = msgspec.structs.replace(
        world.server.resources["/edev/1/fsa"],
        items=(msgspec.structs.replace(world.server.resources["/edev/1/fsa"].items[0],
                                       der_program_list_link=ListLink(href="/x")),),
    )  # fmt: skip
    world.server.resources["/x"] = DERProgramList(href="/x", items=(moved,))
    put(world, control(1, 10, 300, 1500, href="/x/1/c/1"), path="/x/1/c")
    world.server.resources["/x/1/d"] = default()
    for path in ("/derp", "/derp/1/derc", "/derp/1/dderc"):
        del world.server.resources[path]
    world.run(400)
    assert [code for _, code, _ in world.responses] == [1, 2, 3]
    assert world.server.gets("/derp/1/derc")[-1] <= 61


def test_a_default_that_is_gone_is_gone_and_one_that_fails_stands():
    world = plain(World()).begin().run(30)
    world.server.faults["/derp/1/dderc"] = Answer(500)
    world.run(200)
    assert world.watts_at(230) == 0
    world.server.faults["/derp/1/dderc"] = Answer(404)
    world.run(60)
    assert world.watts_at(291) is None


# ---- the clock ---------------------------------------------------------------------------------------------------


def test_events_run_on_the_clock_of_the_server():
    """CORE-005: the server's Time is followed, quality 7 included; our clock is an hour behind here."""
    world = plain(World(clock_error=-3600.0), [control(1, 100, 200, 1500)]).begin().run(99)
    assert [code for _, code, _ in world.responses] == [1]
    assert world.watts_at(150) == 1500
    assert world.watts_at(99) == 0
    world.run(3)
    assert [code for _, code, _ in world.responses] == [1, 2]
    assert world.session.survey.clock.quality == TimeQuality(7)


def test_a_step_of_our_own_clock_moves_no_event():
    world = plain(World(), [control(1, 100, 200, 1500)]).begin().run(50)
    world.clock_error = 1000.0
    world.run(10)
    assert world.watts_at(99) == 0
    assert world.watts_at(100) == 1500
    world.run(300)
    assert [one.created_date_time - T0 for _, one in world.server.posted] == [0, 100, 300]


def test_a_jump_of_the_servers_clock_is_followed_without_answering_again():
    world = plain(World(), [control(1, 100, 200, 1500)]).begin().run(110)
    change(world, "/tm", quality=TimeQuality(7))
    now = world.server.now
    world.server.now = lambda: now() - 60  # the server set its clock back
    world.run(400)
    assert [code for _, code, _ in world.responses] == [1, 2, 3]


def test_a_second_of_rounding_is_not_followed():
    world = plain(World()).begin().run(30)
    world.told.clear()
    for shift in (0.4, -0.4, 0.9, -0.9):
        world.clock_error = shift
        world.run(61)
    assert world.of(ScheduleChanged) == []


def test_the_clock_of_an_assignment_goes_before_that_of_the_root():
    world = plain(World(), [control(1, 100, 200, 1500)])
    fsa = world.server.resources["/edev/1/fsa"]
    world.server.resources["/edev/1/fsa"] = msgspec.structs.replace(
        fsa, items=(msgspec.structs.replace(fsa.items[0], time_link=Link(href="/tm/2")),)
    )
    body = world.server.resources["/tm"]
    world.server.faults["/tm/2"] = lambda _: Answer(
        200, world.server._body(msgspec.structs.replace(body, href="/tm/2"), {}).replace(
            str(T0 + int(world.second)).encode(), str(T0 + int(world.second) + 50).encode(), 1)
    )  # fmt: skip
    world.begin().run(49)
    assert world.session.survey.clock.href == "/tm/2"
    world.run(4)
    assert [code for _, code, _ in world.responses] == [1, 2]


def test_without_a_trusted_clock_of_ours_the_servers_is_enough():
    world = World(quality=ClockQuality.UNTRUSTED, clock_error=-1_000_000_000.0)
    plain(world, [control(1, 100, 200, 1500)]).begin().run(120)
    assert [code for _, code, _ in world.responses] == [1, 2]


# ---- loss, return, restart -----------------------------------------------------------------------------------------


def test_a_lost_server_leaves_the_schedule_running_then_the_default():
    """CSIP G12: the running and the stored events to their ends, then the stored default."""
    world = plain(World(), [control(1, 100, 200, 1500), control(2, 400, 100, 700)]).begin().run(50)
    world.server.down = Answer(500)
    world.run(600)
    assert [type(one) for one in world.told if isinstance(one, UtilitySilent | UtilityAnswers)] == [UtilitySilent]
    assert world.of(UtilitySilent)[0].reason == "http_500"
    assert [world.watts_at(second) for second in (150, 350, 450, 550)] == [1500, 0, 700, 0]
    assert [code for _, code, _ in world.responses] == [1, 1]
    world.server.down = None
    world.run(120)
    assert [code for event, code, _ in world.responses if event == 1] == [1, 2, 3]
    assert [code for event, code, _ in world.responses if event == 2] == [1, 2, 3]
    made = [one.created_date_time - T0 for _, one in world.server.posted if int(one.subject, 16) == 1]
    assert made == [0, 100, 300], "createdDateTime is that of the moment, not of the sending"
    assert len(world.of(UtilityAnswers)) == 1


def test_a_lost_server_is_asked_for_its_root_only_and_not_often():
    world = plain(World()).begin().run(50)
    world.server.down = DOWN
    world.run(300)
    world.server.asked.clear()
    world.run(600)
    assert {request.href for _, request in world.server.asked} == {"/dcap"}
    assert 8 <= len(world.server.asked) <= 12


def test_a_question_under_way_to_a_lost_server_wakes_nobody():
    """A dead server lets each question wait for its deadline; meanwhile there is nothing to do."""
    world = plain(World(latency=20.0)).begin().run(200)
    world.server.down = DOWN
    for _ in range(400):
        world.run(1)
        if world._flying and world.of(UtilitySilent):
            assert world.session.wake_at(world.now) > world.now.monotonic
    assert world.of(UtilitySilent)


def test_on_return_everything_is_read_once_and_an_event_that_passed_unseen_draws_254():
    world = plain(World()).begin().run(50)
    world.server.down = DOWN
    world.run(900)
    put(world, control(5, 200, 100))
    world.server.down = None
    back = world.second
    world.run(70)
    assert [code for _, code, _ in world.responses] == [254]
    for path in world.server.resources:
        assert 1 <= len([at for at in world.server.gets(path) if at > back]) <= 3, path


def test_a_restart_without_network_holds_the_stored_schedule_and_default_at_once():
    world = plain(World(), [control(1, 100, 200, 1500)]).begin().run(50)
    world.server.down = DOWN
    other = world.restarted()
    other.server.down = DOWN
    assert [other.watts_at(second) for second in (60, 150, 310)] == [0, 1500, 0]
    other.run(400)
    assert other.responses == []
    other.server.down = None
    other.run(120)
    assert [code for _, code, _ in other.responses] == [2, 3], "1 was delivered before"


def test_a_restart_without_network_and_clock_comes_up_at_the_default():
    world = plain(World(), [control(1, 100, 200, 1500)]).begin().run(150)
    assert world.watts_at(150) == 1500
    other = world.restarted(quality=ClockQuality.UNTRUSTED)
    assert other.watts_at(151) == 0


def test_responses_that_were_not_delivered_outlive_a_restart():
    world = plain(World(), [control(1, 10, 20)])
    world.server.faults["/rsp"] = Answer(503)
    world.begin().run(60)
    other = world.restarted()
    other.server.faults.clear()
    other.run(60)
    assert [code for _, code, _ in other.responses] == [1, 2, 3]
    assert [one.created_date_time - T0 for _, one in other.server.posted] == [0, 10, 30]


def test_a_response_that_is_refused_is_given_up_and_told_and_holds_up_no_other():
    """4xx: never repeated unchanged."""
    world = plain(World(), [control(1, 10, 20)])
    world.server.faults["/rsp"] = Answer(400)
    world.begin().run(100)
    assert [one.status for one in world.of(Told)] == [400, 400, 400]
    assert len([1 for _, request in world.server.asked if request.href == "/rsp"]) == 3


def test_stored_bytes_of_another_release_are_refused():
    with pytest.raises(WorldError) as caught:
        ClientSession(config(), b"\x81\xa6layout\x63")
    assert caught.value.reason == "client_state_unreadable"


# ---- bounds --------------------------------------------------------------------------------------------------------


def test_no_more_than_the_agreed_number_of_requests_is_under_way_and_one_per_address():
    world = World(config(30, requests_at_once=3), latency=0.5)
    lay(world, [device(number) for number in range(1, 31)], [control(1, 60, 20)])
    world.begin().run(60)
    assert world.most_at_once == 3
    assert [len(world.server.gets(f"/edev/{number}/fsa")) for number in range(1, 31)] == [1] * 30


def test_one_survey_one_picture():
    """A first reading of thirty devices is one schedule, not thirty."""
    world = World(config(30))
    lay(world, [device(number) for number in range(1, 31)], [control(1, 60, 20)])
    world.begin().run(10)
    assert len(world.of(ScheduleChanged)) == 1
    assert {len(one.devices) for one in world.of(ScheduleChanged)[0].segments} == {30}


def test_dropped_links_are_polled_no_more():
    world = World(config(2))
    lay(world, [device(1), device(2)])
    world.begin().run(10)
    change(world, "/edev", items=(device(1),))
    world.run(200)
    assert max(world.server.gets("/edev/2/fsa")) <= 60
    assert max(world.server.gets("/edev/1/fsa")) > 120


def test_an_unchanged_answer_costs_no_new_survey():
    world = plain(World()).begin().run(30)
    survey = world.session.survey
    world.run(600)
    assert dataclasses.replace(world.session.survey, clock=survey.clock) == survey
    assert world.session.survey.programs is survey.programs
    assert EXPORT in {segment.force.mode for segment in world.of(ScheduleChanged)[-1].segments}
