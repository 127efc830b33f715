"""An event loop in a thread of its own: begins, carries out errands and visits, ends; and what a fork leaves of it."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import warnings
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

import anyio
from anyio.from_thread import BlockingPortal

from ..errors import CloudlayerError, ConfigError
from ._errand import Errand
from ._loops import new_loop

_EXIT_PATIENCE: Final = 5.0
"""Seconds that a client left open holds up the interpreter's exit at most."""


Closing: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


class Resident(Protocol):
    """What lives in a task of its own until it is stopped."""

    async def live(self) -> None:
        """The task."""

    def stop(self) -> None:
        """Ends it, in the loop."""


class Engine:
    """An event loop in a thread. It ends when told to, or when a task that is no errand lets a SystemExit escape.

    Args:
        closing: Run in the loop before it ends as told.
        moving: Run in the loop when it breaks down: lets go of connections, for what lives in it to move to another loop.
    """

    def __init__(self, closing: Closing, moving: Closing) -> None:
        self._closing = closing
        self._moving = moving
        self._pid = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None
        # Held until the loop runs. No threading.Event: an interrupt in the midst of its wait() may leave its inner lock held
        # for ever, and then whoever looks at it hangs.
        self._beginning = threading.Lock()
        self._beginning.acquire()
        self._has_begun = False
        self._failure: BaseException | None = None
        self._errands: set[Errand[Any]] = set()
        self._residents: set[Resident] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._first_task: asyncio.Task[Any] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self.ended = False
        # A daemon, so that it cannot keep the interpreter from its exit.
        self._thread = threading.Thread(target=self._main, name="cloudlayer", daemon=True)

    # --- its thread -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts the thread. When this raises, the engine is to be abandoned."""
        _open_engines.add(self)
        try:
            self._thread.start()
        except RuntimeError as error:
            # Ctrl-C within Thread.start may come out as a complaint of its condition about a lock.
            if isinstance(error.__context__, KeyboardInterrupt):
                raise error.__context__ from None
            raise

    def abandon(self) -> None:
        """Gives up an engine whose start failed or was interrupted: its thread, if there is one, ends without closing."""
        # Either this sees the loop, or the thread sees what was set here.
        self.ended = True
        _open_engines.discard(self)
        self.call_soon(self._leave)

    def _leave(self) -> None:
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._portal.stop())

    def wait_until_ready(self) -> None:
        """Waits until the loop runs.

        Raises:
            OSError: There is no loop to be had: too many open files, or the like.
        """
        if not self._has_begun:
            with self._beginning:
                pass
        if self._failure is not None:
            raise self._failure

    def _main(self) -> None:
        failure: BaseException | None = None
        try:
            anyio.run(self._serve, backend_options={"loop_factory": new_loop})
        except BaseException as error:
            failure = error
        # In this order: an errand that comes from now on sees that it is too late; all others are ended here.
        self.ended = True
        _open_engines.discard(self)
        for errand in list(self._errands):
            errand.give_up()
        if not self._has_begun:
            self._failure = failure
            self._let_callers_in()

    def _let_callers_in(self) -> None:
        self._has_begun = True
        self._beginning.release()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._first_task = asyncio.current_task()
        if self.ended:
            return
        try:
            async with BlockingPortal() as self._portal:
                self._let_callers_in()
                await self._portal.sleep_until_stopped()
        except asyncio.CancelledError:
            # The loop breaks down. All tasks are cancelled, and it goes on until they have ended: time to let go of sockets.
            if self._tasks:
                await asyncio.wait(list(self._tasks))
            await self._moving()
            raise

    @property
    def alive(self) -> bool:
        """Whether there is something in it to be used or closed, by this process."""
        return not self.ended and not self._is_ending and self._pid == os.getpid()

    @property
    def is_here(self) -> bool:
        """Whether this is its own thread."""
        return threading.current_thread() is self._thread

    def check_caller(self) -> None:
        """Refuses a caller who would wait for himself, or for a thread that does not exist.

        Raises:
            ConfigError: This is the loop's own thread, or a forked child of its process.
        """
        if self.is_here:
            raise ConfigError(
                "this blocking client was called from the thread of its own event loop, which would wait for itself "
                "for ever; async functions use AsyncCloudlayer"
            )
        if self._pid != os.getpid():
            raise ConfigError(
                "this was made before a fork and belongs to the parent: make it here, with attach(job_id)"
            )

    # --- work -------------------------------------------------------------------------------------------------------

    def call_soon(self, function: Callable[[], object]) -> bool:
        """Calls a function in the loop, with the context variables of this moment; False when there is no loop any more."""
        if self._loop is None:
            return False
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:
            return False
        return True

    # Neither calls nor residents come by the portal's start_task_soon. It waits for the loop, so that a call waits twice,
    # which is most of what it costs beyond its coroutine; and for ever, when the loop breaks down at that moment.

    def run(self, errand: Errand[Any]) -> bool:
        """Has an errand carried out by a task of its own; False when the loop has ended and nothing was begun."""
        return self.deliver(errand, self._begin)

    def deliver(self, errand: Errand[Any], begin: Callable[[Errand[Any]], object]) -> bool:
        """Hands an errand to the loop, and waits for its end; False when the loop has ended and nothing was begun."""
        try:
            self._errands.add(errand)
            if not self.ended and self.call_soon(partial(begin, errand)):
                errand.wait()
        except BaseException as interrupt:
            self.call_soon(errand.stop)
            errand.wait_for_the_end()
            errand.tell(interrupt)
            raise
        finally:
            self._errands.discard(errand)
        if not errand.begun:
            self.join()  # the thread is about to end
        return errand.begun

    def house(self, resident: Resident) -> None:
        """Starts a resident's task."""
        self.call_soon(partial(self._settle, resident))

    @property
    def _is_ending(self) -> bool:
        # A loop that breaks down cancels its tasks, the first one too, and then runs once more. A task that began in that
        # last round would not be cancelled, and would never be finished.
        first = self._first_task
        return self._stopping is not None or (first is not None and (first.done() or first.cancelling() > 0))

    def _begin(self, errand: Errand[Any]) -> None:
        if self._is_ending:
            errand.stop()
        else:
            self._start(errand.carry_out())

    def _settle(self, resident: Resident) -> None:
        if not self._is_ending:
            self._residents.add(resident)
            self._start(resident.live()).add_done_callback(lambda _: self._residents.discard(resident))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # --- its end ----------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Ends the loop, from any thread and without waiting: what is under way is cancelled, then all is closed."""
        if self._pid == os.getpid() and not self.ended:
            self.call_soon(self._begin_to_stop)

    def _begin_to_stop(self) -> None:
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop())

    async def _stop(self) -> None:
        try:
            for errand in list(self._errands):
                errand.stop()
            for resident in list(self._residents):
                resident.stop()
            if self._tasks:
                await asyncio.wait(list(self._tasks))
            await self._closing()
        finally:
            await self._portal.stop()

    def join(self, timeout: float | None = None) -> None:
        """Waits for the end of the thread."""
        if self._pid == os.getpid():
            self._thread.join(timeout)

    def forget(self) -> None:
        """Ends the loop of a portal that nobody holds any more.

        The garbage collector calls this in any thread, the loop's own one too: it waits for nothing.
        """
        if not self.alive:
            return
        try:
            warnings.warn("a blocking client was left open: use it in a `with` block, or close it", ResourceWarning, 2)
        finally:
            self.stop()

    def loss(self) -> CloudlayerError:
        """The error of a call that has ended with the loop."""
        if self._stopping is not None:
            return ConfigError("this client was closed while the call was under way")
        return CloudlayerError("the client's event loop broke down during the call; the next call starts a new one")


_open_engines: Final[set[Engine]] = set()
"""Those that run. In a forked child also its parent's: so they, and what lives in them, stay alive and untouched there."""


def on_an_engine() -> bool:
    """Whether this is the thread of a loop of ours, where nothing may be waited for."""
    return any(engine.is_here for engine in list(_open_engines))


@atexit.register
def _close_all() -> None:
    engines = list(_open_engines)
    for engine in engines:
        engine.stop()
    for engine in engines:
        engine.join(_EXIT_PATIENCE)
