"""Pictures and notifications into knowledge: programmes, events, standings of devices. Judges nothing by the clock.

Nothing depends on the order in which a picture lists things. A control is known by its mRID alone: listed under several
programmes it belongs to the best of them; twice with different contents, the higher version counts, then the later
creationTime, then the larger encoding. An older version than the known one is not taken. A list that was not read
(None) changes nothing; a list that was read and no longer names an event marks it as unlisted, no more.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from wattseal.protocols.ieee2030_5.engine.inputs import Control, Device, Program, fault
from wattseal.protocols.ieee2030_5.engine.speech import NoteKind, Speech
from wattseal.protocols.ieee2030_5.engine.state import Event, KnownProgram, Standing

OPEN_EVENTS_PER_PROGRAM: Final = 512  # the labs ask for 24 (BASIC-015)
ENDED_EVENTS_PER_PROGRAM: Final = 512
PROGRAMS_PER_DEVICE: Final = 64  # CSIP asks for 15


def merged_programs(programs: Iterable[Program]) -> tuple[Program, ...]:
    """One entry for each mRID: the lowest primacy, every control listed, a default if any entry has one."""
    by_mrid: dict[bytes, list[Program]] = {}
    for program in programs:
        by_mrid.setdefault(program.mrid, []).append(program)
    return tuple(_merged(same) for _, same in sorted(by_mrid.items()))


def known_programs(programs: tuple[Program, ...], before: Mapping[bytes, KnownProgram]) -> dict[bytes, KnownProgram]:
    """What is to be known of the programmes of a complete picture; an unread default stays as it was."""
    known = {}
    for program in programs:
        old = before.get(program.mrid)
        kept = None if old is None else old.default
        default = program.default if program.default_read else kept
        known[program.mrid] = KnownProgram(program.primacy, default, None if old is None else old.horizon)
    return known


def picture_events(
    programs: tuple[Program, ...],
    known: Mapping[bytes, KnownProgram],
    before: Mapping[bytes, Event],
    now: int,
    speech: Speech,
) -> dict[bytes, Event]:
    """The known events after a complete picture (merged programmes, of which `known` is the table)."""
    listed = _candidates(programs, speech)
    unread = {program.mrid for program in programs if program.controls is None}
    events = {}
    for mrid, event in before.items():
        if mrid in listed:
            events[mrid] = _updated(event, *listed[mrid], speech)
        elif event.program in unread or event.unlisted_since is not None:
            events[mrid] = event
        else:
            events[mrid] = msgspec.structs.replace(event, unlisted_since=now)
    fresh = [_event(control, program, now) for mrid, (control, program) in listed.items() if mrid not in before]
    return _with_room(events, _not_forgotten(fresh, known), now, speech)


def notified_events(
    program: bytes,
    controls: tuple[Control, ...],
    known: Mapping[bytes, KnownProgram],
    before: Mapping[bytes, Event],
    now: int,
    speech: Speech,
) -> dict[bytes, Event]:
    """The known events after a notification of some controls of one known programme."""
    listed = _candidates((Program(program, 0, controls),), speech)
    events = dict(before)
    fresh = []
    for mrid, (control, _) in listed.items():
        if mrid in before:
            # A programme's list never moves an event away from where another list still names it.
            stays = before[mrid].unlisted_since is None
            events[mrid] = _updated(before[mrid], control, before[mrid].program if stays else program, speech)
        else:
            fresh.append(_event(control, program, now))
    return _with_room(events, _not_forgotten(fresh, known), now, speech)


def standings(
    devices: Iterable[Device],
    before: Mapping[bytes, Standing],
    programs: Mapping[bytes, KnownProgram],
    now: int,
) -> dict[bytes, Standing]:
    """The standing of every device after a complete device list; who is not listed is kept, unmanaged, for a while."""
    after = {lfdi: _absent(standing, now) for lfdi, standing in before.items()}
    shared: dict[Standing, Standing] = {}
    for device in sorted(devices, key=msgspec.msgpack.encode):
        standing = _standing(device, programs)
        after[device.lfdi] = shared.setdefault(standing, standing)
    return after


def _merged(same: list[Program]) -> Program:
    if len(same) == 1:
        return same[0]
    read = [program.controls for program in same if program.controls is not None]
    controls = tuple(control for controls in read for control in controls) if read else None
    defaults = [program.default for program in same if program.default_read and program.default is not None]
    default = max(defaults, key=msgspec.msgpack.encode, default=None)
    default_read = any(program.default_read for program in same)
    return Program(same[0].mrid, min(program.primacy for program in same), controls, default, default_read)


def _candidates(programs: tuple[Program, ...], speech: Speech) -> dict[bytes, tuple[Control, bytes]]:
    """For each listed mRID the content and the programme that count."""
    best: dict[bytes, tuple[Control, bytes]] = {}
    ranked = sorted(programs, key=lambda program: (program.primacy, -int.from_bytes(program.mrid, "big"), program.mrid))
    for program in ranked:
        for control in program.controls or ():
            standing = best.get(control.mrid)
            if standing is None:
                best[control.mrid] = control, program.mrid
            elif standing[0] != control:
                speech.note(NoteKind.SAID_TWICE, control.mrid)
                best[control.mrid] = max(standing[0], control, key=_newness), standing[1]
    return best


def _newness(control: Control) -> tuple[int, int, bytes]:
    return control.version, control.creation_time, msgspec.msgpack.encode(control)


def _event(control: Control, program: bytes, now: int) -> Event:
    return Event(control, program, control.start or now, None)


def _updated(event: Event, control: Control, program: bytes, speech: Speech) -> Event:
    if control == event.control and program == event.program and event.unlisted_since is None:
        return event
    if control.version < event.control.version:
        speech.note(NoteKind.STALE_VERSION, control.mrid)
        control = event.control
    elif fault(control) is not None and fault(event.control) is None:
        speech.note(NoteKind.FAULTY_UPDATE, control.mrid)
        control = msgspec.structs.replace(event.control, status=control.status)
    return Event(control, program, control.start or event.start, None)


def _not_forgotten(fresh: list[Event], known: Mapping[bytes, KnownProgram]) -> list[Event]:
    """Without those that ended before their programme's horizon: they were known, and have been answered."""
    return [
        event
        for event in fresh
        if event.end is None or (horizon := known[event.program].horizon) is None or event.end > horizon
    ]


def _with_room(events: dict[bytes, Event], fresh: list[Event], now: int, speech: Speech) -> dict[bytes, Event]:
    """Newcomers as far as there is room: earliest start first, and of those already over the latest end first."""
    if not fresh:
        return events
    room: dict[tuple[bytes, bool], int] = {}
    for event in events.values():
        kind = event.program, _is_over(event, now)
        room[kind] = room.get(kind, 0) + 1
    for event in sorted(fresh, key=lambda event: (abs(event.start - now), event.control.mrid)):
        over = _is_over(event, now)
        count = room.get((event.program, over), 0)
        if count >= (ENDED_EVENTS_PER_PROGRAM if over else OPEN_EVENTS_PER_PROGRAM):
            speech.note(NoteKind.NO_ROOM, event.control.mrid)
            continue
        room[event.program, over] = count + 1
        events[event.control.mrid] = event
    return dict(sorted(events.items()))


def _is_over(event: Event, now: int) -> bool:
    return event.end is not None and event.end <= now


def _standing(device: Device, programs: Mapping[bytes, KnownProgram]) -> Standing:
    names: tuple[bytes, ...] = tuple(sorted(set(device.programs)))
    if len(names) > PROGRAMS_PER_DEVICE:
        ranked = sorted(names, key=lambda name: (programs[name].primacy if name in programs else 1 << 16, name))
        names = tuple(sorted(ranked[:PROGRAMS_PER_DEVICE]))
    modes = None if device.modes is None else tuple(sorted(device.modes))
    return Standing(names, device.categories, modes, device.enabled, None)


def _absent(standing: Standing, now: int) -> Standing:
    if standing.absent_since is not None:
        return standing
    return msgspec.structs.replace(standing, managed=False, absent_since=now)
