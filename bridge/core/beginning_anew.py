"""After a session's state was lost: what was published stands until the server was read whole once.

A session that knows nothing tells an empty schedule. To believe it would withdraw limits that the utility never took
back, because a list could not be read, or because the server is away. What it has read is published as ever, with
cancellations; only what is merely missing waits, and its own end is not put off. Pure.
"""

from collections.abc import Iterable

from wattseal.bridge.core.published import Difference
from wattseal.protocols.grid_event import EventStatus
from wattseal.protocols.ieee2030_5.client.happenings import ScheduleChanged
from wattseal.protocols.ieee2030_5.client.survey import DeviceRead, Survey


class BeginningAnew:
    """Holds withdrawals back. `lost`: the session began without the state that belongs to what was published."""

    def __init__(self, *, lost: bool) -> None:
        self._waits = lost
        self._held_back: ScheduleChanged | None = None

    def passed(self, found: Iterable[Difference], told: ScheduleChanged, survey: Survey) -> tuple[Difference, ...]:
        """What of the differences that `told` made is to be published now."""
        found = tuple(found)
        self._waits = self._waits and not is_read_whole(survey)
        if not self._waits:
            self._held_back = None
            return found
        said = tuple(one for one in found if one.event.status is not EventStatus.WITHDRAWN)
        self._held_back = told if len(said) < len(found) else None
        return said

    def due(self, survey: Survey) -> ScheduleChanged | None:
        """The schedule whose withdrawals were held back, once the server was read whole."""
        return self._held_back if self._held_back is not None and is_read_whole(survey) else None


def is_read_whole(survey: Survey) -> bool:
    """Whether a control or default that is missing in it is not there, and not merely unread."""
    return survey.devices is not None and all(_is_whole(one, survey) for one in survey.devices.values())


def _is_whole(device: DeviceRead, survey: Survey) -> bool:
    if device.programs is None:
        return False
    read = [survey.programs.get(mrid) for mrid in device.programs]
    return all(one is not None and one.controls is not None and one.default_read for one in read)
