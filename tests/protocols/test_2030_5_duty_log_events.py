"""The duty of logging alarms: facts of the reference, 1.11; codes as CSIP pairs them."""

import pytest
from duties_world import NOW, OTHER_LFDI, carry, config, created, device_read, document, fleet, survey, texts, without
from hypothesis import given
from hypothesis import strategies as st

from wattseal.protocols.ieee2030_5.client.duties.log_events import (
    MOST_WAITING,
    PER_MINUTE,
    LogEvents,
    Waiting,
    code_of,
    details_of,
)
from wattseal.protocols.ieee2030_5.client.exchange import Answer
from wattseal.protocols.ieee2030_5.client.measured import Measured
from wattseal.protocols.ieee2030_5.vocabulary import Alarm

HERE = survey(device_read())


def alarms(bits: int | None, at: int = NOW, device: str = "battery") -> Measured:
    return Measured(device, at, alarms=bits)


def codes(duty: LogEvents) -> list[int]:
    return [one.code for one in duty._log("battery").waiting]


@pytest.mark.parametrize(
    ("alarm", "comes", "goes"),
    [
        (Alarm.OVER_CURRENT, 0, 1),
        (Alarm.OVER_VOLTAGE, 2, 3),
        (Alarm.UNDER_VOLTAGE, 4, 5),
        (Alarm.OVER_FREQUENCY, 6, 7),
        (Alarm.UNDER_FREQUENCY, 8, 9),
        (Alarm.VOLTAGE_IMBALANCE, 10, 11),
        (Alarm.CURRENT_IMBALANCE, 12, 13),
        (Alarm.EMERGENCY_LOCAL, 14, 15),
        (Alarm.EMERGENCY_REMOTE, 16, 17),
        (Alarm.LOW_POWER_INPUT, 18, 19),
        (Alarm.PHASE_ROTATION, 20, 21),
    ],
)
def test_codes_come_in_pairs(alarm: Alarm, comes: int, goes: int) -> None:
    """CSIP's table of DER alarms: the alarm and its return to normal, in the order of the bits."""
    assert (code_of(alarm, returned=False), code_of(alarm, returned=True)) == (comes, goes)


def test_a_log_event_is_what_a_peer_writes() -> None:
    """As py20305 0.16 was seen to write it: function set 11, PEN 40732, profile 2, code 0 for over-current."""
    duty = LogEvents(config())
    duty.take(alarms(Alarm.OVER_CURRENT))
    (errand,) = duty.due(survey(device_read(), offset=9), NOW)
    assert (errand.request.method, errand.request.href) == ("POST", "/edev/1/log")
    for name, text in (
        ("functionSet", "11"),
        ("logEventCode", "0"),
        ("logEventID", "0"),
        ("logEventPEN", "40732"),
        ("profileID", "2"),
        ("createdDateTime", str(NOW + 9)),
    ):
        assert texts(errand, name) == [text]


def test_five_alarms_go_out_in_order_with_rising_numbers() -> None:
    """BASIC-027: five LogEvents, retrievable in the order of time."""
    duty = LogEvents(config())
    bits = 0
    for number, alarm in enumerate(list(Alarm)[:5]):
        bits |= alarm
        duty.take(alarms(bits, NOW + number))
    errands, happenings = carry(duty, HERE, NOW + 9, created)
    assert [int(texts(one, "logEventCode")[0]) for one in errands] == [0, 2, 4, 6, 8]
    assert [int(texts(one, "logEventID")[0]) for one in errands] == [0, 1, 2, 3, 4]
    assert [int(texts(one, "createdDateTime")[0]) for one in errands] == [NOW + number for number in range(5)]
    assert [one.kind for one in happenings] == ["log_event"] * 5


def test_one_event_of_a_device_is_under_way_at_a_time() -> None:
    duty = LogEvents(config())
    duty.take(alarms(0b11))
    assert len(duty.due(HERE, NOW)) == 1
    assert duty.due(HERE, NOW) == duty.due(HERE, NOW)


def test_an_alarm_that_stays_is_told_once_and_its_end_once() -> None:
    duty = LogEvents(config())
    for bits in (0, 2, 2, None, 2, 0, 0):
        duty.take(alarms(bits))
    assert codes(duty) == [2, 3]


def test_no_alarm_is_told_twice_and_no_return_lost_over_a_restart() -> None:
    duty = LogEvents(config())
    duty.take(alarms(Alarm.OVER_VOLTAGE))
    carry(duty, HERE, NOW, created)
    again = LogEvents(config())
    again.load(duty.dump())
    again.take(alarms(Alarm.OVER_VOLTAGE, NOW + 5))
    assert again.due(HERE, NOW + 5) == ()
    again.take(alarms(0, NOW + 6))
    (errand,) = again.due(HERE, NOW + 6)
    assert texts(errand, "logEventCode") == ["3"]
    assert texts(errand, "logEventID") == ["1"]


def test_ten_a_minute_and_no_more() -> None:
    duty = LogEvents(config())
    for number in range(20):
        duty.take(alarms(number % 2, NOW))
    errands, _ = carry(duty, HERE, NOW, created)
    assert len(errands) == PER_MINUTE == 10
    assert duty.wake_at(NOW) == NOW + 60
    assert duty.due(HERE, NOW + 59) == ()
    assert len(carry(duty, HERE, NOW + 60, created)[0]) == 9


@given(st.lists(st.integers(0, 2**11 - 1), min_size=1, max_size=60))
def test_what_waits_is_bounded_in_order_and_ends_with_what_is_so(states: list[int]) -> None:
    """Whatever flaps: nothing beyond the bound, numbers rise, and the last event of each alarm is its present state."""
    duty = LogEvents(config())
    seen = 0
    for number, bits in enumerate(states):
        duty.take(alarms(bits, NOW + number))
        seen |= bits
    waiting = duty._log("battery").waiting
    assert len(waiting) <= MOST_WAITING
    assert [one.identifier for one in waiting] == sorted(one.identifier for one in waiting)
    for alarm in Alarm:
        of_it = [one for one in waiting if one.code // 2 == alarm.bit_length() - 1]
        assert bool(of_it) == bool(seen & alarm)
        assert not of_it or of_it[-1].code % 2 == int(not states[-1] & alarm)


def test_the_oldest_repetitions_go_first_and_the_next_of_their_code_says_so() -> None:
    duty = LogEvents(config())
    duty.take(alarms(Alarm.PHASE_ROTATION))
    for number in range(MOST_WAITING + 4):
        duty.take(alarms(Alarm.PHASE_ROTATION | (number + 1) % 2, NOW + number))
    waiting = duty._log("battery").waiting
    assert waiting[0].code == 20  # it may be on its way, and it is the only one of its kind
    assert sum(one.left_out for one in waiting) == MOST_WAITING + 5 - len(waiting)
    assert details_of(Waiting(0, 0, NOW, 3)) == "over current; 3 out"


@pytest.mark.parametrize("code", range(22))
def test_details_never_outgrow_their_octets(code: int) -> None:
    """String32."""
    assert len(details_of(Waiting(1, code, NOW, 10**9)).encode()) <= 32


def test_a_refused_event_is_told_and_gone() -> None:
    duty = LogEvents(config())
    duty.take(alarms(1))
    errands, happenings = carry(duty, HERE, NOW, lambda _: Answer(400))
    assert len(errands) == 1
    assert happenings[0].status == 400


def test_without_a_list_at_the_server_it_waits() -> None:
    duty = LogEvents(config())
    duty.take(alarms(1))
    assert duty.due(survey(without(device_read(), log_event_list_link=None)), NOW) == ()
    assert len(duty.due(HERE, NOW)) == 1


def test_each_device_has_its_own_log_and_strangers_none() -> None:
    duty = LogEvents(fleet())
    for device in ("battery", "charger", "", "stranger"):
        duty.take(alarms(1, device=device))
    errands = duty.due(survey(device_read(), device_read(OTHER_LFDI, 2)), NOW)
    assert [one.request.href for one in errands] == ["/edev/1/log", "/edev/2/log"]
    assert [document(one).log_event_id for one in errands] == [0, 0]


def test_numbers_are_sixteen_bits() -> None:
    """An UInt16: logEventID."""
    duty = LogEvents(config())
    duty._put("battery", duty._log("battery").__class__(0, 65_535, ()))
    duty.take(alarms(1))
    duty.take(alarms(0))
    assert [one.identifier for one in duty._log("battery").waiting] == [65_535, 0]


def test_an_order_that_is_not_carried_out_is_an_event_of_our_own_once():
    """XSD LogEvent: what IEEE 2030.5 has no code for is vendor defined (profileID 1), under our enterprise number."""
    duty = LogEvents(config())
    assert duty.put_refused("battery", {"power": True, "energize": False}, NOW)
    assert not duty.put_refused("battery", {"power": True}, NOW + 1)
    assert not duty.put_refused("battery", {}, NOW + 2)
    assert duty.put_refused("battery", {"power": False}, NOW + 3)
    carried, _ = carry(duty, HERE, NOW + 4, created)
    told = [document(one) for one in carried]
    assert [(one.log_event_code, one.details) for one in told] == [(2, "power refused"), (3, "power no longer refused")]
    assert {(one.profile_id, one.log_event_pen, one.function_set) for one in told} == {(1, config().pen, 11)}


def test_what_is_refused_is_known_after_a_restart():
    duty = LogEvents(config())
    duty.put_refused("battery", {"power": True}, NOW)
    later = LogEvents(config())
    later.load(duty.dump())
    assert not later.put_refused("battery", {"power": True}, NOW + 1)
    assert later.put_refused("battery", {"power": False}, NOW + 2)


def test_a_fault_and_an_alarm_are_told_beside_each_other():
    """The codes of IEEE 2030.5 keep their own profile and number."""
    duty = LogEvents(config())
    duty.take(Measured("battery", NOW, alarms=int(Alarm.OVER_VOLTAGE), fault=True))
    duty.take(Measured("battery", NOW + 1, alarms=0, fault=False))
    carried, _ = carry(duty, HERE, NOW + 2, created)
    told = [(one.profile_id, one.log_event_code) for one in map(document, carried)]
    assert told == [(2, 2), (1, 0), (2, 3), (1, 1)]


@pytest.mark.parametrize("function", ["hv_momentary_cessation", "power_factor_absorb", "power"])
@pytest.mark.parametrize("words", ["refused", "no longer refused"])
def test_the_words_of_our_own_events_fit(function, words):
    """The details are a String32."""
    assert len(details_of(Waiting(0, 2, NOW, 5000, f"{function} {words}")).encode()) <= 32
