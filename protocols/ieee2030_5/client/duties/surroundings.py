"""What several duties ask of a survey: the server's time, the EndDevice of a device, its DER. Pure look-ups."""

from collections.abc import Callable
from typing import Final, TypeAlias
from urllib.parse import urljoin, urlsplit

from wattseal.protocols.ieee2030_5.client.survey import DeviceRead, Survey
from wattseal.protocols.ieee2030_5.der_status import DER

MayServe: TypeAlias = Callable[[bytes], bool]
"""Whether the device of an LFDI is ours to speak for at this server: `Registration.may_serve`."""

DEFAULT_POST_SECONDS: Final = 300
"""CSIP: monitoring data every five minutes where the server says nothing."""
_LEAST_POST_SECONDS: Final = 10
"""A rate below is taken for a slip of the pen: nobody wants a bridge that floods its utility."""


def everybody(_lfdi: bytes) -> bool:
    """No registration to ask: every device is served."""
    return True


def server_time(survey: Survey, at: int) -> int:
    """An instant of our clock as the server's clock shows it; ours while the server's was not read."""
    return at if survey.clock is None else at + survey.clock.offset_seconds


def device_at(survey: Survey, lfdi: bytes, may_serve: MayServe) -> DeviceRead | None:
    """The EndDevice of an LFDI, None where it is not listed, not served, or the list was not read whole."""
    return None if survey.devices is None or not may_serve(lfdi) else survey.devices.get(lfdi)


def der_of(device: DeviceRead | None) -> DER | None:
    """The DER of a device: the first by address, since one device of ours is one DER."""
    ders = () if device is None else device.ders or ()
    return min(ders, key=lambda one: one[0])[1] if ders else None


def path_of(location: str, asked: str) -> str:
    """A Location as a path with its query on the same server; `asked` is where the request went. Empty stays empty, and
    what is no address is none.
    """
    try:
        parts = urlsplit(urljoin(asked, location) if location else "")
    except ValueError:
        return ""
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def post_seconds(told: int | None) -> int:
    """A postRate as we follow it, in seconds."""
    return max(told, _LEAST_POST_SECONDS) if told else DEFAULT_POST_SECONDS
