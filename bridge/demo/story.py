"""The story: one utility, two events, two devices, three attacks, one verdict. Every count is checked at the end."""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from wattseal.bridge.core.core import Core, Estate
from wattseal.bridge.core.opening import open_estate
from wattseal.bridge.core.process import running_core
from wattseal.bridge.demo import attacks
from wattseal.bridge.demo.chronicle import Chronicle
from wattseal.bridge.demo.stage import CONTEXT, Stage, staged
from wattseal.bridge.demo.stations import Stations
from wattseal.bridge.demo.telling import Teller
from wattseal.bridge.exporting import export_box, record_in
from wattseal.bridge.replay import replay
from wattseal.certs.box import write_durably
from wattseal.certs.clock import SystemTime
from wattseal.certs.errors import WorldError
from wattseal.drivers.simulators.control import ControlClient
from wattseal.protocols.openadr20b.vtn.admin_door import AdminClient

_DISPATCH_SECONDS: Final = 18
_LEVEL_SECONDS: Final = 120
_CANCEL_AFTER_SECONDS: Final = 19
_LOOK_SECONDS: Final = 0.05
_PATIENCE_SECONDS: Final = 45.0
_NOISE_WATTS: Final = 100


class DemoError(WorldError):
    """The story did not go on in time (`demo_stuck`)."""


@dataclass(frozen=True, slots=True)
class Check:
    """One count of the verdict: what was found, and whether it is what must be."""

    name: str
    found: object
    holds: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """Every check, and the one line that sums them up."""

    checks: tuple[Check, ...]
    line: str

    @property
    def good(self) -> bool:
        """Whether every count is as it must be."""
        return all(check.holds for check in self.checks)


async def tell_story(directory: Path, scratch: Path, teller: Teller, *, seed: int) -> Outcome:
    """Plays the whole story; leaves evidence.wse, root.txt, devices/ and utility/ in `directory`."""
    teller.heading("Setting the stage: a utility, a battery, a charger, a gateway, each a process of its own")
    async with staged(directory, scratch, seed=seed) as stage:
        write_durably(directory / "root.txt", stage.root.encode() + b"\n")
        estate = open_estate(stage.box, SystemTime())
        try:
            chronicle = Chronicle(estate.store, teller, Stations())
            checks = await _day(stage, estate, chronicle, teller, random.Random(seed))  # noqa: S311 - a script, no secret
            checks += await _attacks(stage, estate, chronicle, teller)
            checks += await _proof(stage, chronicle, teller)
        finally:
            estate.store.close()
    return Outcome(tuple(checks), _line(chronicle, checks))


async def _day(stage: Stage, estate: Estate, chronicle: Chronicle, teller: Teller, draw: random.Random) -> list[Check]:
    """Two events: one runs out by itself, one is cancelled by the utility."""
    watts = draw.randrange(1000, 3001, 100)
    core = Core(estate, chronicle.stations.watch)
    async with (
        running_core(stage.box, estate, core),
        AdminClient(stage.utility_admin_port) as utility,
        ControlClient(stage.devices["battery"][1]) as battery,
        ControlClient(stage.devices["charger"][1]) as charger,
    ):
        await _until(lambda: _listed(utility, "requests", 1), chronicle, "the site registered")
        teller.heading("Two events arrive")
        await utility.ask("add_event", event=_dispatch(-watts))
        level = (await utility.ask("add_event", event=_level(2)))["event_id"]
        await _until(_seen(chronicle, "command/applied", 1), chronicle, "the battery answered")
        await _until(_seen(chronicle, "effective", 1), chronicle, "the battery's effect was measured")
        battery_watts = await _watts(battery)
        opted_in = await _opted_in(utility)
        await _until(_seen(chronicle, "effective", 2), chronicle, "the charger's effect was measured")
        charger_watts = await _watts(charger)
        teller.say(f"the devices' own truth: battery {battery_watts} W, charger {charger_watts} W", "note")
        await _until(_seen(chronicle, "revert/reverted", 1), chronicle, "the window of the dispatch ended")
        teller.heading("The utility cancels the second event")
        await utility.ask("cancel", event_id=level)
        await _until(_commands(chronicle, 3), chronicle, "the cancellation reached the charger")
        await _until(_released(charger), chronicle, "the charger is back at its default")
        await _until(_idle(battery), chronicle, "the battery's power has followed")
        await _until(_reports(chronicle, 5), chronicle, "telemetry went home")
        readings = await _rows(utility, "readings")
        idle_watts = await _watts(battery)
    mismatches = chronicle.results().get("command/mismatch", 0)
    return [
        Check("events opted in", opted_in, opted_in == 2),  # noqa: PLR2004 - two events
        Check("battery followed", battery_watts, abs(battery_watts - watts) <= _NOISE_WATTS),
        Check("charger followed", charger_watts, -5700 <= charger_watts <= -5000),  # noqa: PLR2004 - 8.1 A on 3 phases
        Check("battery back at default", idle_watts, abs(idle_watts) <= _NOISE_WATTS),
        Check("report values at the utility", len(readings), len(readings) > 0),
        Check("mismatches", mismatches, mismatches == 0),
    ]


async def _attacks(stage: Stage, estate: Estate, chronicle: Chronicle, teller: Teller) -> list[Check]:
    """Forge and replay at the gateway's socket, while the core is away; then the core comes back and hears of it."""
    teller.heading("Three attacks")
    before = _written(stage)
    await attacks.forge(stage.box, chronicle.commands[0], stage.scratch)
    await attacks.replay(stage.box, chronicle.commands)
    core = Core(estate)
    async with running_core(stage.box, estate, core):
        await _until(
            _refused(chronicle, "key_unknown", "sequence_replayed"), chronicle, "the gateway told its refusals"
        )
    forged, replayed = chronicle.refusals["key_unknown"], chronicle.refusals["sequence_replayed"]
    teller.say(f"forged command: refused, key_unknown ({forged})", "good")
    teller.say(f"replayed commands: refused, sequence_replayed ({replayed})", "good")
    after = _written(stage)
    teller.say(f"write frames at the devices during both: {after - before}", "good" if after == before else "bad")
    edited = await asyncio.to_thread(attacks.edit_log, stage.box, stage.scratch / "attacked")
    code, told = await attacks.verify(edited, stage.root)
    broken = json.loads(told or "{}").get("first_broken") or {}
    teller.say(f"edited log: the verifier names {broken.get('reason')}", "good" if code == 1 else "bad")
    return [
        Check("forged refused", forged, forged >= 1),
        Check("replayed refused", replayed, replayed >= 1),
        Check("frames written by attacks", after - before, after == before),
        Check("edited log refused", code, code == 1),
    ]


async def _proof(stage: Stage, chronicle: Chronicle, teller: Teller) -> list[Check]:
    """Evidence of the whole day, judged by the separate verifier, and made again."""
    teller.heading("The proof")
    now = int(time.time())
    file = stage.directory / "evidence.wse"
    content = await asyncio.to_thread(export_box, stage.box, from_ms=0, to_ms=(now + 1) * 1000, now=now)
    write_durably(file, content)
    begun = time.perf_counter()
    code, told = await attacks.verify(file, stage.root)
    verdict = json.loads(told or "{}")
    took_ms = (time.perf_counter() - begun) * 1000
    teller.say(
        f"wattseal-audit: {verdict.get('verdict')}, {verdict.get('statements')} statements in {len(content)} bytes, "
        f"assurance {verdict.get('assurance')} (a lab: simulators, software keys), {took_ms:.0f} ms with its start",
        "good" if code == 0 else "bad",
    )
    again = await asyncio.to_thread(lambda: replay(record_in(file)))
    made = sum(again.compared.values())
    teller.say(f"re-executed: {made} bodies made again, {len(again.differences)} differ", "good" if made else "bad")
    devices = verdict.get("devices", {})
    left = [one for device in devices.values() for one in device.get("without_receipt", [])]
    return [
        Check("verifier", verdict.get("verdict"), code == 0 and verdict.get("verdict") == "proven"),
        Check("commands proven", verdict.get("commands"), verdict.get("commands") == len(chronicle.commands)),
        Check("commands without receipt", len(left), not left),
        Check("bodies re-executed", made, made > 0 and not again.differences),
    ]


def _line(chronicle: Chronicle, checks: list[Check]) -> str:
    found = {check.name: check.found for check in checks}
    refused = sum(check.holds for check in checks if check.name.endswith("refused"))
    bad = [check.name for check in checks if not check.holds]
    verdict = "all as it must be" if not bad else "NOT as it must be: " + ", ".join(bad)
    return (
        f"{len(chronicle.commands)} commands, {found.get('commands proven')} proven; "
        f"{chronicle.counts['reading']} readings, {chronicle.counts['report']} reports accepted; "
        f"3 attacks, {refused} refused; {found.get('bodies re-executed')} bodies re-executed; {verdict}"
    )


def _dispatch(watts: int) -> dict[str, object]:
    now = datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    step = {"duration_seconds": _DISPATCH_SECONDS, "value": watts}
    signal = {"name": "LOAD_DISPATCH", "type": "setpoint", "unit": "W", "steps": [step]}
    return {
        "market_context": CONTEXT, "dtstart": now, "duration_seconds": _DISPATCH_SECONDS, "signals": [signal],
        "target": {"resource_ids": ["battery-1"]},
    }  # fmt: skip


def _level(level: int) -> dict[str, object]:
    now = datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    signal = {"name": "SIMPLE", "type": "level", "steps": [{"duration_seconds": _LEVEL_SECONDS, "value": level}]}
    return {
        "market_context": CONTEXT, "dtstart": now, "duration_seconds": _LEVEL_SECONDS, "signals": [signal],
        "target": {"resource_ids": ["charger-1"]},
    }  # fmt: skip


async def _until(holds: Callable[[], Awaitable[bool]], chronicle: Chronicle, what: str) -> None:
    """Reads the ledger onward until `holds`; raises `DemoError` when that takes too long."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                chronicle.read()
                if await holds():
                    return
                await asyncio.sleep(_LOOK_SECONDS)
    except TimeoutError as error:
        raise DemoError("demo_stuck", f"Waited {_PATIENCE_SECONDS:.0f} s in vain until {what}.") from error


async def _rows(utility: AdminClient, of: str) -> list[Any]:
    """What the utility knows under that name, of all its VENs."""
    by_ven: dict[str, list[Any]] = (await utility.ask("list", of=of))[of]
    return [row for rows in by_ven.values() for row in rows]


async def _listed(utility: AdminClient, of: str, least: int) -> bool:
    return len(await _rows(utility, of)) >= least


async def _true(holds: bool) -> bool:
    return holds


def _seen(chronicle: Chronicle, result: str, least: int) -> Callable[[], Awaitable[bool]]:
    return lambda: _true(chronicle.results().get(result, 0) >= least)


def _commands(chronicle: Chronicle, least: int) -> Callable[[], Awaitable[bool]]:
    return lambda: _true(len(chronicle.commands) >= least)


def _reports(chronicle: Chronicle, least: int) -> Callable[[], Awaitable[bool]]:
    return lambda: _true(chronicle.counts["report 200"] >= least)


def _refused(chronicle: Chronicle, *reasons: str) -> Callable[[], Awaitable[bool]]:
    return lambda: _true(all(chronicle.refusals[reason] for reason in reasons))


async def _watts(device: ControlClient) -> int:
    """What the device really injects (negative: absorbs), by its own physics."""
    state: Any = (await device.send(state=True))["state"]
    return round(float(state["watts"]))


async def _opted_in(utility: AdminClient) -> int:
    """How many events the utility knows to be opted in to."""
    return sum("optIn" in json.dumps(answer) for answer in await _rows(utility, "answers"))


def _released(charger: ControlClient) -> Callable[[], Awaitable[bool]]:
    async def released() -> bool:
        return await _watts(charger) > -4300  # noqa: PLR2004 - the safe current of 6 A on 3 phases, and a little

    return released


def _idle(battery: ControlClient) -> Callable[[], Awaitable[bool]]:
    async def idle() -> bool:
        return abs(await _watts(battery)) <= _NOISE_WATTS

    return idle


def _written(stage: Stage) -> int:
    """How many write frames the devices have seen that are no heartbeat of the charger."""
    return sum(path.read_text().count("\n") for path, _ in stage.devices.values())
