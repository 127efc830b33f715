"""Typed doors from threads into an event loop: what the blocking client needs, with `_engine` and `_errand` behind them.

A `Portal` owns an event loop in a thread of its own, started when first used: `run` is the door for coroutines, `iterate`
for async generators, `enter` for async context managers. What holds at all of them:

* Whatever interrupts a waiting caller (Ctrl-C, a signal handler that raises) cancels the call, waits until its coroutine
  has stopped, and takes over what that one knew: `maybe_billed`, `job_id`, notes.
* Iterators and context managers are a `Visit`: one task takes every step, since cancel scopes, time limits and generators
  must not move between tasks.
* A forked child does not find its parent's thread. What the parent had stays alive and untouched in it (a socket closed
  there would leave the epoll that both share), and it makes its own: see `Home`.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager, aclosing
from functools import partial
from types import TracebackType
from typing import Any, Final, Generic, ParamSpec, Self, TypeVar, cast

from ..errors import CloudlayerError, ConfigError
from ._engine import Closing, Engine, on_an_engine
from ._errand import Errand, Line, hand_over

_P = ParamSpec("_P")
_T = TypeVar("_T")
_U = TypeVar("_U")

_ROOMS: Final = ("cloudlayer_async", "contextlib", "asyncio", "anyio")
"""Modules whose frames tell a user nothing about an error of ours."""


class Portal:
    """One event loop for a client, its siblings and their handles, to be used from any number of threads.

    Args:
        closing: Closes what lives in the loop; run there before it ends.
        moving: Lets go of its connections instead, when the loop breaks down, so that it can move to another one.
    """

    def __init__(self, closing: Closing, moving: Closing) -> None:
        self._closing = closing
        self._moving = moving
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._finalizer: weakref.finalize[Any, Any] | None = None
        self.closed = False

    def check_open(self) -> None:
        """Refuses a closed portal.

        Raises:
            ConfigError: It is closed.
        """
        if self.closed:
            raise ConfigError("this client is closed: make a new one, or keep it open with `with`")

    def engine(self) -> Engine:
        """The engine, started now if there is none, or if it broke down."""
        self.check_open()
        engine = self._engine
        if engine is None or engine.ended:
            engine = self._started()
        engine.check_caller()
        engine.wait_until_ready()
        return engine

    def _started(self) -> Engine:
        with self._lock:
            self.check_open()
            if self._engine is None or self._engine.ended:
                if self._finalizer is not None:
                    self._finalizer.detach()
                engine = Engine(self._closing, self._moving)
                try:
                    engine.start()
                    self._finalizer = weakref.finalize(self, engine.forget)
                    self._finalizer.atexit = False  # the engines see to the exit themselves
                    self._engine = engine
                except BaseException:  # no room for a thread, or an interrupt in the midst of it
                    engine.abandon()
                    raise
            return self._engine

    def run(self, method: Callable[_P, Coroutine[Any, Any, _T]], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Calls a coroutine function in the loop, and waits for its result."""
        while True:
            engine = self.engine()
            errand = Errand(partial(method, *args, **kwargs), Line())
            if engine.run(errand):
                break
            # The loop has ended just now, and nothing was begun: in another one.
        if (error := _error_of(errand, engine)) is None:
            return cast(_T, errand.result)
        try:
            raise error
        finally:
            del error  # or else it holds its traceback, that one this frame, and this frame the error

    def iterate(self, method: Callable[_P, AsyncGenerator[_T]], *args: _P.args, **kwargs: _P.kwargs) -> Generator[_T]:
        """Iterates over an async generator. It goes as far as it is asked to, and is closed when the caller leaves."""
        with Visit(self, aclosing(method(*args, **kwargs))) as visit:
            yield from visit.iterate(visit.value)

    def enter(
        self, method: Callable[_P, AbstractAsyncContextManager[_T]], *args: _P.args, **kwargs: _P.kwargs
    ) -> Visit[_T]:
        """Enters and leaves an async context manager."""
        return Visit(self, method(*args, **kwargs))

    def close(self) -> None:
        """Cancels what is under way, closes what lives in the loop, ends the thread. Doing so twice is fine."""
        if self._engine is not None:
            self._engine.check_caller()
        with self._lock:
            self.closed = True
            engine, self._engine = self._engine, None
            if self._finalizer is not None:
                self._finalizer.detach()
        if engine is None:
            return
        if engine.ended:  # broken down: what lived in it can be closed only in another one
            engine = Engine(self._closing, self._moving)
            engine.start()
        engine.wait_until_ready()
        engine.stop()
        engine.join()


class Visit(Generic[_T]):
    """The inside of an async context manager, for a `with` block: one task enters it, takes every step in it, and leaves it.

    Args:
        portal: Whose loop it is in.
        manager: What to enter.
    """

    value: _T
    """What the manager gave on entering."""

    def __init__(self, portal: Portal, manager: AbstractAsyncContextManager[_T, bool | None]) -> None:
        self._portal = portal
        self._manager = manager
        self._engine: Engine | None = None
        self._line = Line()
        self._turn = threading.Lock()
        self._holder: int | None = None
        """The thread whose step it is."""
        self._steps: asyncio.Queue[Errand[Any] | None] = asyncio.Queue()
        self._current: Errand[Any] | None = None
        self._inside = False
        self._is_over = False

    # --- in the caller's thread -------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        if self._engine is not None:
            raise ConfigError("this `with` block can be entered once: make a new one")
        engine = self._engine = self._portal.engine()
        try:
            engine.house(self)
            self.value = self.step(self._enter)
        except BaseException:
            engine.call_soon(self.stop)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        engine = self._engine
        if engine is None or not engine.alive or self._portal.closed:
            return None
        leave = Errand(partial(self._leave, kind, error, traceback), self._line)
        if on_an_engine():  # a forgotten generator, which is collected there: nothing may be waited for
            self._line.hang_up()
            engine.call_soon(partial(self._put_last, leave))
            return None
        return self._take(leave, self._put_last)

    def step(self, method: Callable[_P, Awaitable[_U]], *args: _P.args, **kwargs: _P.kwargs) -> _U:
        """Calls a coroutine function in the visit's task, and waits for its result."""
        return self._take(Errand(partial(method, *args, **kwargs), self._line, is_last=False), self._put)

    def next(self, source: AsyncIterator[_U]) -> _U:
        """The next item of an async iterator, as `__next__` gives it."""
        try:
            return self.step(source.__anext__)
        except StopAsyncIteration:
            raise StopIteration from None

    def look(self, read: Callable[[], _U]) -> _U:
        """Reads what the loop may be changing: in the loop, while there is one."""
        engine = self._engine
        if engine is None or not engine.alive or engine.is_here:
            return read()

        async def there() -> _U:
            return read()

        return self._portal.run(there)

    def iterate(self, source: AsyncIterator[_U]) -> Generator[_U]:
        """Iterates over an async iterator in the visit's task."""
        while True:
            try:
                item = self.step(source.__anext__)
            except StopAsyncIteration:
                return
            yield item

    def _take(self, errand: Errand[_U], begin: Callable[[Errand[_U]], object]) -> _U:
        engine = self._engine
        if engine is None:
            raise _outside()
        self._portal.check_open()
        engine.check_caller()
        if self._holder == threading.get_ident():
            raise ConfigError("a function that a step calls cannot take the next step")
        with self._turn:
            self._holder = threading.get_ident()
            try:
                if not engine.deliver(errand, begin):
                    raise engine.loss()
            finally:
                self._holder = None
        if (error := _error_of(errand, engine)) is None:
            return cast(_U, errand.result)
        try:
            raise error
        finally:
            del error  # as in `Portal.run`

    # --- in the loop ------------------------------------------------------------------------------------------------

    async def live(self) -> None:
        """The task: one step after the other."""
        try:
            while (step := await self._steps.get()) is not None:
                self._current = step
                await step.carry_out()
                self._current = None
                if step.cut_off:
                    break
                del step  # while the next one is waited for, nothing of this one is kept
        finally:
            self._is_over = True
            if self._inside:  # the loop ends, and the caller has not come to leave
                error = asyncio.CancelledError()
                await self._leave(type(error), error, None)

    def stop(self) -> None:
        """Ends the task."""
        self._line.hang_up()
        if self._current is not None:
            self._current.stop()
        while not self._steps.empty():
            if (step := self._steps.get_nowait()) is not None:
                step.stop()
        self._steps.put_nowait(None)

    def _put(self, step: Errand[Any]) -> None:
        if self._is_over:
            step.refuse(_outside())
        else:
            self._steps.put_nowait(step)

    def _put_last(self, step: Errand[Any]) -> None:
        self._put(step)
        self._steps.put_nowait(None)

    async def _enter(self) -> _T:
        value = await self._manager.__aenter__()
        self._inside = True
        return value

    async def _leave(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        self._inside = False
        return await self._manager.__aexit__(kind, error, traceback)


def _outside() -> ConfigError:
    return ConfigError("this is of use inside its `with` block")


def _error_of(errand: Errand[Any], engine: Engine) -> BaseException | None:
    """An errand's error in the form in which its caller gets it."""
    error, errand.error = errand.error, None
    if isinstance(error, asyncio.CancelledError) and not engine.alive:
        loss = engine.loss()
        hand_over(error, loss)
        return loss
    if error is not None:
        # The first frame is the errand's. Where all others are ours, an error made for users says more than they do.
        trace = error.__traceback__.tb_next if error.__traceback__ is not None else None
        if isinstance(error, CloudlayerError) and _is_ours(trace):
            trace = None
        error.__traceback__ = trace
    return error


def _is_ours(trace: TracebackType | None) -> bool:
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] not in _ROOMS:
            return False
        trace = trace.tb_next
    return True


# --- one home in each process -----------------------------------------------------------------------------------

_moving: Final = threading.RLock()


class Home(Generic[_T]):
    """What a blocking client is made of: its async client, and the portal that this one lives in.

    Both belong to one process. A forked child makes them anew, by the same recipe, when it first uses them.

    Args:
        make: Makes the async client.
        portal_of: Gives the portal for it.
    """

    def __init__(self, make: Callable[[], _T], portal_of: Callable[[_T], Portal]) -> None:
        self._make = make
        self._portal_of = portal_of
        self._settle()

    def _settle(self) -> None:
        self._client = self._make()
        self._portal = self._portal_of(self._client)
        self._pid = os.getpid()

    def _move(self) -> None:
        if self._pid != os.getpid():
            with _moving:
                if self._pid != os.getpid() and not self._portal.closed:
                    self._settle()

    @property
    def client(self) -> _T:
        """The async client of this process."""
        self._move()
        return self._client

    @property
    def portal(self) -> Portal:
        """The portal of this process."""
        self._move()
        return self._portal

    def sibling(self, make: Callable[[_T], _T]) -> Home[_T]:
        """One whose client is made from this one's, with the same portal."""
        return Home(lambda: make(self.client), lambda _: self.portal)


def refuse_session(session: object) -> None:
    """A borrowed session belongs to an event loop, and that is never the blocking client's.

    Raises:
        ConfigError: There is one.
    """
    if session is not None:
        raise ConfigError("session is for AsyncCloudlayer: it belongs to an event loop, which here is the client's own")
