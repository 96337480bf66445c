"""Sites and events for the plan, by hand and drawn: what its own tests and those of its explanations plan with."""

from dataclasses import replace

from bridge_world import NOW, SITE_TEXT, course, grid_event, timed
from hypothesis import strategies as st

from wattseal.bridge.site.model import Device, LevelAction, Site
from wattseal.bridge.site.reader import read_site
from wattseal.drivers.commands import Operation
from wattseal.drivers.manifest_sections import DeviceEnvelope, LinkKind
from wattseal.protocols.wish import AbsorbLimit, InjectLimit, Level, Setpoint

SET, INJECT, ABSORB, RELEASE = (
    Operation.SET_POWER,
    Operation.LIMIT_INJECT,
    Operation.LIMIT_ABSORB,
    Operation.RELEASE,
)
LEVELS = {1: LevelAction(SET, 0), 2: LevelAction(SET, 1500), 3: LevelAction(INJECT, 700)}


def battery(name, least=-5000, most=5000, levels=LEVELS):
    envelope = DeviceEnvelope(name, least, most, 0, 0, 0, 100, 950)
    return Device(name, "sunspec_battery", LinkKind.SIMULATOR, "tcp://h:1", 1, "", 10, 50, levels, envelope)


def charger(name="charger", least=-11000):
    envelope = DeviceEnvelope(name, least, 0, 0, 0, 0, 0, 1000)
    levels = {1: LevelAction(ABSORB, 7400)}
    return Device(name, "alfen_eve", LinkKind.SIMULATOR, "tcp://h:2", 1, "", 10, 250, levels, envelope)


def utility(name, *devices):
    """Enrolled for `devices`, or for all."""
    resources = {f"r-{device}": device for device in devices}
    return replace(read_site(SITE_TEXT).utilities[0], name=name, resources=resources)


UTILITIES = tuple(utility(name) for name in ("north", "other", "u", "v", "z"))


def site(*devices, inject=100_000, absorb=100_000, utilities=UTILITIES):
    return Site("s", True, inject, absorb, 300, devices, utilities, b"")


TWO = site(battery("a"), battery("b"))
THREE = site(battery("a"), battery("b"), charger())


def one(*courses, **fields):
    return timed(grid_event(*courses, **fields))


WATTS = st.integers(-12_000, 12_000)
LIMIT = st.one_of(st.integers(0, 9000).map(InjectLimit), st.integers(0, 9000).map(AbsorbLimit))
WISH = st.one_of(WATTS.map(Setpoint), LIMIT, st.integers(0, 3).map(Level))
TARGET = st.sampled_from([(), ("a",), ("b",), ("charger",), ("a", "charger"), ("a", "b", "charger")])
NARROW = site(battery("a", -4000, 3000), battery("b"), charger(), inject=4500, absorb=6000)


@st.composite
def worlds(draw, wishes=WISH):
    count = draw(st.integers(0, 4))
    return [
        one(
            course(draw(wishes), *draw(TARGET)),
            event_id=f"E{number}",
            utility=draw(st.sampled_from(["u", "v"])),
            priority=draw(st.sampled_from([None, 1, 2])),
            start=NOW - draw(st.integers(0, 5)),
        )
        for number in range(count)
    ]
