"""The closed lists of words of OpenADR 2.0b, in the schema's spelling.

Where the schema lets a list be extended by tokens that begin with ``x-``, a field's type is ``Enum | ExtensionToken``.
"""

from enum import StrEnum


class ExtensionToken(str):
    """A word outside the closed list: begins with ``x-`` (EiExtensionTokenType)."""

    __slots__ = ()


class ResponseCode(StrEnum):
    """Codes of an eiResponse or eventResponse; the first digit is enough to act. Any three digits are legal."""

    OK = "200"
    OUT_OF_SEQUENCE = "450"
    NOT_ALLOWED = "451"
    INVALID_ID = "452"
    NOT_RECOGNISED = "453"
    INVALID_DATA = "454"
    COMPLIANCE_ERROR = "459"
    SIGNAL_NOT_SUPPORTED = "460"
    REPORT_NOT_SUPPORTED = "461"
    TARGET_MISMATCH = "462"
    NOT_REGISTERED = "463"
    DEPLOYMENT_ERROR = "469"


class ProfileName(StrEnum):
    """oadrProfileName."""

    PROFILE_20A = "2.0a"
    PROFILE_20B = "2.0b"


class TransportName(StrEnum):
    """oadrTransportName."""

    SIMPLE_HTTP = "simpleHttp"
    XMPP = "xmpp"


class ServiceName(StrEnum):
    """oadrServiceName."""

    EI_EVENT = "EiEvent"
    EI_OPT = "EiOpt"
    EI_REPORT = "EiReport"
    EI_REGISTER_PARTY = "EiRegisterParty"
    OADR_POLL = "OadrPoll"


class EventStatus(StrEnum):
    """eventStatus: the VTN's opinion at the time of sending."""

    NONE = "none"
    FAR = "far"
    NEAR = "near"
    ACTIVE = "active"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class OptType(StrEnum):
    """optType."""

    OPT_IN = "optIn"
    OPT_OUT = "optOut"


class OptReason(StrEnum):
    """optReason; extensible."""

    ECONOMIC = "economic"
    EMERGENCY = "emergency"
    MUST_RUN = "mustRun"
    NOT_PARTICIPATING = "notParticipating"
    OUTAGE_RUN_STATUS = "outageRunStatus"
    OVERRIDE_STATUS = "overrideStatus"
    PARTICIPATING = "participating"
    SCHEDULE = "x-schedule"


class ResponseRequired(StrEnum):
    """oadrResponseRequired (rules 12 and 62)."""

    ALWAYS = "always"
    NEVER = "never"


class SignalName(StrEnum):
    """signalName; extensible."""

    SIMPLE = "SIMPLE"
    SIMPLE_DEPRECATED = "simple"
    ELECTRICITY_PRICE = "ELECTRICITY_PRICE"
    ENERGY_PRICE = "ENERGY_PRICE"
    DEMAND_CHARGE = "DEMAND_CHARGE"
    BID_PRICE = "BID_PRICE"
    BID_LOAD = "BID_LOAD"
    BID_ENERGY = "BID_ENERGY"
    CHARGE_STATE = "CHARGE_STATE"
    LOAD_DISPATCH = "LOAD_DISPATCH"
    LOAD_CONTROL = "LOAD_CONTROL"


class SignalType(StrEnum):
    """signalType; not extensible."""

    DELTA = "delta"
    LEVEL = "level"
    MULTIPLIER = "multiplier"
    PRICE = "price"
    PRICE_MULTIPLIER = "priceMultiplier"
    PRICE_RELATIVE = "priceRelative"
    SETPOINT = "setpoint"
    LOAD_CONTROL_CAPACITY = "x-loadControlCapacity"
    LOAD_CONTROL_LEVEL_OFFSET = "x-loadControlLevelOffset"
    LOAD_CONTROL_PERCENT_OFFSET = "x-loadControlPercentOffset"
    LOAD_CONTROL_SETPOINT = "x-loadControlSetpoint"


class ReportName(StrEnum):
    """reportName; extensible."""

    METADATA_HISTORY_USAGE = "METADATA_HISTORY_USAGE"
    HISTORY_USAGE = "HISTORY_USAGE"
    METADATA_HISTORY_GREENBUTTON = "METADATA_HISTORY_GREENBUTTON"
    HISTORY_GREENBUTTON = "HISTORY_GREENBUTTON"
    METADATA_TELEMETRY_USAGE = "METADATA_TELEMETRY_USAGE"
    TELEMETRY_USAGE = "TELEMETRY_USAGE"
    METADATA_TELEMETRY_STATUS = "METADATA_TELEMETRY_STATUS"
    TELEMETRY_STATUS = "TELEMETRY_STATUS"


class ReportType(StrEnum):
    """reportType; extensible."""

    READING = "reading"
    USAGE = "usage"
    DEMAND = "demand"
    SET_POINT = "setPoint"
    DELTA_USAGE = "deltaUsage"
    DELTA_SET_POINT = "deltaSetPoint"
    DELTA_DEMAND = "deltaDemand"
    BASELINE = "baseline"
    DEVIATION = "deviation"
    AVG_USAGE = "avgUsage"
    AVG_DEMAND = "avgDemand"
    OPERATING_STATE = "operatingState"
    UP_REGULATION_CAPACITY_AVAILABLE = "upRegulationCapacityAvailable"
    DOWN_REGULATION_CAPACITY_AVAILABLE = "downRegulationCapacityAvailable"
    REGULATION_SETPOINT = "regulationSetpoint"
    STORED_ENERGY = "storedEnergy"
    TARGET_ENERGY_STORAGE = "targetEnergyStorage"
    AVAILABLE_ENERGY_STORAGE = "availableEnergyStorage"
    PRICE = "price"
    LEVEL = "level"
    POWER_FACTOR = "powerFactor"
    PERCENT_USAGE = "percentUsage"
    PERCENT_DEMAND = "percentDemand"
    RESOURCE_STATUS = "x-resourceStatus"


class ReadingType(StrEnum):
    """readingType; extensible."""

    DIRECT_READ = "Direct Read"
    NET = "Net"
    ALLOCATED = "Allocated"
    ESTIMATED = "Estimated"
    SUMMED = "Summed"
    DERIVED = "Derived"
    MEAN = "Mean"
    PEAK = "Peak"
    HYBRID = "Hybrid"
    CONTRACT = "Contract"
    PROJECTED = "Projected"
    RMS = "x-RMS"
    NOT_APPLICABLE = "x-notApplicable"


class DataQuality(StrEnum):
    """oadrDataQuality; extensible."""

    NO_QUALITY_NO_VALUE = "No Quality - No Value"
    NO_NEW_VALUE_PREVIOUS_VALUE_USED = "No New Value - Previous Value Used"
    BAD_NON_SPECIFIC = "Quality Bad - Non Specific"
    BAD_CONFIGURATION_ERROR = "Quality Bad - Configuration Error"
    BAD_NOT_CONNECTED = "Quality Bad - Not Connected"
    BAD_DEVICE_FAILURE = "Quality Bad - Device Failure"
    BAD_SENSOR_FAILURE = "Quality Bad - Sensor Failure"
    BAD_LAST_KNOWN_VALUE = "Quality Bad - Last Known Value"
    BAD_COMM_FAILURE = "Quality Bad - Comm Failure"
    BAD_OUT_OF_SERVICE = "Quality Bad - Out of Service"
    UNCERTAIN_NON_SPECIFIC = "Quality Uncertain - Non Specific"
    UNCERTAIN_LAST_USABLE_VALUE = "Quality Uncertain - Last Usable Value"
    UNCERTAIN_SENSOR_NOT_ACCURATE = "Quality Uncertain - Sensor Not Accurate"
    UNCERTAIN_EU_UNITS_EXCEEDED = "Quality Uncertain - EU Units Exceeded"
    UNCERTAIN_SUB_NORMAL = "Quality Uncertain - Sub Normal"
    GOOD_NON_SPECIFIC = "Quality Good - Non Specific"
    GOOD_LOCAL_OVERRIDE = "Quality Good - Local Override"
    LIMIT_FIELD_NOT = "Quality Limit - Field/Not"
    LIMIT_FIELD_LOW = "Quality Limit - Field/Low"
    LIMIT_FIELD_HIGH = "Quality Limit - Field/High"
    LIMIT_FIELD_CONSTANT = "Quality Limit - Field/Constant"


class SiScaleCode(StrEnum):
    """siScaleCode: the value on the wire times this factor is in the base unit."""

    PICO = "p"
    NANO = "n"
    MICRO = "micro"
    MILLI = "m"
    CENTI = "c"
    DECI = "d"
    KILO = "k"
    MEGA = "M"
    GIGA = "G"
    TERA = "T"
    NONE = "none"

    @property
    def exponent(self) -> int:
        """The power of ten of the factor: 3 for ``k``, 0 for ``none``."""
        return _EXPONENTS[self.value]


_EXPONENTS = {
    "p": -12, "n": -9, "micro": -6, "m": -3, "c": -2, "d": -1, "none": 0, "k": 3, "M": 6, "G": 9, "T": 12,
}  # fmt: skip


class RealPowerUnit(StrEnum):
    """itemUnits of powerReal: two spellings of the watt."""

    WATT = "W"
    JOULE_PER_SECOND = "J/s"


class TemperatureUnit(StrEnum):
    """itemUnits of temperature."""

    CELSIUS = "celsius"
    FAHRENHEIT = "fahrenheit"


class CurrencyDescription(StrEnum):
    """itemDescription of the four currency items. The schema has no word for currencyPerThm; peers reuse another."""

    CURRENCY = "currency"
    CURRENCY_PER_KW = "currencyPerKW"
    CURRENCY_PER_KWH = "currencyPerKWh"
