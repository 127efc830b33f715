"""What becomes of a webhook: the job is read again, its waiters wake, and `on_job` is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

import attrs

from ..announcements import Announcements
from ..errors import CloudlayerError, ConfigError, NotFoundError
from ..models import Job
from ..polling import ReadJob
from ..redaction import shown
from .limits import TokenBucket, UnknownJobs
from .notifier import Notifier, pause

logger: Final = logging.getLogger("cloudlayer_async")

OnError = Callable[[str, Exception], object]
"""Sees the id of a job whose end could not be told, and why."""

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
    pause: asyncio.Timeout | None = None
    """What keeps it waiting for its next read."""
    task: asyncio.Task[None] | None = None


class Inquiries:
    """All that a receiver has accepted and not yet settled.

    Args:
        announcements: The client family's.
        read: Reads jobs that the family does not know, with the receiver's client.
        notifier: Tells `on_job`.
        on_error: See `WebhookReceiver`.
        attempts: How often a job is read until it has ended.
        max_pending: Inquiries under way that will tell `on_job`.
        unknown: The limits on jobs that the family does not know.
    """

    def __init__(
        self,
        announcements: Announcements,
        read: ReadJob,
        notifier: Notifier,
        *,
        on_error: OnError | None,
        attempts: int,
        max_pending: int,
        unknown: UnknownJobs,
    ) -> None:
        self._announcements = announcements
        self._read = read
        self._notifier = notifier
        self._on_error = on_error
        self._attempts = attempts
        self._max_pending = max_pending
        self._max_limited = unknown.queue
        self._bucket = TokenBucket(unknown.rate, unknown.burst)
        self._open: dict[str, _Inquiry] = {}
        self._limited = 0
        """Those of them that are limited."""
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
        told = self._notifier.told(job_id)
        if told == claim.status:
            return True
        own = self._announcements.reader(job_id) is not None
        # Who knows the id of a job that has ended could else make up other ends of it, each for one read.
        free = trusted or (own and told is None)
        inquiry = self._open.get(job_id)
        if inquiry is not None:
            inquiry.trusted = inquiry.trusted or trusted
            if free:
                self._lift(inquiry)
            if claim.is_success or claim.is_error:
                inquiry.later.add(claim.status)
                self._hurry(inquiry)
            if not inquiry.tells:
                inquiry.tells = self._has_room()
            return inquiry.tells
        if not free:
            if self._limited >= self._max_limited:
                return False
            self._begin(_Inquiry(job_id=job_id, limited=True, tells=True))
            return True
        tells = self._has_room() or (own and not self._notifier.has_listener)
        if tells or own:  # waiters wake even where there is no room; only for `on_job` it has to come again
            self._begin(_Inquiry(job_id=job_id, trusted=trusted, limited=False, tells=tells))
        return tells

    def submitted(self, job_id: str) -> None:
        """A webhook may be faster than the reply that tells us the job's id."""
        if (inquiry := self._open.get(job_id)) is not None:
            self._lift(inquiry)

    def ended(self, job: Job) -> None:
        """A waiter has read the end of a job whose webhook is late or lost."""
        if self._closing or job.id in self._open or self._notifier.told(job.id) == job.status:
            return
        if not self._notifier.has_listener:
            self._notifier.tick_off(job.id, job)
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
        me = asyncio.current_task()  # `on_job` may close the receiver, and cannot wait for itself
        return [inquiry.task for inquiry in self._open.values() if inquiry.task not in (None, me)]

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

    def _hurry(self, inquiry: _Inquiry) -> None:
        """The next read is made now. Where the claim could be made up and reads are not counted, this one is."""
        if inquiry.pause is not None and (inquiry.trusted or inquiry.limited or self._bucket.take_at_once()):
            inquiry.pause.reschedule(0)
            inquiry.pause = None

    # --- one inquiry --------------------------------------------------------------------------------------------------

    async def _follow(self, inquiry: _Inquiry) -> None:
        try:
            while True:
                inquiry.job = None
                inquiry.job = job = await self._ended_job(inquiry)
                if job is not None:
                    self._lift(inquiry)  # it is one of the account's
                    self._announcements.announce(inquiry.job_id, job)
                    if inquiry.tells:
                        await self._notifier.tell(inquiry.job_id, job)
                    inquiry.later.discard(job.status)
                if not inquiry.later:
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
        attempt = 0
        while attempt < self._attempts:
            if attempt and await self._pause(inquiry, attempt):
                attempt = 0
            attempt += 1
            await self._token(inquiry)
            inquiry.later.clear()
            own = self._announcements.reader(inquiry.job_id)
            try:
                job = await (own or self._read)(inquiry.job_id)
            except ConfigError:
                raise  # the client is closed
            except NotFoundError:
                if own is None:
                    logger.debug("webhook of job %s: there is no such job", shown(inquiry.job_id))
                    inquiry.later.clear()
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

    async def _pause(self, inquiry: _Inquiry, attempt: int) -> bool:
        """Before another read; True when a webhook that told of the job's end cut it short."""
        self._rest(inquiry)
        try:
            async with asyncio.timeout(None) as inquiry.pause:
                await asyncio.sleep(pause(attempt))
        except TimeoutError:
            return True
        finally:
            inquiry.pause = None
            inquiry.idle = False
        return False

    def _rest(self, inquiry: _Inquiry) -> None:
        """Before a wait that the end of the receiver cuts short."""
        if self._closing:
            raise RuntimeError(_CLOSED)
        inquiry.idle = True

    def _report(self, inquiry: _Inquiry, error: Exception) -> None:
        step = "its job was not read" if inquiry.job is None else "on_job was not told"
        logger.error("webhook of job %s given up, %s: %r", shown(inquiry.job_id), step, error)
        if self._on_error is None:
            return
        try:
            self._on_error(inquiry.job_id, error)
        except Exception:  # foreign code, and the receiver goes on
            logger.exception("on_error raised")
