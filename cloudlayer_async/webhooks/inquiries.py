"""What becomes of a webhook: the job is read again, its waiters wake, and `on_job` is told, once for each final state."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import attrs

from ..announcements import Announcements
from ..errors import CloudlayerError, ConfigError, NotFoundError
from ..models import Job
from ..polling import ReadJob
from ..redaction import shown
from .limits import TokenBucket, UnknownJobs

logger: Final = logging.getLogger("cloudlayer_async")

OnJob = Callable[[Job], object]
"""Sees a job that has ended. A coroutine function is awaited."""
OnError = Callable[[str, Exception], object]
"""Sees the id of a job whose end could not be told, and why."""

_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 60.0
_CLOSED: Final = "the receiver was closed"


@attrs.define(eq=False, kw_only=True)
class _Inquiry:
    """One job id of which a webhook came, until all is done."""

    job_id: str
    trusted: bool = False
    """Whether news of it surely came from the service."""
    limited: bool
    """Whether each read of it takes a token."""
    tells: bool
    """Whether `on_job` is to hear of it."""
    found: Job | None = None
    """The job as somebody else has just read it."""
    job: Job | None = None
    """The job at its end."""
    later: set[str] = attrs.field(factory=set)
    """The ends that webhooks told of since the job was last asked for."""
    idle: bool = False
    """Whether it waits with nothing in hand that could be lost."""
    queue: asyncio.Timeout | None = None
    """What keeps it waiting for a token."""
    task: asyncio.Task[None] | None = None


class Inquiries:
    """All that a receiver has accepted and not yet settled.

    Args:
        announcements: The client family's.
        read: Reads jobs that the family does not know, with the receiver's client.
        on_job: See `WebhookReceiver`.
        on_error: See `WebhookReceiver`.
        attempts: How often a job is read, and `on_job` called, until it works.
        concurrency: Calls of `on_job` at the same time.
        max_pending: Inquiries under way that will tell `on_job`.
        remembered: Final states that are known as told.
        unknown: The limits on jobs that the family does not know.
    """

    def __init__(
        self,
        announcements: Announcements,
        read: ReadJob,
        *,
        on_job: OnJob | None,
        on_error: OnError | None,
        attempts: int,
        concurrency: int,
        max_pending: int,
        remembered: int,
        unknown: UnknownJobs,
    ) -> None:
        self._announcements = announcements
        self._read = read
        self._on_job = on_job
        self._on_error = on_error
        self._attempts = attempts
        self._calls = asyncio.Semaphore(concurrency)
        self._max_pending = max_pending
        self._remembered = remembered
        self._max_limited = unknown.queue
        self._bucket = TokenBucket(unknown.rate, unknown.burst)
        self._open: dict[str, _Inquiry] = {}
        self._limited = 0
        """Those of them that are limited."""
        self._told: dict[str, str] = {}
        """The final state last told of each job, oldest first."""
        self._closing = False

    def take(self, claim: Job, *, trusted: bool) -> bool:
        """Takes the news that a job has ended; everything else happens in a task.

        Args:
            claim: The job as a webhook has it.
            trusted: Whether it surely comes from the service.

        Returns:
            False when it cannot be taken now, and should come again.
        """
        if self._closing:
            return False
        job_id = claim.id
        told = self._told.get(job_id)
        if told == claim.status:
            return True
        # Who knows the id of a job that has ended could else make up other ends of it, each for one read.
        free = trusted or (told is None and self._announcements.reader(job_id) is not None)
        inquiry = self._open.get(job_id)
        if inquiry is not None:
            inquiry.trusted = inquiry.trusted or trusted
            if free:
                self._lift(inquiry)
            if claim.is_success or claim.is_error:
                inquiry.later.add(claim.status)
            if not inquiry.tells:
                inquiry.tells = self._has_room()
            return inquiry.tells
        if not free:
            if self._limited >= self._max_limited:
                return False
            self._begin(_Inquiry(job_id=job_id, limited=True, tells=True))
            return True
        has_room = self._has_room()
        if self._announcements.reader(job_id) is not None:
            # Its waiters wake all the same; only for `on_job` it has to come again.
            tells = has_room or self._on_job is None
            self._begin(_Inquiry(job_id=job_id, trusted=trusted, limited=False, tells=tells))
            return tells
        if has_room:
            self._begin(_Inquiry(job_id=job_id, trusted=trusted, limited=False, tells=True))
        return has_room

    def submitted(self, job_id: str) -> None:
        """A webhook may be faster than the reply that tells us the job's id."""
        if (inquiry := self._open.get(job_id)) is not None:
            self._lift(inquiry)

    def ended(self, job: Job) -> None:
        """A waiter has read the end of a job whose webhook is late or lost."""
        if self._closing or job.id in self._open or self._told.get(job.id) == job.status:
            return
        if self._on_job is None:
            self._tick_off(job.id, job)
        elif self._has_room():
            # Else a webhook that comes late has to do it.
            self._begin(_Inquiry(job_id=job.id, limited=False, tells=True, found=job))

    async def aclose(self, grace: float) -> None:
        """Takes nothing more, lets what is under way come to its end for so many seconds, then gives up and says so."""
        self._closing = True
        for inquiry in self._open.values():
            if inquiry.idle and inquiry.task is not None:
                inquiry.task.cancel()
        try:
            tasks = self._tasks()
            if tasks:
                await asyncio.wait(tasks, timeout=grace)
        finally:
            for task in self._tasks():
                task.cancel()
            await asyncio.gather(*self._tasks(), return_exceptions=True)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [inquiry.task for inquiry in self._open.values() if inquiry.task is not None]

    def _has_room(self) -> bool:
        return len(self._open) - self._limited < self._max_pending

    def _begin(self, inquiry: _Inquiry) -> None:
        self._open[inquiry.job_id] = inquiry
        self._limited += inquiry.limited
        inquiry.task = asyncio.create_task(self._follow(inquiry), name=f"webhook of job {shown(inquiry.job_id)}")

    def _limit(self, inquiry: _Inquiry) -> None:
        """What could be made up is limited from now on."""
        if not inquiry.limited and not inquiry.trusted:
            inquiry.limited = True
            self._limited += 1

    def _lift(self, inquiry: _Inquiry) -> None:
        """No more limit for this one."""
        if inquiry.limited:
            inquiry.limited = False
            self._limited -= 1
            if inquiry.queue is not None:
                inquiry.queue.reschedule(0)

    # --- one inquiry --------------------------------------------------------------------------------------------------

    async def _follow(self, inquiry: _Inquiry) -> None:
        try:
            while True:
                inquiry.job = None
                inquiry.later.clear()
                if (job := await self._ended_job(inquiry)) is None:
                    return
                inquiry.job = job
                self._lift(inquiry)  # it is one of the account's
                self._announcements.announce(inquiry.job_id, job)
                if inquiry.tells:
                    await self._tell(inquiry, job)
                if inquiry.later <= {job.status}:
                    return
                self._limit(inquiry)
        except asyncio.CancelledError:
            self._report(inquiry, RuntimeError(_CLOSED))
            raise
        except Exception as error:
            self._report(inquiry, error)
        finally:
            self._limited -= inquiry.limited
            del self._open[inquiry.job_id]

    async def _ended_job(self, inquiry: _Inquiry) -> Job | None:
        """The job, read by us, once it has ended; None when there is no such job, or it has not ended."""
        if (found := inquiry.found) is not None:
            inquiry.found = None
            return found
        error: CloudlayerError | None = None
        for attempt in range(self._attempts):
            if attempt:
                await self._pause(inquiry, attempt)
            await self._token(inquiry)
            own = self._announcements.reader(inquiry.job_id)
            try:
                job = await (own or self._read)(inquiry.job_id)
            except ConfigError:
                raise  # the client is closed
            except NotFoundError:
                if own is None:
                    logger.debug("webhook of job %s: there is no such job", shown(inquiry.job_id))
                    return None
                continue  # not visible yet
            except CloudlayerError as fault:
                error = fault
                continue
            if job.is_success or job.is_error:
                return job
            error = None  # what we read may be older than what the webhook tells
        if error is not None:
            raise error
        logger.debug("webhook of job %s: it has not ended", shown(inquiry.job_id))
        return None

    async def _token(self, inquiry: _Inquiry) -> None:
        """Waits until one more read is allowed, or the limit is lifted."""
        if not inquiry.limited or self._bucket.take_at_once():
            return
        self._rest(inquiry)
        try:
            async with asyncio.timeout(None) as inquiry.queue:
                await self._bucket.take()
        except TimeoutError:
            pass  # lifted
        finally:
            inquiry.queue = None
            inquiry.idle = False

    async def _pause(self, inquiry: _Inquiry, attempt: int) -> None:
        if inquiry.job is None:
            self._rest(inquiry)
        await asyncio.sleep(min(_FIRST_PAUSE * 2 ** (attempt - 1), _LONGEST_PAUSE))
        inquiry.idle = False

    def _rest(self, inquiry: _Inquiry) -> None:
        """Before a wait that the end of the receiver cuts short."""
        if self._closing:
            raise RuntimeError(_CLOSED)
        inquiry.idle = True

    async def _tell(self, inquiry: _Inquiry, job: Job) -> None:
        if self._told.get(inquiry.job_id) == job.status:
            return
        for attempt in range(1, self._attempts + 1):
            try:
                async with self._calls:
                    await self._call(job)
                break
            except Exception as error:
                if attempt == self._attempts:
                    raise
                logger.warning("on_job raised %r for job %s; it is called again", error, job.id)
            await self._pause(inquiry, attempt)
        self._tick_off(inquiry.job_id, job)

    async def _call(self, job: Job) -> None:
        if self._on_job is None:
            return
        try:
            answer = self._on_job(job)
            if isinstance(answer, Awaitable):
                await answer
        except asyncio.CancelledError as cancelled:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise RuntimeError("on_job was cancelled") from cancelled  # by something of its own, and not by us

    def _tick_off(self, job_id: str, job: Job) -> None:
        self._told.pop(job_id, None)
        self._told[job_id] = job.status
        if len(self._told) > self._remembered:
            del self._told[next(iter(self._told))]

    def _report(self, inquiry: _Inquiry, error: Exception) -> None:
        step = "its job was not read" if inquiry.job is None else "on_job was not told"
        logger.error("webhook of job %s given up, %s: %r", shown(inquiry.job_id), step, error)
        if self._on_error is None:
            return
        try:
            self._on_error(inquiry.job_id, error)
        except Exception:  # foreign code, and the receiver goes on
            logger.exception("on_error raised")
