"""A utility, its clock and our engine on one table, for the tests of the 2030.5 event engine."""

from dataclasses import dataclass, field

from wattseal.protocols.ieee2030_5.engine.engine import Step, fresh, step
from wattseal.protocols.ieee2030_5.engine.force import by_device
from wattseal.protocols.ieee2030_5.engine.inputs import (
    Control,
    CurrentStatus,
    DefaultControl,
    Device,
    Input,
    Picture,
    Program,
    Rules,
    Setting,
    Tick,
)
from wattseal.protocols.ieee2030_5.engine.speech import Note
from wattseal.protocols.ieee2030_5.engine.state import State, from_bytes, to_bytes

SEED = b"a seed of thirty-two bytes......"
T0 = 1_800_000_000
W, VAR, CONNECT, ENERGIZE = "opModFixedW", "opModFixedVar", "opModConnect", "opModEnergize"
EXPORT, IMPORT = "csipaus:opModExpLimW", "csipaus:opModImpLimW"
DER = b"\x01" * 20
DER_2 = b"\x02" * 20
DER_3 = b"\x03" * 20


def mrid(number: int) -> bytes:
    return number.to_bytes(16, "big")


def control(number: int, start: int, seconds: int, modes: str | dict[str, int] = W, **more: object) -> Control:
    """A control that starts `start` s after T0; a mode alone gets the control's number as value."""
    wanted = {modes: number} if isinstance(modes, str) else modes
    fields = {"creation_time": T0 - 1000 + number, "response_required": 0x07, "reply_to": "/rsp", **more}
    return Control(
        mrid(number), start=T0 + start, duration_seconds=seconds,
        settings=tuple(Setting(mode, b"%d" % value) for mode, value in wanted.items()), **fields,
    )  # fmt: skip


def default(**values: int) -> DefaultControl:
    return DefaultControl(tuple(Setting(mode, b"%d" % value) for mode, value in values.items()))


@dataclass
class World:
    """One server's programmes (number -> primacy, controls, default) and one engine under them."""

    rules: Rules = Rules.EDITION_2018
    devices: tuple[Device, ...] = ()
    primacies: dict[int, int] = field(default_factory=dict)
    controls: dict[int, list[Control]] = field(default_factory=dict)
    defaults: dict[int, DefaultControl] = field(default_factory=dict)
    second: int = 0
    said: list[tuple[int, int, int, bytes]] = field(default_factory=list)  # second, event, status, device
    notes: list[Note] = field(default_factory=list)
    last: Step | None = None

    def __post_init__(self) -> None:
        self.state: State = fresh(SEED, self.rules)
        if not self.devices:
            self.devices = (Device(DER, tuple(mrid(n) for n in self.primacies)),)

    def picture(self) -> Picture:
        programs = tuple(
            Program(mrid(n), primacy, tuple(self.controls.get(n, ())), self.defaults.get(n))
            for n, primacy in self.primacies.items()
        )
        return Picture(self.devices, programs)

    def give(self, given: Input, at: int | None = None) -> Step:
        """One input at second `at` after T0 (everything due before it first, second by due second)."""
        if at is not None:
            self.pass_to(at)
        return self._step(given)

    def poll(self, at: int | None = None) -> Step:
        return self.give(self.picture() if at is None else self._picture_at(at), at)

    def pass_to(self, second: int) -> None:
        """Wake the engine whenever it wants, up to and with `second`."""
        while self.last is not None and self.last.wake_at is not None and self.last.wake_at - T0 <= second:
            self.second = self.last.wake_at - T0
            self._step(Tick())
        self.second = second
        self._step(Tick())

    def cancel(self, program: int, number: int, status: CurrentStatus = CurrentStatus.CANCELLED) -> None:
        """The server sets a control's status."""
        self.change(program, number, status=status)

    def change(self, program: int, number: int, **fields: object) -> None:
        from msgspec.structs import replace

        self.controls[program] = [replace(c, **fields) if c.mrid == mrid(number) else c for c in self.controls[program]]

    def restart(self) -> None:
        self.state = from_bytes(to_bytes(self.state))

    def statuses(self, number: int, lfdi: bytes = DER) -> list[int]:
        return [status for _, event, status, device in self.said if event == number and device == lfdi]

    def timed(self, number: int, lfdi: bytes = DER) -> list[tuple[int, int]]:
        return [(second, status) for second, event, status, device in self.said if event == number and device == lfdi]

    def value(self, mode: str = W, lfdi: bytes = DER) -> int | None:
        assert self.last is not None
        values = by_device(self.last.in_force).get(lfdi, ())
        return next((int(v.value) for v in values if v.mode == mode), None)

    def values(self, seconds: range, mode: str = W, lfdi: bytes = DER) -> list[int | None]:
        found = []
        for second in seconds:
            self.pass_to(second)
            found.append(self.value(mode, lfdi))
        return found

    def _picture_at(self, at: int) -> Picture:
        self.pass_to(at)
        return self.picture()

    def _step(self, given: Input) -> Step:
        self.last = step(self.state, given, T0 + self.second)
        self.state = self.last.state
        for owed in self.last.responses:
            for lfdi in owed.lfdis:
                self.said.append((owed.created_at - T0, int.from_bytes(owed.subject, "big"), int(owed.status), lfdi))
        self.notes.extend(self.last.notes)
        return self.last
