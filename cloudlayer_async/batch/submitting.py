"""Submitting one item, until it is accepted or cannot be.

Submissions go through `submission.submit_request`, the one path that spends credits. What is repeated, and why:

* a refusal (429, or 503 with Retry-After) puts the item back: everybody pauses once, the number of places halves,
  and the item, first in the queue, is sent again when there is a place; it uses up no attempt;
* a failed connection is repeated inside the transport, by the client's `RetryPolicy`;
* an unknown outcome is settled by look-up when there is a journal (see `settling`), and sent again only when that
  has proven that there is no job; without a journal it is the item's outcome.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable
from typing import Final

import anyio
import attrs

from ..config import ClientConfig
from ..conversion import AsyncConversion
from ..errors import (
    AmbiguousSubmissionError,
    CloudlayerError,
    JournalError,
    RateLimitError,
    ServiceUnavailableError,
    UnexpectedResponseError,
    ValidationError,
)
from ..jobs import Jobs
from ..models import Account, Job
from ..protocol import Reply, read_call, read_list, read_model
from ..requests import ConversionRequest, with_defaults
from ..submission import submit_request
from ..transport import Transport, logger
from .ending import NotSubmitted, Stop, is_final
from .identity import Doubt, Tokens
from .journal import Journal
from .ledger import Item, Ledger, Stage
from .settling import SETTLE_TIME, Entry, Settlement, Verdict
from .slots import Slots

_LONGEST_PAUSE: Final = 30.0
"""Seconds of the longest pause after a refusal that does not say for how long."""
_TAKEN_AT_ITS_WORD: Final = 5
"""After so many refusals in a row that say for how long, pauses grow, whatever they say."""


@attrs.frozen(kw_only=True)
class Service:
    """What a client lends to its batches."""

    config: ClientConfig
    transport: Transport
    jobs: Jobs
    settle_time: float = SETTLE_TIME

    async def ask_uid(self) -> str | None:
        """The account's uid. Costs nothing."""
        call = read_call(f"/{self.config.api_version}/account")
        return (await self.transport.send(call, lambda reply: read_model(reply, Account))).uid


class Submitter:
    """Sends the items of one batch.

    Args:
        service: The client's means.
        slots: Places for conversions under way.
        ledger: The books.
        journal: The batch's journal, if it has one.
    """

    def __init__(self, service: Service, *, slots: Slots, ledger: Ledger, journal: Journal | None) -> None:
        self._service = service
        self._slots = slots
        self._ledger = ledger
        self._journal = journal
        self._settlement: Settlement | None = None
        config, transport = service.config, service.transport
        self._pace = transport.shared.pace
        policy = transport.retry
        if journal is not None:
            # What is ambiguous is settled here, by look-up.
            policy = attrs.evolve(policy, resubmit_ambiguous=False)
            self._settlement = Settlement(
                self._read_jobs,
                journal.accepted_steps,
                lambda: journal.anchored,
                journal.tokens,
                service.settle_time,
            )
        self._sender = Transport(
            transport.shared,
            base_url=config.base_url,
            key=config.key,
            timeouts=config.timeouts,
            retry=policy,
            on_attempt=config.on_attempt,
            on_repeat=self._repeating,
        )
        self._alone = anyio.Lock()
        self._refused_in_a_row = 0
        self.silent = False
        """Whether nothing is sent any more."""

    async def _read_jobs(self, limit: int | None, offset: int | None) -> list[Job]:
        def read(reply: Reply) -> list[Job]:
            return read_list(reply, Job, proof=True)

        call = read_call(f"/{self._service.config.api_version}/jobs", {"limit": limit, "offset": offset})
        return await self._service.transport.send(call, read)

    def _repeating(self) -> None:
        self._ledger.retries += 1

    async def settle_the_past(self) -> None:
        """Settles what earlier runs of the journal left open, before anything new can push it out of sight.

        Where the list of jobs cannot be had the items stay ambiguous: later runs try again.

        Raises:
            CloudlayerError: Nothing can be done at all, such as with a wrong key.
        """
        if self._journal is None:
            return
        journal = self._journal
        errors: list[Exception] = []

        async def settle(doubt: Doubt) -> None:
            assert self._settlement is not None
            try:
                found = await self._settlement.settle(doubt)
            except Exception as error:  # a function of the caller's that gives the key may raise anything
                if not isinstance(error, CloudlayerError) or is_final(error):
                    errors.append(error)
                    return
                logger.warning("the list of jobs cannot be had, and item %s stays ambiguous: %s", doubt.label, error)
                found = Verdict.UNPROVEN
            if isinstance(found, Job):
                journal.accepted(doubt.number, found.id)
            elif found is Verdict.ABSENT and doubt.job_id is None:
                journal.withdraw(doubt.number)
            else:
                journal.ambiguous(doubt.number, AmbiguousSubmissionError.__name__, doubt.job_id)

        async with anyio.create_task_group() as group:
            for doubt in await journal.unsettled():
                group.start_soon(settle, doubt)
        if errors:
            raise errors[0]
        self._ledger.spent_before(await journal.spent())

    def attached(self, job_id: str, job: Job | None = None) -> AsyncConversion:
        """The handle of a conversion submitted earlier."""
        service = self._service
        return AsyncConversion(
            transport=service.transport,
            jobs=service.jobs,
            version=service.config.api_version,
            job=job,
            job_id=job_id,
        )

    def unproven(
        self, item: Item, why: str, cause: CloudlayerError | None = None, detail: str = ""
    ) -> AmbiguousSubmissionError:
        """The error of an item of which neither can be told."""
        error = AmbiguousSubmissionError(
            f"{why.partition('; look for it with')[0]}, and the list of jobs neither shows its job nor proves that there is "
            f'none{detail}: it was not sent again; look for it with find_jobs(name="{item.label}")',
            name=item.label,
            status=getattr(cause, "status", None),
            request=getattr(cause, "request", ""),
            history=getattr(cause, "history", ()),
        )
        error.job_id = getattr(cause, "job_id", None)
        error.__cause__ = cause
        return error

    def withdraw(self, item: Item, error: CloudlayerError | None = None) -> None:
        """Nothing of the item is at the service."""
        self._ledger.give_back(item)
        item.maybe_sent = False
        if self._journal is not None and item.number is not None:
            self._journal.withdraw(item.number, None if error is None else type(error).__name__)

    async def submit(self, item: Item, request: ConversionRequest, step: int | None) -> AsyncConversion:
        """Sends an item until it is accepted, or cannot be."""
        try:
            conversion = await self._until_accepted(item, request, step)
        except CloudlayerError as error:
            if not error.maybe_billed and not isinstance(error, JournalError):
                self.withdraw(item, error)
            raise
        except BaseException as error:
            # Of anything else than these it is not known how far the submission had come.
            unsent = isinstance(error, (NotSubmitted, asyncio.CancelledError)) and not getattr(
                error, "maybe_billed", False
            )
            item.maybe_sent = item.maybe_sent or not unsent
            if not item.maybe_sent:
                self.withdraw(item)
            raise
        item.maybe_sent = True
        self._ledger.accepted += 1
        self._slots.accepted()
        if self._journal is not None and item.number is not None:
            self._journal.accepted(item.number, conversion.job_id)
        return conversion

    async def _until_accepted(self, item: Item, request: ConversionRequest, step: int | None) -> AsyncConversion:
        settled = 0
        doubtful = False
        while True:
            if self._settlement is not None:
                await self._settlement.clear()
            if self.silent:
                raise NotSubmitted
            try:
                if self._journal is None or self._journal.anchored:
                    conversion = await self._send(item, request)
                else:
                    conversion = await self._send_first(item, request, self._journal)
                self._refused_in_a_row = 0
                return conversion
            except CloudlayerError as error:
                # Once doubtful, always doubtful: with `resubmit_ambiguous` an earlier attempt may have been accepted.
                doubtful = error.maybe_billed = doubtful or error.maybe_billed
                if _is_refusal(error):
                    refusal: CloudlayerError | None = error
                elif self._journal is None or not error.maybe_billed:
                    raise
                else:
                    refusal = None
                    assert step is not None
                    assert item.number is not None
                    if (found := await self._settled(item, error, step)) is not None:
                        return found
                    doubtful = False
                    # There is proof that no job exists.
                    settled += 1
                    if settled >= self._sender.retry.attempts or isinstance(error, UnexpectedResponseError):
                        error.maybe_billed = False
                        raise
                    self._ledger.retries += 1
                    self._ledger.move(item, Stage.WAITING)
                    step = await self._journal.begin(item.number, item.cost)
            if refusal is not None:
                item.maybe_sent = doubtful
                await self._put_back(item, refusal)

    async def _send_first(self, item: Item, request: ConversionRequest, journal: Journal) -> AsyncConversion:
        """Sends alone: until one job of a journal exists, no list can be seen to reach back beyond another's intent."""
        async with self._alone:
            if not journal.anchored:
                if self._settlement is not None:
                    await self._settlement.clear()
                return await self._send(item, request)
        return await self._send(item, request)

    def _send(self, item: Item, request: ConversionRequest) -> Awaitable[AsyncConversion]:
        service = self._service
        self._ledger.move(item, Stage.SUBMITTING)
        item.era = self._slots.era
        return submit_request(
            request,
            config=service.config,
            transport=self._sender,
            jobs=service.jobs,
            repeat_refused=False,
            before_sending=self._check_going_on,
        )

    def _check_going_on(self) -> None:
        if self.silent:
            raise NotSubmitted

    async def _put_back(self, item: Item, refusal: CloudlayerError) -> None:
        """Everybody pauses, once; the item waits for a place again, before all others."""
        self._ledger.move(item, Stage.WAITING)
        longest = self._sender.retry.max_retry_after
        wait: float | None = getattr(refusal, "retry_after", None)
        if wait is not None and wait > longest:
            raise NotSubmitted(Stop(str(refusal), at_once=True))
        if item.era == self._slots.era:
            self._ledger.refusals += 1
            self._refused_in_a_row += 1
        doubled = 2.0 ** min(self._refused_in_a_row, 10)
        if wait is None:
            wait = min(longest, _LONGEST_PAUSE, 0.5 * doubled) * (1 + random.random()) / 2
        elif self._refused_in_a_row > _TAKEN_AT_ITS_WORD:
            # "In 0 seconds", said again and again.
            wait = max(wait, min(longest, _LONGEST_PAUSE, 0.01 * doubled))
        self._pace.hold(wait)
        self._slots.refused(item.era)
        await self._slots.requeue()

    async def _confirmed(self, item: Item, job_id: str) -> AsyncConversion | None:
        """The handle of the job that an unreadable reply seemed to name, if that is the item's: it carries its token.

        An id out of such a reply is a guess. None where there is no such job, or it cannot be read, or it is another's, or
        does not show whose: there the lists must tell.
        """
        assert self._journal is not None
        try:
            job = await self._service.jobs.get(job_id)
        except CloudlayerError as fault:
            if is_final(fault):
                raise
            return None
        is_ours = Entry.of(job, self._journal.tokens).number == item.number
        return self.attached(job.id, job) if is_ours else None

    async def settled_earlier(self, item: Item, job_id: str | None) -> AsyncConversion:
        """The handle of an item that an earlier run sent without an answer that could be read.

        Raises:
            AmbiguousSubmissionError: Its job is not known for certain.
            NotSubmitted: Nothing can be told any more: the key was revoked, or the like.
        """
        assert self._journal is not None
        assert item.number is not None
        item.maybe_sent = True
        try:
            found = None if job_id is None else await self._confirmed(item, job_id)
        except CloudlayerError as fault:
            raise NotSubmitted(fault) from fault
        if found is None:
            error = self.unproven(item, "an earlier run sent it, and no answer came that could be read")
            error.job_id = job_id
            raise error
        self._journal.accepted(item.number, found.job_id)
        return found

    async def _settled(self, item: Item, error: CloudlayerError, step: int) -> AsyncConversion | None:
        """The handle of a job that exists after all; None when it is proven that there is none.

        Raises:
            AmbiguousSubmissionError: Neither can be told.
            NotSubmitted: Nothing can be told any more: the key was revoked, or the like.
        """
        assert self._journal is not None
        assert self._settlement is not None
        assert item.number is not None
        assert item.label is not None
        item.maybe_sent = True
        why = ""
        try:
            if error.job_id is not None and (named := await self._confirmed(item, error.job_id)) is not None:
                return named
            found = await self._settlement.settle(Doubt(item.number, item.label, step))
        except CloudlayerError as fault:
            if is_final(fault):
                # The item is left as it is, sent and unsettled: a later run settles it.
                raise NotSubmitted(fault) from fault
            found = Verdict.UNPROVEN
            why = f" (it cannot be read: {fault})"
        if isinstance(found, Job):
            return self.attached(found.id, found)
        if found is Verdict.UNPROVEN or error.job_id is not None:
            # A reply that names a job is no place to conclude from lists that there is none.
            self._journal.ambiguous(item.number, AmbiguousSubmissionError.__name__, error.job_id)
            raise self.unproven(item, str(error), error, why)
        item.maybe_sent = False
        return None


def _is_refusal(error: CloudlayerError) -> bool:
    """Whether nothing was accepted and the service wants to be asked later."""
    if isinstance(error, ServiceUnavailableError):
        return error.retry_after is not None
    return isinstance(error, RateLimitError)


def check_durable(request: ConversionRequest, config: ClientConfig) -> str | None:
    """Refuses a request whose reply could not be had again after it was lost; gives its job's name.

    Raises:
        ValidationError: `async_` or `storage` is False.
    """
    effective = with_defaults(request, config.defaults)
    for name in ("async_", "storage"):
        if getattr(effective, name) is False:
            raise ValidationError(
                f"{type(request).__name__}.{name} cannot be False in a batch with a journal: "
                "a product that came with a lost reply could not be had again",
                field=name,
            )
    return effective.name


def durable(request: ConversionRequest, config: ClientConfig, tokens: Tokens, number: int) -> ConversionRequest:
    """A request as an item of a journal is sent: asynchronous, stored, with its token behind its name."""
    effective = with_defaults(request, config.defaults)
    storage = True if effective.storage is None else effective.storage
    return attrs.evolve(request, async_=True, storage=storage, name=tokens.label(effective.name, number))
