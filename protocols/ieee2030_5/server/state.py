"""What a server knows and must not lose at a restart: the world, as one frozen value with its bytes.

Resources of the wire stand in it as they are; their addresses, links and the state of events do not, because those
follow from the world, the scheme of addresses and the time. What devices have put is kept as it came. JSON, because
staff may have to read it; a state of another layout is refused, never half read. Times are unix seconds: `at`, `heard`
and the like by the wall, those inside resources by the server's own clock, which may be set apart from it.
"""

from collections.abc import Mapping
from typing import Final, Generic, Self, TypeVar

import msgspec

from wattseal.certs.errors import WorldError
from wattseal.protocols.ieee2030_5.base import Event
from wattseal.protocols.ieee2030_5.demand_response import EndDeviceControl
from wattseal.protocols.ieee2030_5.der_control import DefaultDERControl, DERControl, DERCurve
from wattseal.protocols.ieee2030_5.flow_reservation import FlowReservationRequest, FlowReservationResponse
from wattseal.protocols.ieee2030_5.log_event import LogEvent
from wattseal.protocols.ieee2030_5.messaging import TextMessage
from wattseal.protocols.ieee2030_5.metering import MirrorReadingSet, MirrorUsagePoint, Reading, ReadingType
from wattseal.protocols.ieee2030_5.pricing import ConsumptionTariffInterval, TimeTariffInterval
from wattseal.protocols.ieee2030_5.vocabulary import EventState, ServiceKind, TimeQuality

LAYOUT: Final = 1
E = TypeVar("E", bound=Event)


class _Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Root of all that is kept."""


class Sheet(_Value, frozen=True, kw_only=True):
    """A document that a device has put, as it came, and when."""

    document: bytes
    at: int


class Listed(_Value, Generic[E], frozen=True, kw_only=True):
    """An event with what the utility did to it since. `cancelled` is 2 or 3 with its time; `dropped`: listed no more.

    The event's own status is never shown; it is worked out (`events.statuses`).
    """

    serial: int
    event: E
    cancelled: EventState | None = None
    cancelled_at: int = 0
    reason: str | None = None
    dropped: bool = False


class Program(_Value, frozen=True, kw_only=True):
    """What programmes of every kind have. The lower `primacy` wins."""

    serial: int
    mrid: str
    description: str | None = None
    primacy: int = 1
    version: int | None = None


class Curve(_Value, frozen=True, kw_only=True):
    """A curve with its number."""

    serial: int
    curve: DERCurve


class DerProgram(Program, frozen=True, kw_only=True):
    """DER controls. Inside controls a curve link holds the curve's mRID instead of an address."""

    controls: tuple[Listed[DERControl], ...] = ()
    curves: tuple[Curve, ...] = ()
    default: DefaultDERControl | None = None


class LoadProgram(Program, frozen=True, kw_only=True):
    """Demand response and load control."""

    controls: tuple[Listed[EndDeviceControl], ...] = ()


class TextProgram(Program, frozen=True, kw_only=True):
    """Messages."""

    locale: str = "en"
    texts: tuple[Listed[TextMessage], ...] = ()


class PricedInterval(_Value, frozen=True, kw_only=True):
    """An interval of a tariff with its blocks."""

    listed: Listed[TimeTariffInterval]
    prices: tuple[ConsumptionTariffInterval, ...]


class Rate(_Value, frozen=True, kw_only=True):
    """One quantity that is paid for; `role_flags` as in metering."""

    serial: int
    mrid: str
    description: str | None = None
    role_flags: int = 0
    reading_type: ReadingType = ReadingType()
    intervals: tuple[PricedInterval, ...] = ()


class Tariff(Program, frozen=True, kw_only=True):
    """Prices: `currency` by its ISO number, scaled by the power of ten."""

    currency: int | None = None
    power_of_ten: int = 0
    rate_code: str | None = None
    service: ServiceKind = ServiceKind.ELECTRICITY
    rates: tuple[Rate, ...] = ()


class Clock(_Value, frozen=True, kw_only=True):
    """A clock set apart from the wall by `offset` seconds."""

    offset: int = 0
    quality: TimeQuality = TimeQuality.LEVEL_3
    tz_offset: int = 0


class Group(_Value, frozen=True, kw_only=True):
    """Function set assignments: which devices see which programmes (both by serial). `clock`: its own, if any."""

    serial: int
    mrid: str
    description: str | None = None
    members: tuple[int, ...] = ()
    programs: tuple[int, ...] = ()
    clock: Clock | None = None


class Device(_Value, frozen=True, kw_only=True):
    """An EndDevice. `owner` is the LFDI of the certificate that may act for it: its own, or its aggregator's.

    `ders`: how many DER it has; `sheets` by the path below the device (``di``, ``der/1/dercap``). `post_seconds` None:
    the server's own. `logs_gone`: how many older log events were given up.
    """

    serial: int
    lfdi: str
    sfdi: int
    owner: str
    registered: int
    changed: int
    pin: int | None = None
    category: int | None = None
    enabled: bool = True
    post_seconds: int | None = None
    ders: int = 1
    sheets: Mapping[str, Sheet] = {}
    logs: tuple[LogEvent, ...] = ()
    logs_gone: int = 0
    flow_requests: tuple[FlowReservationRequest, ...] = ()
    flow_responses: tuple[Listed[FlowReservationResponse], ...] = ()


class Meter(_Value, frozen=True, kw_only=True):
    """One quantity of a mirror. `sets` and `readings` are the newest, oldest first; `sets_gone` of them are no more."""

    serial: int
    mrid: str
    description: str | None = None
    version: int | None = None
    reading_type: ReadingType = ReadingType()
    updated: int | None = None
    sets: tuple[MirrorReadingSet, ...] = ()
    sets_gone: int = 0
    readings: tuple[Reading, ...] = ()


class Mirror(_Value, frozen=True, kw_only=True):
    """A MirrorUsagePoint that `owner` (an LFDI) keeps; `point` has no meter readings inside."""

    serial: int
    owner: str
    point: MirrorUsagePoint
    meters: tuple[Meter, ...] = ()


class HeardResponse(_Value, frozen=True, kw_only=True):
    """A Response as it came, and what it says. `owner`: whose certificate sent it; `kind`: the name of its type."""

    serial: int
    owner: str
    kind: str
    lfdi: str
    subject: str
    status: int | None
    created: int | None
    heard: int
    document: bytes


class Subscriber(_Value, frozen=True, kw_only=True):
    """A subscription of `owner` under one of its devices (0: the aggregator itself). `resource` is a plain path.

    `told` is the digest of what was last notified, so that a change is a change of content and nothing else.
    """

    serial: int
    owner: str
    device: int
    resource: str
    notification_uri: str
    limit: int
    encoding: int = 0
    level: str = "+S1"
    made: int
    told: str


class Notice(_Value, frozen=True, kw_only=True):
    """A notification that waits to be delivered; not before `due`."""

    serial: int
    subscriber: int
    uri: str
    document: bytes
    due: int
    tries: int = 0


class World(_Value, frozen=True, kw_only=True):
    """All of it. `epoch` is drawn at random when the world is made; `serial` counts what was ever made in it.

    `polls` are poll rates in seconds by kind of resource, beside the server's own; `aggregators` beside the configured.
    """

    layout: int = LAYOUT
    epoch: str
    serial: int = 0
    clock: Clock = Clock()
    aggregators: tuple[str, ...] = ()
    polls: Mapping[str, int] = {}
    devices: tuple[Device, ...] = ()
    groups: tuple[Group, ...] = ()
    der_programs: tuple[DerProgram, ...] = ()
    load_programs: tuple[LoadProgram, ...] = ()
    text_programs: tuple[TextProgram, ...] = ()
    tariffs: tuple[Tariff, ...] = ()
    mirrors: tuple[Mirror, ...] = ()
    responses: tuple[HeardResponse, ...] = ()
    subscribers: tuple[Subscriber, ...] = ()
    outbox: tuple[Notice, ...] = ()

    def to_bytes(self) -> bytes:
        """UTF-8 JSON, the same for the same world."""
        return msgspec.json.encode({"layout": self.layout, **msgspec.structs.asdict(self)})

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Raises WorldError (`server_state_unreadable`) for bytes that this release did not write."""
        try:
            layout = msgspec.json.decode(data, type=_Layout).layout
            if layout != LAYOUT:
                raise WorldError("server_state_unreadable", f"The kept state has layout {layout}, not {LAYOUT}.")
            return msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise WorldError("server_state_unreadable", f"The kept state of the server: {error}.") from error


class _Layout(msgspec.Struct, frozen=True):
    layout: int
