"""From a profile's picture to the values of the seam: identity, capabilities, state. The rim reads, this room decides.

Nothing is made up: a point that the device lacks or refuses is a quantity without a mantissa, with the reason.
"""

from dataclasses import replace

from wattseal.drivers.device import (
    ActiveControl,
    Capabilities,
    DeviceState,
    Identity,
    Layout,
    LayoutError,
    OperatingState,
    Operation,
    Quality,
    Quantity,
)
from wattseal.drivers.operating_state import OPERATING_STATE, STATE_NUMBERS
from wattseal.drivers.profiles import curve_values
from wattseal.drivers.profiles.conversion import most_watts, watts_of
from wattseal.drivers.profiles.curve_declaration import CurveCommand
from wattseal.drivers.profiles.declaration import (
    AmpsPerPhase,
    Command,
    FedBy,
    Fill,
    PercentOf,
    PowerConversion,
    Profile,
    Rating,
    Register,
)
from wattseal.drivers.profiles.picture import Picture, decoder_in, place_of
from wattseal.drivers.profiles.values import value_in

_ASLEEP = frozenset({OperatingState.OFF, OperatingState.SLEEPING, OperatingState.UNKNOWN})


def identity_in(profile: Profile, picture: Picture) -> Identity:
    """Who the device says it is. Raises `LayoutError` (`identity_mismatch`) when its maker is not the profile's."""
    maker, model, serial, firmware = (picture.texts.get(name, "") for name in ("maker", "model", "serial", "firmware"))
    makers = profile.identity.makers
    if makers and not maker.lower().startswith(tuple(known.lower() for known in makers)):
        raise LayoutError("identity_mismatch", f"The device says it is {maker!r}, not {' or '.join(makers)}.")
    return Identity(maker, model, serial, firmware)


def capabilities_in(profile: Profile, layout: Layout, picture: Picture) -> Capabilities:
    """What the device can do by its own words; what it does not say stays unknown."""
    ratings = tuple((r.name, value) for r in profile.ratings if (value := _rating(r, picture)) is not None)
    written = [write for command in profile.commands for frame in command.frames for write in frame.writes]
    known = replace(
        layout,
        scales=tuple((p.name, picture.scales[p.name]) for p in profile.points if p.name in picture.scales),
        kept=tuple(
            (name, picture.words[name])
            for name in sorted({write.point for write in written if write.fill is Fill.KEEP})
            # What the device does not implement is not written either, not even with its own sentinel.
            if name in picture.words and picture.quantity(name).mantissa is not None
        ),
    )
    found = Capabilities(
        layout=known,
        operations=(),
        max_inject_watts=_least(ratings, profile.inject_ratings),
        max_absorb_watts=_least(ratings, profile.absorb_ratings),
        storage_wh=_least(ratings, (profile.storage_rating,)),
        timer_min_seconds=profile.fail_safe.least_seconds,
        timer_max_seconds=profile.fail_safe.most_seconds,
        ratings=ratings,
        exchanges=tuple(picture.exchanges),
    )
    for command in profile.commands:
        if isinstance(command.conversion, AmpsPerPhase) and command.operation is Operation.LIMIT_ABSORB:
            found = replace(found, max_absorb_watts=most_watts(command.conversion, found))
    able = tuple(command.operation for command in profile.commands if _able(command, found, picture))
    curves = tuple(command.operation for command in profile.curves if _has_room(command, layout))
    return replace(found, operations=(*able, *curves, Operation.RELEASE))


def state_in(profile: Profile, capabilities: Capabilities, picture: Picture) -> DeviceState:
    """One frozen picture of the device."""
    operating = operating_state(profile, picture)
    picture.quantities |= _state_quantities(profile, operating, picture)
    asleep = operating in _ASLEEP
    for point in profile.points:
        found = picture.quantities.get(point.name)
        if found is not None and asleep and point.zero_asleep_suspect and found.mantissa == 0:
            picture.quantities[point.name] = replace(found, quality=Quality.SUSPECT)
    return DeviceState(
        watts=picture.quantity("watts"),
        vars=picture.quantity("vars"),
        volts=picture.quantity("volts"),
        amps=picture.quantity("amps"),
        hertz=picture.quantity("hertz"),
        energy_injected_wh=picture.quantity("energy_injected_wh"),
        energy_absorbed_wh=picture.quantity("energy_absorbed_wh"),
        soc_percent=picture.quantity("soc_percent"),
        operating_state=operating,
        controls=(
            *(_control(profile, command, capabilities, picture) for command in profile.commands),
            *(_curve_control(command, picture) for command in profile.curves),
        ),
        points=tuple(picture.quantities.items()),
        exchanges=tuple(picture.exchanges),
    )


def operating_state(profile: Profile, picture: Picture) -> OperatingState:
    """The declared state whose key the state point reads: a number whole, a text by its beginning."""
    text = picture.texts.get(profile.state_point)
    if text is not None:
        return next((state for key, state in profile.states if text.startswith(key)), OperatingState.UNKNOWN)
    number = picture.quantity(profile.state_point).mantissa
    return next((state for key, state in profile.states if key == str(number)), OperatingState.UNKNOWN)


def _state_quantities(profile: Profile, operating: OperatingState, picture: Picture) -> dict[str, Quantity]:
    """The operating state by its number; of a state that reads as a text, also the letter it begins with, by its place
    in the alphabet (A is 0).
    """
    text, read = picture.texts.get(profile.state_point), picture.quantity(profile.state_point)
    known = operating is not OperatingState.UNKNOWN
    quality = Quality.GOOD if known else Quality.NOT_IMPLEMENTED if text is not None else read.quality
    register = read.register
    place = next((point.place for point in profile.points if point.name == profile.state_point), None)
    if isinstance(place, Register):
        register = f"holding {place.address}"
    found = {OPERATING_STATE: Quantity(STATE_NUMBERS[operating] if known else None, 0, quality, register)}
    if text is not None:
        letter = ord(text[0]) - ord("A") if known else None
        found[profile.state_point] = Quantity(letter, 0, quality, register)
    return found


def _rating(rating: Rating, picture: Picture) -> int | None:
    for name in rating.points:
        quantity = picture.quantity(name)
        if quantity.quality is not Quality.GOOD:
            continue
        value = replace(quantity, exponent=quantity.exponent - rating.exponent).rounded()
        if value is not None and value >= rating.least and (not rating.allowed or value in rating.allowed):
            return value
    return None


def _least(ratings: tuple[tuple[str, int], ...], names: tuple[str, ...]) -> int | None:
    return min((value for name, value in ratings if name in names), default=None)


def _able(command: Command, capabilities: Capabilities, picture: Picture) -> bool:
    """Whether the device gives what the command's conversion rests on."""
    if not any(name == command.setpoint for name, _ in capabilities.layout.scales):
        return False
    if not isinstance(command.conversion, PowerConversion):
        return picture.quantity(command.setpoint).mantissa is not None
    return not isinstance(command.conversion, PercentOf) or capabilities.rating(command.conversion.rating) is not None


def _control(profile: Profile, command: Command, capabilities: Capabilities, picture: Picture) -> ActiveControl:
    remaining = picture.quantity(command.timer_remaining)
    left = remaining.rounded() if remaining.quality is Quality.GOOD else None
    enabled = _in_force(command, picture)
    fail_safe = profile.fail_safe_of(command)
    if not fail_safe.timer and fail_safe.fed_by is not FedBy.NOBODY and enabled is not False:
        # A device with a validity time of its own obeys the setpoint exactly as long as that runs.
        enabled = None if left is None else left > 0
    if isinstance(command.conversion, PowerConversion):
        watts = watts_of(command.conversion, picture.quantity(command.setpoint), capabilities)
        return ActiveControl(command.operation, enabled, watts, left)
    none = Quantity(None, 0, Quality.NOT_IMPLEMENTED)
    return ActiveControl(command.operation, enabled, none, left, value_in(command.conversion, picture.quantity))


def _has_room(command: CurveCommand, layout: Layout) -> bool:
    """Whether the device has the model, and in it the set that is to be written."""
    place = place_of(layout, command.model)
    return place is not None and command.stored("ReadOnly") in decoder_in(layout, place).by_name


def _curve_control(command: CurveCommand, picture: Picture) -> ActiveControl:
    left = None
    if command.timer is not None:
        remaining = picture.quantity(command.head(command.timer.remaining))
        left = remaining.rounded() if remaining.quality is Quality.GOOD else None
    enable = picture.quantity(command.head("Ena")).mantissa
    none = Quantity(None, 0, Quality.NOT_IMPLEMENTED)
    value = curve_values.value_in(command, picture.quantities)
    return ActiveControl(command.operation, None if enable is None else enable == 1, none, left, value)


def _in_force(command: Command, picture: Picture) -> bool | None:
    read = [(picture.quantity(name).mantissa, value) for name, value in command.in_force]
    if any(found is not None and found != value for found, value in read):
        return False
    return None if any(found is None for found, _ in read) else True
