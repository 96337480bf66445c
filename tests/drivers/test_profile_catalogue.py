"""Every profile in the catalogue: complete, consistent with itself, safe in its order, and bound by its digest."""

from dataclasses import fields, is_dataclass, replace
from enum import Enum

import pytest

from wattseal.certs import cbor
from wattseal.certs.errors import MisuseError
from wattseal.drivers.device import Capabilities, DeviceState, Identity, Layout, ModelPlace, Operation, Scope, Wish
from wattseal.drivers.operations import FUNCTION_OF
from wattseal.drivers.profiles import canonical
from wattseal.drivers.profiles.catalogue import CATALOGUE, profile_named
from wattseal.drivers.profiles.curve_declaration import CurveWindow
from wattseal.drivers.profiles.declaration import (
    FedBy,
    Fill,
    ModelPoint,
    ModelWindow,
    Profile,
    Register,
    RegisterWindow,
)
from wattseal.drivers.profiles.planning import steps_for
from wattseal.drivers.profiles.registers import size_of
from wattseal.drivers.sunspec.models import decoder_of

LENGTHS = {1: 66, 701: 153, 702: 50, 703: 17, 704: 65, 713: 7}
# One value that each operation takes, in the form of an order's.
VALUES = {
    Operation.SET_POWER: 5000,
    Operation.LIMIT_INJECT: 5000,
    Operation.LIMIT_ABSORB: 5000,
    Operation.ENERGIZE: 0,
    Operation.POWER_FACTOR_INJECT: -10000 + 1000,
    Operation.POWER_FACTOR_ABSORB: 10000,
    Operation.FIXED_VAR: ("max_vars", -2500),
    Operation.TARGET_VAR: -1200,
    Operation.RAMP_RATE: 100,
    Operation.RETURN_TO_SERVICE: (300_000, None, 60_000, 51_000, 49_000, None, 9_000),
}
# As devices in the field have them; all others count in whole units.
SCALES = {"PFWInj.PF": -3, "PFWAbs.PF": -3, "VarSetPct": -2, "ESVHi": -2, "ESVLo": -2, "ESHzHi": -3, "ESHzLo": -3}
EVERY = pytest.mark.parametrize("profile", CATALOGUE, ids=lambda profile: profile.name)


def layout_for(profile: Profile) -> Layout:
    models = {point.place.model for point in profile.points if isinstance(point.place, ModelPoint)}
    places, address = [], 40002
    for model in sorted(models):
        places.append(ModelPlace(model, address, LENGTHS[model]))
        address += 2 + LENGTHS[model]
    return Layout(profile.transport.unit, tuple(places))


def knowing(profile: Profile) -> Capabilities:
    layout = replace(
        layout_for(profile), scales=tuple((point.name, SCALES.get(point.name, 0)) for point in profile.points)
    )
    ratings = {"w_max": 10_000, "phases": 3, "safe_deciamps": 60}
    return Capabilities(
        layout=layout,
        operations=tuple(Operation),
        max_inject_watts=10_000,
        max_absorb_watts=10_000,
        storage_wh=None,
        timer_min_seconds=profile.fail_safe.least_seconds,
        timer_max_seconds=profile.fail_safe.most_seconds,
        ratings=tuple(ratings.items()),
    )


def test_names_are_unique_and_found():
    assert len({profile.name for profile in CATALOGUE}) == len(CATALOGUE)
    assert all(profile_named(profile.name) is profile for profile in CATALOGUE)
    with pytest.raises(MisuseError, match="unknown_profile"):
        profile_named("no_such_product")


@EVERY
def test_sources_are_stated(profile):
    assert profile.sources
    assert all(source.covers and source.where and source.licence for source in profile.sources)


@EVERY
def test_point_names_are_unique_and_fields_are_filled(profile):
    names = [point.name for point in profile.points]
    assert len(set(names)) == len(names)
    assert {field.name for field in fields(Identity)} <= set(names)
    assert "watts" in names
    assert profile.state_point in names
    assert profile.states
    known = {field.name for field in fields(DeviceState)} | {field.name for field in fields(Identity)}
    assert known & set(names) > {"maker", "watts"}


@EVERY
def test_model_points_exist_in_their_models(profile):
    """pysunspec2's definitions know each point; one that a command writes is writable there."""
    for point in profile.points:
        if isinstance(point.place, ModelPoint):
            found = decoder_of(point.place.model, LENGTHS[point.place.model]).point(point.place.name)
            assert found.writable or point.storage is None, point.name


@EVERY
def test_every_point_lies_in_a_window_with_its_scale_factor(profile):
    for point in profile.points:
        windows = (*profile.identity_windows, *profile.rating_windows, *profile.windows)
        assert any(holds(window, point.place) for window in windows), point.name


def holds(window: ModelWindow | RegisterWindow, place: ModelPoint | Register) -> bool:
    if isinstance(window, ModelWindow) and isinstance(place, ModelPoint) and window.model == place.model:
        decoder = decoder_of(place.model, LENGTHS[place.model])
        point = decoder.point(place.name)
        ends = [point.end] + ([decoder.point(point.scale).end] if isinstance(point.scale, str) else [])
        return max(ends) <= window.registers
    if isinstance(window, RegisterWindow) and isinstance(place, Register) and window.unit == place.unit:
        return window.address <= place.address and place.address + size_of(place) <= window.address + window.registers
    return False


@EVERY
def test_windows_fit_one_read_and_cover_no_unknown_register(profile):
    """125 registers at most; between fixed registers no gap is read, because devices refuse them."""
    for window in (*profile.identity_windows, *profile.rating_windows, *profile.windows):
        if isinstance(window, CurveWindow):
            continue  # as long as the device says; a longer one is read in pieces
        assert 1 <= window.registers <= 125
        if isinstance(window, RegisterWindow):
            known = {
                at
                for point in profile.points
                if isinstance(point.place, Register) and point.place.unit == window.unit
                for at in range(point.place.address, point.place.address + size_of(point.place))
            }
            assert set(range(window.address, window.address + window.registers)) <= known


@EVERY
def test_commands_are_safe_in_their_order(profile):
    """The timer is armed before the enable; the enable comes last, in a frame of its own; both can be undone."""
    for command in profile.commands:
        writes = [write for frame in command.frames for write in frame.writes]
        converted = {Fill.SETPOINT, Fill.VALUE}
        assert any(write.fill in converted and write.point == command.setpoint for write in writes)
        fail_safe = profile.fail_safe_of(command)
        assert fail_safe.fallback
        if fail_safe.fed_by is FedBy.NOBODY:
            assert not fail_safe.timer
            assert not command.heartbeat, "what nobody feeds is written once"
            assert "no timer" in fail_safe.fallback
            assert command.release or "no way back" in fail_safe.fallback
            continue
        assert command.release
        assert command.heartbeat
        assert any(write.fill in converted for frame in command.heartbeat for write in frame.writes)
        if fail_safe.timer:
            assert any(write.fill is Fill.TIMER for frame in command.frames[:-1] for write in frame.writes)
            assert any(write.fill is Fill.TIMER for frame in command.heartbeat for write in frame.writes)
            assert [write.fill for write in command.frames[-1].writes] == [Fill.FIXED]
            assert command.frames[-1].writes[0].point.endswith("Ena")
            assert command.frames[-1].writes[0].value == 1
        else:
            assert fail_safe.renew_seconds


@EVERY
def test_everything_written_is_read_back_in_the_control_scope(profile):
    windows = [window for window in profile.windows if Scope.CONTROL in window.scopes]
    for command in profile.commands:
        named = [write.point for frame in (*command.frames, *command.release) for write in frame.writes]
        named += [command.setpoint, *(name for name, _ in command.in_force)]
        named += [command.timer_remaining] if command.timer_remaining else []
        function = FUNCTION_OF[command.operation]
        for name in [*named, "watts"]:
            mine = [window for window in windows if not window.of or function in window.of]
            assert any(holds(window, profile.point(name).place) for window in mine), name


@EVERY
def test_writable_points_say_where_they_are_stored(profile):
    """Flash wears out: a register whose storage is persistent is not for control; one that may be is not renewed."""
    for command in profile.commands:
        renewed = bool(command.heartbeat)
        for write in (write for frame in (*command.frames, *command.release) for write in frame.writes):
            storage = profile.point(write.point).storage
            assert storage is not None
            assert storage.value == "volatile" or (storage.value == "unknown" and not renewed)


@EVERY
def test_every_operation_arms_the_timer_in_its_frames(profile):
    for command in profile.commands:
        wish = Wish(command.operation, VALUES[command.operation], 77)
        planned = steps_for(profile, knowing(profile), wish)
        again = steps_for(profile, knowing(profile), wish)
        assert planned == again
        assert [step.index for step in planned.steps] == list(range(len(planned.steps)))
        if profile.fail_safe_of(command).fed_by is FedBy.NOBODY:
            assert (planned.timer_seconds, planned.heartbeat, planned.heartbeat_seconds) == (None, (), None)
            continue
        assert planned.heartbeat
        assert planned.heartbeat_seconds <= 77 // 2
        if profile.fail_safe.timer:
            assert planned.timer_seconds == 77
            assert any(77 in step.words for step in planned.steps[:-1])


@EVERY
def test_release_needs_nothing_but_the_layout(profile):
    """Always possible: no rating, no scale factor, no range is known."""
    unknown = Capabilities(layout_for(profile), (), None, None, None, None, None)
    planned = steps_for(profile, unknown, Wish(Operation.RELEASE, 0, 0))
    assert planned.steps
    assert planned.expectations
    assert planned.heartbeat == ()


@EVERY
def test_canonical_form_is_deterministic_cbor(profile):
    encoded = canonical.encode(profile)
    assert cbor.encode(cbor.decode(encoded)) == encoded
    assert len(canonical.digest(profile)) == 32
    assert canonical.digest(profile) == canonical.digest(replace(profile))


@EVERY
def test_digest_changes_when_any_field_changes(profile):
    digests = {canonical.digest(profile)}
    changed = list(variations(profile))
    for other in changed:
        digests.add(canonical.digest(other))
    assert len(changed) > 200
    assert len(digests) == len(changed) + 1


def variations(value):
    """Each dataclass below `value` with exactly one field changed, the whole rebuilt around it."""
    for field in fields(value):
        for changed in changes(getattr(value, field.name)):
            yield replace(value, **{field.name: changed})


def changes(value):
    if is_dataclass(value):
        yield from variations(value)
    elif isinstance(value, tuple):
        for at, item in enumerate(value):
            for changed in changes(item):
                yield (*value[:at], changed, *value[at + 1 :])
        yield (*value, "one more")
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, Enum):
        yield next(member for member in type(value) if member is not value)
    elif isinstance(value, int):
        yield value + 1
    elif isinstance(value, str):
        yield value + "x"
    elif value is None:
        yield 1
    else:
        raise AssertionError(value)
