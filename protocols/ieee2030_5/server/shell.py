"""A server that runs: the core behind HTTPS, with its state file, its message log, its postman and its bad days.

For each request the order is: log it, let the core answer, save the world if it changed, spoil the answer if that is
wanted, log it, answer. So neither the record nor the state is ever behind what a client was told. Who asks is read from
the TLS certificate, whose chain is judged by the profile of IEEE 2030.5; over plain http on loopback everybody is the
one device that was configured for tests. Times come from the wall clock, here and nowhere below.
"""

import asyncio
import contextlib
import secrets
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Final

import msgspec

from wattseal.certs.box import write_durably
from wattseal.certs.device_certificate import require_device_chain
from wattseal.certs.errors import MisuseError, WattsealError, WorldError
from wattseal.certs.identity import LFDI_DIGITS
from wattseal.protocols.http_server import (
    LOOPBACK,
    HttpAnswer,
    HttpLimits,
    HttpRequest,
    RunningServer,
    running_http_server,
)
from wattseal.protocols.ieee2030_5.server.config import ServerConfig
from wattseal.protocols.ieee2030_5.server.hrefs import Hrefs
from wattseal.protocols.ieee2030_5.server.mischief import MOVED, NOTES, Mischief, Trick, spoiled, spoiled_body
from wattseal.protocols.ieee2030_5.server.notifying import delivered, due_notices
from wattseal.protocols.ieee2030_5.server.postman import Postman
from wattseal.protocols.ieee2030_5.server.server import Reply, may_show, media_type_of, respond, tick
from wattseal.protocols.ieee2030_5.server.state import Notice, World
from wattseal.protocols.ieee2030_5.server.turn import Request
from wattseal.protocols.ieee2030_5.server.waking import wake_at
from wattseal.protocols.message_log import MessageLog

_SEEN_KEPT: Final = 100_000
_LONGEST_WAIT_SECONDS: Final = 60.0  # the wall clock may be set
_CHAINS_KEPT: Final = 10_000


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was answered: `at` in unix seconds with fractions, `status` 0 where we hung up.

    `route` is the pattern of the path, empty where there is none; `trick` what was done to the answer.
    """

    at: float
    lfdi: str
    method: str
    path: str
    query: str
    status: int
    route: str
    trick: str = ""


def fresh_world() -> World:
    """The world of a server that never ran."""
    return World(epoch=secrets.token_hex(6))


class ServerShell:
    """The running server. `world` is the present one; who changes it calls `change`."""

    def __init__(
        self,
        config: ServerConfig,
        world: World,
        *,
        messages: Path | None = None,
        state_file: Path | None = None,
        plain_lfdi: str = "",
        judge_chains: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        self.world = world
        self.hrefs = Hrefs(config.dcap_path, config.href_seed)
        self.clock = clock
        self.log = MessageLog(messages)
        self.tricks: list[Trick] = []
        self.silent_until = 0.0
        self._state_file = state_file
        self._saved = asyncio.Lock()
        self._plain_lfdi = plain_lfdi.upper()
        self._judge_chains = judge_chains
        self._chains: dict[tuple[bytes, ...], bool] = {}
        self._seen: deque[Seen] = deque(maxlen=_SEEN_KEPT)
        self._count = 0
        self._news = asyncio.Event()

    @property
    def now(self) -> int:
        """Unix seconds."""
        return int(self.clock())

    # ---- the clients' door -------------------------------------------------------------------------------------

    async def respond(self, request: HttpRequest) -> HttpAnswer | None:
        """The answer to one HTTP request; None to hang up."""
        lfdi = self._lfdi_of(request)
        if self.clock() < self.silent_until:
            self._note(request, lfdi, 0, "", "silence")
            return None
        if lfdi is None:
            self._note(request, None, HTTPStatus.FORBIDDEN, "", "")
            return HttpAnswer(HTTPStatus.FORBIDDEN, b"This certificate is not one of IEEE 2030.5.", close=True)
        self._keep("received", request, lfdi, request.body, None)
        reply = await self._answered(request, lfdi)
        trick = self._next_trick(request.method, reply.route, lfdi, request.path)
        name = "" if trick is None else str(trick.kind)
        out = None if trick is None else spoiled(trick, _address(request), reply)
        if out is not None and out.reply is None:
            await asyncio.sleep(out.hold_seconds)
            self._note(request, lfdi, 0, reply.route, name)
            return None
        reply = out.reply if out is not None and out.reply is not None else reply
        self._keep("sent", request, lfdi, reply.body, reply.status)
        self._note(request, lfdi, reply.status, reply.route, name)
        return HttpAnswer(
            reply.status,
            reply.body,
            reply.media_type,
            reply.headers,
            trickle_seconds=0.0 if out is None else out.trickle_seconds,
        )

    async def _answered(self, request: HttpRequest, lfdi: str) -> Reply:
        asked = Request(
            request.method,
            request.path.removeprefix(MOVED),
            request.query,
            request.accept,
            request.media_type,
            request.body,
            request.host,
        )
        world, reply = respond(self.world, self.config, self.hrefs, asked, lfdi, self.now)
        await self.change(world)
        return reply

    def _lfdi_of(self, request: HttpRequest) -> str | None:
        """Who asks; None: nobody that this server may serve."""
        if request.peer is None:
            return self._plain_lfdi or None
        if self._judge_chains and not self._is_device(request.chain):
            return None
        return request.peer.sha256[:LFDI_DIGITS].upper()

    def _is_device(self, chain: tuple[bytes, ...]) -> bool:
        if chain not in self._chains:
            if len(self._chains) >= _CHAINS_KEPT:
                self._chains.clear()
            try:
                require_device_chain(chain, datetime.fromtimestamp(self.clock(), UTC))
            except WattsealError:
                self._chains[chain] = False
            else:
                self._chains[chain] = True
        return self._chains[chain]

    def _next_trick(self, method: str, route: str, lfdi: str, path: str) -> Trick | None:
        if path.startswith(MOVED):
            return None
        for number, one in enumerate(self.tricks):
            if one.kind in NOTES or not one.hits(method, route, lfdi):
                continue
            self._use(number)
            if one.kind is Mischief.MOVING_HREFS:
                self.move_hrefs(secrets.token_hex(4))
                return None
            return one
        return None

    def _use(self, number: int) -> None:
        one = self.tricks[number]
        if one.times is None:
            return
        if one.times > 1:
            self.tricks[number] = msgspec.structs.replace(one, times=one.times - 1)
        else:
            del self.tricks[number]

    def _keep(self, direction: str, request: HttpRequest, lfdi: str, body: bytes, status: int | None) -> None:
        at = datetime.fromtimestamp(self.clock(), UTC)
        self.log.keep(at, direction, request.method, lfdi, body, status, f"{request.method} {_address(request)}")

    def _note(self, request: HttpRequest, lfdi: str | None, status: int, route: str, trick: str) -> None:
        self._count += 1
        self._seen.append(
            Seen(
                at=self.clock(),
                lfdi=lfdi or "",
                method=request.method,
                path=request.path,
                query=request.query,
                status=status,
                route=route,
                trick=trick,
            )
        )

    # ---- its owner's door --------------------------------------------------------------------------------------

    async def change(self, world: World) -> None:
        """Goes on with another world, and keeps it. Raises WorldError (`server_state_unwritable`)."""
        if world is self.world:
            return
        before, self.world = self.world, world
        if may_show(before, world):
            self._news.set()
        await self.save()

    async def staff(self, world: World) -> None:
        """The same for a change that the staff made: subscribers are told."""
        await self.change(tick(world, self.config, self.hrefs, self.now))

    def move_hrefs(self, seed: str) -> None:
        """From now on every address but that of /dcap is another one."""
        self.hrefs = Hrefs(self.config.dcap_path, seed)

    def seen(self, after: int = 0) -> tuple[int, tuple[Seen, ...]]:
        """How many requests there were in all, and those after so many (the oldest of very many are gone)."""
        missing = max(0, self._count - len(self._seen))
        return self._count, tuple(self._seen)[max(0, after - missing) :]

    async def save(self) -> None:
        """Writes the state file, if there is one, durably. Raises WorldError (`server_state_unwritable`)."""
        if self._state_file is None:
            return
        async with self._saved:
            await self.save_to(self._state_file)

    async def save_to(self, path: Path) -> None:
        """Writes the world to a file. Raises WorldError (`server_state_unwritable`)."""
        try:
            await asyncio.to_thread(write_durably, path, self.world.to_bytes())
        except (OSError, ValueError) as error:  # a name that no file can have is a ValueError
            raise WorldError("server_state_unwritable", f"Cannot write {path}: {error}.") from error

    # ---- notifications -----------------------------------------------------------------------------------------

    async def deliver(self, postman: Postman) -> None:
        """Lets time pass (where somebody subscribes) and carries out notifications, until cancelled."""
        while True:
            await self.deliver_due(postman)
            wake = wake_at(self.world, self.config, self.now)
            wait = None if wake is None else min(max(0.0, wake - self.clock()), _LONGEST_WAIT_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._news.wait()
            self._news.clear()

    async def deliver_due(self, postman: Postman) -> None:
        """One round: what is due is sent once, all at the same time."""
        await self.change(tick(self.world, self.config, self.hrefs, self.now))
        due = due_notices(self.world, self.now)
        if due:
            await asyncio.gather(*(self._deliver(postman, one) for one in due))

    async def _deliver(self, postman: Postman, notice: Notice) -> None:
        document = notice.document
        number = next((place for place, one in enumerate(self.tricks) if one.kind in NOTES), None)
        if number is not None:
            document = spoiled_body(self.tricks[number].kind, document)
            self._use(number)
        at = datetime.fromtimestamp(self.clock(), UTC)
        self.log.keep(at, "sent", "NOTIFY", "", document, None, notice.uri)
        status = await postman.post(notice.uri, document, media_type_of(self.config.profile))
        self.log.keep(datetime.fromtimestamp(self.clock(), UTC), "answered", "NOTIFY", "", b"", status, notice.uri)
        await self.change(delivered(self.world, notice, status, self.now))


@dataclass(frozen=True, slots=True)
class RunningUtility:
    """A server that listens. `url` is the address of its /dcap."""

    shell: ServerShell
    server: RunningServer = field(repr=False)

    @property
    def url(self) -> str:
        """Where a client begins."""
        return self.server.url + self.shell.config.dcap_path


@asynccontextmanager
async def running_server(
    config: ServerConfig,
    *,
    world: World | None = None,
    port: int = 0,
    host: str = LOOPBACK,
    tls: ssl.SSLContext | None = None,
    notify_tls: ssl.SSLContext | None = None,
    messages: Path | None = None,
    state_file: Path | None = None,
    plain_lfdi: str = "",
    judge_chains: bool = True,
    limits: HttpLimits | None = None,
    clock: Callable[[], float] = time.time,
) -> AsyncIterator[RunningUtility]:
    """Runs a server until the block is left. `world` None: the one in `state_file`, otherwise a fresh one.

    `notify_tls` is for notifications to https addresses. Raises WorldError for a port, a directory or a state file that
    cannot be used, MisuseError (`plain_lfdi_missing`) for plain http without the LFDI for which everybody is taken.
    """
    if tls is None and len(plain_lfdi) != LFDI_DIGITS:
        raise MisuseError("plain_lfdi_missing", "Over plain http name the LFDI of the one device that may ask.")
    if world is None:
        world = fresh_world() if state_file is None else await asyncio.to_thread(read_world, state_file)
    shell = ServerShell(
        config,
        world,
        messages=messages,
        state_file=state_file,
        plain_lfdi=plain_lfdi,
        judge_chains=judge_chains,
        clock=clock,
    )
    shell.log.open()
    limits = limits or HttpLimits(body_bytes=config.body_bytes)
    async with (
        running_http_server(shell.respond, host=host, port=port, tls=tls, limits=limits, want_chain=True) as server,
        Postman.at_work(notify_tls) as postman,
    ):
        delivering = asyncio.create_task(shell.deliver(postman))
        try:
            yield RunningUtility(shell, server)
        finally:
            delivering.cancel()
            await asyncio.gather(delivering, return_exceptions=True)
    await shell.save()


def read_world(path: Path) -> World:
    """The world in a file, a fresh one where there is none. Raises WorldError (`server_state_unreadable`)."""
    try:
        return World.from_bytes(path.read_bytes())
    except FileNotFoundError:
        return fresh_world()
    except (OSError, ValueError) as error:  # a name that no file can have is a ValueError
        raise WorldError("server_state_unreadable", f"Cannot read {path}: {error}.") from error


def _address(request: HttpRequest) -> str:
    return f"{request.path}?{request.query}" if request.query else request.path
