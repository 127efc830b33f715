"""The stages of one item: claimed in the journal, submitted, waited for, fetched.

Submissions go through `submission.submit_request`, the one path that spends credits. What may be repeated, and why:

* a refusal (429, or 503 with Retry-After) puts the item back: everybody pauses once, the number of places halves, and the item,
  first in the queue, is sent again when there is a place; it uses up no attempt;
* a failed connection is repeated inside the transport, by the client's `RetryPolicy`;
* an unknown outcome is settled by look-up when there is a journal (see `settling`), and sent again only when that has proven
  that there is no job; without a journal it is the item's outcome.
"""

from __future__ import annotations

import mimetypes
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import anyio
import attrs

from ..config import ClientConfig
from ..conversion import AsyncConversion, Document
from ..errors import (
    AmbiguousSubmissionError,
    AuthenticationError,
    CloudlayerError,
    ConfigError,
    DownloadError,
    JobFailedError,
    JobTimeoutError,
    JournalError,
    RateLimitError,
    ServiceUnavailableError,
    UnexpectedResponseError,
    ValidationError,
)
from ..jobs import Jobs
from ..models import Attempt, Job, JobStatus
from ..protocol import Reply, read_call, read_list
from ..requests import ConversionRequest, with_defaults
from ..submission import submit_request
from ..transport import Transport
from .identity import Tokens, digest
from .journal import Journal, Record, State
from .ledger import Item, Ledger, Stage
from .outcome import Outcome
from .saving import Destination, Place, fetch, is_disk_full
from .settling import SETTLE_TIME, Doubt, Settlement, Verdict
from .slots import Slots

_LONGEST_PAUSE: Final = 30.0
"""Seconds of the longest pause after a refusal that does not say for how long."""


class Stop(Exception):
    """Why a batch must not go on, where that is nobody's error.

    Args:
        reason: In words.
        at_once: Nothing can be done for what is under way, either.
    """

    def __init__(self, reason: str, *, at_once: bool = False) -> None:
        super().__init__(reason)
        self.at_once = at_once


class OutOfCredits(Stop):
    """The next conversion would pass `max_credits`. What was let through before is sent all the same."""


class NotSubmitted(Exception):
    """An item that goes no further, because the batch ends; `reason` is what ends it, where the item brought it up."""

    def __init__(self, reason: BaseException | None = None) -> None:
        super().__init__()
        self.reason = reason


@attrs.frozen(kw_only=True)
class Service:
    """What a client lends to its batches."""

    config: ClientConfig
    transport: Transport
    jobs: Jobs
    settle_time: float = SETTLE_TIME


class Stages:
    """Carries items; `open` before the first, `aclose` after the last.

    Args:
        service: The client's means.
        slots: Places for conversions under way.
        ledger: The books.
        destination: Where products go; None keeps them in memory.
        journal_path: The journal's file; None for none.
        on_fault: Called when the journal cannot be written any more.
    """

    def __init__(
        self,
        service: Service,
        *,
        slots: Slots,
        ledger: Ledger,
        destination: Destination | None,
        journal_path: str | os.PathLike[str] | None,
        on_fault: Callable[[JournalError], None],
    ) -> None:
        self._service = service
        self._slots = slots
        self._ledger = ledger
        self._destination = destination
        self._journal_path = journal_path
        self._on_fault = on_fault
        config, transport = service.config, service.transport
        self._pace = transport.shared.pace
        policy = transport.retry
        if journal_path is not None:
            # What is ambiguous is settled here, by look-up.
            policy = attrs.evolve(policy, resubmit_ambiguous=False)
        self._sender = Transport(
            transport.shared,
            base_url=config.base_url,
            key=config.key,
            timeouts=config.timeouts,
            retry=policy,
            on_attempt=self._attempted,
        )
        self._journal: Journal | None = None
        self._settlement: Settlement | None = None
        self._alone = anyio.Lock()
        self._refused_in_a_row = 0
        self.closed = False
        """Whether no further item is begun."""
        self.silent = False
        """Whether nothing is sent any more, not even what was begun."""

    async def open(self) -> None:
        """Opens the journal.

        Raises:
            JournalError: It cannot be used.
        """
        if self._journal_path is None:
            return
        service = self._service
        service.transport.shared.enter()
        self._journal = await Journal.open(
            self._journal_path,
            key=await service.transport.current_key(),
            base_url=service.config.base_url,
            on_fault=self._on_fault,
        )
        self._ledger.spent_before(self._journal.spent)
        self._settlement = Settlement(
            self._read_jobs, self._journal.accepted_steps, self._journal.tokens, service.settle_time
        )

    async def aclose(self) -> None:
        """Closes the journal, with everything written."""
        if self._journal is not None:
            await self._journal.aclose()

    def calling(self) -> bool:
        """Whether an answer is being waited for."""
        return self._pace.remaining() == 0 or self._service.transport.shared.calls_under_way > 0

    def paused(self) -> float:
        """Seconds for which the service wants to be left alone."""
        return self._pace.remaining()

    async def _read_jobs(self, limit: int | None, offset: int | None) -> list[Job]:
        def read(reply: Reply) -> list[Job]:
            return read_list(reply, Job)

        call = read_call(f"/{self._service.config.api_version}/jobs", {"limit": limit, "offset": offset})
        found, _ = await self._service.transport.send(call, read)
        return found

    def _attempted(self, attempt: Attempt) -> None:
        if attempt.retry_in is not None and attempt.request.startswith("POST "):
            self._ledger.retries += 1
        if self._service.config.on_attempt is not None:
            self._service.config.on_attempt(attempt)

    # --- before anything is sent ------------------------------------------------------------------------------------

    async def settle_the_past(self) -> None:
        """Settles what earlier runs of the journal left open, before anything new can push it out of sight.

        Raises:
            CloudlayerError: The list of jobs cannot be had, so that nothing is known of what may have been accepted.
        """
        if self._journal is None:
            return
        journal = self._journal
        errors: list[CloudlayerError] = []

        async def settle(number: int, step: int) -> None:
            assert self._settlement is not None
            # The user's part of the name is not kept; without it a name cut short is taken for what it may be all the same.
            doubt = Doubt(number=number, label=journal.tokens.label(None, number), intent_step=step)
            try:
                found = await self._settlement.settle(doubt)
            except CloudlayerError as error:
                errors.append(error)
                return
            if isinstance(found, Job):
                journal.accepted(number, found.id)
            elif found is Verdict.ABSENT:
                journal.withdraw(number)
            else:
                journal.ambiguous(number, AmbiguousSubmissionError.__name__)

        async with anyio.create_task_group() as group:
            for number, step in await journal.unsettled():
                group.start_soon(settle, number, step)
        if errors:
            raise errors[0]

    # --- one item ---------------------------------------------------------------------------------------------------

    async def carry(self, item: Item) -> Outcome:
        """Takes an item from its place in the queue to its outcome.

        Raises:
            NotSubmitted: It goes no further, because the batch ends.
        """
        conversion: AsyncConversion | None = None
        try:
            place = None if self._destination is None else self._destination.place(item.request)
            record = None if self._journal is None else await self._claim(item)
            if record is not None and record.path is not None and record.whole:
                return self._resumed(item, record, record.path)
            conversion = await self._started(item, record)
            item.job_id = conversion.job_id
            self._ledger.move(item, Stage.PENDING)
            job = await conversion.wait()
            self._ledger.move(item, Stage.DOWNLOADING)
            document = await self._fetched(item, conversion, place)
        except JournalError as error:
            raise NotSubmitted(error) from error
        except CloudlayerError as error:
            return self._failure(item, error, conversion)
        credits = self._ledger.charge(item, job.api_credit_cost, succeeded=True)
        if self._journal is not None and item.number is not None:
            self._journal.finished(
                item.number, credits=credits, asset_id=job.asset_id, content_type=document.content_type
            )
        return self._success(item, document)

    def _success(self, item: Item, document: Document, *, resumed: bool = False) -> Outcome:
        outcome = Outcome(
            index=item.index,
            request=item.request,
            key=item.key,
            job=document.job,
            document=document,
            path=document.path,
        )
        self._ledger.close(item, outcome, ambiguous=False, resumed=resumed)
        return outcome

    def _failure(self, item: Item, error: CloudlayerError, conversion: AsyncConversion | None) -> Outcome:
        job = None if conversion is None else self._hidden(conversion.job)
        if conversion is None:
            if not error.maybe_billed:
                self._ledger.give_back(item)
        else:
            error.job_id = error.job_id or conversion.job_id
            error.maybe_billed = True
            failed = isinstance(error, JobFailedError)
            if isinstance(error, JobFailedError):
                job = error.job = self._hidden(error.job) or error.job
            elif isinstance(error, JobTimeoutError):
                error.last_job = self._hidden(error.last_job)
            reported = job.api_credit_cost if failed and job is not None else None
            credits = self._ledger.charge(item, reported, succeeded=not failed)
            if self._journal is not None and item.number is not None:
                if failed:
                    self._journal.failed(item.number, credits=credits, error=type(error).__name__)
                else:
                    # Accepted, and not had: the next run fetches it by its job's id.
                    self._journal.noted(item.number, type(error).__name__)
        outcome = Outcome(index=item.index, request=item.request, key=item.key, job=job, error=error)
        self._ledger.close(item, outcome, ambiguous=conversion is None and error.maybe_billed, resumed=False)
        return outcome

    def _hidden(self, job: Job | None) -> Job | None:
        return job if job is None or self._journal is None else self._journal.tokens.hidden(job)

    async def _fetched(self, item: Item, conversion: AsyncConversion, place: Place | None) -> Document:
        journal, number = self._journal, item.number

        @contextmanager
        def reserve(folder: Path, name: str, size: int) -> Iterator[Path]:
            assert self._destination is not None
            with self._destination.reserved(folder, name) as path:
                if journal is not None and number is not None:
                    journal.place(number, path, size)
                yield path

        document = await fetch(conversion, place, rename=self._renamed, reserve=reserve)
        return attrs.evolve(document, job=self._hidden(document.job)) if journal is not None else document

    def _renamed(self, filename: str) -> str:
        """A server's name for a product without the token that it may have taken over from the job's name."""
        name = filename if self._journal is None else self._journal.tokens.strip(filename)
        return name if name.strip() and not name.startswith(".") else f"document{name.strip()}"

    # --- what the journal has ---------------------------------------------------------------------------------------

    async def _claim(self, item: Item) -> Record:
        """The item's row, marked as sent where it is open and credits are not limited."""
        assert self._journal is not None
        check_durable(item.request, self._service.config)
        if item.key is None:
            key = f"digest:{await digest(item.request, self._journal.salt)}"
        else:
            key = f"key:{item.key}"
        if self.closed:
            raise NotSubmitted
        # Not to be cut off: the row may say that the item was sent, and whoever leaves now must be able to take that back.
        with anyio.CancelScope(shield=True):
            record = await self._journal.claim(
                key,
                kind=item.request.kind,
                unique=item.key is not None,
                credits=item.cost if self._ledger.unlimited else None,
            )
        if record is None:
            raise ValidationError(f"key {item.key!r} was given before in this batch: each item needs its own", field="key")
        item.number = record.number
        return record

    def _resumed(self, item: Item, record: Record, path: Path) -> Outcome:
        """The outcome of an item whose product is there from an earlier run."""
        if self._journal is not None and record.state is not State.FINISHED:
            self._journal.finished(
                record.number, credits=record.credits, asset_id=record.asset_id, content_type=record.content_type
            )
        item.job_id = record.job_id
        job = Job(
            id=record.job_id or "",
            status=JobStatus.SUCCESS,
            name=item.request.name,
            asset_id=record.asset_id,
            size=record.size,
            api_credit_cost=record.credits,
        )
        content_type = record.content_type or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return self._success(
            item, Document(filename=path.name, content_type=content_type, job=job, path=path), resumed=True
        )

    async def _started(self, item: Item, record: Record | None) -> AsyncConversion:
        """The handle of the item's conversion: submitted now, or by an earlier run."""
        if record is None or self._journal is None:
            self._reserve(item)
            return await self._submit(item, item.request, None)
        if record.job_id is not None:
            return self._attached(record.job_id)
        request = durable(item.request, self._service.config, self._journal.tokens, record.number)
        item.label = request.name
        if record.state in (State.AMBIGUOUS, State.INTENT):
            item.maybe_sent = True
            raise self._unproven(item, "an earlier run sent it, and no answer came")
        if record.state is not State.OPEN:
            raise DownloadError(
                "its product came with the reply of an earlier run, and was not saved: it cannot be had again"
            )
        step = record.intent_step
        try:
            self._reserve(item)
            if step is None:
                step = await self._journal.begin(record.number, item.cost)
        except BaseException:
            self._withdraw(item)
            raise
        return await self._submit(item, request, step)

    def _attached(self, job_id: str, job: Job | None = None) -> AsyncConversion:
        service = self._service
        return AsyncConversion(
            transport=service.transport,
            jobs=service.jobs,
            version=service.config.api_version,
            job=job,
            job_id=job_id,
        )

    def _unproven(self, item: Item, why: str, cause: CloudlayerError | None = None) -> AmbiguousSubmissionError:
        error = AmbiguousSubmissionError(
            f"{why}, and the list of jobs neither shows its job nor proves that there is none: it was not sent again; "
            f'look for it with find_jobs(name="{item.label}")',
            name=item.label,
            status=getattr(cause, "status", None),
            request=getattr(cause, "request", ""),
            history=getattr(cause, "history", ()),
        )
        error.__cause__ = cause
        return error

    # --- submitting -------------------------------------------------------------------------------------------------

    def _reserve(self, item: Item) -> None:
        if self.closed:
            raise NotSubmitted
        if not self._ledger.reserve(item):
            raise NotSubmitted(OutOfCredits(f"the next conversion, of {item.cost} credits, would pass max_credits"))

    def _withdraw(self, item: Item, error: CloudlayerError | None = None) -> None:
        """Nothing of the item is at the service."""
        self._ledger.give_back(item)
        item.maybe_sent = False
        if self._journal is not None and item.number is not None:
            self._journal.withdraw(item.number, None if error is None else type(error).__name__)

    async def _submit(self, item: Item, request: ConversionRequest, step: int | None) -> AsyncConversion:
        """Sends an item until it is accepted, or cannot be."""
        try:
            conversion = await self._until_accepted(item, request, step)
        except CloudlayerError as error:
            if not error.maybe_billed and not isinstance(error, JournalError):
                self._withdraw(item, error)
            raise
        except BaseException as error:
            item.maybe_sent = item.maybe_sent or bool(getattr(error, "maybe_billed", False))
            if not item.maybe_sent:
                self._withdraw(item)
            raise
        item.maybe_sent = True
        self._ledger.accepted += 1
        self._slots.accepted()
        if self._journal is not None and item.number is not None and conversion.job_id is not None:
            self._journal.accepted(item.number, conversion.job_id)
        return conversion

    async def _until_accepted(self, item: Item, request: ConversionRequest, step: int | None) -> AsyncConversion:
        settled = 0
        while True:
            if self._settlement is not None:
                await self._settlement.clear()
            if self.silent:
                raise NotSubmitted
            era = self._slots.era
            self._ledger.move(item, Stage.SUBMITTING)
            try:
                conversion = await self._send(request)
                self._refused_in_a_row = 0
                return conversion
            except CloudlayerError as error:
                if _is_refusal(error):
                    refusal: CloudlayerError | None = error
                elif self._journal is None or not error.maybe_billed:
                    raise
                else:
                    refusal = None
                    assert step is not None and item.number is not None
                    if (found := await self._settled(item, error, step)) is not None:
                        return found
                    # There is proof that no job exists.
                    settled += 1
                    if settled >= self._sender.retry.attempts or isinstance(error, UnexpectedResponseError):
                        error.maybe_billed = False
                        raise
                    self._ledger.retries += 1
                    self._ledger.move(item, Stage.WAITING)
                    step = await self._journal.begin(item.number, item.cost)
            if refusal is not None:
                await self._put_back(item, refusal, era)

    async def _send(self, request: ConversionRequest) -> AsyncConversion:
        if self._journal is not None and not self._journal.anchored:
            # Until one job of this journal exists, no list can be seen to reach back beyond another's intent.
            async with self._alone:
                if not self._journal.anchored:
                    return await self._send_now(request)
        return await self._send_now(request)

    async def _send_now(self, request: ConversionRequest) -> AsyncConversion:
        service = self._service
        return await submit_request(
            request, config=service.config, transport=self._sender, jobs=service.jobs, repeat_refused=False
        )

    async def _put_back(self, item: Item, refusal: CloudlayerError, era: int) -> None:
        """Everybody pauses, once; the item waits for a place again, before all others."""
        self._ledger.move(item, Stage.WAITING)
        longest = self._sender.retry.max_retry_after
        wait: float | None = getattr(refusal, "retry_after", None)
        if wait is not None and wait > longest:
            raise NotSubmitted(Stop(str(refusal), at_once=True))
        if era == self._slots.era:
            self._ledger.refusals += 1
            self._refused_in_a_row += 1
        if wait is None:
            wait = min(longest, _LONGEST_PAUSE, 0.5 * 2.0 ** min(self._refused_in_a_row, 10)) * (1 + random.random()) / 2
        self._pace.hold(wait)
        self._slots.refused(era)
        await self._slots.requeue()

    async def _settled(self, item: Item, error: CloudlayerError, step: int) -> AsyncConversion | None:
        """The handle of a job that exists after all; None when it is proven that there is none.

        Raises:
            AmbiguousSubmissionError: Neither can be told.
            CloudlayerError: Nothing can be told any more: the key was revoked, or the like.
        """
        assert self._journal is not None and self._settlement is not None
        assert item.number is not None and item.label is not None
        item.maybe_sent = True
        try:
            found = await self._settlement.settle(Doubt(item.number, item.label, step))
        except CloudlayerError as fault:
            if is_final(fault):
                raise
            found = Verdict.UNPROVEN
        if isinstance(found, Job):
            return self._attached(found.id, found)
        if found is Verdict.UNPROVEN:
            self._journal.ambiguous(item.number, AmbiguousSubmissionError.__name__)
            raise self._unproven(item, str(error), error)
        item.maybe_sent = False
        return None


def _is_refusal(error: CloudlayerError) -> bool:
    """Whether nothing was accepted and the service wants to be asked later."""
    if isinstance(error, ServiceUnavailableError):
        return error.retry_after is not None
    return isinstance(error, RateLimitError)


def is_final(cause: BaseException) -> bool:
    """Whether nothing can be done any more, not even for what is under way."""
    if isinstance(cause, Stop):
        return cause.at_once
    return isinstance(cause, (AuthenticationError, ConfigError, JournalError))


def reason_to_stop(outcome: Outcome) -> BaseException | None:
    """What in an outcome makes it pointless to go on with others."""
    error = outcome.error
    if error is None:
        return None
    if is_disk_full(error):
        return Stop(f"there is no room for products: {error}")
    return error if is_final(error) else None


def check_durable(request: ConversionRequest, config: ClientConfig) -> None:
    """Refuses a request whose reply could not be had again after it was lost.

    Raises:
        ValidationError: `async_` or `storage` is False.
    """
    effective = with_defaults(request, config.defaults)
    for name in ("async_", "storage"):
        if getattr(effective, name) is False:
            raise ValidationError(
                f"{type(request).__name__}.{name} cannot be False in a batch with a journal: a product that came with a lost "
                "reply could not be had again",
                field=name,
            )


def durable(request: ConversionRequest, config: ClientConfig, tokens: Tokens, number: int) -> ConversionRequest:
    """A request as an item of a journal is sent: asynchronous, stored, with its token behind its name."""
    effective = with_defaults(request, config.defaults)
    storage = True if effective.storage is None else effective.storage
    return attrs.evolve(request, async_=True, storage=storage, name=tokens.label(effective.name, number))
