"""Alarms and the relay of a device: what the bits of its registers mean, and what of them is told."""

import pytest

from wattseal.drivers.device import UNREAD, Quality, Quantity
from wattseal.drivers.operating import Alarm
from wattseal.drivers.profiles.picture import Picture
from wattseal.drivers.profiles.standing import alarms_in, connected_in


def picture(**quantities: Quantity) -> Picture:
    return Picture(quantities=dict(quantities))


def good(value: int, register: str) -> Quantity:
    return Quantity(value, 0, Quality.GOOD, register)


@pytest.mark.parametrize(
    ("bit", "alarm"),
    [
        (8, Alarm.OVER_FREQUENCY),
        (9, Alarm.UNDER_FREQUENCY),
        (10, Alarm.OVER_VOLTAGE),
        (11, Alarm.UNDER_VOLTAGE),
        (7, Alarm(0)),  # over-temperature: no word stands for it
    ],
)
def test_bits_of_model_701(bit: int, alarm: Alarm) -> None:
    assert alarms_in(picture(alarms=good(1 << bit, "701.Alrm"))) == good(int(alarm), "701.Alrm")


def test_a_register_that_is_not_known_tells_nothing() -> None:
    """The same bits mean something else elsewhere."""
    assert alarms_in(picture(alarms=good(1 << 8, "103.Evt1"))) == UNREAD
    assert connected_in(picture(connection_state=good(1, "122.PVConn"))) == UNREAD


def test_what_was_not_read_well_is_not_told() -> None:
    doubtful = Quantity(1 << 8, 0, Quality.SUSPECT, "701.Alrm")
    assert alarms_in(picture(alarms=doubtful)) == alarms_in(picture()) == UNREAD
    assert connected_in(picture()) == connected_in(picture(connection_state=good(2, "701.ConnSt"))) == UNREAD


def test_the_relay() -> None:
    assert connected_in(picture(connection_state=good(0, "701.ConnSt"))) == good(0, "701.ConnSt")
