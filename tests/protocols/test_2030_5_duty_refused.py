"""A server with another PIN, a disabled and a deleted device: nothing goes on there (reference 1.3)."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from duties_world import NOW, OTHER_LFDI, carry, created, device_read, fleet, survey, texts, without

from wattseal.protocols.ieee2030_5.client.duties.der import DerReports
from wattseal.protocols.ieee2030_5.client.duties.information import Information
from wattseal.protocols.ieee2030_5.client.duties.log_events import LogEvents
from wattseal.protocols.ieee2030_5.client.duties.metering import Metering
from wattseal.protocols.ieee2030_5.client.duties.registration import Registration
from wattseal.protocols.ieee2030_5.client.duties.subscriptions import Subscriptions
from wattseal.protocols.ieee2030_5.client.duty import Errand
from wattseal.protocols.ieee2030_5.client.measured import Measured
from wattseal.protocols.ieee2030_5.client.survey import Survey
from wattseal.protocols.ieee2030_5.core_resources import Registration as Registered2030

SERVED = survey(device_read(), device_read(OTHER_LFDI, 2))
WRONG_PIN = survey(
    replace(device_read(), registration=Registered2030(date_time_registered=0, pin=123_455)),
    device_read(OTHER_LFDI, 2),
)
DISABLED = survey(without(device_read(), enabled=False), device_read(OTHER_LFDI, 2))
TAKERS: tuple[Callable[..., DerReports | Information | LogEvents | Metering], ...] = (
    DerReports,
    Information,
    LogEvents,
    Metering,
)


def owed(make: Callable[..., DerReports | Information | LogEvents | Metering], *seen: Survey) -> list[Errand]:
    """What a duty owes after the registration looked at each survey in turn, by the last of them."""
    ours = fleet()
    registration = Registration(ours)
    for one in seen:
        registration.due(one, NOW)
    duty = make(ours, registration.may_serve)
    for device in ("battery", "charger"):
        duty.take(Measured(device, NOW, watts=5, alarms=1, connected=True))
    return list(duty.due(seen[-1], NOW))


def about(errands: list[Errand]) -> set[str]:
    return {one.key[1].removeprefix("device:") for one in errands} - {"sum"}


@pytest.mark.parametrize("make", TAKERS)
def test_both_are_spoken_for_where_nothing_stands_against_it(
    make: Callable[..., DerReports | Information | LogEvents | Metering],
) -> None:
    assert about(owed(make, SERVED)) == {"battery", "charger"}


@pytest.mark.parametrize("make", TAKERS)
def test_a_server_with_another_pin_hears_nothing(
    make: Callable[..., DerReports | Information | LogEvents | Metering],
) -> None:
    """A public harness, ALL-03-REJ: stop talking to that server."""
    assert owed(make, WRONG_PIN) == []


@pytest.mark.parametrize("make", TAKERS)
def test_a_disabled_device_is_not_spoken_for_the_other_is(
    make: Callable[..., DerReports | Information | LogEvents | Metering],
) -> None:
    assert about(owed(make, DISABLED)) == {"charger"}


@pytest.mark.parametrize("make", TAKERS)
def test_a_deleted_device_is_not_spoken_for_any_more(
    make: Callable[..., DerReports | Information | LogEvents | Metering],
) -> None:
    """MAINT-001."""
    assert about(owed(make, SERVED, survey(device_read(OTHER_LFDI, 2)))) == {"charger"}


def test_nothing_is_subscribed_to_at_a_server_with_another_pin() -> None:
    ours = fleet(notification_uri="https://bridge.example/n")
    for seen, some in ((SERVED, True), (WRONG_PIN, False)):
        registration = Registration(ours)
        registration.due(seen, NOW)
        errands = Subscriptions(ours, registration.may_serve).due(seen, NOW)
        assert bool(errands) == some
        assert not some or texts(errands[0], "subscribedResource") == ["/edev"]


def test_a_sum_is_that_of_the_devices_that_are_served() -> None:
    ours = fleet()
    registration = Registration(ours)
    registration.due(DISABLED, NOW)
    duty = Metering(ours, registration.may_serve)
    for device, watts in (("battery", 1000), ("charger", -300)):
        duty.take(Measured(device, NOW, watts=watts))
    errands, _ = carry(duty, DISABLED, NOW + 600, created)
    values = {one.key[1]: texts(one, "value") for one in errands if len(one.key) == 4}
    assert values == {"sum": ["-300"], "device:charger": ["-300"]}
