"""The act in which two utilities want different things of one battery: who wins and why, in one sentence each time.

The OpenADR event runs. In its middle a DERControl of higher precedence takes the battery; a second one, which begins
where that ends, is a limit and narrows the OpenADR setpoint; then the first event goes on as it began. The battery's
own truth is asked each time, and the Responses to both controls must have reached the server.
"""

import secrets
from dataclasses import dataclass
from typing import Final

from wattseal.bridge.core.core import Core, Estate
from wattseal.bridge.core.outbound import explanations
from wattseal.bridge.demo.chronicle import Chronicle
from wattseal.bridge.demo.outcome import Check
from wattseal.bridge.demo.second_utility import NAME, PROGRAMME, RATED_WATTS, mirrored, statuses
from wattseal.bridge.demo.telling import Teller
from wattseal.bridge.demo.watching import NOISE_WATTS, Condition, follows, met, until, watts_of
from wattseal.bridge.explaining import Explanation
from wattseal.drivers.commands import Function
from wattseal.drivers.simulators.control import ControlClient
from wattseal.protocols.ieee2030_5.server.door import AdminClient

_CONTROL_SECONDS: Final = 7
_LIMIT_SECONDS: Final = 6
_BEFORE_SECONDS: Final = 5  # the client polls no faster: the controls are known before they begin
_WHOLE_COURSE: Final = [1, 2, 3]  # received, started, completed (IEEE 2030.5 table 27)
_TEN_THOUSAND: Final = 10_000  # opModMaxLimW counts hundredths of a percent


@dataclass(frozen=True, slots=True)
class Overlap:
    """What the act needs. Watts: `first` is what the battery follows already, `second` what the control asks for,
    `limit` what the second control then leaves of the first; it is less than that.
    """

    core: Core
    estate: Estate
    chronicle: Chronicle
    teller: Teller
    battery: ControlClient
    staff: AdminClient
    first: int
    second: int
    limit: int

    def why(self) -> Explanation:
        """Why the battery's power is to be what it is to be, at this moment."""
        found = explanations(self.core.memory, self.estate.site, self.estate.clock.now())
        return next(one for one in found if (one.device, one.function) == ("battery", Function.POWER))

    def ordered(self, utility: str, *, narrowed: bool = False) -> Condition:
        """The battery's power is that utility's to say, and a command that is given from now on says so."""
        before = len(self.chronicle.commands)

        def holds() -> bool:
            why = self.why()
            is_its = why.source is not None and why.source.timed.event.origin.utility == utility
            return is_its and (why.narrowed_by is not None) is narrowed and len(self.chronicle.commands) > before

        return met(holds)

    async def followed(self, watts: int, what: str) -> int:
        """Tells why, waits until the battery follows, and tells its own truth."""
        self.teller.say(f"why       {self.why().sentence}", "good")
        await until(follows(self.battery, watts), self.chronicle, what)
        found = await watts_of(self.battery)
        self.teller.say(f"the battery's own truth: {found} W", "note")
        return found


async def overlapped(act: Overlap, other: str) -> list[Check]:
    """Plays the act; `other` is the utility whose event runs, and must go on when this is over."""
    control, limit = secrets.token_hex(4).upper(), secrets.token_hex(4).upper()
    act.teller.heading(f"In mid-event: {NAME}, over IEEE 2030.5, wants something else of the same battery")
    await _post(act, control, limit)
    await until(act.ordered(NAME), act.chronicle, "the control of the second utility was in force")
    won = act.why()
    second = await act.followed(act.second, "the battery followed the second utility")
    await until(act.ordered(other, narrowed=True), act.chronicle, "the limit of the second utility was in force")
    both = act.why()
    narrowed = await act.followed(act.limit, "the battery kept within the limit")
    await until(act.ordered(other), act.chronicle, "the first event held alone again")
    first = await act.followed(act.first, "the battery was back on the first event")
    await until(_answered(act.staff, control, limit), act.chronicle, "the Responses reached the second utility")
    answers = [await statuses(act.staff, mrid) for mrid in (control, limit)]
    act.teller.say(f"{NAME} has our Responses to both, {answers}: received, started, completed", "good")
    beaten = [one.wish.timed.event.origin.utility for one in won.beaten]
    return [
        Check("who wins", won.sentence, beaten == [other] and control in won.sentence),
        Check("battery followed the second utility", second, abs(second - act.second) <= NOISE_WATTS),
        Check("who narrows whom", both.sentence, limit in both.sentence),
        Check("battery kept within the limit", narrowed, abs(narrowed - act.limit) <= NOISE_WATTS),
        Check("battery went on with the first event", first, abs(first - act.first) <= NOISE_WATTS),
        Check("responses at the second utility", answers, answers == [_WHOLE_COURSE, _WHOLE_COURSE]),
    ]


async def _post(act: Overlap, control: str, limit: str) -> None:
    """Both controls, one after the other, from a few seconds hence."""
    part = act.limit * _TEN_THOUSAND // RATED_WATTS
    for mrid, base, start_in, seconds in (
        (control, {"op_mod_target_w": {"value": act.second, "multiplier": 0}}, _BEFORE_SECONDS, _CONTROL_SECONDS),
        (limit, {"op_mod_max_lim_w": {"value": part}}, _BEFORE_SECONDS + _CONTROL_SECONDS, _LIMIT_SECONDS),
    ):
        draft = {"base": base, "start_in": start_in, "duration": seconds, "mrid": mrid, "response_required": 7}
        await act.staff.ask("add_control", program=PROGRAMME, control=draft)
    act.teller.say(f"DERControl {control}: {act.second} W in {_BEFORE_SECONDS} s, for {_CONTROL_SECONDS} s", "note")
    act.teller.say(f"DERControl {limit}: then no more than {act.limit} W out, for {_LIMIT_SECONDS} s", "note")


async def mirrors(act: Overlap) -> Check:
    """Our readings at the second utility."""

    async def some() -> bool:
        return await mirrored(act.staff) > 0

    await until(some, act.chronicle, "readings were mirrored to the second utility")
    count = await mirrored(act.staff)
    act.teller.say(f"{NAME} holds {count} of our readings, mirrored", "good")
    return Check("readings at the second utility", count, count > 0)


def _answered(staff: AdminClient, *mrids: str) -> Condition:
    async def answered() -> bool:
        return all([len(await statuses(staff, mrid)) >= len(_WHOLE_COURSE) for mrid in mrids])

    return answered
