"""Waiting for jobs, in virtual time: no test waits for a real second."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import clock, run

from cloudlayer_async.errors import (
    ApiError,
    CloudlayerError,
    ConfigError,
    ConnectionFailedError,
    JobTimeoutError,
    NotFoundError,
    RateLimitError,
    ServerError,
    ServiceUnavailableError,
)
from cloudlayer_async.models import Job, JobStatus
from cloudlayer_async.polling import (
    HOLD_JITTER,
    NOT_FOUND_GRACE,
    READS_PER_SECOND,
    REMEMBERED,
    TURNS_EARNED,
    Durations,
    Pace,
    PollContext,
    PollSchedule,
    job_updates,
    observed_duration,
    poll_job,
)

Reply = Job | CloudlayerError
NEXT_TICK = 1e-6


def make_context(
    schedule: PollSchedule | None = None,
    *,
    durations: Durations | None = None,
    max_retry_after: float = 60.0,
) -> PollContext:
    pace = Pace(clock=clock, sleep=asyncio.sleep, random=random.Random(7).random)
    return PollContext(
        schedule=schedule or PollSchedule(),
        durations=durations or Durations(),
        pace=pace,
        clock=clock,
        sleep=asyncio.sleep,
        max_retry_after=max_retry_after,
    )


def make_job(status: str = "pending", **changes: Any) -> Job:
    return Job(
        id="job-1",
        status=JobStatus(status),
        raw_status=status,
        type="html-pdf",
        **changes,
    )


PENDING, SUCCESS, FAILED = (
    make_job(),
    make_job("success"),
    make_job("error", error="no such page"),
)


class Service:
    """Gives scripted replies, the last one for ever, and notes when it was asked."""

    def __init__(self, *replies: Reply, takes: float = 0.0) -> None:
        self.replies = list(replies)
        self.takes = takes
        self.asked: list[float] = []

    async def read(self, job_id: str) -> Job:
        assert job_id == "job-1"
        self.asked.append(clock())
        if self.takes:
            await asyncio.sleep(self.takes)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, CloudlayerError):
            raise reply
        return reply


class TimedJob:
    """A job that ends by itself after a time."""

    def __init__(self, lasts: float, *, process_time: float | None = None) -> None:
        self.ends = clock() + lasts
        self.process_time = process_time
        self.asked: list[float] = []

    async def read(self, job_id: str) -> Job:
        self.asked.append(clock())
        return make_job("success", process_time=self.process_time) if clock() >= self.ends else PENDING


def refused(kind: type[ApiError] = RateLimitError, retry_after: float | None = None) -> ApiError:
    status = {
        RateLimitError: 429,
        NotFoundError: 404,
        ServiceUnavailableError: 503,
    }.get(kind, 500)
    return kind("no", status=status, retry_after=retry_after)


# --- the schedule -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, True, "2", None])
@pytest.mark.parametrize("field", ["min_interval", "max_interval"])
def test_an_interval_that_cannot_be_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"PollSchedule\.{field} .*{value!r}"):
        PollSchedule(**{field: value})


def test_intervals_that_cross_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"min_interval \(40 s\) must not be above max_interval \(30"):
        PollSchedule(min_interval=40)


def test_intervals_may_be_timedeltas() -> None:
    assert PollSchedule(min_interval=timedelta(seconds=2)) == PollSchedule(min_interval=2)


def test_without_history_one_second_then_the_square_root_of_the_time() -> None:
    schedule = PollSchedule(min_interval=0.1)
    assert schedule.next_delay(0, 0, ()) == 1
    assert schedule.next_delay(0.04, 1, ()) == 0.5
    assert schedule.next_delay(1, 1, ()) == 1
    assert schedule.next_delay(100, 9, ()) == 10
    assert schedule.next_delay(10_000, 99, ()) == 30


def test_with_history_the_lower_third_then_half_the_median() -> None:
    schedule = PollSchedule()
    history = [*range(4, 17)]  # the lower third ends at 8, the middle is 10
    assert schedule.next_delay(0, 0, history) == pytest.approx(8)
    assert schedule.next_delay(3, 0, history) == pytest.approx(5)
    assert schedule.next_delay(8, 1, history) == 5
    assert schedule.next_delay(13, 2, history) == 5


def test_steps_grow_gently_for_a_job_slower_than_its_siblings() -> None:
    schedule = PollSchedule()
    assert schedule.next_delay(110, 20, [10.0] * 50) == 10
    assert schedule.next_delay(500, 60, [1.0] * 50) == pytest.approx(math.sqrt(499))


def test_a_job_of_unknown_age_is_looked_at_in_steps_of_its_siblings_time() -> None:
    assert PollSchedule().next_delay(0, 1, [10.0] * 5) == 5


def test_nonsense_in_the_history_is_ignored() -> None:
    nonsense = [math.nan, -3.0, math.inf, -math.inf]
    schedule = PollSchedule()
    for attempt in (0, 3):
        assert schedule.next_delay(2, attempt, [*nonsense, 6, 6]) == schedule.next_delay(2, attempt, [6, 6])
        assert schedule.next_delay(2, attempt, nonsense) == schedule.next_delay(2, attempt, [])


any_number = st.floats(allow_nan=True, allow_infinity=True)


@given(
    low=st.floats(1e-3, 1e3),
    span=st.floats(0, 1e3),
    elapsed=any_number,
    attempt=st.integers(0, 10**6),
    history=st.lists(any_number, max_size=60),
)
def test_every_delay_is_within_the_bounds(
    low: float, span: float, elapsed: float, attempt: int, history: list[float]
) -> None:
    delay = PollSchedule(low, low + span).next_delay(elapsed, attempt, history)
    assert low <= delay <= low + span


NextDelay = Callable[[float, int, Sequence[float]], float]


def simulate(next_delay: NextDelay, lasts: Callable[[random.Random], float]) -> tuple[float, float, float]:
    """Means over many jobs: reads, seconds from the end to the read that finds it, the same as a share of the duration."""
    jobs, reads, late, share = 2_000, 0, 0.0, 0.0
    chance = random.Random(1)
    history: list[float] = []
    for _ in range(jobs):
        end = lasts(chance)
        now, attempt = 0.0, 0
        while now < end:
            now += next_delay(now, attempt, history)
            attempt += 1
        reads += attempt
        late += now - end
        share += (now - end) / end
        history = [*history[1 - REMEMBERED :], end]
    return reads / jobs, late / jobs, share / jobs


def two_kinds(chance: random.Random) -> float:
    return chance.uniform(0.8, 1.5) if chance.random() < 0.7 else chance.uniform(15, 25)


@pytest.mark.parametrize(
    ("lasts", "most_reads", "most_late"),
    [
        pytest.param(lambda chance: chance.uniform(1, 3), 2.1, 0.65, id="uniform-short"),
        pytest.param(lambda chance: chance.uniform(5, 20), 2.3, 3.8, id="uniform-long"),
        pytest.param(
            lambda chance: chance.lognormvariate(math.log(2), 0.5),
            2.5,
            0.7,
            id="lognormal-short",
        ),
        pytest.param(
            lambda chance: chance.lognormvariate(math.log(10), 0.8),
            3.3,
            3.3,
            id="lognormal-long",
        ),
        pytest.param(two_kinds, 4.5, 1.3, id="bimodal"),
    ],
)
def test_few_reads_and_little_delay_against_fixed_intervals(
    lasts: Callable[[random.Random], float], most_reads: float, most_late: float
) -> None:
    reads, late, share = simulate(PollSchedule().next_delay, lasts)
    reads_2s, _, share_2s = simulate(lambda elapsed, attempt, history: 2.0, lasts)
    _, late_5s, share_5s = simulate(lambda elapsed, attempt, history: 5.0, lasts)
    assert reads <= most_reads
    assert late <= most_late
    # Against 2 s: far fewer reads where jobs are long, far sooner found where they are short.
    assert reads < reads_2s * 0.6 or (share < share_2s * 0.7 and reads < reads_2s + 1)
    # Against 5 s (what others do by habit): found sooner, or about as soon with fewer reads.
    assert share < share_5s * 0.3 or late < late_5s * 1.4


# --- what finished jobs teach -----------------------------------------------------------------------------------


def test_the_last_fifty_of_each_type_are_remembered() -> None:
    durations = Durations()
    for seconds in range(60):
        durations.record("html-pdf", seconds)
    durations.record("url-pdf", 5.0)
    durations.record(None, 1.0)
    assert durations.history("html-pdf") == tuple(range(10, 60))
    assert durations.history("url-pdf") == (5.0,)
    assert durations.history(None) == durations.history("docx-pdf") == ()


@pytest.mark.parametrize(
    ("process_time", "expected"),
    [
        (2_500, 2.5),
        (100, 2.0),
        (9_000, 4.0),
        (None, 3.0),
        (math.nan, 3.0),
        (math.inf, 3.0),
        (-5, 2.0),
    ],
)
def test_process_time_is_believed_within_what_was_seen(process_time: float | None, expected: float) -> None:
    assert observed_duration(2.0, 4.0, process_time) == expected


def test_a_finished_job_teaches_its_type() -> None:
    async def main() -> None:
        context = make_context()
        job = TimedJob(1.5, process_time=1_400)
        await poll_job(job.read, "job-1", context, timeout=60, submitted_at=clock())
        assert context.durations.history("html-pdf") == (1.4,)
        await poll_job(
            TimedJob(0).read,
            "job-1",
            context,
            timeout=60,
            job_type="url-pdf",
            submitted_at=clock(),
        )
        assert list(context.durations.history("url-pdf")) == pytest.approx([0.5])

    run(main())


def test_an_attached_job_teaches_nothing_nor_does_one_waited_for_late() -> None:
    async def main() -> None:
        context = make_context()
        await poll_job(TimedJob(3, process_time=3_000).read, "job-1", context, timeout=60)
        await poll_job(
            Service(SUCCESS).read,
            "job-1",
            context,
            timeout=60,
            submitted_at=clock() - 300,
        )
        assert context.durations.history("html-pdf") == ()
        late = Service(make_job("success", process_time=2_000))
        await poll_job(late.read, "job-1", context, timeout=60, submitted_at=clock() - 300)
        assert context.durations.history("html-pdf") == (2.0,)

    run(main())


def test_learned_durations_steer_the_reads() -> None:
    async def main() -> None:
        context = make_context()
        reads: list[int] = []
        for _ in range(10):
            job = TimedJob(8, process_time=8_000)
            await poll_job(
                job.read,
                "job-1",
                context,
                timeout=60,
                job_type="html-pdf",
                submitted_at=clock(),
            )
            reads.append(len(job.asked))
        assert reads[0] > 3
        assert reads[-1] == 1

    run(main())


# --- the loop ---------------------------------------------------------------------------------------------------


def test_a_new_job_is_not_read_at_time_zero() -> None:
    async def main() -> None:
        service = Service(PENDING, SUCCESS)
        start = clock()
        assert await poll_job(service.read, "job-1", make_context(), timeout=60, submitted_at=start) is SUCCESS
        assert [at - start for at in service.asked] == [
            pytest.approx(1),
            pytest.approx(2),
        ]

    run(main())


def test_a_failed_job_is_returned_not_raised() -> None:
    assert run(poll_in_new_context(Service(PENDING, FAILED))) is FAILED


async def poll_in_new_context(service: Service, **options: Any) -> Job:
    return await poll_job(service.read, "job-1", make_context(), **{"timeout": 60, **options})


def test_a_job_of_unknown_age_is_read_at_once() -> None:
    async def main() -> None:
        service = Service(SUCCESS)
        start = clock()
        await poll_in_new_context(service, job=PENDING)
        assert service.asked == [start]

    run(main())


def test_a_job_submitted_long_ago_is_read_at_once() -> None:
    async def main() -> None:
        service = Service(SUCCESS)
        start = clock()
        await poll_in_new_context(service, submitted_at=start - 30)
        assert service.asked == [start]

    run(main())


def test_a_job_known_to_have_ended_is_not_read() -> None:
    seen: list[Job] = []
    service = Service(PENDING)
    assert run(poll_in_new_context(service, job=FAILED, on_update=seen.append)) is FAILED
    assert seen == [FAILED]
    assert service.asked == []


def test_updates_come_for_the_first_read_and_each_change() -> None:
    seen: list[str] = []

    async def on_update(job: Job) -> None:
        await asyncio.sleep(0)
        seen.append(job.status)

    queued = make_job("warming up")
    run(
        poll_in_new_context(
            Service(PENDING, PENDING, queued, queued, PENDING, SUCCESS),
            on_update=on_update,
        )
    )
    assert seen == ["pending", "warming up", "pending", "success"]
    seen.clear()
    run(poll_in_new_context(Service(PENDING, SUCCESS), on_update=lambda job: seen.append(job.status)))
    assert seen == ["pending", "success"]


def test_an_unknown_status_is_not_an_end() -> None:
    with pytest.raises(JobTimeoutError) as caught:
        run(poll_in_new_context(Service(make_job("paused")), timeout=5))
    assert caught.value.last_job == make_job("paused")


def test_what_on_update_raises_is_passed_on() -> None:
    def on_update(job: Job) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        run(poll_in_new_context(Service(PENDING), on_update=on_update))


def test_updates_can_be_watched_and_left() -> None:
    async def main() -> None:
        service = Service(PENDING, SUCCESS)
        updates = job_updates(service.read, "job-1", make_context(), timeout=60)
        assert await anext(updates) is PENDING
        await updates.aclose()
        assert len(service.asked) == 1
        watched = job_updates(Service(PENDING, PENDING, FAILED).read, "job-1", make_context(), timeout=60)
        assert [job async for job in watched] == [PENDING, FAILED]

    run(main())


# --- the deadline -----------------------------------------------------------------------------------------------


def test_one_last_read_at_the_deadline_then_a_timeout_to_resume_from() -> None:
    async def main() -> None:
        service = Service(PENDING)
        start = clock()
        with pytest.raises(JobTimeoutError) as caught:
            await poll_in_new_context(service, timeout=7.5, submitted_at=start)
        assert clock() - start == pytest.approx(7.5)
        assert service.asked[-1] - start == pytest.approx(7.5)
        assert caught.value.job_id == "job-1"
        assert caught.value.last_job is PENDING

    run(main())


def test_the_last_read_may_still_find_the_end() -> None:
    async def main() -> None:
        job = TimedJob(7.4)
        await poll_job(job.read, "job-1", make_context(), timeout=7.5, submitted_at=clock())
        assert clock() == pytest.approx(1_007.5)

    run(main())


@pytest.mark.parametrize("timeout", [0, -3, math.nan])
@pytest.mark.parametrize("age", [None, 0, 100])
def test_no_time_means_one_read_and_no_wait(timeout: float, age: float | None) -> None:
    async def main() -> None:
        service = Service(PENDING)
        start = clock()
        submitted_at = None if age is None else start - age
        with pytest.raises(JobTimeoutError):
            await poll_in_new_context(service, timeout=timeout, submitted_at=submitted_at)
        assert service.asked == [start]
        assert clock() == start

    run(main())


def test_for_ever_is_for_ever() -> None:
    async def main() -> None:
        job = TimedJob(3 * 86_400)
        await poll_job(job.read, "job-1", make_context(), timeout=math.inf, submitted_at=clock())
        assert clock() - job.ends < 30

    run(main())


def test_a_read_that_outlasts_the_deadline_is_the_last_one() -> None:
    async def main() -> None:
        service = Service(PENDING, takes=20)
        start = clock()
        with pytest.raises(JobTimeoutError):
            await poll_in_new_context(service, timeout=5)
        assert clock() - start == pytest.approx(20)
        assert len(service.asked) == 1

    run(main())


def test_a_slow_watcher_still_gets_the_last_read() -> None:
    async def main() -> None:
        async def dawdle(job: Job) -> None:
            await asyncio.sleep(9)

        service = Service(PENDING, SUCCESS)
        assert await poll_in_new_context(service, timeout=5, on_update=dawdle) is SUCCESS

    run(main())


# --- refusals and faults ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [RateLimitError, ServiceUnavailableError])
def test_retry_after_wins_over_the_schedule_and_holds_everyone(
    kind: type[ApiError],
) -> None:
    async def main() -> None:
        context = make_context()
        service = Service(PENDING, refused(kind, 20), SUCCESS)
        start = clock()
        waiting = asyncio.create_task(poll_job(service.read, "job-1", context, timeout=60))
        await asyncio.sleep(1)
        assert context.pace.remaining() == pytest.approx(19.5)
        other = Service(SUCCESS)
        await poll_job(other.read, "job-1", context, timeout=60)
        await waiting
        assert service.asked[2] - start == pytest.approx(20.5, abs=1)
        assert other.asked[0] - start >= 20.5 - NEXT_TICK

    run(main())


def test_a_short_retry_after_wins_too_but_never_below_the_least_interval() -> None:
    async def main() -> None:
        service = Service(refused(retry_after=2), refused(retry_after=0), SUCCESS)
        context = make_context(PollSchedule(min_interval=1.5, max_interval=30))
        context.durations.record("html-pdf", 60.0)
        start = clock()
        await poll_job(service.read, "job-1", context, timeout=60, job_type="html-pdf")
        assert [at - start for at in service.asked] == [
            0,
            pytest.approx(2),
            pytest.approx(3.5),
        ]

    run(main())


def test_no_read_at_the_deadline_while_the_service_wants_silence() -> None:
    async def main() -> None:
        service = Service(PENDING, refused(retry_after=50))
        start = clock()
        with pytest.raises(JobTimeoutError) as caught:
            await poll_in_new_context(service, timeout=10)
        assert len(service.asked) == 2
        assert clock() - start == pytest.approx(10)
        assert caught.value.last_job is PENDING

    run(main())


def test_a_refusal_of_the_last_read_is_the_cause_of_the_timeout() -> None:
    refusal = refused(retry_after=5)
    with pytest.raises(JobTimeoutError) as caught:
        run(poll_in_new_context(Service(refusal), timeout=0))
    assert caught.value.__cause__ is refusal


@pytest.mark.parametrize("retry_after", [None, 61])
def test_a_refusal_that_cannot_be_waited_for_is_passed_on(
    retry_after: float | None,
) -> None:
    with pytest.raises(RateLimitError) as caught:
        run(poll_in_new_context(Service(PENDING, refused(retry_after=retry_after))))
    assert caught.value.job_id == "job-1"


def test_other_faults_are_passed_on_with_the_job_id() -> None:
    for fault in (refused(ServerError), ConnectionFailedError("gone")):
        with pytest.raises(type(fault)) as caught:
            run(poll_in_new_context(Service(PENDING, fault)))
        assert caught.value is fault
        assert fault.job_id == "job-1"


def test_a_new_job_may_be_invisible_for_a_while() -> None:
    async def main() -> None:
        missing = refused(NotFoundError)
        service = Service(missing, missing, SUCCESS)
        assert await poll_in_new_context(service, submitted_at=clock()) is SUCCESS
        start = clock()
        service = Service(missing)
        with pytest.raises(NotFoundError) as caught:
            await poll_in_new_context(service, submitted_at=start)
        assert NOT_FOUND_GRACE < service.asked[-1] - start < NOT_FOUND_GRACE + 5
        assert caught.value.job_id == "job-1"

    run(main())


def test_an_attached_job_that_is_not_there_is_reported_at_once() -> None:
    service = Service(refused(NotFoundError))
    with pytest.raises(NotFoundError):
        run(poll_in_new_context(service))
    assert len(service.asked) == 1


def test_an_invisible_job_times_out_with_what_the_submission_said() -> None:
    with pytest.raises(JobTimeoutError) as caught:
        run(poll_invisible())
    assert caught.value.last_job is PENDING


async def poll_invisible() -> None:
    await poll_in_new_context(Service(refused(NotFoundError)), timeout=3, job=PENDING, submitted_at=clock())


# --- many waiters -----------------------------------------------------------------------------------------------


def test_cancelling_stops_the_waiting_only_and_leaves_nothing() -> None:
    async def main() -> None:
        context = make_context()
        service = Service(PENDING)
        tasks = [asyncio.create_task(poll_job(service.read, "job-1", context, timeout=600)) for _ in range(200)]
        await asyncio.sleep(3)
        for task in tasks:
            task.cancel()
        assert all(
            isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*tasks, return_exceptions=True)
        )
        assert asyncio.all_tasks() == {asyncio.current_task()}
        # Those who left are not queued behind: a newcomer is served at once.
        start = clock()
        await poll_job(Service(SUCCESS).read, "job-1", context, timeout=60)
        assert clock() - start <= 1

    run(main())


def test_polls_that_find_ended_jobs_let_others_through_and_no_more_than_that() -> None:
    async def main() -> None:
        context = make_context(PollSchedule(min_interval=0.5, max_interval=5))
        fruitless: list[float] = []
        ended, start = 0, clock()

        async def read(job_id: str) -> Job:
            nonlocal ended
            await asyncio.sleep(0.05)
            if int(job_id) % 5 == 0:
                ended += 1
                return SUCCESS
            fruitless.append(clock())
            return PENDING

        tasks = [
            asyncio.create_task(poll_job(read, str(number), context, timeout=math.inf, submitted_at=start))
            for number in range(2_000)
        ]
        await asyncio.sleep(10)
        assert ended > 2 * READS_PER_SECOND  # far sooner than at the rate of those that find nothing
        assert len(fruitless) <= READS_PER_SECOND * (10 + 1) + ended
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(main())


def test_what_is_earned_is_kept_within_bounds_and_lost_when_the_service_asks_for_silence() -> None:
    async def main() -> None:
        pace = Pace(clock=clock, sleep=asyncio.sleep, random=lambda: 0.0)
        for _ in range(1_000):
            pace.refund()
        await asyncio.sleep(5)
        taken = 0
        while pace.turn_at_once():
            taken += 1
        assert taken == TURNS_EARNED + READS_PER_SECOND
        for _ in range(1_000):
            pace.refund()
        pace.hold(3)
        assert not pace.turn_at_once()
        await asyncio.sleep(3)
        assert pace.turn_at_once() and not pace.turn_at_once()

    run(main())


def test_ten_thousand_waiters_stay_under_the_bound() -> None:
    async def main() -> None:
        context = make_context(PollSchedule(min_interval=0.5, max_interval=5))
        asked: list[float] = []
        waiters, seconds = 10_000, 60

        async def read(job_id: str) -> Job:
            asked.append(clock())
            return PENDING

        start = clock()
        tasks = [
            asyncio.create_task(poll_job(read, str(number), context, timeout=math.inf, submitted_at=start))
            for number in range(waiters)
        ]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert len(asked) <= READS_PER_SECOND * (seconds + 1)
        assert len(asked) >= READS_PER_SECOND * (seconds - 2)
        for first, later in zip(asked, asked[int(2 * READS_PER_SECOND) + 1 :], strict=False):
            assert later - first >= 1 - NEXT_TICK

    run(main())


def test_jobs_that_end_are_found_faster_than_the_bound() -> None:
    async def main() -> None:
        context = make_context()
        for _ in range(REMEMBERED):
            context.durations.record("html-pdf", 1.0)

        async def one() -> None:
            job = TimedJob(1.0)
            await poll_job(
                job.read,
                "job-1",
                context,
                timeout=600,
                job_type="html-pdf",
                submitted_at=clock(),
            )

        start = clock()
        await asyncio.gather(*(one() for _ in range(400)))
        assert clock() - start < 4  # at 20 reads a second it would be 20

    run(main())


def test_a_hold_is_made_longer_never_shorter() -> None:
    async def main() -> None:
        pace = make_context().pace
        assert pace.remaining() == 0
        pace.hold(10)
        pace.hold(3)
        for nonsense in (math.nan, math.inf, -1.0, 0.0):
            pace.hold(nonsense)
        assert pace.remaining() == pytest.approx(10)
        await asyncio.sleep(4)
        assert pace.remaining() == pytest.approx(6)
        pace.hold(20)
        assert pace.remaining() == pytest.approx(20)

    run(main())


def test_callers_wait_for_the_end_of_a_hold_once_and_set_off_one_by_one() -> None:
    async def main() -> None:
        pace = make_context().pace
        ready_at: list[float] = []

        async def caller() -> None:
            assert await pace.ready()
            ready_at.append(clock())

        start = clock()
        await caller()
        assert ready_at == [start]
        pace.hold(10)
        await asyncio.gather(*(caller() for _ in range(20)))
        waited = [at - start for at in ready_at[1:]]
        assert all(10 <= seconds <= 10 + HOLD_JITTER for seconds in waited)
        assert len(set(waited)) == 20

    run(main())


def test_a_hold_that_grows_meanwhile_is_waited_for() -> None:
    async def main() -> None:
        pace = make_context().pace
        start = clock()
        pace.hold(2)
        asyncio.get_running_loop().call_later(1, pace.hold, 10)
        assert await pace.ready()
        assert clock() - start >= 11
        assert await pace.turn()

    run(main())


def test_a_hold_beyond_the_deadline_is_said_at_once() -> None:
    async def main() -> None:
        pace = make_context().pace
        start = clock()
        pace.hold(10)
        assert not await pace.ready(start + 9)
        assert not await pace.turn(start + 9)
        assert clock() == start
        assert await pace.ready(start + 10)
        assert clock() == pytest.approx(start + 10)

    run(main())


def test_polls_do_not_stampede_after_a_hold() -> None:
    async def main() -> None:
        context = make_context()
        context.pace.hold(30)
        services = [Service(SUCCESS, takes=100) for _ in range(100)]
        start = clock()
        await asyncio.gather(*(poll_job(each.read, "job-1", context, timeout=600) for each in services))
        starts = sorted(service.asked[0] - start for service in services)
        assert starts[0] >= 30
        assert starts[-1] == pytest.approx(30 + 99 / READS_PER_SECOND, abs=0.2)

    run(main())


# --- announcements ----------------------------------------------------------------------------------------------


class Waker:
    """Announces the job's end at given moments."""

    def __init__(self, *moments: float) -> None:
        self.moments = list(moments)

    async def wait(self, job_id: str, seconds: float) -> bool:
        assert job_id == "job-1"
        until = clock() + seconds
        if self.moments and self.moments[0] <= until:
            await asyncio.sleep(max(0.0, self.moments.pop(0) - clock()))
            return True
        await asyncio.sleep(seconds)
        return False


def test_an_announced_job_is_read_at_once_and_only_then() -> None:
    async def main() -> None:
        job = TimedJob(12.25)
        waker = Waker(clock() + 12.25)
        await poll_job(
            job.read,
            "job-1",
            make_context(),
            timeout=60,
            submitted_at=clock(),
            wake=waker.wait,
        )
        assert job.asked == [pytest.approx(job.ends)]

    run(main())


def test_a_lost_announcement_costs_time_not_the_job() -> None:
    async def main() -> None:
        job = TimedJob(12.25)
        await poll_job(
            job.read,
            "job-1",
            make_context(),
            timeout=60,
            submitted_at=clock(),
            wake=Waker().wait,
        )
        assert job.asked == [pytest.approx(1_030)]

    run(main())


def test_a_false_announcement_is_followed_by_the_schedule() -> None:
    async def main() -> None:
        start = clock()
        job = TimedJob(5)
        await poll_job(job.read, "job-1", make_context(), timeout=60, wake=Waker(start + 4).wait)
        assert [at - start for at in job.asked] == [
            0,
            pytest.approx(4),
            pytest.approx(6),
        ]

    run(main())


def test_a_waker_gone_mad_does_not_drive_the_loop_in_circles() -> None:
    async def main() -> None:
        async def always(job_id: str, seconds: float) -> bool:
            return True

        service = Service(PENDING)
        with pytest.raises(JobTimeoutError):
            await poll_in_new_context(service, timeout=60, wake=always)
        assert len(service.asked) < 60

    run(main())


def test_an_announcement_does_not_break_a_hold() -> None:
    async def main() -> None:
        context = make_context()
        context.pace.hold(10)
        start = clock()
        service = Service(SUCCESS)
        await poll_job(
            service.read,
            "job-1",
            context,
            timeout=60,
            submitted_at=start,
            wake=Waker(start + 1).wait,
        )
        assert 10 <= service.asked[0] - start <= 10 + HOLD_JITTER

    run(main())


# --- any course of events ---------------------------------------------------------------------------------------

replies = st.one_of(
    st.sampled_from([PENDING, make_job("queued?"), SUCCESS, FAILED]),
    st.floats(0, 100).map(lambda seconds: refused(retry_after=seconds)),
    st.sampled_from([NotFoundError, ServerError]).map(refused),
)


@settings(deadline=None)
@given(
    script=st.lists(replies, min_size=1, max_size=12),
    takes=st.floats(0, 3),
    timeout=st.floats(0, 120),
    age=st.none() | st.just(0.0) | st.floats(0, 100),
    low=st.floats(0.05, 5),
    span=st.floats(0, 30),
    history=st.lists(st.floats(0, 50), max_size=5),
    slow_watcher=st.booleans(),
)
def test_any_course_of_events(
    script: list[Reply],
    takes: float,
    timeout: float,
    age: float | None,
    low: float,
    span: float,
    history: list[float],
    slow_watcher: bool,
) -> None:
    async def main() -> None:
        context = make_context(PollSchedule(low, low + span))
        for seconds in history:
            context.durations.record("html-pdf", seconds)
        service = Service(*script, takes=takes)
        seen: list[Job] = []

        async def on_update(job: Job) -> None:
            seen.append(job)
            if slow_watcher:
                await asyncio.sleep(0.3)

        start = clock()
        deadline = start + timeout
        outcome: object = None
        try:
            outcome = await poll_job(
                service.read,
                "job-1",
                context,
                timeout=timeout,
                job_type="html-pdf",
                submitted_at=None if age is None else start - age,
                on_update=on_update,
            )
        except CloudlayerError as error:
            outcome = error
            assert error.job_id == "job-1"

        # It ends by the deadline, or with the one read that was under way or last (and its update).
        assert clock() <= deadline + takes + 0.3 * len(seen) + NEXT_TICK
        assert not [at for at in service.asked[:-1] if at > deadline + NEXT_TICK]
        # A job that has just been submitted is not read at once, unless there is no time to wait.
        if age == 0 and service.asked:
            assert service.asked[0] >= min(start + low, deadline) - NEXT_TICK
        # Never more often than said, but for the last read at the deadline.
        for one, next_one in zip(service.asked, service.asked[1:], strict=False):
            assert next_one - one >= low - NEXT_TICK or next_one >= deadline - NEXT_TICK
        # Updates are the replies in order, without repeats of a status; the end comes last.
        count = len(service.asked)
        given_replies = [script[min(place, len(script) - 1)] for place in range(count)]
        statuses = [reply.status for reply in given_replies if isinstance(reply, Job)]
        assert [job.status for job in seen] == [
            status for place, status in enumerate(statuses) if place == 0 or statuses[place - 1] != status
        ]
        if isinstance(outcome, Job):
            assert seen[-1] is outcome
            assert outcome.is_success or outcome.is_error
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main())
