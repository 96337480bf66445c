"""Whether a virtual clock may be taken: only by a box that the owner signed as a lab's, with all peers on this machine.

A clock that anybody on the network could feel would make a lab's figures wrong, and a real device's moves untimely.
"""

import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime

from wattseal.certs.clock import TimeSource, VirtualTime
from wattseal.certs.errors import MisuseError


def admit(source: TimeSource, *, lab: bool, floor: int, hosts: Iterable[str]) -> None:
    """Lets every other time source pass. `hosts`: all that the box listens on or speaks with; `floor`: unix seconds
    that have passed for this box. Raises `MisuseError`: `clock_outside_lab`, `clock_not_loopback`, `clock_behind`.
    """
    if not isinstance(source, VirtualTime):
        return
    if not lab:
        raise MisuseError(
            "clock_outside_lab", "Only a lab's box takes a virtual clock: sign a manifest with lab = true, or leave it."
        )
    far = sorted({host for host in hosts if not is_loopback(host)})
    if far:
        raise MisuseError(
            "clock_not_loopback",
            f"A virtual clock is for this machine alone, and the site names {', '.join(far)}; use loopback addresses.",
        )
    if source.wall() < floor:
        been = datetime.fromtimestamp(floor, UTC).isoformat()
        raise MisuseError("clock_behind", f"This box has been at {been}; start the lab's clock there, or advance it.")


def is_loopback(host: str) -> bool:
    """Whether a host, as a name or an address, is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
