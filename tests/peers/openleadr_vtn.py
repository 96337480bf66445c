"""A VTN nobody here wrote (openleadr's OpenADRServer) as a process of its own, and the handle that tests hold on it.

Run as a script it serves OpenADR 2.0b on a loopback port and takes one JSON object per line on stdin; each gets one
line on stdout. The first line on stdout is `{"ready": true, "base": "http://127.0.0.1:PORT/"}`.

    {"do": "add_event", "ven_id": V, "event_id": E, "start": unix, "duration": s, "value": n, "signal": "SIMPLE" |
            "LOAD_DISPATCH", "context": uri, "resource_id"?: R, "test"?: bool, "intervals"?: [[start, duration, value]]}
    {"do": "cancel_event", "ven_id": V, "event_id": E}         explicit: status cancelled, modification number + 1
    {"do": "drop_event", "ven_id": V, "event_id": E}           implied: the next list no longer has it
    {"do": "restart", "memory": bool}                          a new server on the same port, with or without its past
    {"do": "down"} {"do": "up"}                                gone, and back
    {"do": "vens" | "opts" | "reports" | "offers" | "messages"}   what it knows, in the order in which it came
"""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Empty, Queue
from typing import Any, Self

VTN_ID = "openleadr-vtn"


class Peer:
    """The server and what it was told. All methods run on its loop."""

    def __init__(self, port: int, poll_seconds: int, sampling_seconds: int, reporting_seconds: int) -> None:
        self.port = port
        self.poll_seconds = poll_seconds
        self.sampling = timedelta(seconds=sampling_seconds)
        self.reporting = timedelta(seconds=reporting_seconds)
        self.vens: dict[str, dict[str, str]] = {}
        self.opts: list[dict[str, Any]] = []
        self.reports: list[dict[str, Any]] = []
        self.offers: list[dict[str, Any]] = []
        self.messages: list[str] = []
        self.server: Any = None
        self.count = 0

    def build(self) -> Any:
        import openleadr

        server = openleadr.OpenADRServer(
            vtn_id=VTN_ID,
            http_port=self.port,
            http_host="127.0.0.1",
            requested_poll_freq=timedelta(seconds=self.poll_seconds),
            ven_lookup=self.ven_lookup,
        )
        server.add_handler("on_create_party_registration", self.on_registration)
        server.add_handler("on_register_report", self.on_register_report)
        return server

    async def up(self) -> None:
        if self.server is None:
            self.server = self.build()
        await self.server.run()

    async def down(self) -> None:
        await self.server.stop()

    async def restart(self, *, memory: bool) -> None:
        """A restart that kept us keeps registrations, events and what it asked for; the other one nothing at all."""
        await self.down()
        before, self.server = self.server, self.build()
        if memory:
            for service in ("event_service", "report_service"):
                kept = {
                    k: v for k, v in vars(before.services[service]).items() if isinstance(v, dict) and k != "handlers"
                }
                vars(self.server.services[service]).update(kept)
        else:
            self.vens.clear()
        await self.server.run()

    def ven_lookup(self, ven_id: str) -> dict[str, str] | None:
        return self.vens.get(ven_id)

    def on_registration(self, payload: dict[str, Any]) -> tuple[str, str]:
        self.count += 1
        ven_id = payload.get("ven_id") or f"ven-{self.count}-{os.urandom(3).hex()}"
        known = self.vens.get(ven_id)
        if known is None:
            known = {
                "ven_id": ven_id,
                "ven_name": payload.get("ven_name", ""),
                "fingerprint": "",
                "registration_id": f"reg-{self.count}-{os.urandom(3).hex()}",
            }
            self.vens[ven_id] = known
        return ven_id, known["registration_id"]

    def on_register_report(self, report: dict[str, Any]) -> list[Any] | None:
        points = [description["r_id"] for description in report["report_descriptions"]]
        self.offers.append(
            {"specifier": report["report_specifier_id"], "name": report["report_name"], "points": points}
        )
        if report["report_name"] != "METADATA_TELEMETRY_USAGE":
            return None  # this VTN cannot read the values of a status report
        return [(r_id, self.collector(r_id), self.sampling, self.reporting) for r_id in points]

    def collector(self, r_id: str) -> Callable[[list[tuple[datetime, float]]], None]:
        def collect(values: list[tuple[datetime, float]]) -> None:
            rows = [[int(start.timestamp()), value] for start, value in values]
            self.reports.append({"r_id": r_id, "values": rows})

        return collect

    def on_opt(self, ven_id: str, event_id: str, opt_type: str) -> None:
        self.opts.append({"ven_id": ven_id, "event_id": event_id, "opt": opt_type})

    def add_event(self, wish: dict[str, Any]) -> str:
        from openleadr import objects

        rows = wish.get("intervals") or [[wish["start"], wish["duration"], wish["value"]]]
        intervals = [
            objects.Interval(
                dtstart=datetime.fromtimestamp(start, UTC), duration=timedelta(seconds=length), signal_payload=value
            )
            for start, length, value in rows
        ]
        is_level = wish["signal"] == "SIMPLE"
        watts = objects.Measurement(
            name="powerReal",
            description="RealPower",
            unit="W",
            scale="none",
            power_attributes=objects.PowerAttributes(hertz=50, voltage=230, ac=True),
        )
        signal = objects.EventSignal(
            intervals=intervals,
            signal_name=wish["signal"],
            signal_type="level" if is_level else "setpoint",
            signal_id="signal-1",
            measurement=None if is_level else watts,
        )
        resource = wish.get("resource_id")
        target = objects.Target(resource_id=resource) if resource else objects.Target(ven_id=wish["ven_id"])
        event = objects.Event(
            event_descriptor=objects.EventDescriptor(
                event_id=wish["event_id"],
                modification_number=0,
                market_context=wish["context"],
                event_status="far",
                test_event=bool(wish.get("test", False)),
            ),
            event_signals=[signal],
            targets=[target],
        )
        return str(self.server.add_raw_event(wish["ven_id"], event, callback=self.on_opt))

    def drop_event(self, ven_id: str, event_id: str) -> None:
        """Takes an event off the list without a word. For the last one only an `on_poll` handler gives the empty
        list: left to itself this VTN would answer an empty oadrResponse.
        """
        from openleadr import utils

        events = self.server.events[ven_id]
        utils.pop_by(events, "event_descriptor.event_id", event_id)
        if events:
            self.server.events_updated[ven_id] = True
            return
        services = self.server.services

        def once(ven_id: str) -> tuple[str, dict[str, Any]]:  # noqa: ARG001  the handler's signature
            services["poll_service"].polling_method = "internal"
            services["event_service"].polling_method = "internal"
            return "oadrDistributeEvent", {"events": []}

        services["poll_service"].on_poll = once
        services["poll_service"].polling_method = "external"

    async def heard(self, message_type: str, _payload: dict[str, Any]) -> None:
        self.messages.append(message_type)

    async def carry_out(self, wish: dict[str, Any]) -> Any:
        match wish.pop("do"):
            case "add_event":
                return self.add_event(wish)
            case "cancel_event":
                self.server.cancel_event(wish["ven_id"], wish["event_id"])
            case "drop_event":
                self.drop_event(wish["ven_id"], wish["event_id"])
            case "restart":
                await self.restart(memory=wish["memory"])
            case "down":
                await self.down()
            case "up":
                await self.up()
            case "vens":
                return list(self.vens.values())
            case "opts" | "reports" | "offers" | "messages" as name:
                return getattr(self, name)
            case other:
                raise ValueError(f"unknown wish {other!r}")
        return None


async def serve(arguments: argparse.Namespace, out: Any) -> None:
    from openleadr import hooks

    peer = Peer(arguments.port, arguments.poll, arguments.sampling, arguments.reporting)
    hooks.register("before_handle", peer.heard)
    await peer.up()
    print(json.dumps({"ready": True, "base": f"http://127.0.0.1:{peer.port}/"}), file=out, flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        try:
            answer = {"ok": True, "result": await peer.carry_out(json.loads(line))}
        except Exception as error:  # noqa: BLE001  whatever goes wrong is the test's to see
            answer = {"ok": False, "error": repr(error)}
        print(json.dumps(answer), file=out, flush=True)
    await peer.down()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--poll", type=int, default=1)
    parser.add_argument("--sampling", type=int, default=1)
    parser.add_argument("--reporting", type=int, default=2)
    out, sys.stdout = sys.stdout, sys.stderr  # the server prints banners
    asyncio.run(serve(parser.parse_args(), out))


class OpenLeadrVtn:
    """What a test holds: `with OpenLeadrVtn(...) as vtn`. Every call is a line to the process and a line back."""

    def __init__(self, *, poll: int = 1, sampling: int = 1, reporting: int = 2) -> None:
        self._options = ["--poll", str(poll), "--sampling", str(sampling), "--reporting", str(reporting)]
        self._lines: Queue[str] = Queue()

    def __enter__(self) -> Self:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), "--port", str(port), *self._options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        threading.Thread(target=self._pump, daemon=True).start()
        self.base: str = self._answer(30)["base"]
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def __call__(self, do: str, **wish: Any) -> Any:
        """Carries out one wish in the process and gives its result."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **wish}) + "\n")
        self._process.stdin.flush()
        answer = self._answer(10)
        assert answer["ok"], answer
        return answer["result"]

    def until(self, do: str, found: Callable[[Any], bool], seconds: float = 10.0) -> Any:
        """Asks until the answer is `found`; the wall clock is the peer's, so there is nothing virtual here."""
        end = time.monotonic() + seconds
        while not found(result := self(do)):
            assert time.monotonic() < end, f"{do} is still {result}"
            time.sleep(0.02)
        return result

    def _answer(self, seconds: float) -> dict[str, Any]:
        try:
            return dict(json.loads(self._lines.get(timeout=seconds)))
        except Empty as error:
            raise AssertionError("the VTN process does not answer") from error

    def _pump(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError):
            for line in self._process.stdout:
                self._lines.put(line)


def running(**options: int) -> Iterator[OpenLeadrVtn]:
    """The body of a fixture."""
    with OpenLeadrVtn(**options) as vtn:
        yield vtn


if __name__ == "__main__":
    main()
