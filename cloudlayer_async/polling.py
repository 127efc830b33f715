"""Waiting for jobs: when to look next, how many waiters share one client, and the loop that does it.

`PollSchedule` is arithmetic. `Durations` and `Pace` are what the waiters of one client (and its siblings) share.
`Poller` is the loop. Nothing here has a clock, a sleep or a source of chance of its own, and none of
it knows how a job is read: all of them are arguments. Seconds everywhere, on a monotonic clock.
"""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from datetime import timedelta
from enum import Enum, auto
from typing import Any, Final

import attrs

from .errors import (
    CloudlayerError,
    ConfigError,
    JobTimeoutError,
    NotFoundError,
    RateLimitError,
    ServiceUnavailableError,
)
from .models import Job, JobStatus
from .redaction import shown

Clock = Callable[[], float]
"""Monotonic seconds."""
Sleep = Callable[[float], Awaitable[object]]
Random = Callable[[], float]
"""A number from 0 to 1."""
ReadJob = Callable[[str], Awaitable[Job]]
"""Reads a job by its id, faults of the line already repeated."""
Wake = Callable[[str, float], Coroutine[Any, Any, bool]]
"""Waits for news of a job (id, seconds): True as soon as its end was announced, False when the time is over."""
OnUpdate = Callable[[Job], object]
"""Sees a job whose status is new. A coroutine function is awaited."""

NOT_FOUND_GRACE: Final = 10.0
"""For so many seconds after a submission a 404 means that the new job is not visible yet."""
READS_PER_SECOND: Final = 20.0
"""How many polls that find nothing one client family makes in a second, however many jobs it waits for: see `Pace`."""
TURNS_EARNED: Final = 100
"""So many polls may be under way beyond that bound while those before them have found ended jobs: see `Pace`."""
HOLD_JITTER: Final = 0.5
"""Callers that a refusal stopped go on within so many seconds after its end, each at a moment of its own."""
REMEMBERED: Final = 50
"""Finished jobs of one type that a schedule learns from."""

_ENDS: Final = (JobStatus.SUCCESS, JobStatus.ERROR)
_FIRST_DELAY: Final = 1.0
_LEAST_STEP: Final = 0.5
_FIRST_QUANTILE: Final = 1 / 3


# --- when to look -----------------------------------------------------------------------------------------------


def _seconds(value: float | timedelta) -> float:
    return value.total_seconds() if isinstance(value, timedelta) else value


def _check_interval(schedule: PollSchedule, field: attrs.Attribute[float], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise ConfigError(f"PollSchedule.{field.name} must be a number of seconds above zero, not {shown(value)}")


@attrs.frozen
class PollSchedule:
    """How often a waiting client looks at its job, in seconds (`float` or `timedelta`).

    The first look comes when a third of the jobs of this type have usually ended, the next ones in steps of half their
    usual time. While nothing is known of a type: after 1 s, then in steps of the square root of the time that has
    passed. A job that is slower than its siblings is looked at in steps that grow as slowly as that.

    Args:
        min_interval: The shortest delay, before the first look too.
        max_interval: The longest delay, before the first look too.

    Raises:
        ConfigError: A value is not a finite number above zero, or `min_interval` is above `max_interval`.
    """

    min_interval: float = attrs.field(default=0.5, converter=_seconds, validator=_check_interval)
    max_interval: float = attrs.field(default=30.0, converter=_seconds, validator=_check_interval)

    def __attrs_post_init__(self) -> None:
        if self.min_interval > self.max_interval:
            raise ConfigError(
                f"PollSchedule.min_interval ({self.min_interval} s) must not be above max_interval ({self.max_interval} s)"
            )

    def next_delay(self, elapsed: float, attempt: int, history: Sequence[float]) -> float:
        """The seconds to wait before the next look. Pure: the same arguments give the same answer.

        Args:
            elapsed: Seconds since the job was submitted, or since the waiting began where that is not known.
            attempt: How many looks were made; 0 asks for the delay before the first.
            history: How long jobs of this type took, in any order. What is negative or not finite is ignored.

        Returns:
            Always from `min_interval` to `max_interval`, before the first look too.
        """
        elapsed = max(0.0, elapsed)
        # The sum tells at once whether there is any that is not finite.
        known = sorted(history) if math.isfinite(sum(history)) else sorted(filter(math.isfinite, history))
        if known and known[0] < 0:
            known = [seconds for seconds in known if seconds >= 0]
        if attempt == 0:
            delay = (_quantile(known, _FIRST_QUANTILE) if known else _FIRST_DELAY) - elapsed
        else:
            # Beyond its siblings' usual time the past says little, so steps grow as they do where there is no past.
            median = _quantile(known, 0.5) if known else 0.0
            delay = max(
                median / 2 if known else _LEAST_STEP,
                math.sqrt(max(0.0, elapsed - median)),
            )
        return min(max(delay, self.min_interval), self.max_interval)


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below = int(place)
    low = ordered[below]
    return low + (ordered[below + 1] - low) * (place - below) if place > below else low


# --- what finished jobs teach -----------------------------------------------------------------------------------


class Durations:
    """How long the last finished jobs of each type took, as seen by the waiters of one client and its siblings."""

    def __init__(self) -> None:
        self._latest: dict[str, deque[float]] = {}
        self._ordered: dict[str, list[float]] = {}
        """The same, shortest first: where they come in order, a schedule has next to nothing to sort."""

    def record(self, job_type: str | None, seconds: float) -> None:
        """Remember one finished job; the oldest of its type is forgotten. Without a type nothing is remembered."""
        if not job_type:
            return
        latest = self._latest.get(job_type)
        if latest is None:
            latest = self._latest[job_type] = deque()
            self._ordered[job_type] = []
        ordered = self._ordered[job_type]
        if len(latest) == REMEMBERED:
            del ordered[bisect_left(ordered, latest.popleft())]
        latest.append(seconds)
        insort(ordered, seconds)

    def history(self, job_type: str | None) -> Sequence[float]:
        """The seconds of the last finished jobs of this type, shortest first; empty for a type that is not known."""
        return tuple(self._ordered.get(job_type or "", ()))


def observed_duration(pending_at: float, finished_at: float, process_time: float | None) -> float:
    """How long a job took, judged from what a waiter saw.

    The service's own figure leaves out the time in its queue and may be wrong, so it is believed only within what was seen.

    Args:
        pending_at: When the job was last seen unfinished, in seconds since its submission; 0 when it never was.
        finished_at: When it was first seen finished, likewise.
        process_time: What the service says, in milliseconds, when it does.

    Returns:
        Seconds: `process_time` kept between the two moments, else the middle between them.
    """
    if process_time is None or not math.isfinite(process_time):
        return (pending_at + finished_at) / 2
    return min(max(process_time / 1000, pending_at), finished_at)


# --- many waiters, one client -----------------------------------------------------------------------------------


class Pace:
    """The pace that all calls of one client family share: pauses the service asked for, and a bound on polling.

    A refusal with a time to wait (429, or 503 with Retry-After) holds everyone until that moment, once: `hold`. A call
    that is not a poll waits with `ready`, a poll with `turn`.

    **The bound.** Polls wait in one queue, first come first served. In any `t` seconds at most
    ``reads_per_second * (t + 1)`` of them are let through, and two more for each of them that found its job ended
    (`refund`): one in its own place, and one on trust, of which up to `TURNS_EARNED` are kept for later. So while nothing
    ends, polls stay below the bound whether 10 or 10,000 jobs are waited for (each of N jobs is then looked at every
    ``N / reads_per_second`` seconds, even if that is above `PollSchedule.max_interval`), while finished jobs are found as
    fast as they end. After a hold the queue sets off at that same rate, not in one burst. Reads at a deadline and reads of
    announced jobs do not queue: there is at most one of the first kind for each wait, and one of the second for each
    announcement.

    For one event loop; not safe to share between threads.

    Args:
        clock: Monotonic seconds.
        sleep: Waits for so many seconds.
        random: Numbers from 0 to 1.
        reads_per_second: The bound.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        sleep: Sleep,
        random: Random,
        reads_per_second: float = READS_PER_SECOND,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._interval = 1 / reads_per_second
        self._saved_most = 1 - self._interval
        """Seconds of unused turns that are kept for later."""
        self._held_until = -math.inf
        self._free_at = -math.inf
        """When the first in the queue may go."""
        self._earned = 0
        """Turns beyond the rate, by polls that found their jobs ended."""
        self._queue: dict[_Queued, None] = {}
        """Those who wait for their turn, in the order in which they came."""
        self._timekeeper: _Queued | None = None
        """The one of them who sleeps until the next turn is due, for all."""
        self._soonest_deadline = math.inf
        """No deadline in the queue is earlier."""

    def hold(self, seconds: float) -> None:
        """Nobody calls the service for so many seconds from now. Makes a hold longer, never shorter."""
        if 0 < seconds < math.inf:
            self._held_until = max(self._held_until, self._clock() + seconds)
            self._free_at = max(self._free_at, self._held_until)
            self._earned = 0

    def abandon(self) -> None:
        """Forget who waits: their event loop has ended."""
        self._queue.clear()
        self._timekeeper = None
        self._soonest_deadline = math.inf

    def remaining(self) -> float:
        """Seconds until the hold ends; 0 when there is none."""
        if self._held_until == -math.inf:  # never held: there is no clock to be read
            return 0.0
        return max(0.0, self._held_until - self._clock())

    async def ready(self, deadline: float = math.inf) -> bool:
        """Wait until there is no hold (and then up to `HOLD_JITTER` more, so that not all set off at once).

        Args:
            deadline: The latest moment of use, by the same clock.

        Returns:
            True when the call may be made; False, without waiting, when the hold ends after the deadline.
        """
        while (remaining := self.remaining()) > 0:
            left = deadline - self._clock()
            if remaining > left:
                return False
            await self._sleep(min(remaining + self._random() * HOLD_JITTER, left))
        return True

    def turn_at_once(self) -> bool:
        """Take a turn to poll if one is free; False, and nothing taken, if there is a queue for it."""
        return not self._queue and self._take()

    def _take(self) -> bool:
        if self._earned and self._held_until <= self._clock():
            self._earned -= 1
            return True
        if self._until_next() > 0:
            return False
        self._free_at = self._next_at() + self._interval
        return True

    async def turn(self, deadline: float = math.inf) -> bool:
        """Wait for one turn to poll. A cancelled waiter leaves the queue.

        Args:
            deadline: The latest moment of use, by the same clock.

        Returns:
            True when the poll may be made; False at the deadline, or at once when a hold ends after it.
        """
        if self.turn_at_once():
            return True
        if self._clock() >= deadline or self._held_until > deadline:
            return False
        me = _Queued(deadline=deadline)
        self._queue[me] = None
        self._soonest_deadline = min(self._soonest_deadline, deadline)
        try:
            while me.answer is None:
                if self._timekeeper is None:
                    await self._keep_time(me)
                else:
                    me.news = asyncio.get_running_loop().create_future()
                    await me.news
            return me.answer
        finally:
            self._queue.pop(me, None)
            if self._timekeeper is None and self._queue:
                next(iter(self._queue)).tell()

    def refund(self) -> None:
        """Two turns for one: its poll found the job ended, so it was not one that finds nothing, and others may, too."""
        self._earned = min(self._earned + 2, TURNS_EARNED)
        if self._queue:  # at once, to those who are awake: turns that come back would lie unused until a timer rings
            self._serve()

    def _next_at(self) -> float:
        """When the next turn is free, unused ones counted."""
        return max(self._free_at, self._clock() - self._saved_most)

    def _until_next(self) -> float:
        return max(self._held_until, self._next_at()) - self._clock()

    async def _keep_time(self, me: _Queued) -> None:
        """Sleep until something is due, and hand out what is."""
        self._timekeeper = me
        try:
            await self._sleep(max(0.0, min(self._until_next(), self._soonest_deadline - self._clock())))
        finally:
            self._timekeeper = None
        self._serve()
        now = self._clock()
        if now >= self._soonest_deadline or self._held_until > self._soonest_deadline:
            late = [queued for queued in self._queue if now >= queued.deadline or self._held_until > queued.deadline]
            for queued in late:
                del self._queue[queued]
                queued.tell(False)
            self._soonest_deadline = min((queued.deadline for queued in self._queue), default=math.inf)

    def _serve(self) -> None:
        """Hands out what is free, in order, to those who are awake."""
        while (queued := self._first_awake()) is not None and self._take():
            del self._queue[queued]
            queued.tell(True)

    def _first_awake(self) -> _Queued | None:
        for queued in self._queue:
            if queued is not self._timekeeper:
                return queued
        return None


@attrs.define(eq=False)
class _Queued:
    """One who waits for a turn."""

    deadline: float
    answer: bool | None = None
    news: asyncio.Future[None] | None = None

    def tell(self, answer: bool | None = None) -> None:
        """Wakes the waiter: with its answer, or to keep the time."""
        self.answer = answer
        if self.news is not None and not self.news.done():
            self.news.set_result(None)


# --- the loop ---------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class PollContext:
    """What a client lends to each of its waiters."""

    schedule: PollSchedule
    durations: Durations
    pace: Pace
    clock: Clock
    """The clock of `pace`."""
    sleep: Sleep
    max_retry_after: float = 60.0
    """A refusal that asks for more seconds than this ends the wait with its own error."""


class Poller:
    """The loop over one job, which reads it until it has ended, one change of its status at a time.

    A job that has just been submitted is not read at time zero; one of unknown age is read at once. A status that is
    not known is not an end. Cancelling stops the waiting and nothing else; no task outlives it. Several waiters of one job
    do not disturb each other.

    Args:
        read: Reads the job.
        job_id: Its id.
        context: What the client lends.
        timeout: Seconds from now; `math.inf` for ever, 0 (or less) for one read and no wait. One last read is made at
            the deadline, unless the service has asked for silence beyond it. A read that is under way is not cut off.
        job: The job as last seen. When it has ended, it is given and nothing is read.
        job_type: Its type, such as ``html-pdf``, where the submission tells; else the replies do.
        submitted_at: When it was submitted, by the context's clock; None for a job submitted elsewhere. Gives a grace of
            `NOT_FOUND_GRACE` to a job that is not visible yet, and lets the client learn how long jobs take.
        wake: Announces ends. An announced job is read at once, and if that read does not find it ended, the schedule
            decides when the next one comes.
        rely_on_wake: Whether this job's end is sure to be announced: polls are then a safety net only, `max_interval`
            apart. Else they are made as without `wake`.
    """

    def __init__(
        self,
        read: ReadJob,
        job_id: str,
        context: PollContext,
        timeout: float,
        job: Job | None = None,
        job_type: str | None = None,
        submitted_at: float | None = None,
        wake: Wake | None = None,
        rely_on_wake: bool = True,
    ) -> None:
        self._read = read
        self._job_id = job_id
        self._context = context
        self._job = job
        self._job_type = job_type
        self._submitted_at = submitted_at
        self._wake = self._listen = wake
        self._rely_on_wake = rely_on_wake
        began = self._began = context.clock()
        self._deadline = began + timeout if timeout > 0 else began
        self._since = began if submitted_at is None else submitted_at
        if submitted_at is None:
            self._due = began
        elif wake is not None and rely_on_wake:
            self._due = submitted_at + context.schedule.max_interval
        else:
            self._due = submitted_at + context.schedule.next_delay(0.0, 0, context.durations.history(job_type))
        self._came_late = self._due < began
        self._status: str | None = None  # the last one that was given
        self._pending_at = 0.0  # when the job was last seen unfinished, in seconds since its submission
        self._reads = 0

    async def change(self) -> Job:
        """The job when its status is new: as first read, then at each change, last with its end; not called after that.

        Raises:
            JobTimeoutError: The deadline has passed; it carries the job as last seen.
            NotFoundError: There is no such job.
            RateLimitError, ServiceUnavailableError: The service refused a read without saying for how long, or for longer
                than `max_retry_after`. (Else the refusal holds everyone's pace, and the wait goes on.)
            CloudlayerError: Any other error of `read`, with `job_id` set.
        """
        if self._job is not None and has_ended(self._job):
            return self._job
        clock = self._context.clock
        while True:
            moment = await self._moment_to_read()
            if moment is _Moment.NEVER:
                raise JobTimeoutError(self._job_id, self._job, waited=clock() - self._began)
            asked = clock()
            self._reads += 1
            try:
                found = await self._read(self._job_id)
            except CloudlayerError as error:
                self._after_an_error(error, asked, moment)
                continue
            now = clock()
            self._job = found
            if has_ended(found):
                self._learn(found, now, moment)
                return found
            self._pending_at = asked - self._since
            is_new, self._status = found.status != self._status, found.status
            if moment is _Moment.DEADLINE or now >= self._deadline:
                if is_new:
                    self._deadline = -math.inf  # it is given all the same, and that was the last
                    return found
                raise JobTimeoutError(self._job_id, found, waited=now - self._began)
            self._plan(now, moment, None)
            if is_new:
                return found

    def _after_an_error(self, error: CloudlayerError, asked: float, moment: _Moment) -> None:
        """A read that failed: planned anew where the job may yet be read.

        Raises:
            CloudlayerError: It may not, or the deadline has passed.
        """
        if error.job_id is None:
            error.job_id = self._job_id
        hold = _wait_asked_for(error, self._context.max_retry_after)
        young = self._submitted_at is not None and asked - self._submitted_at <= NOT_FOUND_GRACE
        if hold is None and not (young and isinstance(error, NotFoundError)):
            raise error
        if hold is not None:
            self._context.pace.hold(hold)
        now = self._context.clock()
        if moment is _Moment.DEADLINE or now >= self._deadline:
            raise JobTimeoutError(self._job_id, self._job, waited=now - self._began) from error
        self._plan(now, moment, hold)

    def _plan(self, now: float, moment: _Moment, hold: float | None) -> None:
        """Decides when the next read is due."""
        schedule = self._context.schedule
        # A waker whose announcement was not true must not be able to drive this loop in circles.
        self._listen = None if moment is _Moment.ANNOUNCED else self._wake
        if hold is not None:
            delay = max(hold, schedule.min_interval)
        elif self._listen is not None and self._rely_on_wake:
            delay = schedule.max_interval
        else:
            history = self._context.durations.history(self._job_type or (self._job.type if self._job else None))
            delay = schedule.next_delay(now - self._since, self._reads, history)
        self._due = now + delay

    def _learn(self, ended: Job, now: float, moment: _Moment) -> None:
        """The client learns from an ended job, and the turn that found it was not one that finds nothing."""
        if moment is _Moment.TURN:
            self._context.pace.refund()
        # A waiter who came late and has no figure of the service would teach how late it was.
        if self._submitted_at is not None and (
            ended.process_time is not None or self._pending_at or not self._came_late
        ):
            seconds = observed_duration(self._pending_at, now - self._submitted_at, ended.process_time)
            self._context.durations.record(self._job_type or ended.type, seconds)

    async def _moment_to_read(self) -> _Moment:
        """Waits for the next moment to read; no longer than to the deadline."""
        pace, clock, listen = self._context.pace, self._context.clock, self._listen
        due, deadline = self._due, self._deadline
        announced = False
        left = min(due, deadline) - clock()
        if left > 0:
            if listen is None:
                await self._context.sleep(left)
            else:
                announced = await listen(self._job_id, left)
        if not announced and due < deadline:
            if pace.turn_at_once():
                return _Moment.TURN
            if listen is None:
                has_turn = await pace.turn(deadline)
            else:
                has_turn, announced = await _turn_or_news(pace.turn(deadline), listen(self._job_id, math.inf))
            if has_turn:
                return _Moment.TURN
        if announced and await pace.ready(deadline):
            return _Moment.ANNOUNCED
        if deadline == -math.inf:
            return _Moment.NEVER
        if not pace.remaining():
            return _Moment.DEADLINE
        # The service wants no call before the deadline, so there is no last read: it would only be refused.
        if (left := deadline - clock()) > 0:
            await self._context.sleep(left)
        return _Moment.NEVER


async def job_updates(
    read: ReadJob,
    job_id: str,
    context: PollContext,
    *,
    timeout: float,
    job: Job | None = None,
    job_type: str | None = None,
    submitted_at: float | None = None,
    wake: Wake | None = None,
    rely_on_wake: bool = True,
) -> AsyncGenerator[Job]:
    """The job each time its status is new: the first one read, the ended one last.

    Arguments are those of `Poller`, errors those of `Poller.change`.
    """
    poller = Poller(read, job_id, context, timeout, job, job_type, submitted_at, wake, rely_on_wake)
    while True:
        update = await poller.change()
        yield update
        if has_ended(update):
            return


async def poll_job(
    read: ReadJob,
    job_id: str,
    context: PollContext,
    *,
    timeout: float,
    job: Job | None = None,
    job_type: str | None = None,
    submitted_at: float | None = None,
    wake: Wake | None = None,
    rely_on_wake: bool = True,
    on_update: OnUpdate | None = None,
) -> Job:
    """Waits until a job has ended, well or badly. Other arguments are those of `Poller`, errors those of `Poller.change`.

    Args:
        on_update: Called with the job as first read and at each change of its status, the ended one included; a coroutine
            function is awaited. What it raises ends the wait and is passed on.

    Returns:
        The ended job. A failed one is returned like any other.
    """
    poller = Poller(read, job_id, context, timeout, job, job_type, submitted_at, wake, rely_on_wake)
    while True:
        update = await poller.change()
        if on_update is not None and (answer := on_update(update)) is not None and isinstance(answer, Awaitable):
            await answer
        if has_ended(update):
            return update


async def told(on_update: OnUpdate, job: Job) -> None:
    """Calls an observer, plain or async."""
    answer = on_update(job)
    if answer is not None and isinstance(answer, Awaitable):
        await answer


def has_ended(job: Job) -> bool:
    """Whether a job has ended, well or badly."""
    return job.status in _ENDS


def _wait_asked_for(error: CloudlayerError, most: float) -> float | None:
    """The seconds that a refusal asks to wait, when that is all it asks and they are not too many."""
    if isinstance(error, (RateLimitError, ServiceUnavailableError)):
        seconds = error.retry_after
        return seconds if seconds is not None and seconds <= most else None
    return None


class _Moment(Enum):
    """Why it is time to read, or that it never will be."""

    TURN = auto()
    ANNOUNCED = auto()
    DEADLINE = auto()
    NEVER = auto()


async def _turn_or_news(turn: Coroutine[Any, Any, bool], news: Coroutine[Any, Any, bool]) -> tuple[bool, bool]:
    """Waits in the queue and listens. The queue may be long, and polls are not what an announced job waits for."""
    waits = asyncio.create_task(turn), asyncio.create_task(news)
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        # To the end, so that a cancelled waiter has left the queue.
        await asyncio.gather(*waits, return_exceptions=True)
    has_turn, announced = (not wait.cancelled() and wait.result() for wait in waits)
    return has_turn, announced
