"""The bench's utility: our own VTN session without sockets. It makes the messages, and answers what the VEN posts.

A poll waits until the bench hands a message out; the moment at which the VEN gets it is the beginning of a measurement.
What the VEN posts while one is under way waits for its end: a real utility works on a machine of its own.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from time import monotonic_ns
from typing import Final

from wattseal.bridge.bench.stage import MARKET, RESOURCE
from wattseal.protocols.openadr20b.common import Target
from wattseal.protocols.openadr20b.vocabulary import ServiceName, SignalName, SignalType
from wattseal.protocols.openadr20b.vtn.config import VtnConfig
from wattseal.protocols.openadr20b.vtn.draft import EventDraft, SignalDraft, Step, Unit
from wattseal.protocols.openadr20b.vtn.session import Vtn
from wattseal.protocols.openadr20b.vtn.state import VtnState

_EVENT_SECONDS: Final = 7200


class NorthGrid:
    """An `Exchange` for the VEN's loop. `handed_at` and `answered_at` are in nanoseconds of the monotonic clock."""

    def __init__(self) -> None:
        self._vtn = Vtn(VtnConfig(poll_seconds=1, own_metadata=False), VtnState(epoch="bench"))
        self._began = datetime.now(UTC) - timedelta(seconds=5)
        self._event = ""
        self._next: asyncio.Queue[bytes] = asyncio.Queue(1)
        self.polled = asyncio.Event()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._poll = b""
        self.handed_at = 0
        self.answered_at = 0

    async def post(self, path: str, body: bytes) -> bytes:
        """What a VEN posts; a poll is answered when there is something to say."""
        service = path.rsplit("/", 1)[-1]
        now = datetime.now(UTC)
        if service == ServiceName.OADR_POLL:
            self._poll = body
            self.polled.set()
            raw = await self._next.get()
            self.polled.clear()
            self._quiet.clear()
            self.handed_at = monotonic_ns()
            return raw
        self.answered_at = monotonic_ns()
        await self._quiet.wait()
        return self._vtn.received(now, None, service, body).body

    def message(self, watts: int) -> bytes:
        """The next oadrDistributeEvent: the one event, to dispatch the battery with `watts` from now on."""
        now = datetime.now(UTC)
        step = Step(_EVENT_SECONDS, Decimal(watts))
        signal = SignalDraft(
            name=SignalName.LOAD_DISPATCH.value, type=SignalType.SETPOINT, steps=(step,), unit=Unit.WATT
        )
        draft = EventDraft(
            market_context=MARKET,
            dtstart=self._began,
            duration_seconds=_EVENT_SECONDS,
            signals=(signal,),
            target=Target(resource_ids=(RESOURCE,)),
            priority=1,
        )
        if self._event:
            self._vtn.modify_event(now, self._event, draft)
        else:
            self._event = self._vtn.add_event(now, draft)
        return self._vtn.received(now, None, ServiceName.OADR_POLL, self._poll).body

    def hand_out(self, raw: bytes) -> None:
        """Answers the poll that waits."""
        self._next.put_nowait(raw)

    def go_on(self) -> None:
        """The measurement is over."""
        self._quiet.set()
