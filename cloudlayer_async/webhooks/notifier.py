"""`on_job`: called for each final state of each job, once, and again when it fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from ..models import Job

logger: Final = logging.getLogger("cloudlayer_async")

OnJob = Callable[[Job], object]
"""Sees a job that has ended. A coroutine function is awaited."""

_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 60.0


def pause(attempt: int) -> float:
    """Seconds between an attempt, counted from 1, and the next."""
    return min(_FIRST_PAUSE * 2.0 ** (attempt - 1), _LONGEST_PAUSE)


class Notifier:
    """Calls `on_job`, and remembers what it was told.

    Args:
        on_job: See `WebhookReceiver`; None when nobody wants to know.
        attempts: How often it is called until it works.
        concurrency: Calls at the same time.
        remembered: Final states that are known as told; the oldest are forgotten first.
    """

    def __init__(self, on_job: OnJob | None, *, attempts: int, concurrency: int, remembered: int) -> None:
        self._on_job = on_job
        self._attempts = attempts
        self._calls = asyncio.Semaphore(concurrency)
        self._remembered = remembered
        self._told: dict[str, str] = {}
        """The final state last told of each job, oldest first."""

    @property
    def has_listener(self) -> bool:
        """Whether anybody is told."""
        return self._on_job is not None

    def told(self, job_id: str) -> str | None:
        """The final state last told of a job."""
        return self._told.get(job_id)

    async def tell(self, job_id: str, job: Job) -> None:
        """Calls `on_job` until it works, unless it has heard of this end of the job.

        Args:
            job_id: The job's id as the webhook has it.
            job: The job.

        Raises:
            Exception: What the last call raised.
        """
        if self.told(job_id) == job.status:
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
            await asyncio.sleep(pause(attempt))
        self.tick_off(job_id, job)

    def tick_off(self, job_id: str, job: Job) -> None:
        """From now on this end of the job is known as told."""
        self._told.pop(job_id, None)
        self._told[job_id] = job.status
        if len(self._told) > self._remembered:
            del self._told[next(iter(self._told))]

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
