"""emix:itemBase: what a number of a signal or report is a number of. One type per member of the substitution group.

Descriptions and units that the schema fixes are fields with that text as their default, and nothing else is accepted.
"""

from decimal import Decimal
from typing import Annotated, ClassVar

import msgspec

from wattseal.protocols.lexical import DECIMAL, fixed, matching, word_of
from wattseal.protocols.openadr20b.vocabulary import CurrencyDescription, RealPowerUnit, SiScaleCode, TemperatureUnit
from wattseal.protocols.xml_wire import OtherContent, wire

_CURRENCY_CODE = matching("[A-Z]{3}", "currency code of ISO 4217")
_SCALE = wire("scale:siScaleCode", word_of(SiScaleCode))


class PowerAttributes(msgspec.Struct, frozen=True, kw_only=True):
    """powerAttributes: nominal frequency (Hz), voltage (V), and whether it is alternating current."""

    hertz: Annotated[Decimal, wire("power:hertz", DECIMAL)]
    voltage: Annotated[Decimal, wire("power:voltage", DECIMAL)]
    ac: Annotated[bool, wire("power:ac")]


class PowerReal(msgspec.Struct, frozen=True, kw_only=True):
    """Real power, W."""

    ELEMENT: ClassVar[str] = "power:powerReal"

    item_description: Annotated[str, wire("power:itemDescription", fixed("RealPower"))] = "RealPower"
    item_units: Annotated[RealPowerUnit, wire("power:itemUnits")] = RealPowerUnit.WATT
    si_scale_code: Annotated[SiScaleCode, _SCALE] = SiScaleCode.NONE
    power_attributes: Annotated[PowerAttributes, wire("power:powerAttributes")]


class PowerApparent(msgspec.Struct, frozen=True, kw_only=True):
    """Apparent power, VA."""

    ELEMENT: ClassVar[str] = "power:powerApparent"

    item_description: Annotated[str, wire("power:itemDescription", fixed("ApparentPower"))] = "ApparentPower"
    item_units: Annotated[str, wire("power:itemUnits", fixed("VA"))] = "VA"
    si_scale_code: Annotated[SiScaleCode, _SCALE] = SiScaleCode.NONE
    power_attributes: Annotated[PowerAttributes, wire("power:powerAttributes")]


class PowerReactive(msgspec.Struct, frozen=True, kw_only=True):
    """Reactive power, VAR."""

    ELEMENT: ClassVar[str] = "power:powerReactive"

    item_description: Annotated[str, wire("power:itemDescription", fixed("ReactivePower"))] = "ReactivePower"
    item_units: Annotated[str, wire("power:itemUnits", fixed("VAR"))] = "VAR"
    si_scale_code: Annotated[SiScaleCode, _SCALE] = SiScaleCode.NONE
    power_attributes: Annotated[PowerAttributes, wire("power:powerAttributes")]


class EnergyReal(msgspec.Struct, frozen=True, kw_only=True):
    """Real energy, Wh."""

    ELEMENT: ClassVar[str] = "power:energyReal"

    item_description: Annotated[str, wire("power:itemDescription", fixed("RealEnergy"))] = "RealEnergy"
    item_units: Annotated[str, wire("power:itemUnits", fixed("Wh"))] = "Wh"
    si_scale_code: Annotated[SiScaleCode, _SCALE] = SiScaleCode.NONE


class EnergyApparent(msgspec.Struct, frozen=True, kw_only=True):
    """Apparent energy, VAh."""

    ELEMENT: ClassVar[str] = "power:energyApparent"

    item_description: Annotated[str, wire("power:itemDescription", fixed("ApparentEnergy"))] = "ApparentEnergy"
    item_units: Annotated[str, wire("power:itemUnits", fixed("VAh"))] = "VAh"
    si_scale_code: Annotated[SiScaleCode, _SCALE] = SiScaleCode.NONE


class EnergyReactive(msgspec.Struct, frozen=True, kw_only=True):
    """Reactive energy, VARh."""

    ELEMENT: ClassVar[str] = "power:energyReactive"

    item_description: Annotated[str, wire("power:itemDescription", fixed("ReactiveEnergy"))] = "ReactiveEnergy"
    item_units: Annotated[str, wire("power:itemUnits", fixed("VARh"))] = "VARh"
    si_scale_code: Annotated[SiScaleCode, _SCALE] = SiScaleCode.NONE


class Voltage(msgspec.Struct, frozen=True, kw_only=True):
    """Voltage, V."""

    ELEMENT: ClassVar[str] = "power:voltage"

    item_description: Annotated[str, wire("power:itemDescription", fixed("Voltage"))] = "Voltage"
    item_units: Annotated[str, wire("power:itemUnits", fixed("V"))] = "V"
    si_scale_code: Annotated[SiScaleCode, _SCALE] = SiScaleCode.NONE


class Current(msgspec.Struct, frozen=True, kw_only=True):
    """Current, A."""

    ELEMENT: ClassVar[str] = "oadr:current"

    item_description: Annotated[str, wire("oadr:itemDescription", fixed("Current"))] = "Current"
    item_units: Annotated[str, wire("oadr:itemUnits", fixed("A"))] = "A"
    si_scale_code: Annotated[SiScaleCode, _SCALE] = SiScaleCode.NONE


class Frequency(msgspec.Struct, frozen=True, kw_only=True):
    """Frequency, Hz."""

    ELEMENT: ClassVar[str] = "oadr:frequency"

    item_description: Annotated[str, wire("oadr:itemDescription", fixed("Frequency"))] = "Frequency"
    item_units: Annotated[str, wire("oadr:itemUnits", fixed("Hz"))] = "Hz"
    si_scale_code: Annotated[SiScaleCode, _SCALE] = SiScaleCode.NONE


class Therm(msgspec.Struct, frozen=True, kw_only=True):
    """Therms of gas."""

    ELEMENT: ClassVar[str] = "oadr:Therm"

    item_description: Annotated[str, wire("oadr:itemDescription", fixed("Therm"))] = "Therm"
    item_units: Annotated[str, wire("oadr:itemUnits", fixed("thm"))] = "thm"
    si_scale_code: Annotated[SiScaleCode, _SCALE] = SiScaleCode.NONE


class Temperature(msgspec.Struct, frozen=True, kw_only=True):
    """Temperature in one of two units."""

    ELEMENT: ClassVar[str] = "oadr:temperature"

    item_description: Annotated[str, wire("oadr:itemDescription", fixed("temperature"))] = "temperature"
    item_units: Annotated[TemperatureUnit, wire("oadr:itemUnits")] = TemperatureUnit.CELSIUS
    si_scale_code: Annotated[SiScaleCode, _SCALE] = SiScaleCode.NONE


class PulseCount(msgspec.Struct, frozen=True, kw_only=True):
    """Pulses of a meter; `pulse_factor` is the amount per pulse."""

    ELEMENT: ClassVar[str] = "oadr:pulseCount"

    item_description: Annotated[str, wire("oadr:itemDescription", fixed("pulse count"))] = "pulse count"
    item_units: Annotated[str, wire("oadr:itemUnits", fixed("count"))] = "count"
    pulse_factor: Annotated[Decimal, wire("oadr:pulseFactor")]


class Currency(msgspec.Struct, frozen=True, kw_only=True):
    """An amount of money; `item_units` is the ISO 4217 code."""

    ELEMENT: ClassVar[str] = "oadr:currency"

    item_description: Annotated[CurrencyDescription, wire("oadr:itemDescription")] = CurrencyDescription.CURRENCY
    item_units: Annotated[str, wire("oadr:itemUnits", _CURRENCY_CODE)]
    si_scale_code: Annotated[SiScaleCode, _SCALE] = SiScaleCode.NONE


class CurrencyPerKWh(msgspec.Struct, frozen=True, kw_only=True):
    """A price of energy."""

    ELEMENT: ClassVar[str] = "oadr:currencyPerKWh"

    item_description: Annotated[CurrencyDescription, wire("oadr:itemDescription")] = (
        CurrencyDescription.CURRENCY_PER_KWH
    )
    item_units: Annotated[str, wire("oadr:itemUnits", _CURRENCY_CODE)]
    si_scale_code: Annotated[SiScaleCode, _SCALE] = SiScaleCode.NONE


class CurrencyPerKW(msgspec.Struct, frozen=True, kw_only=True):
    """A price of power."""

    ELEMENT: ClassVar[str] = "oadr:currencyPerKW"

    item_description: Annotated[CurrencyDescription, wire("oadr:itemDescription")] = CurrencyDescription.CURRENCY_PER_KW
    item_units: Annotated[str, wire("oadr:itemUnits", _CURRENCY_CODE)]
    si_scale_code: Annotated[SiScaleCode, _SCALE] = SiScaleCode.NONE


class CurrencyPerThm(msgspec.Struct, frozen=True, kw_only=True):
    """A price of gas."""

    ELEMENT: ClassVar[str] = "oadr:currencyPerThm"

    item_description: Annotated[CurrencyDescription, wire("oadr:itemDescription")] = CurrencyDescription.CURRENCY
    item_units: Annotated[str, wire("oadr:itemUnits", _CURRENCY_CODE)]
    si_scale_code: Annotated[SiScaleCode, _SCALE] = SiScaleCode.NONE


class CustomUnit(msgspec.Struct, frozen=True, kw_only=True):
    """A unit of one's own."""

    ELEMENT: ClassVar[str] = "oadr:customUnit"

    item_description: Annotated[str, wire("oadr:itemDescription")]
    item_units: Annotated[str, wire("oadr:itemUnits")]
    si_scale_code: Annotated[SiScaleCode, _SCALE] = SiScaleCode.NONE


class GreenButtonDescription(msgspec.Struct, frozen=True, kw_only=True):
    """oadrGBDataDescription: an Atom feed of Green Button data, carried but not understood."""

    ELEMENT: ClassVar[str] = "oadr:oadrGBDataDescription"

    feed: Annotated[OtherContent, wire("atom:feed")]


ItemBase = (
    PowerReal
    | PowerApparent
    | PowerReactive
    | EnergyReal
    | EnergyApparent
    | EnergyReactive
    | Voltage
    | Current
    | Frequency
    | Therm
    | Temperature
    | PulseCount
    | Currency
    | CurrencyPerKWh
    | CurrencyPerKW
    | CurrencyPerThm
    | CustomUnit
    | GreenButtonDescription
)
