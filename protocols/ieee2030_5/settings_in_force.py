"""Which settings of a device a DefaultDERControl overwrites now, so that they are told back as DERSettings. Pure."""

from collections.abc import Iterable
from typing import Final

from wattseal.protocols.ieee2030_5.engine.force import Source
from wattseal.protocols.ieee2030_5.engine.forecast import Segment
from wattseal.protocols.ieee2030_5.modes import value_of

_NAMES: Final = ("setES", "setGradW", "setSoftGradW")


def settings_in_force(segments: Iterable[Segment], now: int) -> dict[bytes, tuple[tuple[str, int], ...]]:
    """By LFDI: the settings (element name, value in its unit) that defaults put in force at `now`, by name."""
    found: dict[bytes, dict[str, int]] = {}
    for segment in segments:
        force = segment.force
        running = segment.since <= now and (segment.until is None or now < segment.until)
        if not running or force.source is not Source.DEFAULT or not force.mode.startswith(_NAMES):
            continue
        value = int(value_of(force.mode, force.value))
        for lfdi in segment.devices:
            found.setdefault(lfdi, {})[force.mode] = value
    return {lfdi: tuple(sorted(values.items())) for lfdi, values in found.items()}
