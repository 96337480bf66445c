"""From the bytes of a site file to a `Site`, or to all of its mistakes at once."""

import ipaddress
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

from wattseal.bridge import profiles
from wattseal.bridge.site import secret_names
from wattseal.bridge.site.charging_reader import read_charging
from wattseal.bridge.site.mistakes import Mistake, SiteFileError, Table
from wattseal.bridge.site.model import (
    Device,
    LevelAction,
    Site,
    Utility,
    UtilityTls,
)
from wattseal.bridge.site.server_reader import read_server
from wattseal.drivers.commands import MAX_LEASE_SECONDS, Operation
from wattseal.drivers.manifest_sections import SOC_FULL_PERMILLE, DeviceEnvelope, EnrolmentKind, LinkKind
from wattseal.drivers.operations import POWER_OPERATIONS
from wattseal.protocols.openadr20b.translate import DispatchSign, MarketContext

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_NAME_MEND: Final = "Use 1 to 63 small letters, digits, '.', '_' or '-'."
_MOST_WATTS: Final = 100_000_000
_OF_POWER: Final = {str(item): item for item in Operation if item in POWER_OPERATIONS}
_ORDERABLE: Final = {str(item): item for item in Operation if item is not Operation.RELEASE}
_LEVELS: Final = (1, 2, 3)
_PERMILLE_PER_PERCENT: Final = 10


def read_site(text: bytes, file: str = "site.toml") -> Site:
    """The site that `text` describes. Raises `SiteFileError` with every mistake found."""
    mistakes: list[Mistake] = []
    root = Table(file, "", _toml(text, file), mistakes)
    site = _site(root, text)
    root.close()
    if mistakes:
        raise SiteFileError(tuple(mistakes))
    return site


def _toml(text: bytes, file: str) -> Mapping[str, object]:
    try:
        return tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, or nested beyond all reason
        raise SiteFileError((Mistake(file, "(whole file)", f"is not TOML: {error}", "Mend that line."),)) from error


def _site(root: Table, text: bytes) -> Site:
    head = root.table("site", "Begin the file with a [site] table.")
    name = _name(head)
    lab = head.truth("lab", "Write lab = true only on a bench.", default=False)
    inject = head.whole("inject_limit_watts", "Give the connection's export limit in watts.", 0, _MOST_WATTS)
    absorb = head.whole("absorb_limit_watts", "Give the connection's import limit in watts.", 0, _MOST_WATTS)
    lease = head.whole("lease_seconds", "Choose 10 to 900 seconds.", 10, MAX_LEASE_SECONDS, 300)
    meter = head.text("meter", "Name the [[device]] that measures the connection point.", "")
    head.close()
    devices = tuple(_device(table) for table in root.tables("device", "Write one [[device]] table for each device."))
    names = [device.name for device in devices]
    _unique(root, "device", names)
    utilities = tuple(
        _utility(table, names) for table in root.tables("utility", "Write one [[utility]] table.", required=False)
    )
    _unique(root, "utility", [utility.name for utility in utilities])
    meters = [device.name for device in devices if profiles.is_meter(device.profile)]
    if meter and meter not in meters:
        head.wrong(
            "meter", f"is {meter!r}", f"Name a device whose profile is a meter: {', '.join(meters) or '(none)'}."
        )
    return Site(name, lab, inject, absorb, lease, devices, utilities, text, meter)


def _device(table: Table) -> Device:
    name = _name(table)
    known = {one: one for one in profiles.names()}
    profile = table.one_of("profile", "Name a profile of the catalogue.", known)
    link = table.one_of("link", "How is it reached?", {str(kind): kind for kind in LinkKind})
    address = table.text("address", "Write tcp://HOST:PORT.")
    if address and not _is_tcp(address):
        table.wrong("address", f"is {address!r}", "Write tcp://HOST:PORT.")
    unit = table.whole("unit", "Modbus units are 0 to 255; most devices are 1.", 0, 255, 1)
    identity = table.text("identity", "Write maker|model|serial as the device tells them.", "")
    if identity and identity.count("|") != 2:  # noqa: PLR2004 - maker, model and serial
        table.wrong("identity", f"is {identity!r}", "Write maker|model|serial, with two '|' signs.")
    sampling = table.whole("sampling_seconds", "Choose 1 to 3600 seconds.", 1, 3600, 10)
    tolerance = table.whole("tolerance_watts", "How far the measured power may lie from the order.", 0, 100_000, 50)
    levels, envelope = _unordered(table, name) if profiles.is_meter(profile) else _ordered(table, name)
    charging = read_charging(table)
    table.close()
    return Device(
        name, profile, link, address, unit, identity, sampling, tolerance, levels, envelope, charging,
    )  # fmt: skip


def _ordered(table: Table, device: str) -> tuple[dict[int, LevelAction], DeviceEnvelope]:
    levels_table = table.table("levels", "Say what SIMPLE levels mean.", required=False)
    levels = {level: _level(levels_table, level) for level in _LEVELS if levels_table.has(f"level_{level}")}
    levels_table.close()
    return levels, _envelope(table.table("envelope", "Every device needs a [device.envelope] table."), device)


def _unordered(table: Table, device: str) -> tuple[dict[int, LevelAction], DeviceEnvelope]:
    for key in ("levels", "envelope"):
        if table.has(key):
            table.table(key, "").pairs()
            table.wrong(key, "stands at a meter, which takes no orders", "Remove it.")
    return {}, DeviceEnvelope(device, 0, 0, 0, 0, 0, 0, SOC_FULL_PERMILLE)


def _level(levels: Table, level: int) -> LevelAction:
    table = levels.table(f"level_{level}", "")
    mend = 'Write { operation = "limit_absorb", watts = 2000 } or the like.'
    operation = table.one_of("operation", mend, _OF_POWER)
    watts = table.whole("watts", mend, -_MOST_WATTS if operation is Operation.SET_POWER else 0, _MOST_WATTS)
    table.close()
    return LevelAction(operation, watts)


def _envelope(table: Table, device: str) -> DeviceEnvelope:
    least = table.whole("min_watts", "The strongest charge or draw allowed, zero or negative.", -_MOST_WATTS, 0)
    most = table.whole("max_watts", "The strongest discharge allowed, zero or positive.", 0, _MOST_WATTS)
    ramp = table.whole("ramp_watts_per_second", "How fast orders may move it; 0 for no rule.", 0, _MOST_WATTS, 0)
    dwell = table.whole("dwell_seconds", "How long an order must stand before another.", 0, 3600, 0)
    cycles = table.whole("cycles_per_hour", "How often it may change direction; 0 for no rule.", 0, 3600, 0)
    floor = table.whole("soc_floor_percent", "0 to 100.", 0, 100, 0)
    ceiling = table.whole("soc_ceiling_percent", "0 to 100, above the floor.", 0, 100, 100)
    if ceiling <= floor:
        table.wrong("soc_ceiling_percent", f"is {ceiling}, not above the floor of {floor}", "Raise it.")
        floor, ceiling = 0, 100
    forbidden = tuple(
        _ORDERABLE[item] for item in table.texts("forbidden", "List operations.", ()) if _known(table, item)
    )
    table.close()
    return DeviceEnvelope(
        device, least, most, ramp, dwell, cycles, floor * _PERMILLE_PER_PERCENT, ceiling * _PERMILLE_PER_PERCENT,
        forbidden,
    )  # fmt: skip


def _known(table: Table, operation: str) -> bool:
    if operation in _ORDERABLE:
        return True
    table.wrong("forbidden", f"names {operation!r}", f"Choose among {', '.join(_ORDERABLE)}.")
    return False


def _utility(table: Table, devices: list[str]) -> Utility:
    dialect = table.one_of("dialect", "Name a dialect.", {str(kind): kind for kind in EnrolmentKind})
    return (_server if dialect is EnrolmentKind.IEEE_2030_5 else _vtn)(table, devices)


def _server(table: Table, devices: list[str]) -> Utility:
    """A server of IEEE 2030.5."""
    name = _name(table)
    insecure = table.text("insecure", "Say why plain HTTP is acceptable.", "")
    tls = _tls(table)
    url = _url(table, tls, insecure, "The address of the server's DeviceCapability, https://HOST/dcap.")
    operations, ceiling = _permitted(table)
    server = read_server(table, devices, encrypted=tls is not None)
    table.close()
    return Utility(
        name, str(EnrolmentKind.IEEE_2030_5), url, "", "", 1, 3600, insecure, tls, {}, {}, {}, operations, ceiling, 1,
        server,
    )  # fmt: skip


def _vtn(table: Table, devices: list[str]) -> Utility:
    """A VTN of OpenADR 2.0b."""
    name = _name(table)
    insecure = table.text("insecure", "Say why plain HTTP is acceptable.", "")
    tls = _tls(table)
    url = _url(table, tls, insecure, "The address of the VTN, without /OpenADR2.")
    ven_name = table.text("ven_name", "The name under which this site registers.")
    ven_id = table.text("ven_id", "The venID, if the utility gave one beforehand.", "")
    least = table.whole("poll_seconds_least", "1 to 3600 seconds.", 1, 3600, 1)
    most = table.whole("poll_seconds_most", "1 to 86400 seconds.", 1, 86_400, 3600)
    if most < least:
        table.wrong("poll_seconds_most", f"is {most}, below poll_seconds_least = {least}", "Raise it.")
    listed = [_context(item) for item in table.tables("market_context", "Write one [[utility.market_context]] each.")]
    _unique(table, "market_context", [uri for uri, _ in listed if uri])
    contexts = dict(listed)
    resources = _resources(table, devices)
    groups = _groups(table, devices)
    operations, ceiling = _permitted(table)
    report = table.whole("report_seconds", "The finest granularity of telemetry on offer, 1 to 3600.", 1, 3600, 1)
    table.close()
    return Utility(
        name, str(EnrolmentKind.OPENADR_2_0B), url, ven_name, ven_id, least, most, insecure, tls, contexts, resources,
        groups, operations, ceiling, report,
    )  # fmt: skip


def _permitted(table: Table) -> tuple[tuple[Operation, ...], int]:
    """What the utility may order, and how much at most."""
    operations = tuple(
        _ORDERABLE[item]
        for item in table.texts("operations", f"Choose among {', '.join(_ORDERABLE)}.")
        if _orderable(table, item)
    )
    return operations, table.whole("ceiling_watts", "The highest power it may order, in watts.", 0, _MOST_WATTS)


def _context(table: Table) -> tuple[str, MarketContext]:
    uri = table.text("uri", "The market context of its events.")
    programme = table.text("programme", "A short name for it.", uri or "-")
    signs: dict[str, DispatchSign | None] = {str(sign): sign for sign in DispatchSign}
    signs["none"] = None
    sign = table.one_of("dispatch_sign", "consumption, generation, or none if it never dispatches.", signs)
    table.close()
    return uri, MarketContext(programme, sign)


def _resources(table: Table, devices: list[str]) -> Mapping[str, str]:
    named = table.table("resources", "Map each resourceID to a device.", required=False)
    found: dict[str, str] = {}
    for resource, device in named.pairs().items():
        if isinstance(device, str) and device in devices:
            found[resource] = device
        else:
            named.wrong(resource, f"names the device {device!r}", f"Choose among {', '.join(devices) or '(none)'}.")
    return found


def _groups(table: Table, devices: list[str]) -> Mapping[str, tuple[str, ...]]:
    named = table.table("groups", "Map each groupID to a list of devices.", required=False)
    found: dict[str, tuple[str, ...]] = {}
    for group, members in named.pairs().items():
        if isinstance(members, list) and members and all(member in devices for member in members):
            found[group] = tuple(str(member) for member in members)
        else:
            named.wrong(group, f"is {members!r}", f"List devices among {', '.join(devices) or '(none)'}.")
    return found


def _orderable(table: Table, operation: str) -> bool:
    if operation in _ORDERABLE:
        return True
    table.wrong("operations", f"names {operation!r}", f"Choose among {', '.join(_ORDERABLE)}.")
    return False


def _tls(table: Table) -> UtilityTls | None:
    if not table.has("tls"):
        return None
    tls = table.table("tls", "")
    certificate = tls.text("certificate", "The PEM file of our certificate.")
    key = tls.text("key", secret_names.MEND)
    if key and not secret_names.FORM.fullmatch(key):
        tls.wrong("key", "does not name a secret", secret_names.MEND)
    authority = tls.text("authority", "The PEM file of the utility's certificate authority.")
    tls.close()
    return UtilityTls(certificate, key, authority)


def _url(table: Table, tls: UtilityTls | None, insecure: str, mend: str) -> str:
    url = table.text("url", mend)
    parts = _parts(url)
    if parts is None:
        if url:
            table.wrong("url", "is no address", "Write http://... or https://... with a host.")
    elif "@" in parts.netloc:
        table.wrong("url", "names a user or a password", "The site file holds no secret; write the address alone.")
    elif parts.scheme == "http" and not is_loopback(parts.hostname or "") and not insecure:
        table.wrong("url", "is plain HTTP to another machine", 'Use https, or write insecure = "the reason".')
    elif parts.scheme == "https" and tls is None:
        table.wrong(
            "tls", "is missing", "https to a utility needs a [utility.tls] table: both sides show certificates."
        )
    return url


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _parts(url: str) -> SplitResult | None:
    """The parts of an http address, or None where it is none."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if sound and url.isprintable() else None


def _is_tcp(address: str) -> bool:
    """Whether the manifest's inventory will take it: tcp://HOST:PORT and nothing after."""
    try:
        parts = urlsplit(address)
        return bool(parts.hostname and parts.port) and address == f"tcp://{parts.netloc}"
    except ValueError:
        return False


def _name(table: Table) -> str:
    name = table.text("name", _NAME_MEND)
    if name and not _NAME.fullmatch(name):
        table.wrong("name", f"is {name!r}", _NAME_MEND)
    return name


def _unique(root: Table, key: str, names: list[str]) -> None:
    for name in sorted(name for name, times in Counter(names).items() if times > 1):
        root.wrong(key, f"has two entries named {name!r}", "Give each its own name.")
