"""What a site sets for one utility: one frozen value, checked when it is made. Knows no message in flight."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from wattseal.certs.errors import MisuseError
from wattseal.protocols.openadr20b.translate import MarketContext, TranslationContext
from wattseal.protocols.openadr20b.vocabulary import ReadingType, ReportName, ReportType

_TELEMETRY: Final = frozenset({ReportName.TELEMETRY_USAGE, ReportName.TELEMETRY_STATUS})


class PointUnit(StrEnum):
    """The unit in which a data point is reported, always without a scale."""

    WATT = "W"
    WATT_HOUR = "Wh"
    NONE = "none"  # resource status


@dataclass(frozen=True, slots=True)
class OfferedPoint:
    """One data point (rID) on offer. `resource_id` None: the whole site."""

    r_id: str
    resource_id: str | None
    report_type: ReportType
    unit: PointUnit
    reading_type: ReadingType = ReadingType.DIRECT_READ
    market_context: str | None = None


@dataclass(frozen=True, slots=True)
class ReportOffer:
    """One report on offer, TELEMETRY_USAGE or TELEMETRY_STATUS. `history_seconds`: how far back the box still knows."""

    specifier_id: str
    report_name: ReportName
    points: tuple[OfferedPoint, ...]
    min_period_seconds: int = 1
    max_period_seconds: int = 3600
    history_seconds: int = 86_400


def telemetry_offers(resource_ids: tuple[str, ...], stored: frozenset[str] = frozenset()) -> tuple[ReportOffer, ...]:
    """The usual two offers: demand (W) and usage (Wh) of each resource, stored energy of those in `stored`, status.

    The rIDs are `<resource>_power`, `<resource>_energy`, `<resource>_stored`, `<resource>_status`.
    """
    usage: list[OfferedPoint] = []
    for one in resource_ids:
        usage.append(OfferedPoint(f"{one}_power", one, ReportType.DEMAND, PointUnit.WATT))
        usage.append(OfferedPoint(f"{one}_energy", one, ReportType.USAGE, PointUnit.WATT_HOUR))
        if one in stored:
            usage.append(OfferedPoint(f"{one}_stored", one, ReportType.STORED_ENERGY, PointUnit.WATT_HOUR))
    status = tuple(
        OfferedPoint(f"{one}_status", one, ReportType.RESOURCE_STATUS, PointUnit.NONE, ReadingType.NOT_APPLICABLE)
        for one in resource_ids
    )
    return (
        ReportOffer("telemetry_usage", ReportName.TELEMETRY_USAGE, tuple(usage)),
        ReportOffer("telemetry_status", ReportName.TELEMETRY_STATUS, status),
    )


@dataclass(frozen=True, slots=True)
class VenConfig:
    """The session's settings. Raises MisuseError (`ven_config_wrong`) with every mistake in one sentence.

    `utility` is the enrolled name on this site. `ven_id` is the pre-allocated one (rule 402), `vtn_id` the only one
    that is accepted, both optional. A poll comes at the VTN's period, or `poll_default_seconds` if it names none,
    bounded below and above, and lengthened by up to `jitter_share` of it. `poll_again_after_message` polls at once
    after a poll that brought something. `register_again_seconds` None: stay away when the VTN ends the registration.
    """

    utility: str
    ven_name: str
    ven_id: str | None = None
    vtn_id: str | None = None
    poll_min_seconds: float = 1.0
    poll_max_seconds: float = 3600.0
    poll_default_seconds: float = 60.0
    jitter_share: float = 0.1
    poll_again_after_message: bool = False
    backoff_first_seconds: float = 2.0
    backoff_max_seconds: float = 300.0
    register_again_seconds: float | None = 900.0
    market_contexts: Mapping[str, MarketContext] = field(default_factory=dict)
    resources: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    offers: tuple[ReportOffer, ...] = ()
    accept_test_events: bool = True
    report_rows_max: int = 1000
    backlog_rows_max: int = 20_000

    def __post_init__(self) -> None:
        mistakes = [sentence for wrong, sentence in self._checks() if wrong]
        if mistakes:
            raise MisuseError("ven_config_wrong", " ".join(mistakes))

    def _checks(self) -> tuple[tuple[bool, str], ...]:
        specifiers = [offer.specifier_id for offer in self.offers]
        r_ids = [point.r_id for offer in self.offers for point in offer.points]
        return (
            (not self.utility or not self.ven_name, "Give the utility and the VEN a name."),
            (self.poll_min_seconds < 1, "Poll no more often than once a second: poll_min_seconds is 1 or more."),
            (self.poll_max_seconds < self.poll_min_seconds, "poll_max_seconds lies below poll_min_seconds."),
            (not 0 <= self.jitter_share <= 1, "jitter_share is a share between 0 and 1."),
            (self.backoff_first_seconds < 1, "Wait a second or more after a failure: backoff_first_seconds."),
            (self.backoff_max_seconds < self.backoff_first_seconds, "backoff_max_seconds lies below the first one."),
            (len(set(specifiers)) < len(specifiers), "Two report offers share a specifier_id."),
            (len(set(r_ids)) < len(r_ids), "Two data points share an rID."),
            (any(offer.report_name not in _TELEMETRY for offer in self.offers), "Only telemetry can be offered."),
            (any(offer.min_period_seconds < 1 for offer in self.offers), "A sampling period is 1 s or more."),
            (self.report_rows_max < max([1, *(len(o.points) for o in self.offers)]), "report_rows_max is too small."),
            (self.backlog_rows_max < self.report_rows_max, "backlog_rows_max lies below report_rows_max."),
        )

    def context(self, ven_id: str) -> TranslationContext:
        """What translation knows, once the VTN has told our venID."""
        return TranslationContext(
            utility=self.utility,
            ven_id=ven_id,
            market_contexts=self.market_contexts,
            resources=self.resources,
            groups=self.groups,
            accept_test_events=self.accept_test_events,
        )

    def context_digest(self, ven_id: str) -> str:
        """Changes when an event would be read differently."""
        facts = (
            ven_id,
            sorted((uri, one.programme, str(one.dispatch_sign)) for uri, one in self.market_contexts.items()),
            sorted(self.resources.items()),
            sorted(self.groups.items()),
            self.accept_test_events,
        )
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]

    def offers_digest(self) -> str:
        """Changes when the metadata reports would read differently."""
        return hashlib.sha256(repr(self.offers).encode()).hexdigest()[:16]

    def offer(self, specifier_id: str) -> ReportOffer | None:
        """The offer of that name."""
        return next((one for one in self.offers if one.specifier_id == specifier_id), None)
