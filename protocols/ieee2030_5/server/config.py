"""How a server is set up: one frozen value, which the core reads and nobody changes while it runs."""

from dataclasses import dataclass
from typing import Final

from wattseal.protocols.ieee2030_5.profiles import CSIP_2018, Profile

PAGE_MOST: Final = 255
"""The most items that one page holds, whatever `l` asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """Durations in seconds. `open_registration`: whoever has a trusted certificate may POST its own EndDevice;
    `aggregators` are LFDIs whose certificates stand for many. `pin` is what a device gets that has none of its own,
    None: no Registration is linked. `strict_responses`: a Response for a foreign LFDI or an unknown subject is refused.
    `href_seed` scrambles every path but that of /dcap, so that nobody can get along without links.
    `strict_bodies`: a body that the codec reads but remarks upon (another order, a missing element) is refused too.
    `notification_hosts`: where notifications may go, None: anywhere; `plain_notifications`: to plain http on
    loopback too, for labs. `things_most`: how many devices, mirrors or subscriptions one certificate may make, and how
    many Responses are kept. `own_lfdi` is what SelfDevice shows.
    `keep_finished_seconds`: so long a finished event stays listed.
    """

    profile: Profile = CSIP_2018
    dcap_path: str = "/dcap"
    own_lfdi: str = "0" * 40
    aggregators: frozenset[str] = frozenset()
    open_registration: bool = True
    pin: int | None = 111115
    strict_responses: bool = True
    href_seed: str = ""
    keep_finished_seconds: int = 3600
    poll_seconds: int = 900
    post_seconds: int = 300
    readings_kept: int = 1000
    page_most: int = PAGE_MOST
    connection_point_may_change: bool = True
    strict_bodies: bool = False
    body_bytes: int = 1_048_576
    subscription_seconds: int = 36 * 3600
    notification_hosts: frozenset[str] | None = None
    plain_notifications: bool = False
    things_most: int = 10_000
