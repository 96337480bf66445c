"""A charger's daily need: its window, over midnight, over a change of clocks; and how its mistakes are told."""

from datetime import UTC, datetime, time

import pytest
from bridge_world import SITE_TEXT

from wattseal.bridge.charging import need_at
from wattseal.bridge.site.mistakes import SiteFileError
from wattseal.bridge.site.model import Charging
from wattseal.bridge.site.reader import read_site

NIGHT = Charging(20_000, 7_000, time(18), time(7), "UTC")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("now", "since", "until"),
    [
        ("2026-11-27T12:00", "2026-11-27T18:00", "2026-11-28T07:00"),  # the coming night
        ("2026-11-27T23:00", "2026-11-27T18:00", "2026-11-28T07:00"),  # in it
        ("2026-11-28T06:59", "2026-11-27T18:00", "2026-11-28T07:00"),  # its last minute
        ("2026-11-28T07:00", "2026-11-28T18:00", "2026-11-29T07:00"),  # the next
    ],
)
def test_the_window_is_the_one_that_is_open_or_else_the_next(now, since, until):
    need = need_at(NIGHT, at(now))
    assert (need.since, need.until) == (at(since), at(until))
    assert (need.watt_hours, need.watts) == (20_000, 7_000)


def test_a_window_within_a_day():
    day = Charging(1, 1, time(9), time(17, 30), "UTC")
    need = need_at(day, at("2026-11-27T18:00"))
    assert (need.since, need.until) == (at("2026-11-28T09:00"), at("2026-11-28T17:30"))


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2026-10-03", 12), ("2026-04-04", 14)],  # Sydney loses an hour, and gains one, in the night that follows
)
def test_a_window_over_a_change_of_clocks_is_as_long_as_that_night(day, hours):
    """Australia/Sydney: from UTC+10 to +11 on 2026-10-04, back on 2026-04-05."""
    need = need_at(Charging(1, 1, time(18), time(7), "Australia/Sydney"), at(f"{day}T10:00"))
    assert need.until - need.since == hours * 3600


def test_the_need_stays_the_same_all_through_its_window():
    start = at("2026-11-27T07:00")
    assert len({need_at(NIGHT, start + minute * 60) for minute in range(24 * 60)}) == 1


def table(**changes: str) -> bytes:
    keys = {
        "energy_watt_hours": "20000", "power_watts": "7000", "plugged_from": '"18:00"', "ready_by": '"07:00"',
    } | changes  # fmt: skip
    lines = "\n".join(f"{key} = {value}" for key, value in keys.items() if value)
    head, found, tail = SITE_TEXT.partition(b"[[utility]]")
    return head + b"[device.charging]\n" + lines.encode() + b"\n" + found + tail


def test_the_table_is_read_from_the_site_file():
    device = read_site(table(time_zone='"Europe/Berlin"')).device("charger")
    assert device is not None
    assert device.charging == Charging(20_000, 7_000, time(18), time(7), "Europe/Berlin")
    assert read_site(SITE_TEXT).device("charger").charging is None


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"energy_watt_hours": "0"}, "energy_watt_hours"),
        ({"power_watts": "-7000"}, "power_watts"),
        ({"plugged_from": '"24:00"'}, "plugged_from"),
        ({"ready_by": '"7am"'}, "ready_by"),
        ({"ready_by": ""}, "ready_by"),
        ({"ready_by": '"18:00"'}, "ready_by"),
        ({"time_zone": '"Mars/Olympus"'}, "time_zone"),
        ({"time_zone": '"../../etc/passwd"'}, "time_zone"),
        ({"tariff": '"x"'}, "tariff"),
    ],
)
def test_mistakes_are_told_with_their_key(changes, key):
    with pytest.raises(SiteFileError) as caught:
        read_site(table(**changes))
    assert f"charging.{key}" in str(caught.value)
