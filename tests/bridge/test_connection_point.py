"""The loop at the connection point, case by case. CSIP-AUS: opModExpLimW and opModImpLimW hold where the site connects.

Figures are worked by hand from the rules in the module's text: margin 50 W, band 100 W, 30 s to loosen, 15 s to settle.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from wattseal.bridge.connection_point import (
    BAND_WATTS,
    LOOSEN_SECONDS,
    MARGIN_WATTS,
    PROBE_WATTS,
    SETTLE_SECONDS,
    TEST_WATTS,
    Flow,
    Hold,
    Holding,
    Measured,
    Part,
    hold,
)
from wattseal.drivers.profiles.catalogue import CATALOGUE

T0 = 1_000_000


def battery(watts: int | None, at: int = T0, capacity: int = 5000, name: str = "battery") -> Part:
    return Part(name, capacity, None if watts is None else Measured(watts, at))


def export(
    meter: int | None, *parts: Part, limit: int = 1500, before: Hold | None = None, now: int = T0, at: int | None = None
) -> Holding:
    shown = None if meter is None else Measured(meter, now if at is None else at)
    return hold(Flow.EXPORT, limit, shown, parts, before, now)


def absorb(meter: int | None, *parts: Part, limit: int, before: Hold | None = None, now: int = T0) -> Holding:
    return hold(Flow.IMPORT, limit, None if meter is None else Measured(meter, now), parts, before, now)


def test_export_the_household_takes_first():
    """The house draws 3000 W, the battery gives 2000 W, the meter shows -1000 W: the battery may give 1500 + 3000."""
    found = export(-1000, battery(2000))
    assert found.limits == {"battery": 4450}
    assert found.notes == ()
    assert found.hold.background_watts == -3000


def test_import_leaves_what_the_household_draws():
    """Of 10 000 W, 3000 W go to the house while the car draws 7000 W: the car keeps 7000 W less the margin."""
    assert absorb(-10_000, Part("car", 22_000, Measured(-7000, T0)), limit=10_000).limits == {"car": 6950}


def test_parts_are_shared_by_capacity_and_lose_nothing():
    """1500 + 3000 - 50 = 4450 W among 5000, 3000 and 1000 W: 2472, 1483, 495 (quotas 2472.2, 1483.3, 494.4)."""
    parts = (
        battery(0, capacity=5000, name="a"),
        battery(0, capacity=3000, name="b"),
        battery(0, capacity=1000, name="c"),
    )
    found = export(-3000, *parts)
    assert sum(found.limits.values()) == 4450
    assert found.limits == {"a": 2472, "b": 1483, "c": 495}


def test_background_alone_breaks_the_limit_and_nobody_is_told_to_absorb():
    found = export(4000, battery(0))
    assert found.limits == {"battery": 0}
    assert found.notes == ("the export limit of 1500 W is broken by 2500 W without the devices; they are held at 0 W",)


def test_a_device_without_capacity_is_told_zero():
    assert export(0, battery(0, capacity=0), battery(0, name="b")).limits == {"battery": 0, "b": 1450}


def test_tightening_acts_at_once():
    """Once settled, the load falls from 3000 to 1000 W: the room goes from 4500 to 2500 W at the very next look."""
    first = export(-3000, battery(0)).hold
    found = export(3450, battery(4450, T0 + 20), before=first, now=T0 + 20)
    assert found.limits == {"battery": 2450}


def test_noise_below_the_margin_writes_nothing():
    first = export(-3000, battery(0))
    found = export(1495, battery(4450, T0 + 20), before=first.hold, now=T0 + 20)  # 45 W less load
    assert found.limits == first.limits


def test_loosening_gives_back_the_least_room_of_thirty_seconds():
    """The load rises to 4000 W, falls back to 3500 W once, and stays at 4000 W: 3500 W worth comes back, then 4000."""
    held = export(-3000, battery(0)).hold
    told = []
    for second, load in ((16, 4000), (20, 3500), (25, 4000), (29, 4000), (30, 4000), (50, 4000), (61, 4000)):
        now = T0 + second
        found = export(held.room_watts - load, battery(held.room_watts, now), before=held, now=now)
        held = found.hold
        told.append(held.room_watts)
    assert told == [4450, 4450, 4450, 4450, 4950, 4950, 5000]  # 5000 W is all the battery has


def test_less_than_the_band_is_not_worth_an_order():
    held = export(-3000, battery(0)).hold
    for second in range(16, 200):
        now = T0 + second
        held = export(4450 - 3090, battery(4450, now), before=held, now=now).hold
    assert held.room_watts == 4450


def test_readings_of_different_moments_prove_nothing_before_they_have_settled():
    """A battery on its way from 5000 to 4450 W, the meter read first: no load has gone, and nothing is ordered."""
    first = export(2000, battery(5000))
    assert first.limits == {"battery": 4450}
    found = export(2000, battery(4450, T0 + 3), before=first.hold, now=T0 + 3)
    assert found.limits == first.limits


def test_a_reading_from_before_the_change_is_no_answer_to_it():
    first = export(2000, battery(5000))
    found = export(9000, battery(4450, T0 + 3), before=first.hold, now=T0 + 3, at=T0)
    assert found.limits == first.limits


def test_a_tighter_limit_does_not_wait_for_a_reading():
    first = export(-1000, battery(0), limit=3000)
    assert first.limits == {"battery": 3950}
    assert export(-1000, battery(0), limit=500, before=first.hold).limits == {"battery": 1450}


def test_what_is_proved_tightens_even_while_settling():
    """Even if the battery still gave its old 5000 W, 5000 W at the meter leave no load at all: 1500 W."""
    first = export(2000, battery(5000))
    found = export(5000, battery(4450, T0 + 3), before=first.hold, now=T0 + 3)
    assert found.limits == {"battery": 1450}


def test_silent_meter_export_counts_on_no_load():
    first = export(-3000, battery(0))
    found = export(None, battery(4450, T0 + 60), before=first.hold, now=T0 + 60)
    assert found.limits == {"battery": 1450}
    assert found.notes == ("no word of the meter: export counts on no household load",)


def test_silent_meter_remembers_generation_that_is_not_ours():
    first = export(1000, battery(0))
    assert first.limits == {"battery": 450}
    assert export(None, battery(450), before=first.hold, now=T0 + 60).limits == {"battery": 450}
    assert export(None, battery(450), before=None, now=T0 + 60).limits == {"battery": 1450}


def test_silent_meter_import_keeps_the_last_load_or_draws_nothing():
    car = Part("car", 22_000, Measured(0, T0))
    first = absorb(-3000, car, limit=10_000)
    again = absorb(None, car, limit=10_000, before=first.hold, now=T0 + 60)
    assert again.limits == first.limits == {"car": 6950}
    assert again.notes == ("no word of the meter: import counts on the last known load of 3000 W",)
    never = absorb(None, car, limit=10_000)
    assert never.limits == {"car": 0}
    assert never.notes == ("no word of the meter, and no load known: devices may draw nothing",)


def test_a_device_that_tells_no_power_counts_as_household_and_keeps_its_share():
    found = export(-1000, battery(None), battery(0, name="b"))
    assert found.limits == {"b": 1225, "battery": 1225}
    assert found.notes == ("battery tells no power: it counts as household",)


def a_day(seconds: int, load: int, meter_shows: Callable[[int, int], int]) -> list[tuple[int, bool]]:
    """(true power at the connection, whether the meter is believed) by the second; the battery obeys at once."""
    held, watts, told = None, 5000, []
    for second in range(seconds):
        now = T0 + second
        found = export(meter_shows(second, watts - load), battery(watts, now), before=held, now=now)
        held, watts = found.hold, min(5000, found.limits["battery"])
        told.append((watts - load, held.believed))
    return told


def test_a_meter_of_the_wrong_sign_is_disbelieved():
    """3000 W of load seem to be 3000 W of export. What is too much ends with the probe, once and for all."""
    day = a_day(3600, 3000, lambda _, watts: -watts)
    assert not day[-1][1]
    assert all(watts <= 1500 for watts, _ in day[40:])


def test_a_meter_that_stands_still_is_disbelieved():
    """From the hundredth second on it shows -3000 W whatever happens. That asks for ever more, until it is tested."""
    day = a_day(3600, 3000, lambda second, watts: watts if second < 100 else -3000)
    assert not day[-1][1]
    assert sum(watts > 1500 for watts, _ in day) <= 40


def test_a_meter_that_moves_again_is_believed_again():
    day = a_day(3600, 3000, lambda second, watts: -watts if second < 600 else watts)
    assert not day[599][1]
    assert day[-1] == (1450, True)


def test_a_meter_that_a_household_belied_once_is_believed():
    """The load falls by 5000 W just as the battery is turned down: one test fails, the probe that follows does not."""
    held = replace(export(3000, battery(5000)).hold, doubts=0)  # 2000 W of load, room 3500 W
    found = export(6000, battery(3450, T0 + 20), before=held, now=T0 + 20)  # the roof gives 2550 W now
    assert (found.hold.doubts, found.hold.believed) == (1, True)
    assert found.limits == {"battery": 0}
    found = export(2550, battery(0, T0 + 40), before=found.hold, now=T0 + 40)
    assert found.hold.doubts == 0


def test_equal_inputs_give_equal_answers():
    parts = (battery(100, name="b"), battery(200, name="a"))
    assert export(-3000, *parts).limits == export(-3000, *reversed(parts)).limits


def test_settling_is_as_long_as_the_slowest_profile_says():
    slowest = max(command.tolerance.settle_seconds for profile in CATALOGUE for command in profile.commands)
    assert slowest <= SETTLE_SECONDS


def test_the_figures_in_the_document_are_the_codes():
    text = (Path(__file__).parents[2] / "docs" / "site-file.md").read_text()
    section = text.partition("## Limits at the connection point")[2].partition("\n## ")[0]
    for row in (
        f"| margin | {MARGIN_WATTS} W below",
        f"the least room of the last {LOOSEN_SECONDS} s, if it gives back {BAND_WATTS} W",
        f"| settling | {SETTLE_SECONDS} s after",
        f"{TEST_WATTS} W of movement; {PROBE_WATTS:,} W turned down",
    ):
        assert row in section
