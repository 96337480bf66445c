"""A VTN on a loopback socket that says what the test wants: good answers, and any bytes for a poll."""

import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from ven_world import Clock, Vtn

from wattseal.protocols.openadr20b import event, poll
from wattseal.protocols.openadr20b.codec import decode

_PATH = "/OpenADR2/Simple/2.0b/"


class ScriptedVtn:
    """`queue`: the bodies of the next answers to polls; `events`: what a request for all events is answered with."""

    def __init__(self, *events: event.OadrEvent) -> None:
        self._vtn = Vtn(Clock(time.time()), poll_seconds=1, events=events)
        self.queue: deque[bytes] = deque()
        self.base = ""
        self._polls = 0

    @property
    def events(self) -> tuple[event.OadrEvent, ...]:
        return self._vtn.events

    @events.setter
    def events(self, events: tuple[event.OadrEvent, ...]) -> None:
        self._vtn.events = events

    async def serve(self, request: web.Request) -> web.Response:
        body = await request.read()
        service = request.path.removeprefix(_PATH)
        if isinstance(decode(body).message, poll.Poll):
            if self.queue and self._vtn.knows_us:
                self._polls = 0
                return web.Response(body=self.queue.popleft(), content_type="application/xml")
            self._polls += 1
        return web.Response(body=self._vtn.post(service, body), content_type="application/xml")

    def polls_since_last_queued(self) -> int:
        return self._polls if not self.queue else 0

    def created_events(self) -> list[event.CreatedEvent]:
        """Every answer to a list of events, in order."""
        return [one for one in self._vtn.received(event.CreatedEvent) if isinstance(one, event.CreatedEvent)]

    def event_codes(self) -> dict[str, list[tuple[str, str]]]:
        """Response code and opt of every answer, by event."""
        found: dict[str, list[tuple[str, str]]] = {}
        for created in self.created_events():
            for one in created.event_responses:
                found.setdefault(one.qualified_event_id.event_id, []).append((one.response_code, str(one.opt_type)))
        return found


@asynccontextmanager
async def scripted_vtn(*events: event.OadrEvent) -> AsyncIterator[ScriptedVtn]:
    vtn = ScriptedVtn(*events)
    app = web.Application()
    app.router.add_post(_PATH + "{service}", vtn.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        vtn.base = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        yield vtn
    finally:
        await runner.cleanup()
