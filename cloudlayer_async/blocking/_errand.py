"""One call between a thread and the event loop: the errand there, and the way back for functions of the caller's.

An `Errand` is carried out by a task in the loop while its caller waits. Functions that the caller gave (`on_update`, a
batch's iterable) come back over the `Line`, and run in the caller's thread while it waits.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, TypeAlias, TypeVar, cast

from ..conversion import AsyncConversion, Document, with_job_id
from ..errors import CloudlayerError
from ..transport import logger

if TYPE_CHECKING:
    from ..batch.saving import SaveTo

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Where = TypeVar("_Where", bound="SaveTo | None")

_SLICE: Final = 0.1 if sys.platform == "win32" else None
"""Seconds of one wait. On Windows nothing interrupts a waiting thread, so that Ctrl-C has to find it between two waits."""


class _Question:
    """A function to be called in the caller's thread; its answer is awaited in the loop."""

    def __init__(self, function: Callable[[], Any], absent: Any) -> None:
        self._function = function
        self._absent = absent
        self._loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[tuple[Any, Exception | None]] = self._loop.create_future()

    def __call__(self) -> None:
        """Answers. What the function raises and is no `Exception` is for the caller alone, whom it interrupts."""
        try:
            self._settle(self._function(), None)
        except Exception as error:
            self._settle(None, error)
        except BaseException:
            # Whoever catches it and goes on must not wait for an answer that never comes.
            self._settle(None, RuntimeError("a function of the caller's was interrupted"))
            raise

    def decline(self) -> None:
        """Answers in the place of a caller who has gone."""
        self._settle(self._absent, None)

    def _settle(self, value: Any, error: Exception | None) -> None:
        def settle() -> None:
            if not self.answer.done():
                self.answer.set_result((value, error))

        with suppress(RuntimeError):  # the loop has ended, and nobody waits for the answer
            self._loop.call_soon_threadsafe(settle)


class Line:
    """The way from the loop to the thread that waits for it."""

    def __init__(self) -> None:
        self.inbox: SimpleQueue[_Message] = SimpleQueue()
        """Ended errands, and functions to call."""
        self._open = True

    async def ask(self, function: Callable[[], Any], absent: Any = None) -> Any:
        """In the loop: what `function` gives in the caller's thread; `absent` when the caller has gone."""
        if not self._open:
            return absent
        question = _Question(function, absent)
        self.inbox.put(question)
        if not self._open:
            question.decline()
        value, error = await question.answer
        if error is not None:
            raise error
        return value

    def hang_up(self) -> None:
        """The caller has gone, or is about to go."""
        self._open = False
        with suppress(Empty):
            while True:
                message = self.inbox.get_nowait()
                if isinstance(message, _Question):
                    message.decline()


_current_line: Final[ContextVar[Line | None]] = ContextVar("cloudlayer_line", default=None)


class Errand(Generic[_T]):
    """One coroutine, carried out in the loop for one thread that waits.

    Args:
        work: Makes the coroutine, in the loop.
        line: Where the caller listens.
        is_last: Whether nothing comes after it on the line.
    """

    def __init__(self, work: Callable[[], Awaitable[_T]], line: Line, *, is_last: bool = True) -> None:
        self._work = work
        self._line = line
        self._is_last = is_last
        self._task: asyncio.Task[Any] | None = None
        self._stopped = False
        self._done = False
        self.begun = False
        self.cut_off = False
        """Whether it was cancelled by somebody else: the loop breaks down."""
        self.result: _T | None = None
        self.error: BaseException | None = None

    # --- in the loop ------------------------------------------------------------------------------------------------

    async def carry_out(self) -> None:
        """Does the work. Nothing that it raises goes on into the loop, which would not survive a SystemExit."""
        if self._done:
            return
        self.begun = True
        task = self._task = asyncio.current_task()
        assert task is not None
        _current_line.set(self._line)
        try:
            result = await self._work()
        except BaseException as error:
            self._finish(None, error)
        else:
            self._finish(result, None)
        finally:
            self._task = None
            self.cut_off = task.cancelling() > 0 and not self._stopped
            while task.cancelling():
                task.uncancel()

    def stop(self) -> None:
        """Cancels the work, once, or keeps it from beginning."""
        if self._stopped:
            return
        self._stopped = True
        if self._task is not None:
            self._task.cancel()
        else:
            self.give_up()

    def give_up(self) -> None:
        """Ends the errand as cancelled, whatever has become of the work."""
        self._finish(None, asyncio.CancelledError())

    def refuse(self, error: BaseException) -> None:
        """Ends the errand with an error instead of beginning."""
        self.begun = True
        self._finish(None, error)

    def _finish(self, result: _T | None, error: BaseException | None) -> None:
        if not self._done:
            self._done = True
            self.result, self.error = result, error
            self._line.inbox.put(self)

    # --- in the caller's thread -------------------------------------------------------------------------------------

    def wait(self) -> None:
        """Waits for the end, and meanwhile calls what the loop wants to have called here."""
        while (message := self._next_message()) is not self:
            if not isinstance(message, Errand):
                message()

    def wait_for_the_end(self) -> None:
        """Waits for the end of a cancelled errand, and calls nothing: the caller is on the way out."""
        if self._is_last:
            self._line.hang_up()
        left: list[Callable[[], object]] = []
        while not self._done and (message := self._next_message()) is not self:
            if not isinstance(message, Errand):
                left.append(message)
        for message in left:
            self._line.inbox.put(message)

    def _next_message(self) -> _Message:
        while True:
            with suppress(Empty):
                return self._line.inbox.get(timeout=_SLICE)

    def tell(self, interrupt: BaseException) -> None:
        """Puts on an interrupt what would be lost with it: that a request had left, or a job's id (design rule 4)."""
        with suppress(AttributeError, TypeError):  # not every exception takes attributes
            if self.error is not None:
                hand_over(self.error, interrupt)
            elif isinstance(self.result, AsyncConversion):
                interrupt.maybe_billed = True  # type: ignore[attr-defined]
                with_job_id(interrupt, self.result)
            elif isinstance(self.result, Document):
                interrupt.maybe_billed = True  # type: ignore[attr-defined]
                interrupt.job_id = self.result.job.id or None  # type: ignore[attr-defined]
                interrupt.add_note(f"the conversion had just ended well (job {self.result.job.id or 'without an id'})")


_Message: TypeAlias = Errand[Any] | Callable[[], object]


def hand_over(error: BaseException, other: BaseException) -> None:
    """Puts what an error knows of a submission on another one, which is raised in its place."""
    notes: list[str] = list(getattr(error, "__notes__", ()))
    if isinstance(error, CloudlayerError) and error.maybe_billed:
        notes.insert(0, str(error))
    for name in ("maybe_billed", "job_id", "report"):
        if value := getattr(error, name, None):
            setattr(other, name, value)
    for note in notes:
        other.add_note(note)


# --- the caller's functions -------------------------------------------------------------------------------------


def ask_caller(function: Callable[_P, _T] | None) -> Callable[_P, Awaitable[_T]] | None:
    """A function of the caller's, for the loop: called in the thread that waits for the call, and awaited.

    It may use the client. When it gives an awaitable, that is awaited in the loop.
    """
    if function is None or not callable(function):
        return function

    async def asked(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        line = _current_line.get()
        call = partial(function, *args, **kwargs)
        answer = call() if line is None else await line.ask(call)
        return cast(_T, await answer if inspect.isawaitable(answer) else answer)

    return asked


def ask_caller_where(save_to: _Where) -> _Where:
    """A batch's `save_to`: a function of the caller's is called as `ask_caller` says, a folder stays what it is."""
    return cast("_Where", ask_caller(save_to)) if callable(save_to) else save_to


def tell_caller(function: Callable[[_T], object] | None) -> Callable[[_T], object] | None:
    """An observer of the caller's, for the loop: called in the thread that waits for the call, before that returns."""
    if function is None or not callable(function):
        return function

    def observe(event: _T) -> None:
        try:
            function(event)
        except Exception:  # as in the transport: a paid job may hang on the call
            logger.exception("on_attempt raised; the call goes on")

    def told(event: _T) -> None:
        line = _current_line.get()
        if line is None:
            observe(event)
        else:
            line.inbox.put(partial(observe, event))

    return told


def pull_from_caller(items: Any) -> Any:
    """An iterable of the caller's, for the loop: iterated in the thread that waits for the call.

    What can be iterated without the caller's code stays as it is, and so does what cannot be iterated.
    """
    if isinstance(items, (list, tuple, str, bytes)) or not isinstance(items, Iterable):
        return items
    return _SizedPulled(items) if hasattr(items, "__len__") else _Pulled(items)


class _Pulled:
    """An iterable as an async one."""

    def __init__(self, items: Any) -> None:
        self._items = items

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._pull()

    async def _pull(self) -> AsyncGenerator[Any]:
        line = _current_line.get()
        assert line is not None  # an errand iterates, or a task that one has started
        end = object()
        iterator = await line.ask(lambda: iter(self._items), iter(()))
        try:
            while (item := await line.ask(partial(next, iterator, end), end)) is not end:
                yield item
        finally:
            if inspect.isgenerator(iterator):
                await line.ask(iterator.close)


class _SizedPulled(_Pulled):
    """One whose length is known."""

    def __len__(self) -> int:
        return len(self._items)
