"""The simulators as a program: `python -m wattseal.drivers.simulators.command battery|ev-charger|meter ...`.

Prints one line when it is ready and runs until SIGTERM or SIGINT. Exit: 0 ended, 2 usage, 3 the world failed.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from wattseal.certs.errors import MisuseError, WorldError
from wattseal.certs.lab_clock.loop import joined, run
from wattseal.drivers.simulators.battery_controls import BatteryRating
from wattseal.drivers.simulators.battery_inverter import BatteryInverter, BatteryOptions
from wattseal.drivers.simulators.clock import Clock, SystemClock, VirtualClock
from wattseal.drivers.simulators.device import Device
from wattseal.drivers.simulators.ev_charger import EvCharger, EvChargerOptions
from wattseal.drivers.simulators.ev_physics import DEFAULT_SOC_PERCENT, Visit
from wattseal.drivers.simulators.neighbours import Neighbours
from wattseal.drivers.simulators.own_mode import OWN_MODES, constant
from wattseal.drivers.simulators.physics import BatteryBody
from wattseal.drivers.simulators.running import RunningDevice, running_device
from wattseal.drivers.simulators.site_meter import SiteMeter, SiteMeterOptions

USAGE, WORLD_FAILED = 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What to run and where. Port 0 takes any free one."""

    build: Callable[[float], Device]
    clock: Clock
    port: int = 0
    control_port: int = 0
    write_log: Path | None = None
    beside: Callable[[], Awaitable[None]] | None = None
    """What runs as long as the device does, such as looking at other simulators; it raises nothing."""


async def serve(options: ServeOptions, ready: Callable[[RunningDevice[Device]], None]) -> None:
    """Run the device until SIGTERM or SIGINT; `ready` is told once it listens.

    Raises WorldError when a port or the write log fails, then or later.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    async with running_device(
        options.build,
        clock=options.clock,
        port=options.port,
        control_port=options.control_port,
        write_log=options.write_log,
    ) as running:
        ready(running)
        stopped = asyncio.create_task(stop.wait())
        beside = asyncio.ensure_future(stop.wait() if options.beside is None else options.beside())
        await asyncio.wait((stopped, running.failed), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        beside.cancel()


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, run, and return the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        clock = joined(arguments.clock, f"device {arguments.serial}")
        options = _options(arguments) if clock is None else replace(_options(arguments), clock=clock)
        run(serve(options, lambda running: _announce(running, as_json=arguments.json)), clock)
    except MisuseError as error:
        sys.stderr.write(f"{error.sentence}\n")
        return USAGE
    except WorldError as error:
        sys.stderr.write(f"{error.sentence}\n")
        return WORLD_FAILED
    return 0


def _announce(running: RunningDevice[Device], *, as_json: bool) -> None:
    name = running.device.name
    if as_json:
        line = json.dumps({"ready": True, "device": name, "port": running.port, "control_port": running.control_port})
    else:
        line = f"{name}: Modbus TCP on 127.0.0.1:{running.port}, control door on 127.0.0.1:{running.control_port}"
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _options(arguments: argparse.Namespace) -> ServeOptions:
    return ServeOptions(
        build=arguments.build(arguments),
        beside=arguments.behind.follow if "behind" in arguments else None,
        clock=SystemClock() if arguments.virtual_clock is None else VirtualClock(_start(arguments.virtual_clock)),
        port=arguments.port,
        control_port=arguments.control_port,
        write_log=arguments.write_log,
    )


def _start(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise MisuseError("bad_time", f"{text!r} is no RFC 3339 time such as 2025-06-01T00:00:00Z.") from error


def _battery(arguments: argparse.Namespace) -> Callable[[float], Device]:
    own_mode = OWN_MODES[arguments.own_mode] if arguments.own_watts is None else constant(arguments.own_watts)
    options = BatteryOptions(
        serial=arguments.serial,
        rating=BatteryRating(
            watts=arguments.rated_watts,
            volt_amperes=arguments.rated_watts,
            charge_watts=arguments.charge_watts or arguments.rated_watts,
            discharge_watts=arguments.rated_watts,
        ),
        body=BatteryBody(capacity_wh=arguments.capacity_wh),
        soc_percent=arguments.soc_percent,
        own_mode=own_mode,
        noise_watts=arguments.noise_watts,
        curve_points=arguments.curve_points,
        seed=arguments.seed,
    )
    return lambda now: BatteryInverter(options, now)


def _ev_charger(arguments: argparse.Namespace) -> Callable[[float], Device]:
    options = EvChargerOptions(
        serial=arguments.serial,
        validity_seconds=arguments.validity_seconds,
        safe_amperes=arguments.safe_amperes,
        station_amperes=arguments.station_amperes,
        visits=tuple(arguments.car or ()) if arguments.no_car or arguments.car else (Visit(),),
    )
    return lambda now: EvCharger(options, now)


def _meter(arguments: argparse.Namespace) -> Callable[[float], Device]:
    arguments.behind = Neighbours(tuple(arguments.behind_port or ()))
    options = SiteMeterOptions(
        serial=arguments.serial,
        household_watts=arguments.household_watts,
        export_positive=arguments.positive == "export",
        behind=(arguments.behind.watts,),
    )
    return lambda now: SiteMeter(options, now)


def _visit(text: str) -> Visit:
    """`ARRIVES[:LEAVES[:SOC]]`, seconds after the start and percent."""
    arrives, leaves, soc_percent, *_ = (*text.split(":"), "", "", "")
    return Visit(
        arrives=float(arrives),
        leaves=float(leaves or "inf"),
        soc_percent=float(soc_percent or DEFAULT_SOC_PERCENT),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="simulators", description="A simulated device on loopback Modbus TCP.")
    devices = parser.add_subparsers(required=True, metavar="DEVICE")
    battery = _device(devices, "battery", "SunSpec battery inverter at base 40000, unit 1", _battery)
    battery.add_argument("--serial", default="WS-BAT-0001", help="serial number in model 1")
    battery.add_argument(
        "--rated-watts", type=int, default=10_000, help="rated power, volt-amperes and discharge power"
    )
    battery.add_argument("--charge-watts", type=int, help="rated charge power (default: the rated power)")
    battery.add_argument("--capacity-wh", type=float, default=20_000.0)
    battery.add_argument("--soc-percent", type=float, default=60.0, help="state of charge at the start")
    battery.add_argument("--own-mode", choices=tuple(OWN_MODES), default="idle", help="what it does uncommanded")
    battery.add_argument("--own-watts", type=float, help="a constant own mode instead; positive = discharge")
    battery.add_argument("--curve-points", type=int, default=None, help="points that every curve's list holds")
    battery.add_argument("--noise-watts", type=float, default=0.0, help="how far power may stay short of its target")
    battery.add_argument("--seed", type=int, default=1, help="of the noise")
    charger = _device(devices, "ev-charger", "EV charger by the Alfen Eve map, units 1 and 200", _ev_charger)
    charger.add_argument("--serial", default="ACE0123456", help="serial number of the station")
    charger.add_argument("--validity-seconds", type=int, default=60, help="how long a current set at 1210 holds")
    charger.add_argument("--safe-amperes", type=float, default=6.0, help="current that holds after that")
    charger.add_argument("--station-amperes", type=float, default=16.0, help="most current of the station")
    cars = charger.add_mutually_exclusive_group()
    cars.add_argument("--car", type=_visit, action="append", metavar="ARRIVES[:LEAVES[:SOC]]", help="a car's visit")
    cars.add_argument("--no-car", action="store_true", help="nobody comes (default: a car is there from the start)")
    meter = _device(devices, "meter", "SunSpec three-phase meter (203) at base 40000, unit 1", _meter)
    meter.add_argument("--serial", default="WS-MET-0001", help="serial number in model 1")
    meter.add_argument(
        "--household-watts", type=float, default=-800.0, help="what all but the devices gives; negative draws"
    )
    meter.add_argument("--positive", choices=("import", "export"), default="import", help="which way W is positive")
    meter.add_argument(
        "--behind", type=int, action="append", dest="behind_port", metavar="CONTROL_PORT",
        help="control door of a simulator behind the meter; may be given several times",
    )  # fmt: skip
    return parser


def _device(
    devices: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    text: str,
    build: Callable[[argparse.Namespace], Callable[[float], Device]],
) -> argparse.ArgumentParser:
    """A subcommand with the options that all devices share."""
    parser = devices.add_parser(name, help=text, description=text)
    parser.set_defaults(build=build)
    parser.add_argument("--port", type=int, default=0, help="Modbus TCP port on 127.0.0.1 (0: any free one)")
    parser.add_argument(
        "--control-port", type=int, default=0, help="control door's port on 127.0.0.1 (0: any free one)"
    )
    parser.add_argument("--write-log", type=Path, help="file to which every write frame is appended")
    time = parser.add_mutually_exclusive_group()
    time.add_argument("--virtual-clock", metavar="START", help="stand still at this time until the door moves it on")
    time.add_argument("--clock", metavar="unix:PATH", help="follow a lab's clock (`wattseal simulate clock`)")
    parser.add_argument("--json", action="store_true", help="announce in JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
