"""The act in which two utilities ask the same battery for different things: who wins, and why, in one sentence.

The OpenADR event runs. A DERControl of higher precedence begins in its middle and ends before it does: the battery
follows the control, its Responses reach the server, and then the first event goes on.
"""

import secrets
from dataclasses import dataclass
from typing import Final

from wattseal.bridge.core.core import Core, Estate
from wattseal.bridge.core.outbound import explanations
from wattseal.bridge.demo.chronicle import Chronicle
from wattseal.bridge.demo.outcome import Check
from wattseal.bridge.demo.second_utility import NAME, PROGRAMME, mirrored, statuses
from wattseal.bridge.demo.telling import Teller
from wattseal.bridge.demo.watching import NOISE_WATTS, Condition, follows, met, until, watts_of
from wattseal.bridge.explaining import Explanation
from wattseal.drivers.commands import Function
from wattseal.drivers.simulators.control import ControlClient
from wattseal.protocols.ieee2030_5.server.door import AdminClient

CONTROL_SECONDS: Final = 8
_BEFORE_SECONDS: Final = 5  # the client polls no faster: the control is known before it begins
_WHOLE_COURSE: Final = [1, 2, 3]  # received, started, completed (IEEE 2030.5 table 27)


@dataclass(frozen=True, slots=True)
class Overlap:
    """What the act needs. `first`: watts that the battery follows already; `second`: watts of the control."""

    core: Core
    estate: Estate
    chronicle: Chronicle
    teller: Teller
    battery: ControlClient
    staff: AdminClient
    first: int
    second: int

    def why(self) -> Explanation:
        """Why the battery's power is to be what it is to be, at this moment."""
        found = explanations(self.core.memory, self.estate.site, self.estate.clock.now())
        return next(one for one in found if (one.device, one.function) == ("battery", Function.POWER))

    def held_by(self, utility: str) -> Condition:
        """The battery's power is that utility's to say, and a command that is given from now on says so."""
        before = len(self.chronicle.commands)

        def holds() -> bool:
            source = self.why().source
            is_its = source is not None and source.timed.event.origin.utility == utility
            return is_its and len(self.chronicle.commands) > before

        return met(holds)


async def overlapped(act: Overlap, other: str) -> list[Check]:
    """Plays the act; `other` is the utility whose event runs, and must go on when this is over."""
    mrid = secrets.token_hex(4).upper()
    act.teller.heading(f"In mid-event: {NAME}, over IEEE 2030.5, asks the same battery for something else")
    control = {
        "base": {"op_mod_target_w": {"value": act.second, "multiplier": 0}},
        "start_in": _BEFORE_SECONDS, "duration": CONTROL_SECONDS, "mrid": mrid, "response_required": 7,
    }  # fmt: skip
    await act.staff.ask("add_control", program=PROGRAMME, control=control)
    act.teller.say(f"DERControl {mrid}: {act.second} W in {_BEFORE_SECONDS} s, for {CONTROL_SECONDS} s", "note")
    await until(act.held_by(NAME), act.chronicle, "the control of the second utility was in force")
    won = act.why()
    act.teller.say(f"why       {won.sentence}", "good")
    beaten = [one.wish.timed.event.origin.utility for one in won.beaten]
    await until(follows(act.battery, act.second), act.chronicle, "the battery followed the second utility")
    second_watts = await watts_of(act.battery)
    act.teller.say(f"the battery's own truth: {second_watts} W", "note")
    await until(act.held_by(other), act.chronicle, "the first event held again")
    back = act.why()
    act.teller.say(f"why       {back.sentence}", "good")
    await until(follows(act.battery, act.first), act.chronicle, "the battery was back on the first event")
    first_watts = await watts_of(act.battery)
    act.teller.say(f"the battery's own truth: {first_watts} W", "note")
    await until(_answered(act.staff, mrid), act.chronicle, "the Responses reached the second utility")
    answers = await statuses(act.staff, mrid)
    act.teller.say(f"{NAME} has our Responses {answers}: received, started, completed", "good")
    return [
        Check("who wins", won.sentence, beaten == [other] and mrid in won.sentence),
        Check("battery followed the second utility", second_watts, abs(second_watts - act.second) <= NOISE_WATTS),
        Check("battery went on with the first event", first_watts, abs(first_watts - act.first) <= NOISE_WATTS),
        Check("responses at the second utility", answers, answers == _WHOLE_COURSE),
    ]


async def mirrors(act: Overlap) -> Check:
    """Our readings at the second utility."""

    async def some() -> bool:
        return await mirrored(act.staff) > 0

    await until(some, act.chronicle, "readings were mirrored to the second utility")
    count = await mirrored(act.staff)
    act.teller.say(f"{NAME} holds {count} of our readings, mirrored", "good")
    return Check("readings at the second utility", count, count > 0)


def _answered(staff: AdminClient, mrid: str) -> Condition:
    async def answered() -> bool:
        return len(await statuses(staff, mrid)) >= len(_WHOLE_COURSE)

    return answered
