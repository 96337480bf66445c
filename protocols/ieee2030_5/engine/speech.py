"""What is said in one evaluation: Responses, kept in the order in which an event's must go out, and notes for us.

A Response is owed only when the control asks for it (responseRequired: 0x01 received, 0x02 specific) and says where to.
Devices that say the same at the same instant share one entry of the outbox. Within an instant, receipts go first, then
endings, then starts, so that a loser's 7 precedes its winner's 2 (rule l).
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec

from wattseal.protocols.ieee2030_5.engine.inputs import Control
from wattseal.protocols.ieee2030_5.engine.state import Closing, Cohort, Owed, ResponseStatus, State

_RECEIPT_BIT: Final = 0x01
_SPECIFIC_BIT: Final = 0x02
_USER_BIT: Final = 0x04
_ORDER: Final = {ResponseStatus.RECEIVED: 0, ResponseStatus.STARTED: 2}
_OTHERWISE: Final = 1


class NoteKind(StrEnum):
    """What a person may want to know and the utility is not told."""

    MISSED = "missed"  # known, but its whole run passed while the engine was not asked
    LEFT = "left"  # it ended or was cancelled at a device that is not (any longer) under it
    MODES_UNSUPPORTED = "modes_unsupported"  # it runs, without some of its modes
    SAID_TWICE = "said_twice"  # one mRID with different contents in one picture
    STALE_VERSION = "stale_version"  # an older version than the known one
    FAULTY_UPDATE = "faulty_update"  # the new content of a known event is invalid; the old one stands
    NO_ROOM = "no_room"  # more than a programme may have at a time; looked at again when there is room
    UNKNOWN_PROGRAM = "unknown_program"  # a notification for a programme of no picture


class Note(msgspec.Struct, frozen=True, array_like=True):
    """One remark about `subject` (an event's or programme's mRID) and, where it matters, devices."""

    kind: NoteKind
    subject: bytes
    lfdis: tuple[bytes, ...] = ()


class Speech:
    """Collects what is said at one instant (`now`, the utility's seconds); `given` and `notes` sort it."""

    def __init__(self, now: int) -> None:
        self._now = now
        self._responses: dict[tuple[int, bytes, ResponseStatus, tuple[str, ...], str], list[bytes]] = {}
        self._notes: dict[tuple[NoteKind, bytes], list[bytes]] = {}

    def respond(self, control: Control, status: ResponseStatus, modes: Iterable[str], lfdis: tuple[bytes, ...]) -> None:
        """Owe a Response for each device, if the control asks for this kind of it."""
        bit = _RECEIPT_BIT if status is ResponseStatus.RECEIVED else _SPECIFIC_BIT
        if not control.response_required & bit or not control.reply_to:
            return
        key = (_ORDER.get(status, _OTHERWISE), control.mrid, status, tuple(sorted(modes)), control.reply_to)
        self._responses.setdefault(key, []).extend(lfdis)

    def note(self, kind: NoteKind, subject: bytes, lfdis: tuple[bytes, ...] = ()) -> None:
        """Remark something."""
        self._notes.setdefault((kind, subject), []).extend(lfdis)

    def given(self, next_serial: int) -> tuple[Owed, ...]:
        """The Responses in order, numbered from `next_serial`."""
        return tuple(
            Owed(serial, subject, status, self._now, reply_to, modes, tuple(sorted(self._responses[key])))
            for serial, key in enumerate(sorted(self._responses), next_serial)
            for _, subject, status, modes, reply_to in (key,)
        )

    def notes(self) -> tuple[Note, ...]:
        """The notes, sorted."""
        return tuple(Note(*key, tuple(sorted(self._notes[key]))) for key in sorted(self._notes))


def settle(state: State, settled: Iterable[tuple[int, bytes]]) -> State:
    """The state without the Responses (serial, LFDI) that were delivered or given up; unknown ones are ignored."""
    done: dict[int, set[bytes]] = {}
    for serial, lfdi in settled:
        done.setdefault(serial, set()).add(lfdi)
    if not done:
        return state
    left = (_without(owed, done.get(owed.serial, set())) for owed in state.outbox)
    return msgspec.structs.replace(state, outbox=tuple(owed for owed in left if owed.lfdis))


def acknowledge(state: State, mrid: bytes, now: int) -> State:
    """A person has acknowledged an event (11), once, at every device that runs it and if the event asks for it (0x04).

    `now`: the utility's seconds. An event that nobody runs, or that was acknowledged before, changes nothing.
    """
    event = state.events.get(mrid)
    if event is None or mrid in state.acknowledged:
        return state
    lfdis = tuple(sorted(lfdi for cohort in state.cohorts if _runs(cohort, mrid) for lfdi in cohort.devices))
    if not lfdis:
        return state
    acknowledged = tuple(sorted({*state.acknowledged, mrid}.intersection(state.events)))
    if not event.control.response_required & _USER_BIT or not event.control.reply_to:
        return msgspec.structs.replace(state, acknowledged=acknowledged)
    modes = tuple(sorted(setting.mode for setting in event.control.settings))
    said = Owed(state.next_serial, mrid, ResponseStatus.ACKNOWLEDGED, now, event.control.reply_to, modes, lfdis)
    return msgspec.structs.replace(
        state, acknowledged=acknowledged, outbox=(*state.outbox, said), next_serial=state.next_serial + 1
    )


def _runs(cohort: Cohort, mrid: bytes) -> bool:
    return any(record.event == mrid and record.started and record.closing is Closing.OPEN for record in cohort.records)


def _without(owed: Owed, lfdis: set[bytes]) -> Owed:
    if not lfdis:
        return owed
    return msgspec.structs.replace(owed, lfdis=tuple(lfdi for lfdi in owed.lfdis if lfdi not in lfdis))
