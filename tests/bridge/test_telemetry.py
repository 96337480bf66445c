"""Rows of a report: only what was read, in the utility's sign, from samples in a real journal."""

from decimal import Decimal
from functools import partial

import pytest
from bridge_world import NOW, SITE_TEXT

from wattseal.bridge import journal, telemetry
from wattseal.bridge.journal import Sample
from wattseal.bridge.site.reader import read_site
from wattseal.certs.storage import Store
from wattseal.protocols.openadr20b.ven.happenings import ReportWanted
from wattseal.protocols.openadr20b.vocabulary import DataQuality

(UTILITY,) = read_site(SITE_TEXT).utilities


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "core.db", (journal.PART,)) as opened:
        yield opened


def sample(quantity, at, value, scale=0, quality="good", device="battery"):
    return Sample(device, quantity, at * 1000, value, scale, quality, f"{quantity}{at}".encode().ljust(32))


def rows(store, samples, *r_ids, granularity=60, begin=NOW, end=NOW + 120):
    store.commit_now(lambda db: journal.keep_samples(db, samples))
    wanted = ReportWanted("R", "telemetry_usage", r_ids, granularity, begin, end, last=False)
    return store.read_now(lambda db: telemetry.rows_for(wanted, UTILITY, partial(journal.samples_between, db)))


def values(told):
    return [(row.start - NOW, row.duration_seconds, row.value) for row in told.rows]


def test_demand_is_the_last_reading_in_the_interval_as_consumption(store):
    """OpenADR states demand; ours is injection, so the sign turns here."""
    samples = [
        sample("watts", NOW - 1, 9),
        sample("watts", NOW, 100),
        sample("watts", NOW + 59, -2500, -1),
        sample("watts", NOW + 60, 700),
    ]
    told = rows(store, samples, "b1_power")
    assert values(told) == [(0, 60, Decimal(250)), (60, 60, Decimal(-700))]
    assert told.readings == (samples[2].reading, samples[3].reading)


def test_no_reading_no_row(store):
    assert rows(store, [sample("watts", NOW + 60, 1)], "b1_power", "c1_power", "strange_power", "b1_what").rows != ()
    assert values(rows(store, [], "b1_power")) == [(60, 60, Decimal(-1))]


@pytest.mark.parametrize(
    ("quality", "said"),
    [("good", DataQuality.GOOD_NON_SPECIFIC), ("questionable", DataQuality.UNCERTAIN_NON_SPECIFIC)],
)
def test_quality_is_handed_on(store, quality, said):
    (row,) = rows(store, [sample("watts", NOW, 1, quality=quality)], "b1_power").rows
    assert row.quality is said


def counters(absorbed, injected, **fields):
    """Both counters at NOW, NOW + 60 and NOW + 120."""
    made = []
    for number, (taken, given) in enumerate(zip(absorbed, injected, strict=True)):
        at = NOW + 60 * number
        made += [] if taken is None else [sample("energy_absorbed_wh", at, taken, **fields)]
        made += [] if given is None else [sample("energy_injected_wh", at, given, **fields)]
    return made


def test_usage_is_the_difference_of_the_counters_net(store):
    told = rows(store, counters((1000, 1010, 1010), (500, 500, 507)), "b1_energy")
    assert values(told) == [(0, 60, Decimal(10)), (60, 60, Decimal(-7))]
    assert len(told.readings) == 6


def test_usage_of_a_device_with_one_counter(store):
    assert values(rows(store, counters((1, 5, 9), (None, None, None)), "b1_energy")) == [
        (0, 60, Decimal(4)),
        (60, 60, Decimal(4)),
    ]


@pytest.mark.parametrize("missing", [0, 1])
def test_usage_with_half_a_counter_is_no_row(store, missing):
    """What was injected is not known, so neither is the net."""
    injected = [500, 500, 500]
    injected[missing] = None
    told = rows(store, counters((1, 5, 9), injected), "b1_energy", end=NOW + 60)
    assert told.rows == ()


def test_usage_of_doubtful_counters_is_no_row(store):
    assert rows(store, counters((1, 5, 9), (1, 5, 9), quality="bad"), "b1_energy").rows == ()


def test_usages_add_up_over_a_gap(store):
    """A gap loses no energy: the next row that can be told begins where the last one ended."""
    samples = [sample("energy_absorbed_wh", NOW + at, value) for at, value in ((0, 0), (55, 5), (130, 13), (240, 24))]
    told = rows(store, samples, "b1_energy", end=NOW + 240)
    assert sum(row.value for row in told.rows) == 24


def test_one_value_now(store):
    """Granularity 0: the newest reading of the last quarter hour."""
    samples = [sample("watts", NOW - 800, 1), sample("watts", NOW - 700, 2)]
    told = rows(store, samples, "b1_power", granularity=0, begin=NOW, end=NOW)
    assert values(told) == [(0, 0, Decimal(-2))]
    assert rows(store, samples, "b1_power", granularity=0, begin=NOW + 300, end=NOW + 300).rows == ()


def test_the_last_interval_may_be_short(store):
    told = rows(store, [sample("watts", NOW + 100, 5)], "b1_power", end=NOW + 110)
    assert values(told) == [(60, 50, Decimal(-5))]


def test_status_says_whether_it_was_heard(store):
    told = rows(store, [sample("watts", NOW + 70, 5)], "b1_status")
    assert [row.value.online for row in told.rows] == [False, True]
    assert len(told.readings) == 1


def test_what_is_offered_can_be_asked_for(store):
    offered = [point.r_id for offer in telemetry.offers_for(UTILITY) for point in offer.points]
    assert set(offered) == {f"{one}_{what}" for one in ("b1", "c1") for what in ("power", "energy", "status")}
    samples = [sample("watts", NOW, 1, device=name) for name in ("battery", "charger")]
    samples += [
        sample("energy_absorbed_wh", NOW + at, at, device=name) for name in ("battery", "charger") for at in (0, 60)
    ]
    told = rows(store, samples, *offered, end=NOW + 60)
    assert {row.r_id for row in told.rows} == set(offered)
