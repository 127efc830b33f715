"""Who is woken, who is polled, and how often."""

from __future__ import annotations

import asyncio
import math
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp import web
from servers import KEY, Clock, Service

from cloudlayer_async import (
    AsyncCloudlayer,
    HtmlToPdf,
    Job,
    JobStatus,
    PollSchedule,
    UnknownJobs,
    ValidationError,
    WebhookReceiver,
)
from cloudlayer_async.announcements import Announcements
from cloudlayer_async.polling import Durations, Pace, PollContext, poll_job

HOOK = "https://example.com/hooks/token"
SUCCESS = {"id": "7Kq2", "status": "success"}
PENDING = {"id": "7Kq2", "status": "pending"}
LINE = "GET /v2/jobs/7Kq2"
NEWS = b'{"id": "7Kq2", "status": "success"}'


@pytest.fixture
def submitted(service: Service) -> None:
    service.answers("POST /v2/html/pdf", PENDING, status=202)


@pytest.mark.asyncio
@pytest.mark.usefixtures("submitted")
async def test_the_address_goes_with_every_conversion(service: Service, client: AsyncCloudlayer) -> None:
    await client.with_options(webhook=HOOK).html_to_pdf("<p>")
    await client.with_options(defaults={"webhook": HOOK}).submit(HtmlToPdf("<p>"))
    async with AsyncCloudlayer(KEY, base_url=service.url, defaults={"webhook": HOOK}) as other:
        await other.html_to_pdf("<p>")
        await other.html_to_pdf("<p>", webhook=f"{HOOK}-of-its-own")
    sent = [request.json()["webhook"] for request in service.requests]
    assert sent == [HOOK, HOOK, HOOK, f"{HOOK}-of-its-own"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "options", [{"storage": False, "async_": False}, {"async_": False}, {"storage": False}, {"api_version": "v1"}]
)
async def test_it_is_refused_where_no_webhook_can_come(
    service: Service, client: AsyncCloudlayer, options: dict[str, Any]
) -> None:
    sibling = client.with_options(webhook=HOOK, **{k: v for k, v in options.items() if k == "api_version"})  # type: ignore[typeddict-item]
    with pytest.raises(ValidationError):
        await sibling.html_to_pdf("<p>", **{k: v for k, v in options.items() if k != "api_version"})  # type: ignore[typeddict-item]
    assert service.requests == []


@pytest.mark.asyncio
@pytest.mark.usefixtures("submitted")
async def test_a_receiver_of_any_sibling_wakes_them_all(service: Service, client: AsyncCloudlayer) -> None:
    service.answers(LINE, SUCCESS)
    one, other = client.with_options(webhook=HOOK), client.with_options(webhook=HOOK)
    async with WebhookReceiver(one) as receiver:
        for submitter in (client.with_options(webhook=HOOK), other, one):
            conversion = await submitter.html_to_pdf("<p>")
            waiting = asyncio.create_task(conversion.wait(timeout=20))
            await asyncio.sleep(0)
            await receiver.handle({}, NEWS)
            await waiting
            receiver._inquiries._notifier._told.clear()  # the same id again
    assert service.count(LINE) == 3


@pytest.mark.asyncio
@pytest.mark.usefixtures("submitted")
async def test_a_lost_webhook_costs_one_long_interval(
    service: Service, client: AsyncCloudlayer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silence(futures: set[Any], *, timeout: float | None = None, **_: Any) -> None:
        await clock.sleep(timeout or 0.0)

    service.answers(LINE, PENDING, SUCCESS)
    told: list[Job] = []
    async with WebhookReceiver(client, on_job=told.append) as receiver:
        conversion = await client.html_to_pdf("<p>", webhook=HOOK)
        with monkeypatch.context() as patch:
            patch.setattr("cloudlayer_async.announcements.asyncio.wait", silence)
            await conversion.wait()
        assert [round(seconds) for seconds in clock.slept] == [30, 30]
        await receiver.handle({}, NEWS)  # late
    assert service.count(LINE) == 2
    assert len(told) == 1


@pytest.mark.asyncio
@pytest.mark.usefixtures("submitted")
async def test_a_job_without_a_webhook_is_polled_as_ever(service: Service, client: AsyncCloudlayer) -> None:
    client = client.with_options(polling=PollSchedule(min_interval=0.01, max_interval=0.02))
    service.answers(LINE, PENDING, PENDING, SUCCESS)
    told: list[Job] = []
    slow = PollSchedule(min_interval=600, max_interval=600)
    async with WebhookReceiver(client.with_options(polling=slow), on_job=told.append):
        async with asyncio.timeout(10):
            await (await client.html_to_pdf("<p>")).wait()
            await client.wait_for_job("7Kq2")
    assert service.count(LINE) == 4
    assert told == []


@pytest.mark.asyncio
@pytest.mark.usefixtures("submitted")
async def test_a_job_without_a_webhook_wakes_all_the_same_when_one_comes(
    service: Service, client: AsyncCloudlayer
) -> None:
    """Such as one that another process submitted, with this one's address."""
    service.answers(LINE, PENDING, SUCCESS)
    slow = client.with_options(polling=PollSchedule(min_interval=600, max_interval=600))
    async with WebhookReceiver(client, unknown=UnknownJobs(rate=0.001, burst=1, queue=1)) as receiver:
        waiting = asyncio.create_task(slow.wait_for_job("7Kq2", timeout=20))
        while not service.count(LINE):
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        await receiver.handle({}, NEWS)
        assert (await waiting).is_success
    assert service.count(LINE) == 2


@pytest.mark.asyncio
async def test_a_webhook_may_be_faster_than_the_reply_to_the_submission(
    service: Service, client: AsyncCloudlayer
) -> None:
    service.answers(LINE, SUCCESS)
    limits = UnknownJobs(rate=0.001, burst=1, queue=10)  # and behind a stranger who took what there was
    async with WebhookReceiver(client, unknown=limits) as receiver:

        async def accept(request: web.Request) -> web.Response:
            await receiver.handle({}, b'{"id": "made-up"}')
            await receiver.handle({}, b'{"id": "made-up-2"}')
            assert await receiver.handle({}, NEWS) == (200, b"ok")
            return web.json_response(PENDING, status=202)

        service.answers("POST /v2/html/pdf", accept)
        conversion = await client.html_to_pdf("<p>", webhook=HOOK)
        assert (await conversion.wait(timeout=10)).is_success
    assert service.count(LINE) == 1


@pytest.mark.asyncio
@pytest.mark.usefixtures("submitted")
async def test_ids_submitted_before_the_receiver_was_made_are_known(service: Service, client: AsyncCloudlayer) -> None:
    service.answers(LINE, SUCCESS)
    conversion = await client.html_to_pdf("<p>", webhook=HOOK)
    async with WebhookReceiver(client, unknown=UnknownJobs(rate=0.001, burst=1, queue=1)) as receiver:
        for number in range(3):
            await receiver.handle({}, b'{"id": "made-up-%d"}' % number)
        assert (await receiver.handle({}, NEWS))[0] == 200
        await conversion.wait(timeout=10)


@pytest.mark.asyncio
async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudlayer_async.announcements.SUBMITTED_REMEMBERED", 10)
    monkeypatch.setattr("cloudlayer_async.announcements.ENDED_HELD", 10)

    async def read(job_id: str) -> Job:
        return Job(id=job_id, status=JobStatus.SUCCESS)

    news = Announcements()
    for number in range(100):
        news.submitted(str(number), read, has_webhook=False)
    assert news.reader("99") is None  # nobody brings news, and nobody was asked to
    for number in range(100):
        news.submitted(str(number), read, has_webhook=True)
        news.announce(str(number), await read(str(number)))
    assert [number for number in range(100) if news.reader(str(number))] == list(range(90, 100))
    assert (len(news._submitted), len(news._ended)) == (10, 10)


@pytest.mark.asyncio
async def test_one_in_a_long_queue_of_polls_is_woken_too() -> None:
    done = Job(id="a", status=JobStatus.SUCCESS)
    reads: list[str] = []

    async def read(job_id: str) -> Job:
        reads.append(job_id)
        return done

    news = Announcements()
    news.attach(Mock())
    loop = asyncio.get_running_loop()
    # The first turn comes in a quarter of an hour.
    pace = Pace(clock=loop.time, sleep=asyncio.sleep, random=lambda: 0.0, reads_per_second=0.001)
    context = PollContext(
        schedule=PollSchedule(), durations=Durations(), pace=pace, clock=loop.time, sleep=asyncio.sleep
    )
    with news.listening("a", read) as ear:
        waiting = asyncio.create_task(poll_job(read, "a", context, timeout=math.inf, wake=ear))
        while not pace._queue:
            await asyncio.sleep(0)
        assert reads == []
        news.announce("a", done)
        assert await asyncio.wait_for(waiting, 5) is done
    assert not pace._queue
    assert len(asyncio.all_tasks()) == 1
