"""News of ended jobs that come unasked: from a webhook receiver to the waiters of one client family."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final, Protocol, TypeVar

import attrs

from .models import Job
from .polling import ReadJob

_T = TypeVar("_T")

SUBMITTED_REMEMBERED: Final = 100_000
"""Submitted jobs whose ids are known; the oldest are forgotten first."""
_NOBODY: Final[nullcontext[None]] = nullcontext()
ENDED_HELD: Final = 1_000
"""Ended jobs kept for waiters who come later; the oldest are forgotten first, and then cost a read."""


class Receiver(Protocol):
    """What is attached to a client family to bring news, as far as the family knows it."""

    def submitted(self, job_id: str) -> None:
        """This id turned out to be the family's own."""
        ...

    def ended(self, job: Job) -> None:
        """A waiter saw the end of a job that was submitted with a webhook."""
        ...


@attrs.define(eq=False)
class _Submission:
    read: ReadJob
    awaited: bool
    """Whether a webhook is still to come."""


class Ear:
    """One waiter, listening for the end of its job. A `polling.Wake`."""

    def __init__(self, read: ReadJob) -> None:
        self.read = read
        self._job: Job | None = None
        self._news: asyncio.Future[None] | None = None

    def hear(self, job: Job) -> None:
        """Wakes the waiter."""
        self._job = job
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def heard(self) -> Job | None:
        """The ended job, once."""
        job, self._job = self._job, None
        return job

    async def __call__(self, job_id: str, seconds: float) -> bool:
        """Waits for news, so many seconds at the most (`math.inf` for ever); True when there are some."""
        if self._job is None:
            self._news = asyncio.get_running_loop().create_future()
            await asyncio.wait({self._news}, timeout=seconds if seconds < float("inf") else None)
        return self._job is not None


class Announcements:
    """Who submitted, who waits, and what has ended, of one client family. For one event loop."""

    def __init__(self) -> None:
        self._receivers: list[Receiver] = []
        self._submitted: dict[str, _Submission] = {}
        self._ended: dict[str, Job] = {}
        """Jobs whose end was announced when nobody waited for them."""
        self._ears: dict[str, list[Ear]] = {}

    # --- for those who submit and wait ------------------------------------------------------------------------------

    def submitted(self, job_id: str, read: ReadJob, *, has_webhook: bool) -> None:
        """Remembers a job of ours, where news of it may come.

        Args:
            job_id: Its id.
            read: Reads it, with the key and at the address that it was submitted with.
            has_webhook: Whether the service was asked to announce its end.
        """
        if not has_webhook and not self._receivers:
            return
        self._submitted[job_id] = _Submission(read, awaited=has_webhook)
        _keep_newest(self._submitted, SUBMITTED_REMEMBERED)
        for receiver in self._receivers:
            receiver.submitted(job_id)

    def expects(self, job_id: str) -> bool:
        """Whether the end of this job is still to be announced, as far as one can be sure of webhooks."""
        submission = self._submitted.get(job_id)
        return bool(self._receivers) and submission is not None and submission.awaited

    def listening(self, job_id: str, read: ReadJob) -> AbstractContextManager[Ear | None]:
        """A waiter's ear for as long as it waits; None while nobody brings news.

        Args:
            job_id: The job that is waited for.
            read: Reads it, for the receiver too.
        """
        return self._listening(job_id, read) if self._receivers else _NOBODY

    @contextmanager
    def _listening(self, job_id: str, read: ReadJob) -> Iterator[Ear]:
        ear = Ear(read)
        if (job := self._ended.pop(job_id, None)) is not None:
            ear.hear(job)
        self._ears.setdefault(job_id, []).append(ear)
        try:
            yield ear
        finally:
            ears = self._ears[job_id]
            ears.remove(ear)
            if not ears:
                del self._ears[job_id]

    def found(self, job_id: str, job: Job) -> None:
        """A waiter saw a job's end. Others who wait for it, and receivers, need not find it themselves."""
        for ear in self._ears.get(job_id, ()):
            ear.hear(job)
        if self.expects(job_id):
            self._submitted[job_id].awaited = False
            for receiver in self._receivers:
                receiver.ended(job)

    # --- for receivers ----------------------------------------------------------------------------------------------

    def attach(self, receiver: Receiver) -> None:
        """From now on waiters listen."""
        self._receivers.append(receiver)

    def detach(self, receiver: Receiver) -> None:
        """No more news from this one. Doing so twice is fine."""
        if receiver in self._receivers:
            self._receivers.remove(receiver)

    def reader(self, job_id: str) -> ReadJob | None:
        """How to read a job of ours; None for one that nobody here submitted or waits for."""
        submission = self._submitted.get(job_id)
        if submission is not None:
            return submission.read
        ears = self._ears.get(job_id)
        return ears[0].read if ears else None

    def announce(self, job_id: str, job: Job) -> None:
        """Wakes the waiters of a job that was read and has ended; without any it is held for the next one."""
        if (submission := self._submitted.get(job_id)) is not None:
            submission.awaited = False
        ears = self._ears.get(job_id)
        for ear in ears or ():
            ear.hear(job)
        if not ears:
            self._ended[job_id] = job
            _keep_newest(self._ended, ENDED_HELD)


def _keep_newest(items: dict[str, _T], most: int) -> None:
    while len(items) > most:
        del items[next(iter(items))]
