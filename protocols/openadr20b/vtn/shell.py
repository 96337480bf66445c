"""A VTN that runs: the session behind an HTTP server, with its state file, its message log and its bad days.

For each message the order is: log it, let the session answer, save the state, log the answer, answer. So neither the
record nor the state is ever behind what a VEN was told. Times come from the wall clock, here and nowhere below.
"""

import asyncio
import contextlib
import secrets
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Final

from wattseal.certs.box import write_durably
from wattseal.certs.errors import MisuseError, PeerError, WorldError
from wattseal.protocols.http_server import (
    LOOPBACK,
    HttpAnswer,
    HttpLimits,
    HttpRequest,
    RunningServer,
    running_http_server,
)
from wattseal.protocols.message_log import MessageLog
from wattseal.protocols.openadr20b.codec import decode
from wattseal.protocols.openadr20b.poll import Poll
from wattseal.protocols.openadr20b.vocabulary import ServiceName
from wattseal.protocols.openadr20b.vtn.config import VtnConfig
from wattseal.protocols.openadr20b.vtn.happenings import AnyHappening
from wattseal.protocols.openadr20b.vtn.mischief import Mischief, spoiled
from wattseal.protocols.openadr20b.vtn.session import Vtn
from wattseal.protocols.openadr20b.vtn.state import VtnState

BASE_PATH: Final = "/OpenADR2/Simple/2.0b"
_XML: Final = "application/xml"
_ODD_BUT_READ: Final = frozenset({"", "text/plain", "application/octet-stream"})
"""Media types besides XML under which messages are met; what else is announced is not read (415)."""
_HAPPENINGS_KEPT: Final = 10_000


def utc_now() -> datetime:
    """The wall clock, aware UTC."""
    return datetime.now(UTC)


def fresh_state() -> VtnState:
    """The state of a VTN that never ran."""
    return VtnState(epoch=secrets.token_hex(4))


@dataclass(frozen=True, slots=True)
class Silence:
    """Until when (loop time) nothing is answered. `hang`: connections are held until then or until `ended`, not dropped
    at once.
    """

    until: float = 0.0
    hang: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class VtnShell:
    """The running VTN. `vtn` is the session: whoever changes it by hand calls `save` afterwards."""

    def __init__(
        self,
        config: VtnConfig,
        state: VtnState,
        *,
        messages: Path | None = None,
        state_file: Path | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.vtn = Vtn(config, state)
        self.clock = clock
        self.log = MessageLog(messages)
        self._state_file = state_file
        self._saved = asyncio.Lock()
        self._silence = Silence()
        self._mischief: deque[Mischief] = deque()
        self._happenings: deque[AnyHappening] = deque(maxlen=_HAPPENINGS_KEPT)
        self._count = 0
        self._news = asyncio.Condition()

    # ---- the VENs' door ----------------------------------------------------------------------------------------

    async def respond(self, request: HttpRequest) -> HttpAnswer | None:
        """The answer to one HTTP request; None to hang up."""
        if await self._is_silent():
            return None
        service = request.path.removeprefix(BASE_PATH + "/")
        if service == request.path or service not in set(ServiceName):
            return HttpAnswer(HTTPStatus.NOT_FOUND, b"There is no such service.")
        if request.method != "POST":
            return HttpAnswer(HTTPStatus.METHOD_NOT_ALLOWED, b"Messages are posted.", headers=(("Allow", "POST"),))
        if not _is_read(request.media_type):
            return HttpAnswer(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, b"Messages are application/xml.")
        now = self.clock()
        peer = request.peer.fingerprint if request.peer else request.address
        self.log.keep(now, "received", service, peer, request.body, None)
        status, body = self._spoiled(now, service, request.body) or await self._answered(now, request, service)
        self.log.keep(now, "sent", service, peer, body, status)
        return HttpAnswer(status, body, _XML if body[:5] == b"<?xml" else "text/plain")

    async def _answered(self, now: datetime, request: HttpRequest, service: str) -> tuple[int, bytes]:
        answer = self.vtn.received(now, request.peer, service, request.body)
        await self.save()
        await self.tell(answer.happenings)
        return answer.status, answer.body

    async def _is_silent(self) -> bool:
        loop = asyncio.get_running_loop()
        silence = self._silence
        if loop.time() >= silence.until:
            return False
        if silence.hang:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(silence.ended.wait(), silence.until - loop.time())
        return True

    def _spoiled(self, now: datetime, service: str, body: bytes) -> tuple[int, bytes] | None:
        """The next bad answer, if one is wanted and a registered VEN polls."""
        if not self._mischief or service != ServiceName.OADR_POLL:
            return None
        try:
            message = decode(body).message
            if not isinstance(message, Poll):
                return None
            listing = self.vtn.listing(now, message.ven_id)
        except (PeerError, MisuseError):
            return None
        return spoiled(self._mischief.popleft(), listing)

    # ---- its owner's door --------------------------------------------------------------------------------------

    def go_silent(self, seconds: float, *, hang: bool = False) -> None:
        """Answers nothing for so long; 0 ends a silence."""
        self._silence.ended.set()
        self._silence = Silence(asyncio.get_running_loop().time() + seconds, hang)

    def misbehave(self, kind: Mischief, times: int = 1) -> None:
        """The next so many polls get a bad answer."""
        self._mischief.extend([kind] * times)

    def behave(self) -> None:
        """No more bad answers, no more silence."""
        self._mischief.clear()
        self._silence.ended.set()
        self._silence = Silence()

    async def tell(self, happenings: tuple[AnyHappening, ...]) -> None:
        """Takes note of what happened, and wakes who waits for it."""
        if not happenings:
            return
        async with self._news:
            self._happenings.extend(happenings)
            self._count += len(happenings)
            self._news.notify_all()

    def happenings(self, after: int = 0) -> tuple[int, tuple[AnyHappening, ...]]:
        """How many there were in all, and those that came after so many (the oldest of very many are gone)."""
        missing = max(0, self._count - len(self._happenings))
        return self._count, tuple(self._happenings)[max(0, after - missing) :]

    async def wait_for(self, wanted: Callable[[AnyHappening], bool], seconds: float, *, after: int = 0) -> AnyHappening:
        """The first happening after so many that is wanted. Raises TimeoutError after so many seconds."""
        async with asyncio.timeout(seconds), self._news:
            while True:
                for happening in self.happenings(after)[1]:
                    if wanted(happening):
                        return happening
                await self._news.wait()

    async def save(self) -> None:
        """Writes the state file, if there is one, durably. Raises WorldError (`vtn_state_unwritable`)."""
        if self._state_file is None:
            return
        async with self._saved:
            await self.save_to(self._state_file)

    async def save_to(self, path: Path) -> None:
        """Writes the state to a file. Raises WorldError (`vtn_state_unwritable`)."""
        try:
            await asyncio.to_thread(write_durably, path, self.vtn.state.to_bytes())
        except OSError as error:
            raise WorldError("vtn_state_unwritable", f"Cannot write {path}: {error.strerror}.") from error

    def restore(self, state: VtnState) -> None:
        """Goes on from another state, as after a restart."""
        self.vtn = Vtn(self.vtn.config, state)


@dataclass(frozen=True, slots=True)
class RunningVtn:
    """A VTN that listens. `url` is what VENs are configured with."""

    shell: VtnShell
    server: RunningServer = field(repr=False)

    @property
    def url(self) -> str:
        """The base of its services."""
        return self.server.url + BASE_PATH


@asynccontextmanager
async def running_vtn(
    config: VtnConfig,
    *,
    state: VtnState | None = None,
    port: int = 0,
    tls: ssl.SSLContext | None = None,
    messages: Path | None = None,
    state_file: Path | None = None,
    limits: HttpLimits | None = None,
    host: str = LOOPBACK,
    clock: Callable[[], datetime] = utc_now,
) -> AsyncIterator[RunningVtn]:
    """Runs a VTN until the block is left. `state` None: the one in `state_file` if it exists, otherwise a fresh one.

    Raises WorldError for a port, a directory or a state file that cannot be used, MisuseError for a listener that is
    not allowed.
    """
    if state is None:
        state = fresh_state() if state_file is None else await asyncio.to_thread(read_state, state_file)
    shell = VtnShell(config, state, messages=messages, state_file=state_file, clock=clock)
    shell.log.open()
    async with running_http_server(shell.respond, host=host, port=port, tls=tls, limits=limits) as server:
        yield RunningVtn(shell, server)
    await shell.save()


def read_state(path: Path) -> VtnState:
    """The state in a file, a fresh one where there is none. Raises WorldError (`vtn_state_unreadable`)."""
    try:
        return VtnState.from_bytes(path.read_bytes())
    except FileNotFoundError:
        return fresh_state()
    except OSError as error:
        raise WorldError("vtn_state_unreadable", f"Cannot read {path}: {error.strerror}.") from error


def _is_read(media_type: str) -> bool:
    return media_type in _ODD_BUT_READ or media_type.endswith(("/xml", "+xml"))
