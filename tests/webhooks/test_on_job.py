"""`on_job`: slow, failing, too much for it; and the end of the receiver."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from servers import Clock, Service

from cloudlayer_async import AsyncCloudlayer, Job, WebhookReceiver

from .conftest import TOKEN

pytestmark = pytest.mark.usefixtures("no_complaints")


def hook(job_id: str = "7Kq2") -> bytes:
    return json.dumps({"id": job_id, "status": "success"}).encode()


@pytest.fixture
def line(service: Service) -> str:
    """The job has ended; every other one too."""
    for number in range(10):
        service.answers(f"GET /v2/jobs/job-{number}", {"id": f"job-{number}", "status": "success"})
    service.answers("GET /v2/jobs/7Kq2", {"id": "7Kq2", "status": "success"})
    return "GET /v2/jobs/7Kq2"


class Slow:
    """An `on_job` that does not come to its end before it may."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.begun: asyncio.Queue[Job] = asyncio.Queue()
        self.ended: list[str] = []
        self.cancelled = 0
        self.running = self.most_running = 0

    async def __call__(self, job: Job) -> None:
        self.begun.put_nowait(job)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        self.ended.append(job.id)


@pytest.mark.asyncio
async def test_a_failing_one_is_called_again(line: str, client: AsyncCloudlayer, clock: Clock) -> None:
    calls: list[Job] = []

    async def on_job(job: Job) -> None:
        calls.append(job)
        if len(calls) < 4:
            raise ValueError("the database is away")

    async with WebhookReceiver(client, on_job=on_job) as receiver:
        await receiver.handle({}, hook())
        while len(calls) < 4:
            await receiver.handle({}, hook())  # changes nothing
            await asyncio.sleep(0)
        await receiver.handle({}, hook())
    assert len(calls) == 4
    assert clock.slept == [0.25, 0.5, 1]


@pytest.mark.asyncio
async def test_one_that_goes_on_failing_is_reported_and_gets_another_chance(
    service: Service, line: str, client: AsyncCloudlayer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[Job] = []
    reported: asyncio.Queue[tuple[str, Exception]] = asyncio.Queue()

    def on_job(job: Job) -> None:
        calls.append(job)
        if len(calls) <= 3:
            raise ValueError("no")

    def on_error(job_id: str, error: Exception) -> None:
        reported.put_nowait((job_id, error))
        raise RuntimeError("and this one fails too")

    async with WebhookReceiver(client, on_job=on_job, on_error=on_error, attempts=3) as receiver:
        await receiver.handle({}, hook())
        job_id, error = await reported.get()
        assert (job_id, str(error), len(calls)) == ("7Kq2", "no", 3)
        assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "ERROR", "ERROR"]
        await receiver.handle({}, hook())
    assert len(calls) == 4


@pytest.mark.asyncio
async def test_one_whose_own_work_is_cancelled_has_failed(line: str, client: AsyncCloudlayer, clock: Clock) -> None:
    calls: list[Job] = []

    async def on_job(job: Job) -> None:
        calls.append(job)
        if len(calls) == 1:
            inner = asyncio.get_running_loop().create_future()
            inner.cancel()
            await inner

    async with WebhookReceiver(client, on_job=on_job) as receiver:
        await receiver.handle({}, hook())
        while len(calls) < 2:
            await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_a_slow_one_keeps_nobody_waiting_and_nothing_is_taken_and_dropped(
    line: str, client: AsyncCloudlayer
) -> None:
    slow = Slow()
    async with WebhookReceiver(client, on_job=slow, path_token=TOKEN, max_pending=5, concurrency=2) as receiver:

        async def deliver(number: int) -> int:
            return (await receiver.handle({}, hook(f"job-{number}"), path=TOKEN))[0]

        assert [await deliver(number) for number in range(8)] == [200] * 5 + [503] * 3
        await slow.begun.get()
        await slow.begun.get()
        assert await deliver(7) == 503
        assert await deliver(0) == 200  # known already
        slow.gate.set()
        while len(slow.ended) < 5:
            await asyncio.sleep(0)
        while receiver._inquiries._open:
            await asyncio.sleep(0)
        assert [await deliver(number) for number in range(5, 10)] == [200] * 5
    assert sorted(slow.ended) == [f"job-{number}" for number in range(10)]
    assert slow.most_running == 2


@pytest.mark.asyncio
async def test_waiters_wake_even_when_on_job_has_no_room(service: Service, line: str, client: AsyncCloudlayer) -> None:
    slow = Slow()
    service.answers("POST /v2/html/pdf", {"id": "7Kq2", "status": "pending"}, status=202)
    async with WebhookReceiver(client, on_job=slow, max_pending=1) as receiver:
        conversion = await client.html_to_pdf("<p>", webhook="https://example.com/hook")
        assert (await receiver.handle({}, hook("job-1")))[0] == 200
        await slow.begun.get()
        assert (await receiver.handle({}, hook()))[0] == 503
        assert (await conversion.wait(timeout=10)).is_success
        slow.gate.set()
        while receiver._inquiries._open:
            await asyncio.sleep(0)
        assert (await receiver.handle({}, hook()))[0] == 200  # came again, as it was asked to
    assert slow.ended == ["job-1", "7Kq2"]


# --- the end ------------------------------------------------------------------------------------------------------


def others() -> set[asyncio.Task[Any]]:
    return {task for task in asyncio.all_tasks() if "webhook" in task.get_name()}


@pytest.mark.asyncio
async def test_closing_lets_calls_come_to_their_end(line: str, client: AsyncCloudlayer) -> None:
    slow = Slow()
    async with WebhookReceiver(client, on_job=slow) as receiver:
        await receiver.handle({}, hook())
        await receiver.handle({}, hook("job-1"))
        asyncio.get_running_loop().call_soon(slow.gate.set)
    assert sorted(slow.ended) == ["7Kq2", "job-1"]
    assert not others()
    assert (await receiver.handle({}, hook("job-2")))[0] == 503
    await receiver.aclose()


@pytest.mark.asyncio
async def test_closing_ends_what_does_not_end_and_says_so(
    line: str, client: AsyncCloudlayer, caplog: pytest.LogCaptureFixture
) -> None:
    slow = Slow()
    lost: list[str] = []
    receiver = WebhookReceiver(client, on_job=slow, on_error=lambda job_id, error: lost.append(job_id))
    await receiver.handle({}, hook())
    await slow.begun.get()
    await receiver.aclose(grace=0)
    assert (slow.cancelled, slow.ended, lost) == (1, [], ["7Kq2"])
    assert "the receiver was closed" in caplog.text
    assert not others()


@pytest.mark.asyncio
async def test_on_job_may_close_the_receiver(line: str, client: AsyncCloudlayer) -> None:
    ended: list[Job] = []

    async def on_job(job: Job) -> None:
        await receiver.aclose()
        ended.append(job)

    receiver = WebhookReceiver(client, on_job=on_job)
    await receiver.handle({}, hook())
    while not ended:
        await asyncio.sleep(0)
    await receiver.aclose()
    assert not receiver._inquiries._open


@pytest.mark.asyncio
async def test_a_cancelled_closing_leaves_no_task(line: str, client: AsyncCloudlayer) -> None:
    slow = Slow()
    receiver = WebhookReceiver(client, on_job=slow)
    await receiver.handle({}, hook())
    await slow.begun.get()
    closing = asyncio.create_task(receiver.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert not others()
    assert slow.cancelled == 1


@pytest.mark.asyncio
async def test_closing_does_not_wait_for_strangers_or_for_jobs_that_may_end(
    service: Service, client: AsyncCloudlayer
) -> None:
    from cloudlayer_async import UnknownJobs

    service.answers("GET /v2/jobs/7Kq2", {"id": "7Kq2", "status": "pending"})
    async with WebhookReceiver(client, unknown=UnknownJobs(rate=0.001, burst=1, queue=5)) as receiver:
        await receiver.handle({}, hook())
        for number in range(3):
            await receiver.handle({}, hook(f"made-up-{number}"))
        while not service.lines:
            await asyncio.sleep(0)
        async with asyncio.timeout(2):
            await receiver.aclose(grace=60)
    assert not others()


@pytest.mark.asyncio
async def test_a_closed_client_takes_no_webhooks(line: str, service: Service) -> None:
    async with AsyncCloudlayer("cl-key", base_url=service.url) as client:
        receiver = WebhookReceiver(client)
    assert (await receiver.handle({}, hook()))[0] == 503
    await receiver.aclose()


def test_a_receiver_may_be_made_before_there_is_a_loop_and_live_through_several(
    no_environment: None,
) -> None:
    client = AsyncCloudlayer("cl-key", base_url="http://127.0.0.1:1")
    receiver = WebhookReceiver(client)

    async def take() -> int:
        status, _ = await receiver.handle({}, b'{"id": "a"}')
        await asyncio.sleep(0)
        return status

    assert asyncio.run(take()) == 200
    assert asyncio.run(take()) == 200
    asyncio.run(receiver.aclose())
    asyncio.run(client.aclose())
