"""Finding IEEE 2030.5 servers by DNS-SD over multicast DNS: what is advertised, and the one rim that asks for it.

A server is never believed because it answered here: whoever is found must still show the certificate whose LFDI was
configured. Asked are first the servers that say they have our EndDevice (subtype `edev-<SFDI>`), then any. Each answers
with its port and a TXT record: txtvers=1, dcap=PATH, https=PORT (the TLS port stands there, not in the SRV record),
path=PATH for a subtype, level=-S1.

The 2018 edition's xmDNS (`.site`, FF05::FB) is not spoken: `zeroconf`, which does the asking, knows `.local` only. It
comes with the extra `wattseal[discovery]`.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wattseal.certs.errors import MisuseError

if TYPE_CHECKING:
    from zeroconf import Zeroconf

SERVICE: Final = "_smartenergy._tcp.local."
_TXT_VERSION: Final = "1"
_PORTS: Final = range(1, 65_536)
_ANSWER_MS: Final = 1500
_LONGEST_PATH: Final = 255


@dataclass(frozen=True, slots=True)
class Advertised:
    """What one instance says of itself: its addresses, the port of the SRV record, and the TXT record."""

    instance: str
    addresses: tuple[str, ...]
    port: int
    txt: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """A server: the address of its DeviceCapability, and whether it says that it has our EndDevice."""

    instance: str
    url: str
    has_our_device: bool


def subtype(function_set: str) -> str:
    """The name under which a function set is asked for: "derp", "edev", "edev-167261211391", ..."""
    return f"_{function_set}._sub.{SERVICE}"


def found_in(seen: Sequence[tuple[str, Advertised]]) -> tuple[Found, ...]:
    """The servers in (service type, advertisement) pairs, those that have our EndDevice first, each address once.

    What is no 2030.5 advertisement (another txtvers, no TLS port, a path that is none) is left out.
    """
    first: dict[str, Found] = {}
    for service, advertised in seen:
        ours = service != SERVICE
        for url in _urls(advertised):
            if url not in first or (ours and not first[url].has_our_device):
                first[url] = Found(advertised.instance, url, ours)
    return tuple(sorted(first.values(), key=lambda found: (not found.has_our_device, found.url)))


def _urls(advertised: Advertised) -> tuple[str, ...]:
    txt = advertised.txt
    https, path = txt.get("https", ""), txt.get("dcap", "/dcap")
    if txt.get("txtvers") != _TXT_VERSION or not https.isdecimal() or int(https) not in _PORTS:
        return ()
    if not path.startswith("/") or path.startswith("//") or not path.isprintable() or len(path) > _LONGEST_PATH:
        return ()
    hosts = (f"[{address}]" if ":" in address else address for address in advertised.addresses)
    return tuple(f"https://{host}:{int(https)}{path}" for host in hosts)


async def discover(
    sfdi: int | None = None, *, seconds: float = 3.0, interfaces: Sequence[str] = ()
) -> tuple[Found, ...]:
    """Asks the local network for `seconds`. `interfaces`: addresses to ask from, none: all of this machine.

    Raises MisuseError (`discovery_not_installed`).
    """
    services = [SERVICE] if sfdi is None else [subtype(f"edev-{sfdi}"), SERVICE]
    _require_zeroconf()
    from zeroconf import ServiceStateChange
    from zeroconf.asyncio import AsyncServiceBrowser

    answers: dict[tuple[str, str], None] = {}

    def heard(zeroconf: "Zeroconf", service_type: str, name: str, state_change: ServiceStateChange) -> None:
        del zeroconf
        if state_change is not ServiceStateChange.Removed:
            answers[service_type, name] = None

    async with _speaking(interfaces) as zeroconf:
        browser = AsyncServiceBrowser(zeroconf, services, handlers=[heard])
        try:
            await asyncio.sleep(seconds)
        finally:
            await browser.async_cancel()
        asked = await asyncio.gather(*(_advertised(zeroconf, service, name) for service, name in tuple(answers)))
    return found_in([one for one in asked if one is not None])


@asynccontextmanager
async def advertised(
    instance: str, *, https_port: int, address: str, dcap: str = "/dcap", sfdis: Mapping[int, str] | None = None
) -> AsyncIterator[None]:
    """Advertises a server on the interface of `address` until the block is left.

    `sfdis`: for each EndDevice that it has, the path of it. Raises MisuseError (`discovery_not_installed`).
    """
    _require_zeroconf()
    from zeroconf import ServiceInfo
    from zeroconf.asyncio import AsyncZeroconf

    txt = {"txtvers": _TXT_VERSION, "dcap": dcap, "https": str(https_port), "level": "-S1"}
    said = [(SERVICE, instance, txt)]
    for sfdi, path in (sfdis or {}).items():
        said.append((subtype(f"edev-{sfdi}"), f"{instance}-{sfdi}", {**txt, "path": path}))
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    packed = [socket.inet_pton(family, address)]
    zeroconf = AsyncZeroconf(interfaces=[address])
    try:
        for service, name, properties in said:
            info = ServiceInfo(
                service, f"{name}.{SERVICE}", addresses=packed, port=https_port, properties=properties,
                server=f"{instance}.local.",
            )  # fmt: skip
            await (await zeroconf.async_register_service(info))
        yield
    finally:
        await zeroconf.async_close()


@asynccontextmanager
async def _speaking(interfaces: Sequence[str]) -> AsyncIterator["Zeroconf"]:
    from zeroconf import InterfaceChoice
    from zeroconf.asyncio import AsyncZeroconf

    speaking = AsyncZeroconf(interfaces=list(interfaces) or InterfaceChoice.All)
    try:
        yield speaking.zeroconf
    finally:
        await speaking.async_close()


async def _advertised(zeroconf: "Zeroconf", service: str, name: str) -> tuple[str, Advertised] | None:
    from zeroconf.asyncio import AsyncServiceInfo

    info = AsyncServiceInfo(service, name)
    with contextlib.suppress(OSError):
        if await info.async_request(zeroconf, _ANSWER_MS):
            txt = {_text(key): _text(value or b"") for key, value in info.properties.items()}
            instance = name.removesuffix("." + SERVICE)
            return service, Advertised(instance, tuple(info.parsed_addresses()), info.port or 0, txt)
    return None


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _require_zeroconf() -> None:
    try:
        import zeroconf  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise MisuseError(
            "discovery_not_installed",
            "Finding servers needs zeroconf: pip install 'wattseal[discovery]', or give a URL.",
        ) from error
