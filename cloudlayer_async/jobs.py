"""Reading jobs and waiting for them, over one client's transport."""

from __future__ import annotations

import asyncio
import math
import re
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

from .announcements import Announcements, Ear
from .errors import JobFailedError, ValidationError
from .models import Job
from .polling import Durations, OnUpdate, PollContext, PollSchedule, ReadJob, job_updates, poll_job
from .protocol import ApiVersion, HttpCall, Reply, path_segment, read_model
from .redaction import shown
from .session import SharedSession
from .transport import Transport, logger
from .validation import text

_LOOKED_AT: Final = 1_000
"""So many jobs are looked at for a name, where it is not said how far back."""
_TOKEN: Final = re.compile(r" ~[0-9a-z]{8}-[0-9a-z]+~$")
"""What a batch's journal puts behind a job's name."""


@attrs.define(kw_only=True)
class Family:
    """What a client and its siblings have in common."""

    session: SharedSession
    durations: Durations = attrs.field(factory=Durations)
    announcements: Announcements = attrs.field(factory=Announcements)
    """What webhook receivers bring."""


def seconds_to_wait(timeout: float | timedelta | None, default: float) -> float:
    """A caller's `timeout` in seconds; `default` for None.

    Raises:
        ValidationError: It is not a number of seconds from 0 (`math.inf` included) or a `timedelta`.
    """
    if timeout is None:
        return default
    if isinstance(timeout, timedelta):
        timeout = timeout.total_seconds()
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout >= 0:
        raise ValidationError(
            f"timeout must be a number of seconds from 0, math.inf or a timedelta, not {shown(timeout)}",
            field="timeout",
        )
    return timeout if timeout <= sys.float_info.max else math.inf


def _job_of(reply: Reply) -> Job:
    return read_model(reply, Job)


def shown_names(job: Job) -> tuple[str | None, str | None]:
    """A job's name, and the one in the parameters that the service echoes: not every list shows both."""
    echoed = job.params.get("name") if job.params is not None else None
    return job.name, echoed if isinstance(echoed, str) else None


async def find_listed(
    listed: AsyncGenerator[Job], *, name: str | None = None, since: datetime | None = None
) -> list[Job]:
    """Those of the jobs in a list, newest first, that have this name and are no older; see `AsyncCloudlayer.find_jobs`."""
    if name is None and since is None:
        raise ValidationError("find_jobs needs a name, a moment (since), or both", field="name")
    if name is not None:
        text(name, "name")  # what cannot be a name would be found nowhere, and the job be paid again
    try:
        moment = None if since is None else since.astimezone(UTC)
    except (AttributeError, OverflowError, ValueError):
        raise ValidationError(f"since must be a datetime, not {shown(since)}", field="since") from None
    found = []
    looked_at = 0
    async with aclosing(listed) as jobs:
        async for job in jobs:
            looked_at += 1
            if moment is not None and job.timestamp is not None and job.timestamp < moment:
                break
            if name is None or any(said and name in (said, _TOKEN.sub("", said)) for said in shown_names(job)):
                found.append(job)
            if moment is None and looked_at == _LOOKED_AT:
                break
    return found


class Jobs:
    """Jobs as one client sees them."""

    def __init__(self, transport: Transport, family: Family, *, version: ApiVersion, schedule: PollSchedule) -> None:
        self._transport = transport
        self._family = family
        self._version = version
        self._context = PollContext(
            schedule=schedule,
            durations=family.durations,
            pace=family.session.pace,
            clock=time.monotonic,
            sleep=asyncio.sleep,
            max_retry_after=transport.retry.max_retry_after,
        )

    async def get(self, job_id: str, *, within: float | None = None) -> Job:
        """One job, read now; `within` is for how many seconds the answer is of use."""
        return await self._transport.send(self._reading(job_id), _job_of, within=within)

    def _reading(self, job_id: str) -> HttpCall:
        return HttpCall(method="GET", path=f"/{self._version}/jobs/{path_segment(job_id, 'job_id')}")

    def submitted(self, job_id: str, *, has_webhook: bool) -> None:
        """Notes a job just accepted, so that news of it are known to be ours."""
        self._family.announcements.submitted(job_id, self.get, has_webhook=has_webhook)

    async def wait(
        self,
        job_id: str,
        *,
        timeout: float,
        job: Job | None = None,
        job_type: str | None = None,
        submitted_at: float | None = None,
        on_update: OnUpdate | None = None,
    ) -> Job:
        """The job once it has ended well; the arguments are those of `polling.poll_job`.

        Raises:
            JobFailedError: It ended badly.
            JobTimeoutError: It has not ended in time.
        """
        news = self._family.announcements
        with news.listening(job_id, self.get) as ear:
            ended = await poll_job(
                self._reader(job_id, timeout, ear),
                job_id,
                self._context,
                timeout=timeout,
                job=job,
                job_type=job_type,
                submitted_at=submitted_at,
                wake=ear,
                rely_on_wake=news.expects(job_id),
                on_update=on_update,
            )
        news.found(job_id, ended)
        logger.info("job %s ended: %s", ended.id, ended.raw_status or ended.status)
        if ended.is_error:
            raise JobFailedError(ended)
        return ended

    async def watch(self, job_id: str, *, timeout: float) -> AsyncGenerator[Job]:
        """The job as first read and at each change of its status, the end included, well or badly."""
        with self._family.announcements.listening(job_id, self.get) as ear:
            # Changes on the way are asked for, and no webhook tells of them: polls go on as usual.
            read = self._reader(job_id, timeout, ear)
            updates = job_updates(read, job_id, self._context, timeout=timeout, wake=ear, rely_on_wake=False)
            async with aclosing(updates):
                async for update in updates:
                    yield update

    def _reader(self, job_id: str, timeout: float, ear: Ear | None) -> ReadJob:
        call = self._reading(job_id)
        self._transport.shared.enter()
        deadline = time.monotonic() + timeout

        async def read(_: str) -> Job:
            if ear is not None and (announced := ear.heard()) is not None:
                return announced  # the receiver has just read it
            # The transport's own repeats must not outlast the wait.
            left = deadline - time.monotonic()
            return await self._transport.send(call, _job_of, within=None if math.isinf(left) else left)

        return read
