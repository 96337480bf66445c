"""How a utility runs its VTN: one frozen value, checked when it is made. Knows no message in flight."""

from dataclasses import dataclass
from typing import Final

from wattseal.certs.errors import MisuseError
from wattseal.protocols.openadr20b.vocabulary import ReportName

METADATA: Final = "METADATA"
"""The reportSpecifierID by which the VTN asks for the metadata themselves (rule 306)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """A VEN that was agreed out of band (rule 402): found by its venID, its certificate or its name.

    With `fingerprint` (OpenADR's, ten bytes) nobody else is taken for this VEN.
    """

    ven_id: str
    ven_name: str | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedReport:
    """What the VTN asks for as soon as a VEN offers it: all data points of every report of this name (None: of any).

    `granularity_seconds` is fitted into the sampling rate on offer; `back_seconds` is how often to send.
    """

    granularity_seconds: int
    back_seconds: int
    report_name: ReportName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VtnConfig:
    """The settings. Raises MisuseError (`vtn_config_wrong`) with every mistake in one sentence.

    `open_registration`: VENs that were never agreed get a venID too. `own_metadata`: the VTN registers its (no) reports
    with each VEN, as test tools do. `tries` is how often a request that a VEN does not answer is put to it.
    `readings_kept` is per VEN; the oldest go first. `events_kept` counts those that are over.
    """

    vtn_id: str = "WATTSEAL-VTN"
    poll_seconds: int = 10
    allocations: tuple[Allocation, ...] = ()
    open_registration: bool = True
    wanted: tuple[WantedReport, ...] = ()
    own_metadata: bool = True
    tries: int = 3
    readings_kept: int = 2000
    events_kept: int = 200

    def __post_init__(self) -> None:
        mistakes = [sentence for wrong, sentence in self._checks() if wrong]
        if mistakes:
            raise MisuseError("vtn_config_wrong", " ".join(mistakes))

    def _checks(self) -> tuple[tuple[bool, str], ...]:
        ven_ids = [one.ven_id for one in self.allocations]
        return (
            (not self.vtn_id, "The VTN needs an identifier."),
            (self.poll_seconds < 1, "VENs poll once a second at most: poll_seconds is 1 or more."),
            (len(set(ven_ids)) < len(ven_ids) or not all(ven_ids), "Each allocation has a venID of its own."),
            (any(one.granularity_seconds < 0 or one.back_seconds < 0 for one in self.wanted), "Periods are 0 or more."),
            (min(self.tries, self.readings_kept, self.events_kept) < 1, "tries and what is kept are 1 or more."),
        )

    def allocation(self, ven_id: str) -> Allocation | None:
        """The agreed VEN of this venID."""
        return next((one for one in self.allocations if one.ven_id == ven_id), None)
