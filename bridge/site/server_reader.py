"""Reading what the site file says of a server of IEEE 2030.5: who we are there, which devices, which programmes."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from wattseal.bridge.site.mistakes import Table
from wattseal.bridge.site.model import EndDevice, Listener, Make, Server
from wattseal.certs.errors import MisuseError
from wattseal.certs.identity import completed_pin
from wattseal.protocols.ieee2030_5.client.config import DerType, Role
from wattseal.protocols.ieee2030_5.profiles import PROFILES

AUTO: Final = "auto"
_LFDI: Final = re.compile(r"[0-9A-Fa-f]{40}")
_LFDI_MEND: Final = "An LFDI has 40 hexadecimal digits; `wattseal certs inspect` tells it."
_MRID: Final = re.compile(r"[0-9A-Fa-f]{2,32}")
_MOST: Final = 100_000_000
_MOST_PEN: Final = (1 << 32) - 1
_CONNECTION_POINT: Final = 32
_VERSION_OCTETS: Final = 32
_DAY_MEND: Final = "Write a day as 2026-05-31."


def read_server(table: Table, devices: Sequence[str], *, encrypted: bool) -> Server:
    """The part of a [[utility]] table that only this dialect has. Mistakes go to the table.

    `encrypted`: there is a certificate of ours, which says who we are.
    """
    profiles = {name: name for name in (*PROFILES, AUTO)}
    profile = table.one_of("profile", "Which edition the server speaks.", profiles)
    role = table.one_of("role", "Whose certificate is ours?", {str(one): one for one in Role})
    pin = _pin(table)
    lfdi = _lfdi(table, "server_lfdi")
    pen = table.whole("pen", "Our IANA private enterprise number; 0 for none.", 0, _MOST_PEN, 0)
    register = table.truth("register", "Whether to register devices that the server does not list.", default=True)
    mend = "Write one [[utility.end_device]] for each device that this server may see."
    known = {name: name for name in devices} or {"": ""}
    end_devices = tuple(_end_device(item, known, role) for item in table.tables("end_device", mend))
    _require_fit(table, end_devices, role)
    if not encrypted and role is Role.DEVICE and any(not one.lfdi for one in end_devices):
        table.wrong("end_device", "has no lfdi", f"Without a certificate nothing else says who we are. {_LFDI_MEND}")
    return Server(profile, role, pin, lfdi, pen, register, end_devices, _programmes(table), _listener(table))


def _end_device(table: Table, devices: Mapping[str, str], role: Role) -> EndDevice:
    device = table.one_of("device", "Name a device of this file.", devices)
    lfdi = _lfdi(table, "lfdi")
    if role is Role.AGGREGATOR and not lfdi:
        table.wrong("lfdi", "is missing", f"An aggregator names the LFDI of each device. {_LFDI_MEND}")
    kind = table.one_of("type", "What kind of device is it?", {str(one): one for one in DerType})
    point = table.text("connection_point", "The NMI or connection point id, at most 32 letters.", "")
    if len(point) > _CONNECTION_POINT:
        table.wrong("connection_point", f"has {len(point)} letters", "At most 32 are allowed.")
    keys = ("volt_amperes", "inject_vars", "absorb_vars", "storage_watt_hours", "volts")
    volt_amperes, inject_vars, absorb_vars, storage, volts = (_rating(table, key) for key in keys)
    make = _make(table)
    table.close()
    return EndDevice(device, lfdi, kind, point, volt_amperes, inject_vars, absorb_vars, storage, volts, make)


def _make(table: Table) -> Make | None:
    if not table.has("make"):
        return None
    make = table.table("make", "")
    pen = make.whole("pen", "The maker's IANA private enterprise number.", 1, _MOST_PEN)
    hardware, software = (
        make.text(key, f"At most {_VERSION_OCTETS} letters.") for key in ("hardware_version", "software_version")
    )
    for key, text in (("hardware_version", hardware), ("software_version", software)):
        if len(text.encode()) > _VERSION_OCTETS:
            make.wrong(key, f"has {len(text.encode())} octets", f"At most {_VERSION_OCTETS} are allowed.")
    made, since = (_day(make, key) for key in ("made", "software_since"))
    make.close()
    return Make(pen, made, hardware, software, since)


def _day(table: Table, key: str) -> int:
    """A day in UTC, as unix seconds of its beginning."""
    text = table.text(key, _DAY_MEND)
    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
    except ValueError:
        if text:
            table.wrong(key, f"is {text!r}", _DAY_MEND)
        return 0


def _rating(table: Table, key: str) -> int | None:
    if not table.has(key):
        return None
    return table.whole(key, f"A rating of the device, 0 to {_MOST}; leave it out if unknown.", 0, _MOST)


def _require_fit(table: Table, end_devices: tuple[EndDevice, ...], role: Role) -> None:
    for key, values in (("device", [one.device for one in end_devices]), ("lfdi", [one.lfdi for one in end_devices])):
        for value in sorted(value for value, times in Counter(values).items() if value and times > 1):
            table.wrong("end_device", f"has two entries whose {key} is {value!r}", "Name each once.")
    if role is Role.DEVICE and len(end_devices) > 1:
        mend = 'A device certificate stands for one device; use role = "aggregator" for several.'
        table.wrong("end_device", f"has {len(end_devices)} entries", mend)


def _pin(table: Table) -> int | None:
    mend = 'Write pin = "111115": five digits and the check digit that the utility gave.'
    text = table.text("pin", mend, "")
    if not text:
        return None
    try:
        return int(completed_pin(text))
    except MisuseError as error:
        table.wrong("pin", "is no PIN", error.sentence)
        return None


def _lfdi(table: Table, key: str) -> str:
    text = table.text(key, _LFDI_MEND, "")
    if text and not _LFDI.fullmatch(text):
        table.wrong(key, f"is {text!r}", _LFDI_MEND)
        return ""
    return text.upper()


def _programmes(table: Table) -> Mapping[str, str]:
    named = table.table("programmes", "Map a short name to the mRID of a programme.", required=False)
    found: dict[str, str] = {}
    for name, mrid in named.pairs().items():
        if not isinstance(mrid, str) or not _MRID.fullmatch(mrid) or len(mrid) % 2:
            named.wrong(name, f"is {mrid!r}", "Write the mRID of the DERProgram: 2 to 32 hexadecimal digits.")
        elif mrid.upper() in found:
            named.wrong(name, f"names {mrid} once more", "Give each programme one name.")
        else:
            found[mrid.upper()] = name
    return found


def _listener(table: Table) -> Listener | None:
    if not table.has("listener"):
        return None
    listener = table.table("listener", "")
    mend = "Write HOST:PORT, where this box listens for notifications."
    host, port = _address(listener, listener.text("address", mend), mend)
    uri = listener.text("uri", "The https address under which the server reaches it.")
    if uri and not _is_https(uri):
        listener.wrong("uri", f"is {uri!r}", "Write https://HOST:PORT, without a query.")
    listener.close()
    return Listener(host, port, uri.rstrip("/"))


def _address(table: Table, text: str, mend: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        if parts.hostname and parts.port and parts.netloc == text and "@" not in text:
            return parts.hostname, parts.port
    except ValueError:
        pass
    if text:
        table.wrong("address", f"is {text!r}", mend)
    return "127.0.0.1", 0


def _is_https(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        sound = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return sound and not parts.query and not parts.fragment and "@" not in parts.netloc and uri.isprintable()
