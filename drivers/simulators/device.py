"""What the server and the control door ask of a simulated device. `now` is monotonic seconds and never goes back."""

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

from wattseal.drivers.simulators.modbus_frames import ModbusFault

Truth = float | int | str | bool | None | dict[str, "Truth"] | list["Truth"]
"""A JSON value: what the control door tells about the physics."""


class RegisterMap(Protocol):
    """A device as Modbus sees it."""

    functions: frozenset[int]
    """Function codes that it serves; any other is answered with exception 1."""

    def read(self, unit: int, function: int, address: int, count: int, now: float) -> tuple[int, ...] | ModbusFault:
        """Exactly `count` words, or a refusal."""
        ...

    def write(self, unit: int, address: int, words: tuple[int, ...], now: float) -> ModbusFault | None:
        """All of the words take effect, or none and a refusal."""
        ...


class Device(RegisterMap, Protocol):
    """A device with physics behind its registers."""

    name: str

    def state(self, now: float) -> dict[str, Truth]:
        """The truth of the physics, unrounded, in the units that the names say."""
        ...

    def set(self, values: Mapping[str, object], now: float) -> None:
        """Change the world around the device. Raises MisuseError `bad_set` and then changes nothing."""
        ...


@runtime_checkable
class AdoptsCurves(Protocol):
    """A device that takes curves on request, after a while, and asks what befalls each adoption.

    `mishap` is called with the address of the request's register; the name of a mishap, or None: it goes well.
    """

    mishap: Callable[[int], str | None]
