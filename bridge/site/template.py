"""The site file that `wattseal init` writes: complete, commented, and valid as it stands."""

import re
from typing import Final

_TEXT: Final = """\
# One site, as its owner describes it. No secret stands here. After each change: wattseal trust sign DIR
# Signs: watts are positive when a device injects (discharges), negative when it absorbs (charges).

[site]
name = "{name}"
lab = {lab}                     # true on a bench only: owner keys may stay, and every verdict says so
inject_limit_watts = 10000      # what the connection may export
absorb_limit_watts = 22000      # what the connection may import
lease_seconds = 300             # how long an order lives without a renewal, 900 at most
# meter = "meter"               # the [[device]] that measures the connection point: limits at the site hold there;
                                # without one they are shared among the devices, and the household does not count

[[device]]
name = "battery"
profile = "sunspec_battery"
link = "modbus-tcp"             # or "simulator"; decides how much a reading can prove
address = "tcp://127.0.0.1:1502"
unit = 1
identity = ""                   # "maker|model|serial" once known: then nothing else is accepted there
sampling_seconds = 10
tolerance_watts = 50
[device.levels]                 # what the SIMPLE levels 1 to 3 mean for this device
level_1 = {{ operation = "set_power", watts = 0 }}
level_2 = {{ operation = "set_power", watts = 1500 }}
level_3 = {{ operation = "set_power", watts = 3000 }}
[device.envelope]               # what the gate enforces, whoever asks
min_watts = -5000
max_watts = 5000
soc_floor_percent = 10
soc_ceiling_percent = 100

[[device]]
name = "charger"
profile = "alfen_eve"
link = "modbus-tcp"
address = "tcp://127.0.0.1:1503"
sampling_seconds = 10
tolerance_watts = 250
[device.levels]
level_1 = {{ operation = "limit_absorb", watts = 7400 }}
level_2 = {{ operation = "limit_absorb", watts = 4200 }}
level_3 = {{ operation = "limit_absorb", watts = 0 }}
[device.envelope]
min_watts = -22000
max_watts = 0
# [device.charging]             # what to reserve every day with a server of IEEE 2030.5 that takes reservations
# energy_watt_hours = 20000
# power_watts = 7000
# plugged_from = "18:00"
# ready_by = "07:00"
# time_zone = "Europe/Berlin"   # of these two times; UTC if left out

# A meter is read and never ordered anything: no levels, no envelope. Which sign of its W is export, vendors decide:
# sunspec_meter_import_positive or sunspec_meter_export_positive, for models 211 to 214 sunspec_meter_float_... alike.
# Sample it every 1 to 5 seconds: what it shows late, a limit obeys late.
# [[device]]
# name = "meter"
# profile = "sunspec_meter_import_positive"
# link = "modbus-tcp"
# address = "tcp://127.0.0.1:1504"
# sampling_seconds = 2

[[utility]]
name = "north-grid"
dialect = "openadr-2.0b"
url = "http://127.0.0.1:8080"     # the VTN; /OpenADR2/Simple/2.0b/... is added
ven_name = "{name}"
operations = ["set_power", "limit_inject", "limit_absorb"]
ceiling_watts = 22000           # the strongest order it may give
poll_seconds_least = 1
# https needs both sides' certificates:
# tls = {{ certificate = "ven.pem", key = "secret://file/ven.key", authority = "utility-ca.pem" }}
[[utility.market_context]]
uri = "http://north-grid.example/peak"
programme = "peak"
dispatch_sign = "consumption"   # what a positive LOAD_DISPATCH means here: OpenADR does not say, so you must
[utility.resources]             # its resourceID = our device
battery-1 = "battery"
charger-1 = "charger"

# A server of IEEE 2030.5 (CSIP, CSIP-AUS) is a utility of another dialect:
# [[utility]]
# name = "south-grid"
# dialect = "ieee2030.5"
# url = "https://utility.example/dcap"        # its DeviceCapability
# tls = {{ certificate = "device.pem", key = "secret://file/device.key", authority = "serca.pem" }}
# profile = "csip-2018"         # or csip-2023, csipaus-1.2, csipaus-1.3, auto
# role = "device"               # or "aggregator": many end devices under one certificate
# pin = "111115"                # as registered there, with its check digit; left out: not compared
# server_lfdi = ""              # 40 hexadecimal digits: then no other server is believed
# operations = ["set_power", "limit_inject", "limit_absorb"]
# ceiling_watts = 5000
# [[utility.end_device]]
# device = "battery"
# type = "battery"              # or pv, pv_battery, ev_charger
# lfdi = ""                     # an aggregator names each device's
# connection_point = ""         # CSIP-AUS: the NMI
# [utility.listener]            # where notifications arrive; left out: everything is polled
# address = "0.0.0.0:8443"
# uri = "https://box.example:8443/2030"
"""


def template(name: str, *, lab: bool) -> bytes:
    """The text of a new site file. `name` is made fit for a site's name."""
    fit = re.sub(r"[^a-z0-9._-]", "-", name.lower()).strip("._-")[:63] or "site"
    return _TEXT.format(name=fit, lab="true" if lab else "false").encode()
