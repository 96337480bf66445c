"""First sight: which listed events get a record at which devices, and what is said to each.

One legal order: category, validity, applicability, expiry, receipt. A cancelled event seen for the first time is
received and then cancelled like any other.
"""

from wattseal.protocols.ieee2030_5.engine.draws import Purpose, draw
from wattseal.protocols.ieee2030_5.engine.inputs import CurrentStatus, fault
from wattseal.protocols.ieee2030_5.engine.schedule import Scene, effective_end
from wattseal.protocols.ieee2030_5.engine.speech import NoteKind, Speech
from wattseal.protocols.ieee2030_5.engine.state import Closing, Event, Ledger, Record, ResponseStatus, Standing


def newcomers(scene: Scene, standing: Standing, records: Ledger) -> list[Event]:
    """The listed events of the device's programmes, of its category, without a record yet."""
    if not standing.managed:
        return []
    known = {record.event for record in records}
    return [
        event
        for program in standing.programs
        if program in scene.programs
        for event in scene.listed.get(program, ())
        if event.control.mrid not in known and _concerns(event, standing)
    ]


def parts_devices(scene: Scene, standing: Standing, records: Ledger) -> bool:
    """Whether the next evaluation draws at random, so that devices of one cohort must be judged apart."""
    fresh = newcomers(scene, standing, records)
    return any(_is_random(event) for event in fresh) or any(_will_draw(scene, record) for record in records)


def admit(
    scene: Scene, standing: Standing, devices: tuple[bytes, ...], records: Ledger, now: int, speech: Speech
) -> Ledger:
    """The ledger with a record for each newcomer, sorted by mRID. `devices[0]` stands for all in draws."""
    fresh = [
        _first_record(scene, standing, devices, event, now, speech) for event in newcomers(scene, standing, records)
    ]
    if not fresh:
        return records
    return tuple(sorted((*records, *fresh), key=lambda record: record.event))


def drawn_record(scene: Scene, event: Event, lfdi: bytes) -> Record:
    """An open record with the draws of this event, version and device."""
    control = event.control
    start, duration = (
        draw(scene.seed, purpose, control.mrid, control.version, lfdi, bound)
        for purpose, bound in (
            (Purpose.START, control.randomize_start_seconds),
            (Purpose.DURATION, control.randomize_duration_seconds),
        )
    )
    return Record(control.mrid, control.version, start, duration)


def must_redraw(event: Event, record: Record) -> bool:
    """Whether a record's draws are not of the event's present version: never once it has started."""
    control = event.control
    if record.started or record.closing is not Closing.OPEN:
        return False
    return (
        record.version != control.version
        or not _is_within(record.start_draw_seconds, control.randomize_start_seconds)
        or not _is_within(record.duration_draw_seconds, control.randomize_duration_seconds)
    )


def cancel_spread_seconds(event: Event) -> int:
    """The bound of the draw by which a cancellation with randomisation is spread."""
    return max(abs(event.control.randomize_start_seconds), abs(event.control.randomize_duration_seconds))


def _first_record(
    scene: Scene, standing: Standing, devices: tuple[bytes, ...], event: Event, now: int, speech: Speech
) -> Record:
    control = event.control
    rejected = Record(control.mrid, control.version, closing=Closing.REJECTED)
    if fault(control) is not None:
        speech.respond(control, ResponseStatus.INVALID, (), devices)
        return rejected
    applicable = scene.applicable(control.mrid, standing)
    if not applicable:
        speech.respond(control, ResponseStatus.NOT_APPLICABLE, (), devices)
        return rejected
    record = drawn_record(scene, event, devices[0])
    end = effective_end(event, record)
    if end is not None and end <= now:
        speech.respond(control, ResponseStatus.EXPIRED, (), devices)
        return rejected
    speech.respond(control, ResponseStatus.RECEIVED, applicable, devices)
    if applicable != scene.modes(control.mrid):
        speech.note(NoteKind.MODES_UNSUPPORTED, control.mrid, devices)
    return record


def _concerns(event: Event, standing: Standing) -> bool:
    category = event.control.device_category
    return category is None or bool(category & standing.categories)


def _will_draw(scene: Scene, record: Record) -> bool:
    event = scene.events[record.event]
    if record.closing is not Closing.OPEN or not _is_random(event):
        return False
    stops = record.started and event.control.status is CurrentStatus.CANCELLED_RANDOMIZED and record.cut_at is None
    return stops or must_redraw(event, record)


def _is_random(event: Event) -> bool:
    return bool(event.control.randomize_start_seconds or event.control.randomize_duration_seconds)


def _is_within(drawn: int, bound: int) -> bool:
    return 0 <= drawn <= bound if bound >= 0 else bound <= drawn <= 0
