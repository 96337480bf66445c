"""The duty of mirror metering: facts of the reference, 1.9; integer averages against rational ones."""

import hashlib
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from duties_world import (
    AGGREGATOR_LFDI,
    LFDI,
    NOW,
    PEN,
    SEED,
    carry,
    config,
    created,
    device_read,
    document,
    fleet,
    managed,
    survey,
    texts,
)
from hypothesis import given
from hypothesis import strategies as st

from wattseal.protocols.ieee2030_5.client.duties.averages import Average, Collector, mean, total
from wattseal.protocols.ieee2030_5.client.duties.identifiers import evidence_mrid, mrid_of, notification_token
from wattseal.protocols.ieee2030_5.client.duties.metering import MOST_ROWS, RATE_READ_SECONDS, Metering
from wattseal.protocols.ieee2030_5.client.duty import Errand
from wattseal.protocols.ieee2030_5.client.exchange import Answer
from wattseal.protocols.ieee2030_5.client.measured import Measured
from wattseal.protocols.ieee2030_5.codec import encode
from wattseal.protocols.ieee2030_5.metering import MirrorUsagePoint
from wattseal.protocols.ieee2030_5.profiles import CSIP_2018, CSIPAUS_1_3, Profile
from wattseal.protocols.ieee2030_5.vocabulary import ServiceKind, UsagePointState

HERE = survey(device_read())
BEAT = NOW - NOW % 300
"""A beat of five minutes by the server's clock."""


def look(at: int, device: str = "battery", **values: Any) -> Measured:
    return Measured(device, at, evidence=hashlib.sha256(f"{device}{at}".encode()).digest(), **values)


def server(rate: int | None = None, profile: Profile = CSIPAUS_1_3) -> Any:
    """A server that takes everything and wants posts at `rate`."""

    def answer(errand: Errand) -> Answer:
        if errand.request.method == "GET":
            body = MirrorUsagePoint(
                mrid="0A",
                device_lfdi="0B",
                role_flags=0,
                post_rate=rate,
                service_category_kind=ServiceKind.ELECTRICITY,
                status=UsagePointState.ON,
            )
            return Answer(200, encode(body, profile))
        return created(errand)

    return answer


def posted(duty: Metering, now: int, rate: int | None = None) -> list[Errand]:
    return [one for one in carry(duty, HERE, now, server(rate))[0] if one.request.method == "POST"]


def readings(errands: list[Errand]) -> dict[str, list[tuple[int, int, int]]]:
    """Quantity to (start, duration, value) of each posted reading."""
    found: dict[str, list[tuple[int, int, int]]] = {}
    for one in errands:
        if len(one.key) == 4:
            (reading_set,) = document(one).mirror_reading_sets
            (reading,) = reading_set.readings
            period = reading.time_period
            assert period == reading_set.time_period
            found.setdefault(one.key[2], []).append((period.start, period.duration, reading.value))
    return found


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=50))
def test_the_integer_mean_is_the_rational_one_to_the_nearest_and_a_half_to_the_even(values: list[int]) -> None:
    assert mean(values) == round(Fraction(sum(values), len(values)))


@given(
    st.lists(st.tuples(st.text(max_size=6), st.text(max_size=6), st.text(max_size=6)), unique=True, max_size=60),
    st.integers(0, 2**32 - 1),
)
def test_mrids_are_128_bits_end_in_the_pen_and_never_meet(names: list[tuple[str, str, str]], pen: int) -> None:
    """mRIDType: the PEN in the low 32 bits, the rest unique (envoy #340: colliding mRIDs)."""
    made = [mrid_of(SEED, pen, *one) for one in names]
    assert len(set(made)) == len(names)
    assert all(len(one) == 32 and one == one.upper() and int(one[-8:], 16) == pen for one in made)
    assert made == [mrid_of(SEED, pen, *one) for one in names]


def test_names_that_run_together_are_still_different_objects() -> None:
    assert mrid_of(SEED, PEN, "ab", "c") != mrid_of(SEED, PEN, "a", "bc")
    assert mrid_of(SEED, PEN, "a") != mrid_of(SEED[::-1], PEN, "a")
    assert notification_token(SEED, 1) != notification_token(SEED, 2)


def test_the_evidence_can_be_computed_again_from_the_sealed_readings() -> None:
    """96 bits of SHA-256(mRID of the MirrorMeterReading, start in 8 bytes, digests in order), then the PEN."""
    digests = [hashlib.sha256(bytes([one])).digest() for one in range(3)]
    meter_reading = "AB" * 12 + "0000FADE"
    whole = hashlib.sha256(bytes.fromhex(meter_reading) + (1_795_800_000).to_bytes(8, "big") + b"".join(digests))
    expected = whole.hexdigest()[:24].upper() + f"{PEN:08X}"
    assert evidence_mrid(PEN, meter_reading, 1_795_800_000, digests) == expected


def test_a_point_is_posted_with_the_roles_of_csip_aus_and_the_types_of_what_was_measured() -> None:
    """Site 0003, device 0049; W 38, var 63, V 29, Hz 33; average 2, kind power 37; service 0, status 1."""
    duty = Metering(config(CSIPAUS_1_3))
    assert duty.due(HERE, NOW) == ()
    duty.take(look(NOW, "", watts=100, millivolts=230_000))
    duty.take(look(NOW, watts=100, vars=5, millivolts=230_000, millihertz=50_010, stored_watt_hours=4_000))
    site, device = duty.due(HERE, NOW)
    assert (site.request.method, site.request.href) == ("POST", "/mup")
    assert texts(site, "roleFlags") == ["0003"]
    assert texts(device, "roleFlags") == ["0049"]
    assert texts(site, "uom") == ["38", "29"]
    assert texts(device, "uom") == ["38", "63", "29", "33", "72"]
    assert texts(device, "dataQualifier") == ["2", "2", "2", "2", "0"]
    assert texts(device, "kind") == ["37", "37", "37", "37", "12"]
    assert texts(device, "powerOfTenMultiplier") == ["0", "0", "-3", "-3", "0"]
    assert texts(device, "deviceLFDI") == [LFDI.hex().upper()]
    assert texts(device, "serviceCategoryKind") == ["0"]
    assert texts(device, "status") == ["1"]
    mrids = texts(site, "mRID") + texts(device, "mRID")
    assert len(set(mrids)) == len(mrids) == 9
    assert all(one.endswith(f"{PEN:08X}") for one in mrids)


def test_stored_energy_belongs_to_csip_aus_1_3() -> None:
    duty = Metering(config(CSIP_2018))
    duty.take(look(NOW, stored_watt_hours=4_000))
    assert duty.due(HERE, NOW) == ()


def test_the_site_turns_the_sign_round_and_the_device_keeps_it() -> None:
    """GEN-01: site W negative is export; device W positive is generation. Inside, positive injects at both."""
    duty = Metering(config(CSIPAUS_1_3))
    for device in ("", "battery"):
        duty.take(look(BEAT, device, watts=1000, vars=-300))
        duty.take(look(BEAT + 299, device, watts=2001, vars=-300))
    errands = posted(duty, BEAT + 300)
    site = readings([one for one in errands if one.key[1] == "site"])
    assert site == {"W": [(BEAT, 300, -1500)], "var": [(BEAT, 300, 300)]}
    device_ = readings([one for one in errands if one.key[1] != "site"])
    assert device_ == {"W": [(BEAT, 300, 1500)], "var": [(BEAT, 300, -300)]}


def test_reading_types_are_sent_once_and_a_new_quantity_posts_the_point_again_under_the_same_mrid() -> None:
    duty = Metering(config())
    duty.take(look(BEAT, watts=1))
    (point, first) = posted(duty, BEAT + 300)
    assert texts(first, "uom") == []
    duty.take(look(BEAT + 300, watts=1, millihertz=50_000))
    again = posted(duty, BEAT + 600)
    assert texts(again[0], "uom") == ["38", "33"]
    assert texts(again[0], "mRID")[0] == texts(point, "mRID")[0]
    assert set(readings(again)) == {"W", "Hz"}


def test_the_rate_of_the_server_is_learned_and_followed() -> None:
    """GET the Location first to learn postRate; readings last as long as it says."""
    duty = Metering(config())
    start = NOW - NOW % 60
    duty.take(look(start, watts=5))
    posted(duty, start, rate=60)
    assert duty.wake_at(start) == start + 60
    assert readings(posted(duty, start + 60, rate=60)) == {"W": [(start, 60, 5)]}
    duty.take(look(start + 60, watts=7))
    posted(duty, start + RATE_READ_SECONDS, rate=30)
    duty.take(look(start + RATE_READ_SECONDS, watts=9))
    assert readings(posted(duty, start + RATE_READ_SECONDS + 30)) == {"W": [(start + RATE_READ_SECONDS, 30, 9)]}


def test_a_point_that_cannot_be_read_keeps_its_rate() -> None:
    duty = Metering(config())
    duty.take(look(BEAT, watts=5))
    for body in (b"<broken", b""):
        errands, _ = carry(
            duty, HERE, BEAT, lambda one, body=body: Answer(200, body) if not one.request.body else created(one)
        )
        assert errands or body == b""
    assert duty.wake_at(BEAT) == BEAT + 300


def test_periods_keep_to_the_clock_of_the_server() -> None:
    duty = Metering(config())
    offset = 40
    duty.take(look(BEAT, watts=5))
    (*_, reading) = [
        one for one in carry(duty, survey(device_read(), offset=offset), BEAT + 260, server())[0] if len(one.key) == 4
    ]
    period = document(reading).mirror_reading_sets[0].time_period
    assert (period.start + period.duration) % 300 == 0
    assert period.start == BEAT + offset


def test_the_first_period_begins_with_its_first_sample_and_so_does_one_after_a_gap() -> None:
    """A period is told as far as it was looked at; a duration is never zero."""
    duty = Metering(config())
    for at in (BEAT + 250, BEAT + 310, BEAT + 599, BEAT + 1000):
        duty.take(look(at, watts=10))
    assert readings(posted(duty, BEAT + 1200)) == {
        "W": [(BEAT + 250, 50, 10), (BEAT + 300, 300, 10), (BEAT + 1000, 200, 10)]
    }


def test_nothing_is_posted_for_a_period_in_which_nothing_was_measured() -> None:
    duty = Metering(config())
    duty.take(look(BEAT, watts=10))
    posted(duty, BEAT + 300)
    assert posted(duty, BEAT + 900) == []


def test_what_a_value_rests_on_is_in_the_mrid_of_its_set() -> None:
    duty = Metering(config())
    samples = [look(BEAT + 10, watts=1, vars=2), look(BEAT + 20, watts=3), look(BEAT + 30, vars=4)]
    for one in samples:
        duty.take(one)
    by_quantity = {one.key[2]: document(one) for one in posted(duty, BEAT + 300) if len(one.key) == 4}
    for quantity, used in (("W", samples[:2]), ("var", [samples[0], samples[2]])):
        reading = by_quantity[quantity]
        expected = evidence_mrid(PEN, reading.mrid, BEAT + 10, [one.evidence for one in used])
        assert reading.mirror_reading_sets[0].mrid == expected
    assert by_quantity["W"].mirror_reading_sets[0].mrid != by_quantity["var"].mirror_reading_sets[0].mrid


def test_stored_energy_is_a_value_of_its_own_second() -> None:
    """CSIP-AUS 1.3: stored Wh may have zero duration."""
    duty = Metering(config(CSIPAUS_1_3))
    duty.take(look(BEAT + 5, stored_watt_hours=4_000))
    duty.take(look(BEAT + 9, stored_watt_hours=4_001))
    assert readings(posted(duty, BEAT + 300)) == {"Wh stored": [(BEAT + 9, 0, 4_001)]}


def test_an_aggregator_sums_its_devices_only_where_it_measured_all_of_them() -> None:
    """BASIC-029: the aggregator posts the sum of its DERs; CSIP-AUS has devices only."""
    duty = Metering(fleet())
    for name, watts in (("battery", 1000), ("charger", -300)):
        duty.take(look(BEAT, name, watts=watts))
    duty.take(look(BEAT + 300, "battery", watts=1000))
    errands = posted(duty, BEAT + 600)
    (point,) = [one for one in errands if one.key[1:] == ("sum", "usage_point")]
    assert texts(point, "deviceLFDI") == [AGGREGATOR_LFDI.hex().upper()]
    assert readings([one for one in errands if one.key[1] == "sum"]) == {"W": [(BEAT, 300, 700)]}
    australian = Metering(fleet(CSIPAUS_1_3))
    australian.take(look(BEAT, watts=1))
    assert {one.key[1] for one in australian.due(HERE, BEAT)} == {"device:battery"}


def test_a_sum_needs_every_part_over_the_same_time() -> None:
    one = Average(0, 300, 5, (b"a",))
    assert total([one, replace(one, value=-7, evidence=(b"b",))]) == Average(0, 300, -2, (b"a", b"b"))
    assert total([one, None]) is None
    assert total([one, replace(one, start=10, seconds=290)]) is None
    assert total([]) is None


def test_after_a_restart_the_point_is_not_posted_again_and_what_waited_is() -> None:
    """Stable mRIDs, a durable Location: exactly once each."""
    duty = Metering(config())
    duty.take(look(BEAT, watts=10))
    posted(duty, BEAT)
    duty.due(HERE, BEAT + 300)
    again = Metering(config())
    again.load(duty.dump())
    assert readings(posted(again, BEAT + 301)) == {"W": [(BEAT, 300, 10)]}
    once_more = Metering(config())
    once_more.load(again.dump())
    assert posted(once_more, BEAT + 302) == []


def test_a_lost_state_posts_the_same_mrids() -> None:
    first, second = Metering(config()), Metering(config())
    for duty in (first, second):
        duty.take(look(BEAT, watts=10))
    assert first.due(HERE, BEAT) == second.due(HERE, BEAT)


def test_a_server_that_forgot_the_point_gets_it_again_and_then_the_reading() -> None:
    """404 at the Location: post the MirrorUsagePoint anew."""
    duty = Metering(config())
    duty.take(look(BEAT, watts=10))
    posted(duty, BEAT)
    later = BEAT + RATE_READ_SECONDS + 300
    duty.due(HERE, later)
    (reading,) = [one for one in duty.due(HERE, later) if len(one.key) == 4]
    duty.settled(reading, Answer(404), later)
    duty.settled(reading, Answer(404), later)
    errands = posted(duty, later)
    assert [one.key[2] for one in errands] == ["usage_point", "W"]


def test_a_server_that_forgets_at_once_is_left_alone_for_a_while() -> None:
    duty = Metering(config())
    duty.take(look(BEAT, watts=10))
    posted(duty, BEAT)
    (reading,) = [one for one in duty.due(HERE, BEAT + 300) if len(one.key) == 4]
    duty.settled(reading, Answer(404), BEAT + 300)
    assert duty.due(HERE, BEAT + 301) == ()
    assert duty.wake_at(BEAT + 301) == BEAT + 300 + RATE_READ_SECONDS
    assert duty.due(HERE, BEAT + 300 + RATE_READ_SECONDS)


def test_a_refused_reading_is_told_and_dropped_a_refused_point_rests() -> None:
    duty = Metering(config())
    duty.take(look(BEAT, watts=10))
    (point,) = duty.due(HERE, BEAT)
    (told,) = duty.settled(point, Answer(400), BEAT)
    assert (told.kind, told.status) == ("usage_point", 400)
    assert duty.due(HERE, BEAT + 1) == ()
    other = Metering(config())
    other.take(look(BEAT, watts=10))
    posted(other, BEAT)
    (reading,) = [one for one in other.due(HERE, BEAT + 300) if len(one.key) == 4]
    other.settled(reading, Answer(400), BEAT + 300)
    assert other.due(HERE, BEAT + 301) == ()


def test_what_waits_is_bounded() -> None:
    duty = Metering(config())
    for number in range(MOST_ROWS + 10):
        duty.take(look(BEAT + 300 * number, watts=number))
        duty.due(HERE, BEAT + 300 * (number + 1))
    rows = duty._state.rows["device:battery"]
    assert len(rows) == MOST_ROWS
    assert rows[0].start == BEAT + 300 * 10


@given(
    st.lists(st.tuples(st.integers(0, 4000), st.integers(-9999, 9999)), max_size=40),
    st.lists(st.tuples(st.integers(0, 5000), st.sampled_from((30, 60, 300))), max_size=12),
)
def test_windows_hold_every_sample_once_and_never_overlap(
    samples: list[tuple[int, int]], closes: list[tuple[int, int]]
) -> None:
    """Whatever the order of samples, closings and changes of rate."""
    collector, windows = Collector(), []
    for number, (at, watts) in enumerate(samples):
        collector.take(Measured("battery", at, watts=watts))
        if number < len(closes):
            windows += collector.close(closes[number][0], closes[number][1], 0)
    windows += collector.close(10**6, 300, 0)
    for window in windows:
        assert window.start < window.end
        assert all(window.start <= one.at < window.end for one in window.samples)
    for before, after in pairwise(windows):
        assert before.end <= after.start
    kept = [(one.at, one.watts) for window in windows for one in window.samples]
    assert all(kept.count(one) <= samples.count(one) for one in kept)
    if not closes:
        assert sorted(kept) == sorted(samples)


@pytest.mark.parametrize("name", ["battery", "x" * 80, "Wärme" * 9])
def test_any_name_makes_a_description_of_32_octets_at_most(name: str) -> None:
    duty = Metering(config(devices=(managed(name),)))
    duty.take(look(NOW, name, watts=1))
    (point,) = duty.due(HERE, NOW)
    assert len(texts(point, "description")[0].encode()) <= 32
