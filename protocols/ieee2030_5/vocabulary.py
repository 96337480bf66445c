"""The coded values and bitmaps of IEEE 2030.5 (2018, 2023) and CSIP-AUS, as numbers with names.

Every enumeration keeps a number that it does not know as a member named ``OTHER_n``: reserved codes of later editions
must come through unharmed. Bitmaps are held as plain integers in the resources; the flags here name their bits.
"""

from enum import IntEnum, IntFlag
from typing import Self


class Code(IntEnum):
    """An enumeration that keeps unknown numbers; members compare by number."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if isinstance(value, bool) or not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"OTHER_{value}"
        member._value_ = value
        return member


class EventState(Code):
    """EventStatus/currentStatus. SUPERSEDED is deprecated since 2023, COMPLETE new in it."""

    SCHEDULED = 0
    ACTIVE = 1
    CANCELLED = 2
    CANCELLED_WITH_RANDOMIZATION = 3
    SUPERSEDED = 4
    COMPLETE = 5


class ResponseStatus(Code):
    """Response/status: 2018 table 27, 2023 table 31."""

    RECEIVED = 1
    STARTED = 2
    COMPLETED = 3
    USER_OPTED_OUT = 4
    USER_OPTED_IN = 5
    CANCELLED = 6
    SUPERSEDED = 7
    PARTLY_COMPLETED_OPT_OUT = 8
    PARTLY_COMPLETED_OPT_IN = 9
    COMPLETED_NO_PARTICIPATION = 10
    ACKNOWLEDGED = 11
    CANNOT_BE_DISPLAYED = 12
    ABORTED_ALTERNATE_SERVER = 13
    ABORTED_OTHER_PROGRAM = 14
    RESUMED = 15
    NOT_SUPPORTED = 251
    REJECTED_NOT_APPLICABLE = 252
    REJECTED_INVALID = 253
    REJECTED_EXPIRED = 254


class ResponseRequired(IntFlag):
    """The bits of @responseRequired."""

    RECEIVED = 1
    SPECIFIC = 2
    USER = 4


class Subscribable(Code):
    """@subscribable."""

    NO = 0
    PLAIN = 1
    CONDITIONAL = 2
    BOTH = 3


class NotificationStatus(Code):
    """Notification/status; everything but DEFAULT ends the subscription."""

    DEFAULT = 0
    CANCELLED = 1
    CANCELLED_MOVED = 2
    CANCELLED_DEFINITION_CHANGED = 3
    CANCELLED_DELETED = 4


class ErrorReason(Code):
    """Error/reasonCode."""

    INVALID_FORMAT = 0
    INVALID_VALUES = 1
    RESOURCE_LIMIT = 2
    CONDITION_NOT_SUPPORTED = 3
    TOO_FREQUENT = 4


class TimeQuality(Code):
    """Time/quality: the smaller, the better."""

    AUTHORITATIVE = 3
    LEVEL_3 = 4
    MANUAL_OR_LEVEL_4 = 5
    LEVEL_5 = 6
    UNCOORDINATED = 7


class FunctionSet(Code):
    """LogEvent/functionSet."""

    GENERAL = 0
    PUBLISH_SUBSCRIBE = 1
    END_DEVICE = 2
    FUNCTION_SET_ASSIGNMENT = 3
    RESPONSE = 4
    DEMAND_RESPONSE = 5
    METERING = 6
    PRICING = 7
    MESSAGING = 8
    BILLING = 9
    PREPAYMENT = 10
    DER = 11
    TIME = 12
    SOFTWARE_DOWNLOAD = 13
    DEVICE_INFORMATION = 14
    POWER_STATUS = 15
    NETWORK_STATUS = 16
    LOG_EVENT = 17
    CONFIGURATION = 18
    SECURITY = 19


class CurveType(Code):
    """DERCurve/curveType: the mode that a curve is for."""

    FREQ_WATT = 0
    HFRT_MAY_TRIP = 1
    HFRT_MUST_TRIP = 2
    HVRT_MAY_TRIP = 3
    HVRT_MOMENTARY_CESSATION = 4
    HVRT_MUST_TRIP = 5
    LFRT_MAY_TRIP = 6
    LFRT_MUST_TRIP = 7
    LVRT_MAY_TRIP = 8
    LVRT_MOMENTARY_CESSATION = 9
    LVRT_MUST_TRIP = 10
    VOLT_VAR = 11
    VOLT_WATT = 12
    WATT_PF = 13
    WATT_VAR = 14


class UnitReference(Code):
    """DERUnitRefType: what a percentage is a percentage of. SET_MAX_VA since 2023."""

    NOT_APPLICABLE = 0
    SET_MAX_W = 1
    SET_MAX_VAR = 2
    STAT_VAR_AVAIL = 3
    SET_EFFECTIVE_V = 4
    SET_MAX_CHARGE_RATE_W = 5
    SET_MAX_DISCHARGE_RATE_W = 6
    STAT_W_AVAIL = 7
    SET_MAX_VA = 8


class DERType(Code):
    """DERCapability/type."""

    UNKNOWN = 0
    VIRTUAL_OR_MIXED = 1
    RECIPROCATING_ENGINE = 2
    FUEL_CELL = 3
    PHOTOVOLTAIC = 4
    COMBINED_HEAT_AND_POWER = 5
    OTHER_GENERATION = 6
    OTHER_STORAGE = 80
    ELECTRIC_VEHICLE = 81
    EVSE = 82
    PHOTOVOLTAIC_AND_STORAGE = 83


class DeltaDirection(Code):
    """@bidirectional of a delta control (2023): may, shall or shall not change between absorbing and injecting."""

    MAY = 0
    SHALL = 1
    SHALL_NOT = 2


class Distribution(Code):
    """AbstractDevice/distribution (2023): how a control is spread over aggregated devices."""

    UNSPECIFIED = 0
    UNIFORM = 1
    PRORATE = 2
    PRIORITY = 3


class DERMode(IntFlag):
    """The bits of modesSupported, modesEnabled and modesResponded."""

    CHARGE = 1 << 0
    DISCHARGE = 1 << 1
    CONNECT = 1 << 2
    ENERGIZE = 1 << 3
    FIXED_PF_ABSORB_W = 1 << 4
    FIXED_PF_INJECT_W = 1 << 5
    FIXED_VAR = 1 << 6
    FIXED_W = 1 << 7
    FREQ_DROOP = 1 << 8
    FREQ_WATT = 1 << 9
    HFRT_MAY_TRIP = 1 << 10
    HFRT_MUST_TRIP = 1 << 11
    HVRT_MAY_TRIP = 1 << 12
    HVRT_MOMENTARY_CESSATION = 1 << 13
    HVRT_MUST_TRIP = 1 << 14
    LFRT_MAY_TRIP = 1 << 15
    LFRT_MUST_TRIP = 1 << 16
    LVRT_MAY_TRIP = 1 << 17
    LVRT_MOMENTARY_CESSATION = 1 << 18
    LVRT_MUST_TRIP = 1 << 19
    MAX_LIM_W = 1 << 20
    TARGET_VAR = 1 << 21
    TARGET_W = 1 << 22
    VOLT_VAR = 1 << 23
    VOLT_WATT = 1 << 24
    WATT_PF = 1 << 25
    WATT_VAR = 1 << 26


class DERMode2(IntFlag):
    """The bits of modesSupported2, modesEnabled2 and modesResponded2 (2023)."""

    MAX_LIM_PCT_VA_ABSORB = 1 << 0
    MAX_LIM_PCT_VA_INJECT = 1 << 1
    MAX_LIM_PCT_VAR_ABSORB = 1 << 2
    MAX_LIM_PCT_VAR_INJECT = 1 << 3
    MAX_LIM_PCT_W_ABSORB = 1 << 4
    MAX_LIM_VAR_ABSORB = 1 << 5
    MAX_LIM_VAR_INJECT = 1 << 6
    MAX_LIM_W_ABSORB = 1 << 7
    MAX_LIM_W_INJECT = 1 << 8
    TARGET_V = 1 << 9


class DefaultSetting(IntFlag):
    """The bits of defaultsResponded (2023)."""

    ES_DELAY = 1 << 0
    ES_HIGH_FREQ = 1 << 1
    ES_HIGH_VOLT = 1 << 2
    ES_LOW_FREQ = 1 << 3
    ES_LOW_VOLT = 1 << 4
    ES_RAMP_TMS = 1 << 5
    ES_RANDOM_DELAY = 1 << 6
    GRAD_W = 1 << 7
    SOFT_GRAD_W = 1 << 8


class DoeMode(IntFlag):
    """CSIP-AUS: the bits of doeModesSupported and doeModesEnabled."""

    EXP_LIM_W = 1 << 0
    IMP_LIM_W = 1 << 1
    GEN_LIM_W = 1 << 2
    LOAD_LIM_W = 1 << 3


class VppMode(IntFlag):
    """CSIP-AUS 1.3: the bits of vppModesSupported and vppModesEnabled."""

    STORAGE_TARGET_W = 1 << 0


class DeviceCategory(IntFlag):
    """The bits of deviceCategory that concern a bridge to DER."""

    LOAD_SWITCH = 1 << 13
    ENERGY_MANAGEMENT_SYSTEM = 1 << 14
    SMART_ENERGY_MODULE = 1 << 15
    ELECTRIC_VEHICLE = 1 << 16
    EVSE = 1 << 17
    VIRTUAL_OR_MIXED_DER = 1 << 18
    PHOTOVOLTAIC = 1 << 21
    PHOTOVOLTAIC_AND_STORAGE = 1 << 23
    OTHER_GENERATION = 1 << 24
    OTHER_STORAGE = 1 << 25


class ConnectBit(IntFlag):
    """The bits of genConnectStatus and storConnectStatus."""

    CONNECTED = 1 << 0
    AVAILABLE = 1 << 1
    OPERATING = 1 << 2
    TEST = 1 << 3
    FAULT = 1 << 4


class ConnectBit2(IntFlag):
    """The bits of connectStatus (2023)."""

    CONNECTED = 1 << 0
    ENERGIZED = 1 << 1


class Alarm(IntFlag):
    """The bits of DERStatus/alarmStatus."""

    OVER_CURRENT = 1 << 0
    OVER_VOLTAGE = 1 << 1
    UNDER_VOLTAGE = 1 << 2
    OVER_FREQUENCY = 1 << 3
    UNDER_FREQUENCY = 1 << 4
    VOLTAGE_IMBALANCE = 1 << 5
    CURRENT_IMBALANCE = 1 << 6
    EMERGENCY_LOCAL = 1 << 7
    EMERGENCY_REMOTE = 1 << 8
    LOW_POWER_INPUT = 1 << 9
    PHASE_ROTATION = 1 << 10


class InverterState(Code):
    """DERStatus/inverterStatus/value."""

    NOT_APPLICABLE = 0
    OFF = 1
    SLEEPING = 2
    STARTING = 3
    TRACKING_MPPT = 4
    FORCED_REDUCTION = 5
    SHUTTING_DOWN = 6
    FAULT = 7
    STANDBY = 8
    TEST = 9
    MANUFACTURER = 10


class OperationalMode(Code):
    """DERStatus/operationalModeStatus/value."""

    UNKNOWN = 0
    OFF = 1
    OPERATIONAL = 2
    TEST = 3


class LocalControlMode(Code):
    """DERStatus/localControlModeStatus/value."""

    LOCAL = 0
    REMOTE = 1


class StorageMode(Code):
    """DERStatus/storageModeStatus/value."""

    CHARGING = 0
    DISCHARGING = 1
    HOLDING = 2


class OperationalState(Code):
    """DeviceStatus/opState."""

    UNKNOWN = 0
    NOT_OPERATING = 1
    OPERATING = 2
    STARTING = 3
    SHUTTING_DOWN = 4
    AT_DISCONNECT_LEVEL = 5
    KW_RAMPING = 6
    KVAR_RAMPING = 7


class PowerSource(Code):
    """PowerSourceType."""

    NONE = 0
    MAINS = 1
    BATTERY = 2
    LOCAL_GENERATION = 3
    EMERGENCY = 4
    UNKNOWN = 5


class BatteryState(Code):
    """PowerStatus/batteryStatus."""

    UNKNOWN = 0
    NORMAL = 1
    LOW = 2
    DEPLETED = 3
    NOT_APPLICABLE = 4


class RoleFlag(IntFlag):
    """The bits of roleFlags of a usage point. CSIP-AUS wants 0003 for the site and 0049 for a device, exactly."""

    MIRROR = 1 << 0
    PREMISES_AGGREGATION_POINT = 1 << 1
    PEV = 1 << 2
    DER = 1 << 3
    REVENUE_QUALITY = 1 << 4
    DIRECT_CURRENT = 1 << 5
    SUBMETER = 1 << 6


class UsagePointState(Code):
    """UsagePoint/status."""

    OFF = 0
    ON = 1


class Uom(Code):
    """Unit of measure, numbers of IEC 61968-9; those that concern power, energy and pricing by them."""

    NOT_APPLICABLE = 0
    AMPERE = 5
    KELVIN = 6
    CELSIUS = 23
    VOLT = 29
    JOULE = 31
    HERTZ = 33
    WATT = 38
    CUBIC_METER = 42
    VOLT_AMPERE = 61
    VAR = 63
    POWER_FACTOR = 65
    VOLT_SQUARED = 67
    AMPERE_SQUARED = 69
    VOLT_AMPERE_HOUR = 71
    WATT_HOUR = 72
    VAR_HOUR = 73
    AMPERE_HOUR = 106
    BTU = 132
    THERM = 169


class Kind(Code):
    """ReadingType/kind."""

    NOT_APPLICABLE = 0
    CURRENCY = 3
    DEMAND = 8
    ENERGY = 12
    POWER = 37


class FlowDirection(Code):
    """ReadingType/flowDirection: FORWARD is delivered to the customer."""

    NOT_APPLICABLE = 0
    FORWARD = 1
    REVERSE = 19


class DataQualifier(Code):
    """ReadingType/dataQualifier."""

    NOT_APPLICABLE = 0
    AVERAGE = 2
    MAXIMUM = 8
    MINIMUM = 9
    NORMAL = 12
    POPULATION_DEVIATION = 29
    SAMPLE_DEVIATION = 30


class AccumulationBehaviour(Code):
    """ReadingType/accumulationBehaviour."""

    NOT_APPLICABLE = 0
    CUMULATIVE = 3
    DELTA = 4
    INDICATING = 6
    SUMMATION = 9
    INSTANTANEOUS = 12


class Commodity(Code):
    """ReadingType/commodity."""

    NOT_APPLICABLE = 0
    ELECTRICITY_SECONDARY = 1
    ELECTRICITY_PRIMARY = 2
    AIR = 4
    NATURAL_GAS = 7
    PROPANE = 8
    POTABLE_WATER = 9
    STEAM = 10
    WASTE_WATER = 11
    HEATING_FLUID = 12
    COOLING_FLUID = 13


class Phase(Code):
    """PhaseCode."""

    NOT_APPLICABLE = 0
    C = 32
    C_TO_NEUTRAL = 33
    C_TO_A = 40
    B = 64
    B_TO_NEUTRAL = 65
    B_TO_C = 66
    A = 128
    A_TO_NEUTRAL = 129
    A_TO_B = 132
    A_B_C = 224


class ServiceKind(Code):
    """serviceCategoryKind."""

    ELECTRICITY = 0
    GAS = 1
    WATER = 2
    TIME = 3
    PRESSURE = 4
    HEAT = 5
    COOLING = 6


class RequestState(Code):
    """RequestStatus/requestStatus of a flow reservation."""

    REQUESTED = 0
    CANCELLED = 1


class ReductionUnit(Code):
    """UnitType: the unit of a target reduction."""

    KILOWATT_HOUR = 0
    KILOWATT = 1
    WATT = 2
    CUBIC_METER = 3
    CUBIC_FOOT = 4
    US_GALLON = 5
    IMPERIAL_GALLON = 6
    BTU = 7
    LITER = 8
    KILOPASCAL_GAUGE = 9
    KILOPASCAL_ABSOLUTE = 10
    MEGAJOULE = 11
    UNITLESS = 12


class ApplianceReduction(Code):
    """ApplianceLoadReduction/type."""

    DELAY = 0
    TEMPORARY_REDUCTION = 1


class CostKind(Code):
    """EnvironmentalCost/costKind: grams per unit, or a percentage."""

    CARBON_DIOXIDE = 0
    SULFUR_DIOXIDE = 1
    NITROGEN_OXIDES = 2
    RENEWABLE = 3


class MessagePriority(Code):
    """TextMessage/priority."""

    LOW = 0
    NORMAL = 1
    HIGH = 2
    CRITICAL = 3


UINT16_CODES = (ErrorReason,)
"""The enumerations whose numbers take two octets; all others take one."""
