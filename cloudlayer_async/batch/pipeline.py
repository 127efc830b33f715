"""`AsyncBatch`: many conversions, a bounded number of them under way, outcomes as they come.

Requests are taken one by one, each when there is a place for it, and each place is free again when its outcome has
been taken: so neither a fast source nor a slow consumer makes anything grow. An item on its way is one task that
passes three stages (see `stages`); sending, reading jobs and downloading have gates of their own in the transport,
and waiting holds none of them.

Tasks live in two nested groups. The outer one belongs to the caller's `async with` block. The inner one, with the
items in it, can be cancelled when the batch must stop, without touching the caller's own code.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import math
import os
import time
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sized,
)
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

import anyio
import anyio.abc

from ..errors import BatchStoppedError, ConfigError, ValidationError
from ..redaction import shown
from ..requests import BaseOptions
from ..transport import logger
from .display import show_progress
from .ending import NotSubmitted, OutOfCredits, Stop, is_final, reason_to_stop, tell_of_jobs
from .identity import split_entry
from .journal import Journal
from .ledger import Item, Ledger, Stage, expected_cost
from .outcome import Outcome
from .progress import BatchProgress
from .report import BatchReport
from .saving import Destination, SaveTo
from .slots import Slots
from .stages import Stages
from .submitting import Service, Submitter

Entry: TypeAlias = BaseOptions | tuple[str, BaseOptions]
"""A request object of any of the ten kinds, or a pair of a key of the caller's and one."""

Requests: TypeAlias = Iterable[Entry] | AsyncIterable[Entry]

OnProgress: TypeAlias = Callable[[BatchProgress], object]
"""Sees how far a batch has come. A coroutine function is awaited."""

_LAST_REPLIES: Final = 5.0
"""Seconds that submissions under way are given to be answered when a batch ends early."""
_LAST_WORD: Final = 2.0
"""Seconds that coroutines of the caller's (the last call of `on_progress`, an async generator's end) may take at last."""
_SLOW_SOURCE: Final = 0.001
"""Seconds: a plain iterable whose step takes longer holds up the event loop, which then gets as long for itself."""
_PROGRESS_INTERVAL: Final = 0.2


class AsyncBatch:
    """A batch under way: ``async with cl.batch(...) as batch: async for outcome in batch: ...``.

    Outcomes come in the order in which they are known. Leaving the block early (by `break`, an error, or cancellation) stops
    taking requests; what was submitted goes on at the service, and is named in the report's `in_flight` and in the journal.
    """

    def __init__(
        self,
        requests: Requests,
        *,
        service: Service,
        concurrency: int,
        save_to: SaveTo | None,
        journal: str | os.PathLike[str] | None,
        max_credits: float | None,
        on_progress: OnProgress | None,
    ) -> None:
        _check_requests(requests)
        if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
            raise ValidationError(
                f"concurrency must be an int of at least 1, not {shown(concurrency)}", field="concurrency"
            )
        if journal is not None and (not isinstance(journal, (str, os.PathLike)) or not os.fspath(journal)):
            raise ValidationError(f"journal must be the path of a file, not {shown(journal)}", field="journal")
        if max_credits is not None and (
            isinstance(max_credits, bool)
            or not isinstance(max_credits, (int, float))
            or not 0 <= max_credits < math.inf
        ):
            raise ValidationError(f"max_credits must be a number from 0, not {shown(max_credits)}", field="max_credits")
        given: object = on_progress
        if given is show_progress:
            raise ValidationError("on_progress wants what show_progress() gives: call it", field="on_progress")
        if on_progress is not None and not callable(on_progress):
            raise ValidationError(f"on_progress must be callable, not {shown(on_progress)}", field="on_progress")
        self._requests = requests
        self._total = len(requests) if isinstance(requests, Sized) else None
        self._on_progress = on_progress
        self._slots = Slots(concurrency)
        self._ledger = Ledger(max_credits)
        self._service = service
        self._destination = None if save_to is None else Destination(save_to)
        self._journal_path = journal
        self._pace = service.transport.shared.pace
        self._doors: tuple[Stages, Submitter] | None = None
        """What to close when nothing more is to be sent."""
        self._ready: deque[Outcome] = deque()
        self._news: asyncio.Event = asyncio.Event()
        self._final: asyncio.Event = asyncio.Event()
        """Set when nothing can be done any more for what is under way."""
        self._feeding: anyio.CancelScope | None = None
        self._idle: list[asyncio.Future[Item | None]] = []
        """Tasks that have carried an item and wait for another."""
        self._no_more = False
        """Whether no more items will come."""
        self._block: AbstractAsyncContextManager[None] | None = None
        self._entered = False
        self._exhausted = False
        """Whether `requests` came to their end."""
        self._finished = False
        """Whether no more outcomes will come."""
        self._cause: BaseException | None = None
        """What stopped the batch."""
        self._unchanged = False
        """Whether the cause is to be raised as it is: it is not the batch's."""
        self._raised = False
        self._complained = False
        """Whether it was said that `on_progress` raises."""

    # --- for the caller ---------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._entered:
            raise ConfigError("a batch is used once: call batch(...) again; with a journal that resumes it")
        self._entered = True
        block = self._running()
        await block.__aenter__()
        self._block = block
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        assert self._block is not None
        return await self._block.__aexit__(kind, error, traceback)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Outcome:
        if self._block is None:
            raise ConfigError("a batch runs inside its `async with` block")
        while not self._ready:
            if self._finished:
                self._raise_cause()
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        outcome = self._ready.popleft()
        self._slots.release()
        return outcome

    @property
    def report(self) -> BatchReport:
        """What the batch came to, or how far it has come."""
        return self._ledger.report(finished=self._finished and self._exhausted and self._cause is None)

    @property
    def progress(self) -> BatchProgress:
        """How far the batch has come."""
        return self._ledger.progress(
            total=self._ledger.pulled if self._exhausted else self._total,
            ready=len(self._ready),
            concurrency=self._slots.limit,
            paused=self._pace.remaining(),
            finished=self._finished,
        )

    def _raise_cause(self) -> None:
        if self._cause is None or self._raised:
            return
        self._raised = True
        if self._unchanged:
            raise self._cause
        report = self.report
        raise BatchStoppedError(
            f"the batch was stopped: {self._cause}",
            report=report,
            maybe_billed=bool(report.in_flight or report.ambiguous),
        ) from (None if isinstance(self._cause, Stop) else self._cause)

    # --- lifetime ---------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        journal = await self._opened_journal()
        submitter = Submitter(self._service, slots=self._slots, ledger=self._ledger, journal=journal)
        stages = Stages(
            self._service.config,
            submitter=submitter,
            ledger=self._ledger,
            destination=self._destination,
            journal=journal,
        )
        self._doors = (stages, submitter)
        error: BaseException | None = None
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._supervise, stages, submitter)
                try:
                    yield
                except asyncio.CancelledError:
                    self._close_the_door(silent=True)
                    raise
                except BaseException as raised:
                    # Kept out of the group, which would wrap it.
                    error = raised
                self._close_the_door(silent=True)
                await self._last_replies()
                group.cancel_scope.cancel()
        finally:
            self._finished = True
            self._ledger.end()
            for outcome in self._ready:
                self._ledger.not_taken(outcome)
            if journal is not None:
                with anyio.CancelScope(shield=True):
                    await journal.aclose()
        if error is None and self._unchanged and not self._raised:
            error = self._cause  # not to be lost when the caller has left early
        if error is not None:
            raise error

    async def _opened_journal(self) -> Journal | None:
        if self._journal_path is None:
            return None
        transport = self._service.transport
        transport.shared.enter()
        return await Journal.open(
            self._journal_path,
            key=await transport.current_key(),
            base_url=self._service.config.base_url,
            on_fault=self._stop,
            ask_uid=self._service.ask_uid,
        )

    async def _supervise(self, stages: Stages, submitter: Submitter) -> None:
        try:
            async with anyio.create_task_group() as reporting:  # ends with the work
                if self._on_progress is not None:
                    reporting.start_soon(self._tell_progress, self._on_progress)
                async with anyio.create_task_group() as work:
                    reporting.start_soon(self._end_when_final, work.cancel_scope)
                    work.start_soon(self._feed, work, stages, submitter)
                reporting.cancel_scope.cancel()
        finally:
            self._finished = True
            self._ledger.end()
            self._news.set()
            if self._on_progress is not None:
                with anyio.move_on_after(_LAST_WORD, shield=True):
                    await self._tell(self._on_progress)

    # --- tasks ------------------------------------------------------------------------------------------------------

    async def _feed(self, work: anyio.abc.TaskGroup, stages: Stages, submitter: Submitter) -> None:
        """Takes requests, one for each free place."""
        try:
            with anyio.CancelScope() as self._feeding:
                await submitter.settle_the_past()
                async with _opened(self._requests) as source:
                    for index in itertools.count():
                        await self._slots.acquire()
                        if stages.closed:  # left while a place became free, which nobody is to have any more
                            self._slots.release()
                            return
                        try:
                            entry = await source()
                        except StopAsyncIteration:
                            self._exhausted = True
                            self._slots.release()
                            return
                        except (Exception, asyncio.CancelledError) as error:
                            # The source's own: what was taken before is finished all the same.
                            self._note_cause(_not_ours(error, "requests"), unchanged=True)
                            return
                        self._take(index, entry, work, stages)
        except Exception as error:
            self._stop(error)
        finally:
            self._no_more = True
            for idle in self._idle:
                if not idle.done():
                    idle.set_result(None)

    def _take(self, index: int, entry: Any, work: anyio.abc.TaskGroup, stages: Stages) -> None:
        try:
            key, request = split_entry(entry)
        except ValidationError as error:
            item = Item(index=index, request=entry, key=None, cost=0)
            self._ledger.enter(item)
            outcome = Outcome(index=index, request=entry, error=error)
            self._ledger.close(item, outcome, ambiguous=False, resumed=False)
            self._deliver(outcome)
            return
        item = Item(index=index, request=request, key=key, cost=expected_cost(request))
        self._ledger.enter(item)
        if self._idle:
            # A task that has carried one item may carry the next: starting one costs more than all of a batch's own work.
            self._idle.pop().set_result(item)
        else:
            work.start_soon(self._carry_on, item, stages)

    async def _carry_on(self, item: Item, stages: Stages) -> None:
        """Carries one item after another; idle tasks end with the work."""
        while True:
            await self._carry(item, stages)
            if self._no_more:
                return
            idle: asyncio.Future[Item | None] = asyncio.get_running_loop().create_future()
            self._idle.append(idle)
            following = await idle
            if following is None:
                return
            item = following

    async def _carry(self, item: Item, stages: Stages) -> None:
        """Takes one item all the way to its outcome."""
        try:
            outcome = await stages.carry(item)
        except NotSubmitted as left:
            self._ledger.leave_alone(item)
            self._slots.release()
            if left.reason is not None:
                self._stop(left.reason)
            return
        except (Exception, asyncio.CancelledError) as error:  # a fault of ours, or of a function of the caller's
            self._ledger.leave_alone(item)
            self._slots.release()
            self._stop(_not_ours(error, "a function given to the client or the batch"), unchanged=True)
            return
        except BaseException:
            self._ledger.leave_alone(item)
            raise
        self._deliver(outcome)
        if outcome.error is not None:
            reason = reason_to_stop(outcome.error, self._service.transport.retry.max_retry_after)
            if reason is not None:
                self._stop(reason)

    def _deliver(self, outcome: Outcome) -> None:
        self._ready.append(outcome)
        self._news.set()

    def _stop(self, cause: BaseException, *, unchanged: bool = False) -> None:
        """The batch sends nothing more; where nothing can be done for what is under way, that is left alone as well."""
        self._note_cause(cause, unchanged=unchanged)
        self._close_the_door(silent=not isinstance(cause, OutOfCredits))
        if is_final(cause):
            self._final.set()

    def _note_cause(self, cause: BaseException, *, unchanged: bool = False) -> None:
        if self._cause is None:
            self._cause = cause
            self._unchanged = unchanged
            self._ledger.stopped = str(cause) or type(cause).__name__
            logger.warning("the batch stops: %s", self._ledger.stopped)

    def _close_the_door(self, *, silent: bool) -> None:
        if self._doors is not None:
            stages, submitter = self._doors
            stages.closed = True
            submitter.silent = submitter.silent or silent
        if self._feeding is not None:
            self._feeding.cancel()

    async def _last_replies(self) -> None:
        """Gives submissions under way a moment to be answered: a job id is worth it."""
        with anyio.move_on_after(_LAST_REPLIES):
            while not self._finished and self._ledger.under_way(Stage.SUBMITTING):
                if self._pace.remaining() and not self._service.transport.shared.calls_under_way:
                    return  # they wait for the end of a pause, and nothing of them has left
                await anyio.sleep(0.01)

    async def _end_when_final(self, work: anyio.CancelScope) -> None:
        await self._final.wait()
        await self._last_replies()
        work.cancel()

    # --- progress ---------------------------------------------------------------------------------------------------

    async def _tell_progress(self, on_progress: OnProgress) -> None:
        told = -1
        while True:
            if self._ledger.changes != told:
                told = self._ledger.changes
                await self._tell(on_progress)
            await anyio.sleep(_PROGRESS_INTERVAL)

    async def _tell(self, on_progress: OnProgress) -> None:
        try:
            answer = on_progress(self.progress)
            if inspect.isawaitable(answer):
                await answer
        except Exception:  # foreign code, and paid jobs hang on the batch
            if not self._complained:
                logger.exception("on_progress raised; the batch goes on, and this is not said again")
            self._complained = True


async def run_to_the_end(batch: AsyncBatch) -> BatchReport:
    """Runs a batch whose products are saved, and gives its report; see `AsyncCloudlayer.run_batch`."""
    if batch._destination is None:
        raise ValidationError(
            "run_batch needs save_to, a folder or a function: it gives the report alone, and products that are saved "
            "nowhere would be lost; use batch() to have them in memory",
            field="save_to",
        )
    try:
        async with batch:
            async for _ in batch:
                pass
    except BaseException as error:
        tell_of_jobs(error, batch.report)
        raise
    return batch.report


def _not_ours(error: BaseException, whose: str) -> BaseException:
    """An error of foreign code, as it is to be raised.

    Raises:
        asyncio.CancelledError: It is this task that is cancelled.
    """
    if not isinstance(error, asyncio.CancelledError):
        return error
    task = asyncio.current_task()
    if task is None or task.cancelling():
        raise error
    # Raised in the caller's task it would pass for a cancellation of that.
    misplaced = RuntimeError(f"{whose} raised CancelledError, though nobody cancelled the batch")
    misplaced.__cause__ = error
    return misplaced


def _check_requests(requests: Any) -> None:
    if isinstance(requests, (str, bytes, BaseOptions, Mapping)) or not (
        hasattr(requests, "__aiter__") or hasattr(requests, "__iter__")
    ):
        raise ValidationError(
            f"requests must be an iterable or async iterable of request objects, not {shown(requests)}"
            + ("; pairs (key, request) are what its items() gives" if isinstance(requests, Mapping) else ""),
            field="requests",
        )


@asynccontextmanager
async def _opened(requests: Requests) -> AsyncIterator[Callable[[], Awaitable[Any]]]:
    """A function that gives the next request and raises StopAsyncIteration at the end; closes generators."""
    if isinstance(requests, AsyncIterable):
        later = aiter(requests)
        try:
            yield later.__anext__
        finally:
            if isinstance(later, AsyncGenerator):
                with anyio.move_on_after(_LAST_WORD, shield=True):
                    await later.aclose()
        return
    now: Iterator[Any] = iter(requests)

    async def following() -> Any:
        began = time.monotonic()
        try:
            entry = next(now)
        except StopIteration:
            raise StopAsyncIteration from None
        if time.monotonic() - began > _SLOW_SOURCE:
            await asyncio.sleep(_SLOW_SOURCE)
        return entry

    try:
        yield following
    finally:
        if inspect.isgenerator(now):
            now.close()
