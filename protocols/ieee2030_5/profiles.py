"""The profiles of IEEE 2030.5 that the product speaks, as data: namespaces, headers, vocabularies, required fields.

Only what the wire is made of stands here. A profile decides what is written; what is read is read under any of them,
with a note where it belongs to another.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from wattseal.protocols.ieee2030_5.der_status import DERCapability
from wattseal.protocols.ieee2030_5.editions import AUS, AUS_1_3, E2023
from wattseal.protocols.ieee2030_5.pricing import TariffProfile, TimeTariffInterval

NAMESPACE: Final = "urn:ieee:std:2030.5:ns"
"""Of the editions 2018 and 2023 alike."""
DRAFT_NAMESPACES: Final = ("http://ieee.org/2030.5", "http://zigbee.org/sep")
"""Of the draft 2.0.4 and of 2013, still written by some clients; read with a note, never written."""
AUS_NAMESPACE: Final = "https://csipaus.org/ns"
AUS_1_3_NAMESPACE: Final = "https://csipaus.org/ns/v1.3"
AUS_BETA_NAMESPACES: Final = ("https://csipaus.org/ns/v1.3-beta/storage",)
MEDIA_TYPE: Final = "application/sep+xml"


@dataclass(frozen=True, slots=True)
class Profile:
    """One way to speak IEEE 2030.5. `accept` is the Accept header of every request; `schema_version` is written on
    every root where it is not None; `requires` are fields that this profile demands beside the edition's own.
    """

    name: str
    accept: str = MEDIA_TYPE
    aus_namespace: str | None = None
    schema_version: str | None = None
    speaks: frozenset[str] = frozenset()
    requires: Mapping[type[msgspec.Struct], frozenset[str]] = field(default_factory=dict, hash=False)


CSIP_2018: Final = Profile("csip-2018")
CSIP_2023: Final = Profile("csip-2023", schema_version="2.2", speaks=frozenset({E2023}))
CSIPAUS_1_2: Final = Profile(
    "csipaus-1.2",
    aus_namespace=AUS_NAMESPACE,
    speaks=frozenset({AUS}),
    requires={DERCapability: frozenset({"doe_modes_supported"})},
)
CSIPAUS_1_3: Final = Profile(
    "csipaus-1.3",
    accept=f"{MEDIA_TYPE}; csipaus=1.3",
    aus_namespace=AUS_1_3_NAMESPACE,
    speaks=frozenset({AUS, AUS_1_3}),
    requires={
        DERCapability: frozenset({"doe_modes_supported"}),
        TariffProfile: frozenset({"combined_time_tariff_interval_list_link"}),
        TimeTariffInterval: frozenset({"consumption_tariff_interval_list_summary", "rate_component_link"}),
    },
)
PROFILES: Final[Mapping[str, Profile]] = {
    profile.name: profile for profile in (CSIP_2018, CSIP_2023, CSIPAUS_1_2, CSIPAUS_1_3)
}
