"""A box on a bench, its line over IEEE 2030.5, and the small server in memory: one clock, no socket."""

from collections.abc import Callable
from pathlib import Path

import client_2030_5_world as server_world
from bridge_world import NOW, SITE_TEXT, Bench, make_bench
from msgspec.structs import replace

from wattseal.bridge.core.ieee2030_5_line import ServerLine
from wattseal.certs.statement import Kind, Statement
from wattseal.protocols.grid_event import GridEvent
from wattseal.protocols.ieee2030_5.client.exchange import Silence
from wattseal.protocols.ieee2030_5.der_control import DERControl
from wattseal.protocols.ieee2030_5.profiles import CSIPAUS_1_3

LFDI = server_world.LFDI.hex().upper()
SERVER_SITE = (
    SITE_TEXT.partition(b"[[utility]]")[0]
    + f"""[[utility]]
name = "north"
dialect = "ieee2030.5"
url = "http://127.0.0.1:8080/dcap"
profile = "csipaus-1.3"
role = "device"
operations = ["set_power", "limit_inject", "limit_absorb"]
ceiling_watts = 7400
[[utility.end_device]]
device = "battery"
lfdi = "{LFDI}"
type = "battery"
""".encode()
)

Lay = Callable[..., object]


class LineWorld:
    """`run` lets time pass; the server answers at once. `crash` forgets everything that is not durable."""

    def __init__(
        self, directory: Path, site_text: bytes = SERVER_SITE, *, poll: int = 60, lay: Lay = server_world.plain
    ) -> None:
        self.bench = Bench(make_bench(directory, site_text))
        self.server = server_world.Server(lambda: self.bench.time.unix - NOW)
        self.controls: list[DERControl] = []
        self._world = server_world.World()
        self._world.server = self.server
        lay(self._world, poll=poll)
        self.open_line()

    def open_line(self) -> None:
        site = self.bench.estate.site
        self.line = ServerLine(site.utilities[0], self.bench.core, self.bench.estate, self.bench.box.root)
        self.line.begin(CSIPAUS_1_3, "/dcap", None)
        self._begun = False

    async def connect(self) -> "LineWorld":
        await self.bench.connect()
        return self

    async def crash(self) -> None:
        await self.bench.restart()
        self.open_line()
        await self.bench.connect(sequence=self.bench.core.memory.gateway.sequence)

    def show(self, *controls: DERControl) -> None:
        """What the list of controls holds from now on."""
        listed = self.server.resources["/derp/1/derc"]
        self.server.resources["/derp/1/derc"] = replace(listed, items=tuple(controls))

    def silence(self, *, down: bool) -> None:
        self.server.down = Silence("peer_unreachable") if down else None

    async def run(self, seconds: float, *, save: bool = True) -> "LineWorld":
        """Steps from one wake-up to the next; the core looks whenever something is due."""
        session, time = self.line.session, self.bench.time
        end = time.unix + seconds
        if not self._begun:
            self._begun = True
            await self._told(session.begin(self.now), save=save)
        while True:
            for send in session.sends(self.now):
                await self._told(session.received(self.now, send.token, self.server.answer(send.request)), save=save)
            await self.bench.core.look()
            wait = max(0.0, session.wake_at(self.now) - self.now.monotonic)
            step = min(wait, end - time.unix, self.bench.core.seconds_to_next_look(3600.0))
            if step <= 0 and time.unix >= end:
                return self
            time.advance(step if step > 0 else 0.001)
            await self._told(session.looked(self.now, handed_in=False), save=save)

    async def hand_in(self) -> None:
        """What was read goes to the duties, and wakes the session, as the line's own loop does."""
        await self.line.hand_in()
        await self._told(self.line.session.looked(self.now, handed_in=True), save=True)

    async def _told(self, happenings: tuple[object, ...], *, save: bool) -> None:
        await self.line.handle(happenings)  # type: ignore[arg-type]  # what a session gives
        if save:
            await self.line.save(self.line.session.state_bytes())

    @property
    def now(self):
        return self.bench.estate.clock.now()

    # --- what is on record

    def said(self, kind: Kind) -> list[Statement]:
        return [one for one in self.bench.statements() if one.header.kind is kind]

    def intents(self) -> list[GridEvent]:
        return [GridEvent.decode(one.body)[0] for one in self.said(Kind.INTENT)]

    def told(self) -> list[tuple[str, str, int]]:
        """Event id (shortened), status and start after now, of each intent in order."""
        return [(one.origin.event_id[-4:], str(one.status), one.start - NOW) for one in self.intents()]

    def orders(self) -> list[tuple[str, str, int]]:
        return self.bench.line.orders()
