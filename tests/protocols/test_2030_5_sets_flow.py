"""Flow reservations: a need becomes a request, its grant an event with a limit; and what could be shed is told."""

import pytest
from client_2030_5_sets import (
    charger_config,
    event,
    lay_sets,
    limit_at,
    load_control,
    served,
    show,
    translated,
)
from client_2030_5_world import LFDI, SFDI, T0, World, managed, status
from hypothesis import given
from hypothesis import strategies as st
from ieee2030_5_schemas import schema_of
from lxml import etree
from msgspec.structs import replace

from wattseal.certs.errors import MisuseError, WorldError
from wattseal.protocols.ieee2030_5.client.config import DerType, Managed, Ratings
from wattseal.protocols.ieee2030_5.client.controls import control_from
from wattseal.protocols.ieee2030_5.client.duties.flow_reservations import (
    Asking,
    ChargingNeed,
    FlowReservations,
    request_of,
)
from wattseal.protocols.ieee2030_5.client.duties.load_shed import LoadShed, availability_of
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Method, Silence
from wattseal.protocols.ieee2030_5.client.happenings import Told
from wattseal.protocols.ieee2030_5.client.measured import Measured
from wattseal.protocols.ieee2030_5.client.sets.answers import (
    flow_response,
    load_response,
    price_response,
    text_response,
)
from wattseal.protocols.ieee2030_5.client.survey import ClockRead, Survey
from wattseal.protocols.ieee2030_5.codec import decode, encode
from wattseal.protocols.ieee2030_5.demand_response import DemandResponseProgram, Offset
from wattseal.protocols.ieee2030_5.engine.inputs import Setting
from wattseal.protocols.ieee2030_5.engine.state import Owed, ResponseStatus
from wattseal.protocols.ieee2030_5.flow_reservation import FlowReservationResponse
from wattseal.protocols.ieee2030_5.profiles import CSIP_2018, CSIP_2023
from wattseal.protocols.ieee2030_5.quantities import ActivePower, SignedRealEnergy
from wattseal.protocols.ieee2030_5.response import FlowReservationResponseResponse
from wattseal.protocols.ieee2030_5.set_values import load_of
from wattseal.protocols.ieee2030_5.vocabulary import EventState, RequestState

FRQ, FRP, LSL = "/edev/1/frq", "/edev/1/frp", "/edev/1/lsl"
PEN = 32473
NEED = ChargingNeed(20_000, 7_000, T0 + 1000, T0 + 30_000)


def grant(number: int, subject: str, start: int, seconds: int, watts: int, **changes) -> FlowReservationResponse:
    fields = {
        "energy_available": SignedRealEnergy(multiplier=0, value=20_000),
        "power_available": ActivePower(multiplier=0, value=watts), "subject": subject,
    }  # fmt: skip
    return FlowReservationResponse(**event(number, start, seconds, **(fields | changes)))


def flow_world(need: ChargingNeed | None = NEED, **options) -> tuple[World, FlowReservations]:
    settings = charger_config(pen=PEN)
    duty = FlowReservations(settings)
    world = lay_sets(World(settings, (duty,), **options))
    duty.need("charger", need, T0)
    return world.begin(), duty


def needs(world: World, duty: FlowReservations, need: ChargingNeed | None) -> None:
    """The deck hands a need in, and wakes the session."""
    duty.need("charger", need, T0 + int(world.second))
    world.told += world.session.looked(world.now)


def requests(world: World) -> list:
    return [one for path, one in world.server.posted if path.startswith(FRQ)]


# ---- what is asked ------------------------------------------------------------------------------------------------


def test_a_need_is_asked_for_once_with_positive_energy():
    """1.11: energyRequested positive is charging, the opposite of DER; 20 kWh at 7 kW take 10286 s. 1.9: our PEN."""
    world, _ = flow_world()
    world.run(3000)
    (asked,) = requests(world)
    assert asked.energy_requested == SignedRealEnergy(multiplier=0, value=20_000)
    assert asked.power_requested == ActivePower(multiplier=0, value=7000)
    assert asked.duration_requested == 10_286
    assert (asked.interval_requested.start - T0, asked.interval_requested.duration) == (1000, 29_000)
    assert asked.request_status.request_status is RequestState.REQUESTED
    assert int(asked.mrid[-8:], 16) == PEN
    assert [one.status for one in world.of(Told) if one.kind == "flow_reservation"] == [201]


@given(st.integers(1, 2**40), st.integers(1, 10_000_000), st.integers(1, 2**31))
def test_power_never_grows_on_the_wire_and_a_duration_is_told_only_where_it_fits(energy, power, window):
    """Int16 with the smallest multiplier, toward zero; durationRequested is a UInt16 of seconds (1.11)."""
    found = request_of(Asking("AB", T0, ChargingNeed(energy, power, T0, T0 + window)), Survey())
    told = found.power_requested.value * 10**found.power_requested.multiplier
    assert 0 <= power - told < 10**found.power_requested.multiplier
    seconds = found.duration_requested
    if seconds is None:
        assert energy * 3600 > min(65_535, window) * power
    else:
        assert (seconds - 1) * power < energy * 3600 <= seconds * power
        assert seconds <= min(65_535, window)


def test_times_are_those_of_the_servers_clock():
    """1.2: what is told to a server is told in its time."""
    survey = Survey(clock=ClockRead("/tm", 100, 7))
    found = request_of(Asking("AB", T0, NEED, cancelled_at=T0 + 7), survey)
    assert (found.creation_time, found.interval_requested.start) == (T0 + 100, T0 + 1100)
    assert found.request_status.date_time == T0 + 107


@pytest.mark.parametrize("need", [(0, 7, 1, 2), (5, 0, 1, 2), (5, 7, 2, 2), (5, 7, 3, 2), (5, -7, 1, 2)])
def test_a_need_that_is_none_is_refused(need):
    duty = FlowReservations(charger_config())
    with pytest.raises(MisuseError, match="charging need"):
        duty.need("charger", ChargingNeed(*need), T0)


def test_only_a_charger_reserves():
    duty = FlowReservations(charger_config(managed(1)))
    with pytest.raises(MisuseError, match="charger"):
        duty.need("der-1", NEED, T0)


def test_a_device_that_the_registration_refuses_asks_for_nothing_and_offers_nothing():
    """1.3: a PIN that differs, a disabled device: nothing goes on there."""
    settings = charger_config(pen=PEN)
    flow, shed = FlowReservations(settings, lambda _: False), LoadShed(settings, lambda _: False)
    threshold = ActivePower(multiplier=0, value=1)
    world = lay_sets(World(settings, (flow, shed)), availability_update_power_change_threshold=threshold)
    flow.need("charger", NEED, T0)
    shed.take(Measured("charger", T0, watts=-7000))
    world.begin().run(1000)
    assert world.server.posted == []


def test_a_lost_answer_makes_no_second_request():
    """The list is read before the same is asked again; the mRID is the same in any case."""
    world, _ = flow_world()

    def lost(request):
        if request.method is Method.POST:
            world.server.faults.pop(FRQ)
            taken = decode(request.body, world.settings.profile).resource
            show(world, FRQ, replace(taken, href=f"{FRQ}/9"))
            return Silence("peer_timeout")
        return None

    world.server.faults[FRQ] = lost
    world.run(1000)
    posts = [one for _, one in world.server.asked if one.method is Method.POST and one.href == FRQ]
    assert len(posts) == 1


def test_a_need_that_changed_cancels_the_one_before():
    """RequestStatus 1; the new one has an mRID of its own."""
    world, duty = flow_world()
    world.run(100)
    needs(world, duty, NEED)
    needs(world, duty, ChargingNeed(9_000, 7_000, T0 + 1000, T0 + 30_000))
    world.run(100)
    first, *later = requests(world)
    cancelled, fresh = sorted(later, key=lambda one: one.mrid != first.mrid)
    assert (cancelled.mrid, cancelled.request_status.request_status) == (first.mrid, RequestState.CANCELLED)
    assert fresh.mrid != first.mrid
    puts = [one.href for _, one in world.server.asked if one.method is Method.PUT]
    assert puts == [f"{FRQ}/1"]


def test_a_need_that_is_gone_is_taken_back_and_one_that_is_over_is_not():
    world, duty = flow_world()
    world.run(100)
    needs(world, duty, None)
    needs(world, duty, None)
    world.run(100)
    assert [one.request_status.request_status for one in requests(world)] == [0, 1]
    world, duty = flow_world()
    world.run(31_000)
    needs(world, duty, None)
    world.run(100)
    assert len(requests(world)) == 1


def test_a_refused_request_is_told_and_not_repeated():
    """1.1: do not repeat a request that drew 4xx unchanged."""
    world, _ = flow_world()
    world.server.faults[FRQ] = lambda request: Answer(400) if request.method is Method.POST else None
    world.run(5000)
    assert [one.status for one in world.of(Told)] == [400]


def test_a_restart_keeps_what_was_asked():
    world, duty = flow_world()
    world.run(100)
    again = FlowReservations(world.settings)
    other = World(world.settings, (again,), world.session.state_bytes(), 100.0)
    other.server.resources = world.server.resources
    other.begin()
    needs(other, again, NEED)
    other.run(1000)
    assert requests(other) == []
    (asked,) = requests(world)
    assert again.asked(LFDI, asked.mrid)
    with pytest.raises(WorldError):
        duty.load(b"broken")


# ---- what is granted ----------------------------------------------------------------------------------------------


def test_a_grant_limits_the_charger_for_its_time_and_is_answered_like_an_event():
    """1.11: FlowReservationResponse is an event; powerAvailable, 1 2 3."""
    world, _ = flow_world()
    world.run(10)
    (asked,) = requests(world)
    show(world, FRP, grant(5, asked.mrid, 2000, 600, 4000))
    world.run(1000)
    assert [limit_at(world, at) for at in (1999, 2000, 2599, 2600)] == [None, 4000, 4000, None]
    assert "not metered out" in translated(world).remarks[0].what
    world.run(3000)
    answers = [one for path, one in world.server.posted if path == "/rsp"]
    assert all(type(one) is FlowReservationResponseResponse for one in answers)
    assert world.responses == [(5, 1, LFDI), (5, 2, LFDI), (5, 3, LFDI)]


def test_a_grant_is_known_as_soon_as_the_request_was_taken():
    """The list of grants is read again at once, not when its time comes."""
    settings = charger_config(pen=PEN)
    duty = FlowReservations(settings)
    world = lay_sets(World(settings, (duty,)), poll=3600).begin().run(100)

    def granting(request):
        if request.method is Method.POST:
            asked = decode(request.body, settings.profile).resource
            show(world, FRP, grant(5, asked.mrid, 200, 600, 4000))

    world.server.faults[FRQ] = granting
    needs(world, duty, NEED)
    world.run(20)
    assert limit_at(world, 300) == 4000


def test_what_was_granted_to_a_request_of_nobody_is_ignored():
    """subject: the mRID of the request; another's grant is not ours to follow or to answer."""
    world, _ = flow_world()
    show(world, FRP, grant(5, "AB" * 16, 0, 600, 4000))
    world.run(500)
    assert limit_at(world, 100) is None
    assert world.responses == []


def test_a_grant_to_discharge_is_not_carried_and_is_answered_with_252():
    world, _ = flow_world()
    world.run(10)
    (asked,) = requests(world)
    show(world, FRP, grant(5, asked.mrid, 2000, 600, -4000))
    world.run(1000)
    assert limit_at(world, 2100) is None
    assert world.responses == [(5, 252, LFDI)]


def test_a_reservation_and_a_load_control_hold_together_and_the_tighter_one_bites():
    world, _ = flow_world()
    world.run(10)
    (asked,) = requests(world)
    show(world, FRP, grant(5, asked.mrid, 1000, 1000, 4000))
    show(world, "/dr/1/edc", load_control(1, 1500, 1000, 25))
    world.run(900)
    assert [limit_at(world, at) for at in (1400, 1600, 2100, 2600)] == [4000, 1850, 1850, None]


def test_a_cancelled_grant_ends():
    world, _ = flow_world()
    world.run(10)
    (asked,) = requests(world)
    show(world, FRP, grant(5, asked.mrid, 20, 9000, 4000))
    world.run(700)
    assert limit_at(world, 700) == 4000
    show(world, FRP, grant(5, asked.mrid, 20, 9000, 4000, event_status=status(EventState.CANCELLED)))
    world.run(700)
    assert limit_at(world, 1400) is None
    assert [code for _, code, _ in world.responses] == [1, 2, 6]


def test_against_our_server_a_charger_reserves_is_granted_and_takes_it_back():
    world, server = served(CSIP_2018, pen=PEN)
    duty = FlowReservations(world.settings)
    world = World(world.settings, (duty,))
    server.now = lambda: world.second
    world.server = server
    duty.need("charger", NEED, T0)
    world.begin().run(1200)
    assert [limit_at(world, at) for at in (999, 1100, 1000 + 10_285, 1000 + 10_286)] == [None, 7000, 7000, None]
    needs(world, duty, None)
    world.run(1200)
    assert limit_at(world, 2300) is None
    kinds = [(type(one).__name__, int(getattr(one, "status", None) or 0)) for _, one in server.posted]
    assert kinds == [
        ("FlowReservationRequest", 0),
        ("FlowReservationResponseResponse", 1),
        ("FlowReservationResponseResponse", 2),
        ("FlowReservationRequest", 0),
        ("FlowReservationResponseResponse", 6),
    ]
    assert server.valid == (5 if server.bench.validated else 0)


# ---- what could be shed -------------------------------------------------------------------------------------------


def shed_world(**thresholds) -> tuple[World, LoadShed]:
    duty = LoadShed(charger_config())
    world = lay_sets(World(charger_config(), (duty,)), **thresholds)
    return world.begin(), duty


def offers(world: World) -> list:
    return [one for path, one in world.server.posted if path.startswith(LSL)]


def test_a_programme_without_a_threshold_is_told_nothing():
    """DemandResponseProgram: not present or 0, then updates shall not be provided."""
    for thresholds in ({}, {"availability_update_power_change_threshold": ActivePower(multiplier=0, value=0)}):
        world, duty = shed_world(**thresholds)
        duty.take(Measured("charger", T0, watts=-7000))
        world.run(500)
        assert offers(world) == []


def test_what_is_absorbed_can_be_shed_and_is_told_again_when_it_moved_by_more_than_the_threshold():
    """LoadShedAvailability: watts of the present load; what a device injects is none."""
    world, duty = shed_world(availability_update_power_change_threshold=ActivePower(multiplier=2, value=5))
    for at, watts in ((0, -7000), (100, -6500), (200, -6400), (300, 900), (400, None)):
        duty.take(Measured("charger", T0 + at, watts=watts))
        world.run(100)
    told = [one.sheddable_power.value * 10**one.sheddable_power.multiplier for one in offers(world)]
    assert told == [7000, 6400, 0]
    assert {one.demand_response_program_link.href for one in offers(world)} == {"/dr/1"}
    methods = [request.method for _, request in world.server.asked if request.href.startswith(LSL)]
    assert methods == [Method.POST, Method.PUT, Method.PUT]


def test_a_percentage_is_told_once_for_it_is_all_of_the_load():
    world, duty = shed_world(availability_update_percent_change_threshold=100)
    for watts in (-7000, -100):
        duty.take(Measured("charger", T0, watts=watts))
        world.run(100)
    assert [(one.sheddable_percent, one.sheddable_power) for one in offers(world)] == [(10_000, None)]


def test_a_device_that_takes_no_limit_has_nothing_to_shed():
    unable = Managed("charger", LFDI, SFDI, DerType.EV_CHARGER, Ratings(0, 7400, modes=frozenset({"opModEnergize"})))
    settings = charger_config(unable)
    duty = LoadShed(settings)
    threshold = ActivePower(multiplier=0, value=1)
    world = lay_sets(World(settings, (duty,)), availability_update_power_change_threshold=threshold).begin()
    duty.take(Measured("charger", T0, watts=-7000))
    world.run(500)
    assert offers(world) == []


def test_what_was_told_outlives_a_restart():
    world, duty = shed_world(availability_update_power_change_threshold=ActivePower(multiplier=0, value=10))
    duty.take(Measured("charger", T0, watts=-7000))
    world.run(50)
    again = LoadShed(world.settings)
    other = World(world.settings, (again,), world.session.state_bytes(), 50.0)
    other.server.resources = world.server.resources
    other.begin()
    again.take(Measured("charger", T0 + 50, watts=-7005))
    other.run(500)
    assert offers(other) == []


# ---- on the wire --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", [CSIP_2018, CSIP_2023])
def test_every_document_of_these_sets_is_valid_by_the_published_schemas(profile):
    schema = schema_of(profile.name)
    control = load_control(1, 0, 10, offset=Offset(load_adjustment_percentage_offset=100))
    told = control_from(control, (Setting(*load_of(control)),))
    program = DemandResponseProgram(
        href="/dr/1", mrid="D1", primacy=1, availability_update_percent_change_threshold=5,
        availability_update_power_change_threshold=ActivePower(multiplier=0, value=5),
    )  # fmt: skip
    documents = [
        request_of(Asking("AB" * 16, T0, NEED), Survey()),
        request_of(Asking("AB" * 16, T0, NEED, cancelled_at=T0 + 5), Survey()),
        availability_of(7000, program),
    ]
    for status_said in ResponseStatus:
        owed = Owed(1, b"\x01" * 16, status_said, T0, "/rsp", ("drlc:load",), (LFDI,))
        for write in (load_response, flow_response, price_response, text_response):
            documents += [one for one in (write(owed, LFDI, told), write(owed, LFDI, None)) if one is not None]
    for document in documents:
        schema.assertValid(etree.fromstring(encode(document, profile)))
    assert len(documents) > 60
