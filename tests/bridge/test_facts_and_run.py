"""Facts as bytes, and one run made of them: who needs an order, what policy is asked, which numbers are given."""

import contextlib
from dataclasses import replace

import pytest
from bridge_world import EPOCH, NOW, SITE_TEXT, course, grid_event, timed
from hypothesis import given, settings
from hypothesis import strategies as st

from wattseal.bridge.authorise import decide, question, raises_power
from wattseal.bridge.facts import EventFact, Facts, FactsError, LiveOrder, Standing, order_digest
from wattseal.bridge.making import default_policy, sections_of
from wattseal.bridge.plan import Desired, DevicePicture
from wattseal.bridge.run import REVERT_GRACE_SECONDS, is_due, run_plan
from wattseal.bridge.site.reader import read_site
from wattseal.bridge.timeline import ActiveWish
from wattseal.certs import cbor
from wattseal.certs.clock import ClockQuality
from wattseal.certs.errors import PeerError
from wattseal.certs.policy import Policy
from wattseal.certs.statement import digest
from wattseal.drivers.commands import Command, Operation, Order
from wattseal.drivers.manifest_sections import policy_entities
from wattseal.protocols.wish import AbsorbLimit, InjectLimit, Setpoint

SITE = read_site(SITE_TEXT)
SECTIONS = sections_of(SITE)
POLICY = Policy(default_policy(), policy_entities(SECTIONS.enrolments, SECTIONS.inventory))
BYTES32 = st.binary(min_size=32, max_size=32)
WHOLE = st.integers(-(2**40), 2**40)

EVENT_FACTS = st.builds(EventFact, BYTES32, st.integers(0, 3600), st.none() | WHOLE)
PICTURES = st.builds(DevicePicture, st.text(max_size=9), st.none() | BYTES32, st.none() | WHOLE, st.booleans())
LIVES = st.builds(
    LiveOrder,
    st.text(max_size=9),
    st.none() | BYTES32,
    BYTES32,
    st.sampled_from(Standing),
    st.booleans(),
    st.none() | WHOLE,
    st.sampled_from(Operation),
    WHOLE,
)
FACTS = st.builds(
    Facts,
    WHOLE,
    st.sampled_from(ClockQuality),
    st.booleans(),
    BYTES32,
    BYTES32,
    st.lists(EVENT_FACTS, max_size=4).map(tuple),
    st.lists(PICTURES, max_size=4).map(tuple),
    st.lists(LIVES, max_size=4).map(tuple),
    st.none() | st.binary(min_size=16, max_size=16),
    st.integers(0, 2**40),
    st.integers(10, 900),
    st.text(max_size=9),
)


@given(FACTS)
@settings(max_examples=100, deadline=None)
def test_facts_there_and_back(facts):
    encoded = facts.encode()
    assert Facts.decode(encoded) == facts
    assert Facts.decode(encoded).encode() == encoded


@given(FACTS, st.integers(1, 13), st.sampled_from([None, -1, "x", b"x", (), (1,), ((1, 2, 3),), True, "trusted"]))
@settings(max_examples=200, deadline=None)
def test_facts_laid_out_otherwise_are_refused(facts, key, value):
    """Whatever stands in a field: facts, or a peer's error, and never other facts from the same bytes."""
    body = dict(cbor.decode(facts.encode()))
    body[key] = value
    encoded = cbor.encode(body)
    with contextlib.suppress(PeerError):
        assert Facts.decode(encoded).encode() == encoded


def facts_with(*live, events=(), epoch=EPOCH, low=False, clock=ClockQuality.TRUSTED, now=NOW, first=1):
    return Facts(
        now=now,
        clock=clock,
        storage_low=low,
        site=digest(SITE.text),
        policy=POLICY.digest,
        events=tuple(EventFact(one.intent, one.start_draw_seconds, one.cut_at) for one in events),
        devices=tuple(DevicePicture(device.name, None, 500, reachable=True) for device in SITE.devices),
        live=live,
        epoch=epoch,
        first_sequence=first,
        lease_seconds=300,
    )


def an_order(operation=Operation.SET_POWER, watts=1000, device="battery", hold=600):
    return Order(device, operation, watts, NOW, hold, (Operation.RELEASE, 0), 50, bytes(32))


def wanted(order, source=None):
    return Desired(order.device, order, source, ())


def live(order, standing, *, fresh=False, command=b"c" * 32, asked=None):
    window_end = order.not_before + order.hold_seconds if order.hold_seconds else None
    name = order_digest((asked or order).encode())
    return LiveOrder(order.device, command, name, standing, fresh, window_end, order.operation, order.value)


ORDER, OTHER = an_order(), an_order(watts=2000)
OUT = an_order(Operation.RELEASE, 0, hold=0)
C, D, R, O = Standing.COMMANDED, Standing.DENIED, Standing.REFUSED, Standing.OVER  # noqa: E741 - the table's columns


@pytest.mark.parametrize(
    ("last", "same", "another", "release"),
    [
        (None, None, True, False),
        (live(ORDER, C), False, True, True),
        (live(ORDER, D, command=None), False, True, False),
        (live(ORDER, R), False, True, True),
        (live(ORDER, O), True, True, False),
        (live(ORDER, C, fresh=True), True, True, True),
        (live(ORDER, D, fresh=True), True, True, True),
        (live(ORDER, R, fresh=True), True, True, True),
        (live(ORDER, O, fresh=True), True, True, True),
        (live(OUT, C), None, True, False),
        (live(OUT, C, fresh=True), None, True, True),
        (live(OUT, R), None, True, False),
        (live(OUT, O), None, True, False),
    ],
)
def test_who_needs_an_order(last, same, another, release):
    facts = facts_with(*(() if last is None else (last,)))
    if same is not None:
        assert is_due(wanted(ORDER), facts) is same
    assert is_due(wanted(OTHER), facts) is another
    assert is_due(wanted(OUT), facts) is release


def test_a_denied_order_leaves_the_one_that_stands_and_is_asked_once():
    """OTHER was denied while ORDER stood: OTHER is not asked again, back to ORDER or out is."""
    facts = facts_with(live(ORDER, D, asked=OTHER))
    assert [is_due(wanted(order), facts) for order in (OTHER, ORDER, OUT)] == [False, True, True]


@pytest.mark.parametrize("standing", [C, R])
@pytest.mark.parametrize(
    ("after_end", "due"),
    [(-1, True), (0, False), (REVERT_GRACE_SECONDS - 1, False), (REVERT_GRACE_SECONDS, True)],
)
def test_the_gateway_has_a_while_to_revert_by_itself(standing, after_end, due):
    """At the window's end it reverts; only if it says nothing does the core order a release."""
    assert is_due(wanted(OUT), facts_with(live(ORDER, standing), now=NOW + 600 + after_end)) is due


@pytest.mark.parametrize(("before_end", "due"), [(600, True), (16, True), (15, False), (0, False), (-1, False)])
def test_a_lost_lease_is_given_again_but_not_at_the_very_end(before_end, due):
    """docs/architecture.md: level-based, so a restart or a lost message heals."""
    assert is_due(wanted(ORDER), facts_with(live(ORDER, O), now=NOW + 600 - before_end)) is due


SET, INJECT, ABSORB, RELEASE = Operation.SET_POWER, Operation.LIMIT_INJECT, Operation.LIMIT_ABSORB, Operation.RELEASE


@pytest.mark.parametrize(
    ("standing", "last", "order", "raises"),
    [
        (None, None, (SET, 0), False),
        (None, None, (SET, -1), True),
        (None, None, (INJECT, 9000), False),  # a limit where there was none
        (C, (SET, 1000), (SET, 1000), False),
        (C, (SET, 1000), (SET, -1000), False),
        (C, (SET, 1000), (SET, 1001), True),
        (C, (SET, -1000), (SET, 1001), True),
        (C, (SET, 1000), (RELEASE, 0), False),
        (C, (INJECT, 1000), (INJECT, 999), False),
        (C, (INJECT, 1000), (INJECT, 1001), True),
        (C, (ABSORB, 0), (ABSORB, 1), True),
        (C, (SET, 0), (INJECT, 4000), True),  # another kind of order lets go of the first
        (C, (INJECT, 0), (SET, 1), True),
        (C, (RELEASE, 0), (INJECT, 4000), False),
        (C, (RELEASE, 0), (SET, 1), True),
        (D, (SET, 3000), (SET, 3000), False),  # ... as the command that stands
        (D, (SET, 1000), (SET, 2999), True),
        (R, (SET, 3000), (SET, 2999), True),  # never stood
        (O, (SET, 3000), (SET, 2999), True),  # stands no more
        (R, (INJECT, 100), (INJECT, 200), False),
        (O, (INJECT, 100), (INJECT, 200), False),
    ],
)
def test_what_raises_power(standing, last, order, raises):
    before = () if standing is None else (live(an_order(*last), standing, asked=OTHER if standing is D else None),)
    assert raises_power(wanted(an_order(*order)), facts_with(*before)) is raises


def test_a_denied_order_that_nothing_stood_under_is_no_measure():
    before = live(an_order(SET, 3000), D, command=None)
    assert raises_power(wanted(an_order(SET, 2999)), facts_with(before))


# --- policy


def source(utility="north", programme="dispatch", *, test=False):
    event = grid_event(course(Setpoint(1000), "battery"))
    event = replace(event, test=test, origin=replace(event.origin, utility=utility, programme=programme))
    return ActiveWish(timed(event), event.courses[0], Setpoint(1000), NOW, NOW + 3600)


ENROLLED = "enrolled-utility-may-order"


@pytest.mark.parametrize(
    ("order", "asked_by", "circumstances", "expected"),
    [
        (an_order(), source(), {}, (True, (ENROLLED,))),
        (an_order(watts=-7400), source(), {}, (True, (ENROLLED,))),
        (an_order(watts=7401), source(), {}, (False, ())),  # ceiling
        (an_order(watts=-7401), source(), {}, (False, ())),
        (an_order(device="neighbour"), source(), {}, (False, ())),
        (an_order(), source(programme="other"), {}, (False, ())),
        (an_order(), source(utility="nobody"), {}, (False, ("evaluation-error",))),
        (an_order(), source(test=True), {}, (False, ("test-event-moves-nothing",))),
        (an_order(), source(), {"clock": ClockQuality.UNTRUSTED}, (False, ("clock-untrusted-only-release",))),
        (an_order(), source(), {"clock": ClockQuality.HOLDOVER}, (True, (ENROLLED,))),
        (an_order(), source(), {"low": True}, (False, ("storage-low-no-raise",))),
        (an_order(INJECT, 1000), source(), {"low": True}, (True, (ENROLLED,))),
        (OUT, None, {}, (True, ("site-may-release",))),
        (OUT, None, {"low": True, "clock": ClockQuality.UNTRUSTED}, (True, ("site-may-release",))),
        (an_order(watts=0), None, {}, (False, ())),
    ],
)
def test_the_default_policy(order, asked_by, circumstances, expected):
    facts = facts_with(**circumstances)
    desired = wanted(order, asked_by)
    decision = decide(question(desired, facts, SITE.name), desired, POLICY)
    assert (decision.allowed, decision.policy_ids) == expected
    assert (decision.order, decision.policy_digest) == (order.encode(), POLICY.digest)


@pytest.mark.parametrize("lab", [True, False])
def test_a_virtual_clock_is_worth_something_in_a_lab_alone(lab):
    desired = wanted(an_order(), source())
    facts = facts_with(clock=ClockQuality.VIRTUAL)
    assert facts == Facts.decode(facts.encode())
    decision = decide(question(desired, facts, SITE.name, lab=lab), desired, POLICY)
    assert decision.allowed is lab
    assert decision.policy_ids == ((ENROLLED,) if lab else ("clock-untrusted-only-release",))


def test_an_operation_that_the_utility_is_not_enrolled_for():
    site = read_site(SITE_TEXT.replace(b'["set_power", "limit_inject", "limit_absorb"]', b'["limit_inject"]'))
    sections = sections_of(site)
    policy = Policy(default_policy(), policy_entities(sections.enrolments, sections.inventory))
    desired = wanted(an_order(), source())
    assert not decide(question(desired, facts_with(), site.name), desired, policy).allowed


# --- the run

WISH = st.one_of(
    st.integers(-9000, 9000).map(Setpoint), st.integers(0, 9000).map(InjectLimit), st.integers(0, 9000).map(AbsorbLimit)
)


@st.composite
def runs(draw):
    made = [
        timed(
            grid_event(
                course(draw(WISH), *draw(st.sampled_from([(), ("battery",), ("charger",)]))),
                event_id=f"E{number}",
                utility=draw(st.sampled_from(["north", "nobody"])),
            )
        )
        for number in range(draw(st.integers(0, 3)))
    ]
    lives = [
        live(
            an_order(draw(st.sampled_from(Operation)), 0, name),
            draw(st.sampled_from(Standing)),
            fresh=draw(st.booleans()),
        )
        for name in ("battery", "charger")
        if draw(st.booleans())
    ]
    epoch = draw(st.sampled_from([EPOCH, EPOCH, None]))
    facts = facts_with(*lives, events=made, epoch=epoch, low=draw(st.booleans()), first=draw(st.integers(1, 900)))
    return facts, {one.intent: one.event for one in made}


@given(runs())
@settings(max_examples=150, deadline=None)
def test_equal_facts_give_equal_bytes_and_numbers_without_holes(made):
    """From the facts as they were sealed, as a replay does it."""
    facts, events = made
    run, again = run_plan(facts, events, SITE, POLICY), run_plan(Facts.decode(facts.encode()), events, SITE, POLICY)
    assert run == again
    assert [turn.decision.encode() for turn in run.turns] == [turn.decision.encode() for turn in again.turns]
    assert {turn.desired.device for turn in run.turns} == {one.device for one in run.plan if is_due(one, facts)}
    for turn in run.turns:
        assert (turn.command is not None) == (turn.decision.allowed and facts.epoch is not None)
    commands = [turn.command for turn in run.turns if turn.command is not None]
    assert [command.sequence for command in commands] == list(
        range(facts.first_sequence, facts.first_sequence + len(commands))
    )
    for turn in run.turns:
        if turn.command is not None:
            assert turn.command.order == turn.decision.order == turn.desired.order.encode()
            assert Command.decode(turn.command.encode()) == turn.command


@pytest.mark.parametrize(
    ("before", "expected"),
    [((), None), ((live(ORDER, C),), b"c" * 32), ((live(ORDER, R),), None), ((live(ORDER, O),), None)],
)
def test_a_command_names_what_it_supersedes(before, expected):
    one = timed(grid_event(course(Setpoint(700), "battery")))
    (turn,) = run_plan(facts_with(*before, events=[one]), {one.intent: one.event}, SITE, POLICY).turns
    assert turn.command.supersedes == expected


def test_an_intent_that_is_not_at_hand():
    one = timed(grid_event(course(Setpoint(700))))
    with pytest.raises(FactsError, match="not at hand"):
        run_plan(facts_with(events=[one]), {}, SITE, POLICY)
