"""An event loop on a lab's clock: timers follow the clock that was told, sockets stay real.

The loop asks its selector to wait until the first timer is due. Here that wait is for something else: for I/O, or for
the clock to say that the moment has come. So `sleep`, `wait_for`, `timeout` and every timer of a library follow, and a
deadline for real I/O strikes only when somebody advances the clock past it, which the clock does in steps that give an
I/O under way all the real time it needs. What threads do for the loop counts as work that is not yet done.

A signal that the program handles ends its part in the clock: what it does to end itself runs in real time.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextvars import Context
from typing import Any, Final, TypeVar, TypeVarTuple

from wattseal.certs.lab_clock.participant import Participant
from wattseal.certs.lab_clock.words import MICROSECONDS, microseconds, socket_named

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
Ready = list[tuple[selectors.SelectorKey, int]]
_READ: Final = selectors.EVENT_READ


class ClockSelector(selectors.DefaultSelector):
    """A selector whose wait ends with I/O, or when the clock says that the time has come."""

    def __init__(self, clock: Participant) -> None:
        super().__init__()
        self._clock = clock
        self._doings = 0
        self.errands = 0
        self.register(clock.line, _READ)

    def select(self, timeout: float | None = None) -> Ready:
        """What is ready. Each return is a doing; while it waits the process is idle, unless a thread works for it."""
        self._doings += 1
        clock = self._clock
        if clock.has_left or (timeout is not None and timeout <= 0):
            return self._sifted(timeout)
        return self._idle(None if timeout is None else microseconds(clock.monotonic() + timeout))

    def _idle(self, wake: int | None) -> Ready:
        while True:
            if not self.errands:
                self._clock.rest(self._doings, wake)
            ready = self._sifted(None)
            if ready or (wake is not None and self._clock.has_come(wake)):
                return ready

    def _sifted(self, timeout: float | None) -> Ready:
        """What is ready for the loop; what the clock said is taken in on the way."""
        ready = super().select(timeout)
        others = [(key, events) for key, events in ready if key.fileobj is not self._clock.line]
        if len(others) < len(ready):
            if self._clock.has_left:
                self.unregister(self._clock.line)
            else:
                self._clock.take()
        return others


class ClockLoop(asyncio.SelectorEventLoop):
    """The loop of one participant."""

    def __init__(self, clock: Participant) -> None:
        self._clock = clock
        self._waiting = ClockSelector(clock)
        super().__init__(self._waiting)

    def time(self) -> float:
        """The clock's monotonic seconds."""
        return self._clock.monotonic()

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As every loop does; what lies ahead lies a whole microsecond ahead at least.

        A loop runs a timer a little early, within what it takes for the resolution of its clock. Whoever then looks at
        a clock that stands finds that the time has not come, waits once more, and so for ever.
        """
        now = self.time()
        later = max(when, now + 1 / MICROSECONDS) if when > now else when
        return super().call_at(later, callback, *args, context=context)

    def leave(self) -> None:
        """Takes part no longer."""
        self._clock.leave()

    def errand(self, change: int) -> None:
        """One more (+1) or one less (-1) thread works for this loop."""
        self._waiting.errands += change

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """As every loop does; the process is not idle until it is done."""
        future = super().run_in_executor(executor, func, *args)
        self.errand(+1)
        future.add_done_callback(lambda _: self.errand(-1))
        return future

    def add_signal_handler(self, sig: int, callback: Callable[[*Ts], object], *args: *Ts) -> None:
        """As every loop does; once the signal has come, time goes on by itself."""

        def leaving(*given: *Ts) -> None:
            self._clock.leave()
            callback(*given)

        super().add_signal_handler(sig, leaving, *args)


def joined(text: str | None, name: str) -> Participant | None:
    """The part that a process takes in the clock named `unix:PATH`, None without one. Raises `WattsealError`."""
    return None if text is None else Participant.join(socket_named(text), name)


def go_on_alone() -> None:
    """From here on the process of this loop runs in real time: for whoever must end, whatever a clock does."""
    loop = asyncio.get_running_loop()
    if isinstance(loop, ClockLoop):
        loop.leave()


def run(main: Coroutine[Any, Any, T], clock: Participant | None) -> T:
    """`asyncio.run`, on the clock's time where there is one. Raises what `main` raises, and `ClockLostError`."""
    if clock is None:
        return asyncio.run(main)

    async def whole() -> T:
        try:
            return await main
        finally:
            clock.leave()

    try:
        with asyncio.Runner(loop_factory=lambda: ClockLoop(clock)) as runner:
            return runner.run(whole())
    finally:
        clock.close()
