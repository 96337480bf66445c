"""The story: two utilities, four events, two devices, three attacks, one verdict. Every count is checked."""

import asyncio
import json
import random
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from wattseal.bridge.core.core import Core, Estate
from wattseal.bridge.core.opening import open_estate
from wattseal.bridge.core.process import running_core
from wattseal.bridge.demo import attacks
from wattseal.bridge.demo.chronicle import Chronicle
from wattseal.bridge.demo.outcome import Check, Outcome, outcome_of
from wattseal.bridge.demo.overlap import Overlap, mirrors, overlapped
from wattseal.bridge.demo.stage import CONTEXT, NAME, Stage, staged
from wattseal.bridge.demo.stations import Stations
from wattseal.bridge.demo.telling import Teller
from wattseal.bridge.demo.watching import (
    NOISE_WATTS,
    Condition,
    first_of,
    follows,
    listed,
    met,
    opted_in,
    rows,
    seen,
    until,
    watts_of,
)
from wattseal.bridge.exporting import export_box, record_in
from wattseal.bridge.replay import replay
from wattseal.certs.box import write_durably
from wattseal.certs.clock import SystemTime
from wattseal.drivers.simulators.control import ControlClient
from wattseal.protocols.ieee2030_5.server.door import AdminClient as ServerStaff
from wattseal.protocols.openadr20b.vtn.admin_door import AdminClient

_DISPATCH_SECONDS: Final = 25  # both controls in its middle, and some seconds to slow machines
_LEVEL_SECONDS: Final = 120
_PRIORITY: Final = 5
_REPORTS: Final = 5


async def tell_story(directory: Path, scratch: Path, teller: Teller, *, seed: int) -> Outcome:
    """Plays the whole story; leaves evidence.wse, root.txt, devices/ and utility/ in `directory`."""
    teller.heading("Setting the stage: two utilities, a battery, a charger, a gateway, each a process of its own")
    async with staged(directory, scratch, seed=seed) as stage:
        write_durably(directory / "root.txt", stage.root.encode() + b"\n")
        estate = open_estate(stage.box, SystemTime())
        try:
            chronicle = Chronicle(estate.store, teller, Stations())
            checks = await _day(stage, estate, chronicle, teller, random.Random(seed))  # noqa: S311 - a script, no secret
            checks += await _attacks(stage, estate, chronicle, teller)
            checks += await _proof(stage, chronicle, teller)
        except ExceptionGroup as several:  # the core runs in a task group: what went wrong comes out wrapped
            raise first_of(several) from several
        finally:
            estate.store.close()
    return outcome_of(chronicle, checks)


async def _day(stage: Stage, estate: Estate, chronicle: Chronicle, teller: Teller, draw: random.Random) -> list[Check]:
    """Two events of one utility, one of them overlapped by a control of the other, and cancelled the other one."""
    watts, second = draw.randrange(1000, 3001, 100), -draw.randrange(1000, 3001, 100)
    core = Core(estate, chronicle.stations.watch)
    async with (
        running_core(stage.box, estate, core),
        AdminClient(stage.utility_admin_port) as utility,
        ServerStaff(stage.second_admin_port) as staff,
        ControlClient(stage.devices["battery"][1]) as battery,
        ControlClient(stage.devices["charger"][1]) as charger,
    ):
        await until(listed(utility, "requests", 1), chronicle, "the site registered")
        act = Overlap(core, estate, chronicle, teller, battery, staff, watts, second, watts // 2)
        teller.heading(f"Two events arrive from {NAME}, over OpenADR")
        await utility.ask("add_event", event=_dispatch(-watts))
        level = (await utility.ask("add_event", event=_level(2)))["event_id"]
        await until(follows(battery, watts), chronicle, "the battery followed the dispatch")
        battery_watts = await watts_of(battery)
        teller.say(f"the battery's own truth: {battery_watts} W", "note")
        teller.say(f"why       {act.why().sentence}", "good")
        checks = await overlapped(act, NAME)
        reverted = chronicle.results().get("revert/reverted", 0)
        opted = await opted_in(utility)
        await until(seen(chronicle, "effective", 1), chronicle, "the charger's effect was measured")
        charger_watts = await watts_of(charger)
        teller.say(f"the charger's own truth: {charger_watts} W", "note")
        await until(seen(chronicle, "revert/reverted", reverted + 1), chronicle, "the window of the dispatch ended")
        teller.heading(f"{NAME} cancels its other event")
        await utility.ask("cancel", event_id=level)
        await until(_released(charger), chronicle, "the charger is back at its default")
        await until(follows(battery, 0), chronicle, "the battery's power has followed")
        await until(met(lambda: chronicle.counts["report 200"] >= _REPORTS), chronicle, "telemetry went home")
        readings = await rows(utility, "readings")
        idle_watts = await watts_of(battery)
        checks.append(await mirrors(act))
    mismatches = chronicle.results().get("command/mismatch", 0)
    return [
        Check("events opted in", opted, opted == 2),  # noqa: PLR2004 - two events
        Check("battery followed", battery_watts, abs(battery_watts - watts) <= NOISE_WATTS),
        *checks,
        Check("charger followed", charger_watts, -5700 <= charger_watts <= -5000),  # noqa: PLR2004 - 8.1 A on 3 phases
        Check("battery back at default", idle_watts, abs(idle_watts) <= NOISE_WATTS),
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
        await until(_refused(chronicle, "key_unknown", "sequence_replayed"), chronicle, "the gateway told its refusals")
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
    teller.say(
        f"re-executed: {made} bodies made again, {len(again.differences)} differ; {again.as_recorded} intents of IEEE "
        "2030.5 taken as recorded, for they follow from a whole schedule",
        "good" if made and not again.differences else "bad",
    )
    devices = verdict.get("devices", {})
    left = [one for device in devices.values() for one in device.get("without_receipt", [])]
    return [
        Check("verifier", verdict.get("verdict"), code == 0 and verdict.get("verdict") == "proven"),
        Check("commands proven", verdict.get("commands"), verdict.get("commands") == len(chronicle.commands)),
        Check("commands without receipt", len(left), not left),
        Check("bodies re-executed", made, made > 0 and not again.differences),
    ]


def _dispatch(watts: int) -> dict[str, object]:
    now = datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    step = {"duration_seconds": _DISPATCH_SECONDS, "value": watts}
    signal = {"name": "LOAD_DISPATCH", "type": "setpoint", "unit": "W", "steps": [step]}
    return {
        "market_context": CONTEXT, "dtstart": now, "duration_seconds": _DISPATCH_SECONDS, "signals": [signal],
        "priority": _PRIORITY, "target": {"resource_ids": ["battery-1"]},
    }  # fmt: skip


def _level(level: int) -> dict[str, object]:
    now = datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    signal = {"name": "SIMPLE", "type": "level", "steps": [{"duration_seconds": _LEVEL_SECONDS, "value": level}]}
    return {
        "market_context": CONTEXT, "dtstart": now, "duration_seconds": _LEVEL_SECONDS, "signals": [signal],
        "target": {"resource_ids": ["charger-1"]},
    }  # fmt: skip


def _refused(chronicle: Chronicle, *reasons: str) -> Condition:
    return met(lambda: all(chronicle.refusals[reason] for reason in reasons))


def _released(charger: ControlClient) -> Condition:
    async def released() -> bool:
        return await watts_of(charger) > -4300  # noqa: PLR2004 - the safe current of 6 A on 3 phases, and a little

    return released


def _written(stage: Stage) -> int:
    """How many write frames the devices have seen that are no heartbeat of the charger."""
    return sum(path.read_text().count("\n") for path, _ in stage.devices.values())
