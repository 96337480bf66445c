"""Prices and texts of a utility as the status and the log tell them: JSON-ready, exact, in words where there are some.

A price is money for an amount, both with their powers of ten; it is told as a decimal number in writing, never as a
float, for the amount that the unit names.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from wattseal.bridge.core.status import rfc3339
from wattseal.protocols.ieee2030_5.client.happenings import Shown
from wattseal.protocols.ieee2030_5.set_values import PriceSaid, TextSaid, value_of
from wattseal.protocols.ieee2030_5.translate import TranslationContext
from wattseal.protocols.ieee2030_5.vocabulary import Uom

PRIORITIES: Final = ("low", "normal", "high", "critical")
_DIRECTIONS: Final = {1: "delivered", 19: "received"}
_PREFIXES: Final = {0: "", 3: "k", 6: "M", 9: "G"}
_UNITS: Final = {Uom.WATT_HOUR: "Wh", Uom.WATT: "W", Uom.VAR_HOUR: "varh"}


def price_told(one: Shown, context: TranslationContext) -> Mapping[str, object]:
    """A price in force: of which tariff, for what, until when. `price` is None where the server named none.

    Several blocks: `price` is that of the first, `blocks` has all with the consumption from which each holds.
    """
    said = value_of(one.force.mode, one.force.value)
    if not isinstance(said, PriceSaid):
        return _common(one, context)
    blocks = [
        {"block": block.block, "from": block.start_value, "price": _money(block.price, said.price_power)}
        for block in said.blocks
    ]
    return {
        **_common(one, context),
        "tariff": said.rate_code or said.tariff,
        "rate": said.rate,
        "price": blocks[0]["price"] if blocks else None,
        "blocks": blocks if len(blocks) > 1 else [],
        "currency": said.currency,
        "per": _unit(said),
        "flow": _DIRECTIONS.get(said.flow_direction or 0, ""),
        "tier": said.tier,
        "primacy": one.force.primacy,
    }


def text_told(one: Shown, context: TranslationContext) -> Mapping[str, object]:
    """A text that is to be shown; its letters can be printed."""
    said = value_of(one.force.mode, one.force.value)
    if not isinstance(said, TextSaid):
        return {**_common(one, context), "priority": PRIORITIES[0]}
    priority = PRIORITIES[min(max(said.priority, 0), len(PRIORITIES) - 1)]
    return {**_common(one, context), "text": said.text, "from": said.originator, "priority": priority}


def _common(one: Shown, context: TranslationContext) -> dict[str, object]:
    names = sorted(context.devices[lfdi].name for lfdi in one.devices if lfdi in context.devices)
    until = one.force.until
    return {
        "event": one.force.subject.hex().upper(),
        "programme": context.programmes.get(one.force.program, one.force.program.hex().upper()),
        "devices": names,
        "until": None if until is None else rfc3339(until),
    }


def _money(price: int | None, power: int) -> str | None:
    return None if price is None else f"{Decimal(price).scaleb(power):f}"


def _unit(said: PriceSaid) -> str:
    """The unit that a price is for; a code where it has no name here, empty where the server named none."""
    if said.uom is None:
        return ""
    name = _UNITS.get(Uom(said.uom), f"uom {said.uom}")
    prefix = _PREFIXES.get(said.unit_power)
    return f"{prefix}{name}" if prefix is not None and name[:3] != "uom" else f"1e{said.unit_power} {name}"
