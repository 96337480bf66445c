"""What the doctor says of the 2030.5 servers in a site file: our certificate, our names there, what is not pinned.

Reads the certificate, never the key.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from wattseal.bridge.finding import Finding
from wattseal.bridge.site.model import Server, Site, Utility
from wattseal.certs.box import Box
from wattseal.certs.device_certificate import objections
from wattseal.certs.errors import WattsealError
from wattseal.certs.identity import lfdi_of, read_certificates, sfdi_of
from wattseal.protocols.ieee2030_5.client.config import Role


def server_findings(site: Site, box: Box, now: datetime | None = None) -> Iterator[Finding]:
    """Each finding of each server, in the site's order. `now`: when certificates are judged (aware)."""
    for utility in site.utilities:
        if utility.server is not None:
            yield from _server(utility, utility.server, box.root, now or datetime.now(UTC))


def _server(utility: Utility, server: Server, base: Path, now: datetime) -> Iterator[Finding]:
    if not server.lfdi:
        sentence = (
            f"{utility.name} has no server_lfdi: whoever has a device certificate under its authority is believed, as"
            " the server and as the sender of notifications."
        )
        yield Finding("server_not_pinned", sentence, False)
    if server.pin is None:
        yield Finding("pin_not_compared", f"{utility.name} has no pin: its registrations are taken unseen.", False)
    else:
        yield Finding("pin", f"The PIN for {utility.name} is {server.pin:06}; its check digit is right.", False)
    if server.role is Role.AGGREGATOR and server.listener is None:
        sentence = f"{utility.name} has no listener: an aggregator under CSIP subscribes, here it polls instead."
        yield Finding("no_subscriptions", sentence, False)
    if utility.tls is not None:
        yield from _certificate(utility, server, base / utility.tls.certificate, now)


def _certificate(utility: Utility, server: Server, file: Path, now: datetime) -> Iterator[Finding]:
    try:
        chain = read_certificates(file.read_bytes())
        lfdi = lfdi_of(chain[0].public_bytes(Encoding.DER))
    except OSError as error:
        yield Finding("tls_file_unreadable", f"Cannot read {file}: {error.strerror}.", True)
        return
    except WattsealError as error:
        yield Finding(error.reason, error.sentence, True)
        return
    yield Finding("lfdi", f"To {utility.name} this box is LFDI {lfdi}, SFDI {sfdi_of(lfdi)}.", False)
    named = server.end_devices[0].lfdi if server.role is Role.DEVICE and server.end_devices else ""
    if named and named != lfdi:
        sentence = (
            f"The site file names the LFDI {named} for {utility.name}; mend it, or put the right certificate there."
        )
        yield Finding("lfdi_differs", sentence, True)
    for objection in objections(chain, now, to_root=False):
        yield Finding(str(objection.reason), f"The certificate for {utility.name}: {objection.sentence}", True)
