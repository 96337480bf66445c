"""What the engine is told: controls, defaults, programmes and devices as frozen values, and the inputs that carry them.

Knows no wire form. mRIDs and LFDIs are the bytes of the hexBinary (so the case of a letter cannot part two names);
times are unix seconds of the utility's clock; a mode is the name of its element ("opModFixedW",
"csipaus:opModExpLimW", and for defaults also "setGradW" and the like); a value is the adapter's own encoding, which the
engine carries and compares but never reads.
"""

from enum import IntEnum, StrEnum
from typing import Final, TypeAlias

import msgspec

OPEN_ENDED_SECONDS: Final = 0x7FFFFFFF  # a duration from here on (0xFFFFFFFF on the wire) has no end
RANDOMIZE_LIMIT_SECONDS: Final = 3600  # OneHourRangeType
LAST_START: Final = 253_402_300_799  # the end of the year 9999


class Rules(StrEnum):
    """Which edition of the event rules holds."""

    EDITION_2018 = "2018"  # an event that vanishes from its list goes on
    EDITION_2023 = "2023"  # an event removed before its effective end is cancelled (10.2.2.3 p)


class CurrentStatus(IntEnum):
    """EventStatus.currentStatus, the server's word."""

    SCHEDULED = 0
    ACTIVE = 1
    CANCELLED = 2
    CANCELLED_RANDOMIZED = 3
    SUPERSEDED = 4
    COMPLETE = 5  # not in the 2018 text; seen in the field; the clock decides


class Setting(msgspec.Struct, frozen=True, array_like=True):
    """One mode and the value wanted for it."""

    mode: str
    value: bytes


class Control(msgspec.Struct, frozen=True, array_like=True):
    """A DERControl. `start` 0 means at once; `response_required` and `device_category` are the wire's bits.

    `reply_to` empty: no Response can be sent. `ramp_hundredths` is rampTms (1/100 s), None for the default ramp.
    """

    mrid: bytes
    creation_time: int
    start: int
    duration_seconds: int
    settings: tuple[Setting, ...]
    status: CurrentStatus = CurrentStatus.SCHEDULED
    version: int = 0
    randomize_start_seconds: int = 0
    randomize_duration_seconds: int = 0
    device_category: int | None = None
    response_required: int = 0
    reply_to: str = ""
    ramp_hundredths: int | None = None


class DefaultControl(msgspec.Struct, frozen=True, array_like=True):
    """A DefaultDERControl: what holds while no event sets a mode. Its mRID may repeat or change: it has none here."""

    settings: tuple[Setting, ...]
    ramp_hundredths: int | None = None


class Program(msgspec.Struct, frozen=True, array_like=True):
    """A DERProgram as read. `controls` None: the list was not (wholly) read this time, what is known of it stands.

    `default_read` False: the same for the default. `default` None: the programme has none. Lower `primacy` wins.
    """

    mrid: bytes
    primacy: int
    controls: tuple[Control, ...] | None = None
    default: DefaultControl | None = None
    default_read: bool = True


class Device(msgspec.Struct, frozen=True, array_like=True):
    """A managed EndDevice: its programmes (by mRID, through all its assignments), its deviceCategory bits.

    `modes` None: every mode is taken as applicable; else those it can do.
    """

    lfdi: bytes
    programs: tuple[bytes, ...]
    categories: int = 0
    modes: frozenset[str] | None = None
    enabled: bool = True


class Picture(msgspec.Struct, frozen=True, tag="picture"):
    """One whole poll. `devices` and `programs` are complete lists (who is absent is gone); None: not read this time."""

    devices: tuple[Device, ...] | None = None
    programs: tuple[Program, ...] | None = None


class ControlsNotified(msgspec.Struct, frozen=True, tag="controls"):
    """Some controls of one programme, as pushed: those not named are not touched."""

    program: bytes
    controls: tuple[Control, ...]


class DefaultNotified(msgspec.Struct, frozen=True, tag="default"):
    """One programme's default, as pushed; None when it was removed."""

    program: bytes
    default: DefaultControl | None


class ClockRead(msgspec.Struct, frozen=True, tag="clock"):
    """The utility's clock is `offset_seconds` ahead of ours (Time, 1.2 of the function sets)."""

    offset_seconds: int


class RulesChosen(msgspec.Struct, frozen=True, tag="rules"):
    """The edition whose rules hold from now on."""

    rules: Rules


class UtilityLost(msgspec.Struct, frozen=True, tag="lost"):
    """The utility does not answer: what is stored goes on, then the stored default (CSIP G12)."""


class UtilityBack(msgspec.Struct, frozen=True, tag="back"):
    """The utility answers again; a picture follows."""


class Restarted(msgspec.Struct, frozen=True, tag="restarted"):
    """The process came up with a state from disk. Without a trusted clock only defaults hold until `ClockRead`."""

    clock_trusted: bool = True


class Tick(msgspec.Struct, frozen=True, tag="tick"):
    """Time passed."""


Input: TypeAlias = (
    Picture
    | ControlsNotified
    | DefaultNotified
    | ClockRead
    | RulesChosen
    | UtilityLost
    | UtilityBack
    | Restarted
    | Tick
)


def fault(control: Control) -> str | None:
    """Why a control is no valid event (Response 253), or None."""
    modes = [setting.mode for setting in control.settings]
    if not modes:
        return "no_mode"
    if len(set(modes)) != len(modes):
        return "mode_twice"
    if control.duration_seconds <= 0:
        return "no_duration"
    if not 0 <= control.start <= LAST_START:
        return "start_out_of_range"
    randomized = (control.randomize_start_seconds, control.randomize_duration_seconds)
    if any(abs(seconds) > RANDOMIZE_LIMIT_SECONDS for seconds in randomized):
        return "randomize_out_of_range"
    return None
