"""A second reading of the event rules, second by second, for one device: no intervals, no catching up, no sharing.

Each mode has at most one holder. Whoever begins challenges the holder; whoever holds knocks out what may not follow.
"""

from dataclasses import dataclass, field

from engine_2030_5_world import SEED, T0

from wattseal.protocols.ieee2030_5.engine.draws import Purpose, draw
from wattseal.protocols.ieee2030_5.engine.inputs import Control, CurrentStatus

FOREVER = 10**9


@dataclass
class Told:
    """What the device knows of one event."""

    control: Control
    program: int
    begins: int
    ends: int
    left: set[str]
    over: bool = False
    begun: bool = False
    stops: int | None = None
    vanished: bool = False
    completed_at: int | None = None

    @property
    def number(self) -> int:
        return int.from_bytes(self.control.mrid, "big")

    @property
    def period(self) -> range:
        """The specified period."""
        seconds = self.control.duration_seconds
        start = self.control.start - T0
        return range(start, FOREVER if seconds == 0xFFFFFFFF else start + seconds)

    def meets(self, other: "Told") -> bool:
        return max(self.period.start, other.period.start) < min(self.period.stop, other.period.stop)


@dataclass
class Oracle:
    """One device; `tick` for each second, `poll` when a picture comes, `value` for what is in force."""

    lfdi: bytes
    removal_cancels: bool
    primacies: dict[int, int] = field(default_factory=dict)
    told: dict[bytes, Told] = field(default_factory=dict)
    holders: dict[str, Told] = field(default_factory=dict)
    said: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    verdicts: dict[tuple[int, int], set[int]] = field(default_factory=dict)

    def rank(self, told: Told) -> tuple[int, int, int]:
        return self.primacies[told.program], -told.control.creation_time, -told.number

    def poll(self, second: int, primacies: dict[int, int], lists: dict[int, list[Control]]) -> None:
        self.primacies = primacies
        for told in self.told.values():
            told.vanished = True
        for program, controls in lists.items():
            for control in controls:
                if control.mrid in self.told:
                    self.told[control.mrid].control = control
                    self.told[control.mrid].vanished = False
                else:
                    self.first_sight(second, program, control)
        self.tick(second)

    def first_sight(self, second: int, program: int, control: Control) -> None:
        def drawn(purpose: Purpose, bound: int) -> int:
            return draw(SEED, purpose, control.mrid, control.version, self.lfdi, bound)

        begins = control.start - T0 + drawn(Purpose.START, control.randomize_start_seconds)
        lasts = max(1, control.duration_seconds + drawn(Purpose.DURATION, control.randomize_duration_seconds))
        ends = FOREVER if control.duration_seconds == 0xFFFFFFFF else begins + lasts
        told = Told(control, program, begins, ends, {setting.mode for setting in control.settings})
        self.told[control.mrid] = told
        if ends <= second:
            told.over = True
            self.say(second, told, 254)
        else:
            self.say(second, told, 1)

    def tick(self, second: int) -> None:
        self.cancel(second)
        for told in self.alive():
            if told.stops is not None and min(told.stops, told.ends) <= second:
                self.finish(second, told, 6)
            elif told.begun and told.ends <= second:
                told.completed_at = told.ends
                self.finish(second, told, 3)
        fresh = [told for told in self.alive() if not told.begun and told.begins <= second]
        for told in sorted(fresh, key=self.rank):
            for mode in sorted(told.left):
                self.challenge(second, mode, told)
        for mode, holder in list(self.holders.items()):
            self.knock_out(second, mode, holder)
        for told in fresh:
            if not told.over:
                told.begun = True
                self.say(second, told, 2)

    def cancel(self, second: int) -> None:
        for told in self.alive():
            status = told.control.status
            if (
                status is CurrentStatus.CANCELLED
                or (told.vanished and self.removal_cancels)
                or (status is CurrentStatus.CANCELLED_RANDOMIZED and not told.begun)
            ):
                self.finish(second, told, 6)
            elif status is CurrentStatus.CANCELLED_RANDOMIZED and told.stops is None:
                control = told.control
                bound = max(abs(control.randomize_start_seconds), abs(control.randomize_duration_seconds))
                told.stops = second + draw(SEED, Purpose.CANCEL, control.mrid, control.version, self.lfdi, bound)

    def challenge(self, second: int, mode: str, told: Told) -> None:
        if mode not in told.left or told.over:
            return
        holder = self.holders.get(mode)
        if holder is None or holder is told:
            self.holders[mode] = told
        elif holder.stops is not None:
            self.lose(second, holder, mode, 6)
            self.holders[mode] = told
        elif holder.meets(told):
            winner, loser = sorted((holder, told), key=self.rank)
            self.lose(second, loser, mode, self.verdict(winner, loser))
            self.holders[mode] = winner
        elif holder.period.start < told.period.start:
            if holder.begun:
                holder.completed_at = second
            self.lose(second, holder, mode, 3 if holder.begun else self.verdict(told, holder))
            self.holders[mode] = told
        else:
            self.lose(second, told, mode, self.verdict(holder, told))

    def knock_out(self, second: int, mode: str, holder: Told) -> None:
        for told in self.alive():
            if told is holder or mode not in told.left or holder.stops is not None:
                continue
            beaten = (
                self.rank(holder) < self.rank(told) if holder.meets(told) else told.period.start < holder.period.start
            )
            if beaten:
                self.lose(second, told, mode, self.verdict(holder, told))

    def lose(self, second: int, told: Told, mode: str, status: int) -> None:
        told.left.discard(mode)
        self.verdicts.setdefault((told.number, second), set()).add(status)
        if self.holders.get(mode) is told:
            del self.holders[mode]
        if not told.left:
            self.finish(second, told, status)

    def finish(self, second: int, told: Told, status: int) -> None:
        if told.over:
            return
        told.over = True
        self.holders = {mode: holder for mode, holder in self.holders.items() if holder is not told}
        self.say(second, told, status)

    def value(self, second: int, mode: str, default: int | None) -> int | None:
        holder = self.holders.get(mode)
        if holder is None:
            holder = self.kept(second, mode)
        if holder is None:
            return default
        return next(int(setting.value) for setting in holder.control.settings if setting.mode == mode)

    def kept(self, second: int, mode: str) -> Told | None:
        """The completed event whose value bridges the gap up to a successor's randomised start."""
        past = [
            told for told in self.told.values() if told.over and told.completed_at is not None and mode in told.left
        ]
        past.sort(key=lambda told: (told.completed_at, told.control.mrid))
        for told in reversed(past):
            for heir in self.alive():
                if mode in heir.left and heir.period.start <= told.completed_at <= second < heir.begins:
                    return told
        return None

    def agrees(self, number: int, said: list[tuple[int, int]]) -> bool:
        """Whether these are the event's Responses. Modes lost to several at one instant: any may be named."""
        expected = self.said.get(number, [])
        return len(said) == len(expected) and all(
            one == other or (one[0] == other[0] and {one[1], other[1]} <= self.verdicts.get((number, one[0]), set()))
            for one, other in zip(said, expected, strict=True)
        )

    def alive(self) -> list[Told]:
        return [told for told in self.told.values() if not told.over]

    def verdict(self, winner: Told, loser: Told) -> int:
        return 7 if winner.program == loser.program else 14

    def say(self, second: int, told: Told, status: int) -> None:
        self.said.setdefault(told.number, []).append((second, status))
