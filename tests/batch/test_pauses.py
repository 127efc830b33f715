"""Refusals, rate limits, the number of places, and shared polling."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from cloudlayer_async import AsyncCloudlayer, BatchStoppedError, RetryPolicy
from cloudlayer_async.batch.slots import Slots
from cloudlayer_async.polling import READS_PER_SECOND

from .conftest import make_client, pages
from .service import FakeService, refusal, until

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("status", [429, 503])
async def test_a_refusal_pauses_everybody_once_and_uses_up_no_attempt(service: FakeService, status: int) -> None:
    refused: list[float] = []

    async def refuse_for_a_while(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        if not refused or time.monotonic() < refused[0] + 0.2:
            refused.append(time.monotonic())
            return refusal(status, 0.25)
        return None

    service.before = refuse_for_a_while
    async with make_client(service.base_url, retry=RetryPolicy(attempts=1)) as cl:
        async with cl.batch(pages(30), concurrency=8) as batch:
            outcomes = [outcome async for outcome in batch]
    assert len(outcomes) == 30 and all(outcome.ok for outcome in outcomes)
    assert service.calls["submit"] == 30 + len(refused) and 1 <= len(refused) <= 8
    assert batch.report.refusals == 1 and batch.report.retries == 0
    # Nobody called the service while it wanted silence.
    last = max(refused)
    assert not [moment for moment, _ in service.moments if last + 0.05 < moment < last + 0.24]


async def test_refusals_without_end_are_outlasted(service: FakeService) -> None:
    async def refuse_most(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        return refusal(429, 0) if service.calls["submit"] % 5 else None

    service.before = refuse_most
    async with make_client(service.base_url, retry=RetryPolicy(attempts=2)) as cl, cl.batch(pages(20)) as batch:
        assert all([outcome.ok async for outcome in batch])
    assert service.accepted == 20 and service.calls["submit"] == 100


async def test_a_wait_that_is_too_long_stops_the_batch(cl: AsyncCloudlayer, service: FakeService) -> None:
    async def later(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        return refusal(429, 3600) if service.calls["submit"] > 3 else None

    service.before = later
    service.make = lambda job: setattr(job, "done", False)
    async with cl.batch(pages(100), concurrency=4) as batch:
        with pytest.raises(BatchStoppedError, match="3600"):
            async for _ in batch:
                pass
    assert len(batch.report.in_flight) == 3 == service.accepted


async def test_the_number_of_places_halves_once_a_pause_and_grows_by_one_a_round() -> None:
    slots = Slots(32)
    for _ in range(32):
        await slots.acquire()
    era = slots.era
    for _ in range(20):
        slots.refused(era)
    assert slots.limit == 16
    slots.refused(slots.era)
    assert slots.limit == 8
    for _ in range(9):
        slots.accepted()
    assert slots.limit == 9
    for _ in range(2000):
        slots.accepted()
    assert slots.limit == 32
    for _ in range(100):
        slots.refused(slots.era)
    assert slots.limit == 1


async def test_places_are_given_in_order_and_to_the_refused_first() -> None:
    slots = Slots(2)
    order: list[str] = []

    async def one(name: str) -> None:
        await slots.acquire()
        order.append(name)

    await slots.acquire()
    await slots.acquire()
    waiting = [asyncio.create_task(one(name)) for name in "ab"]
    await asyncio.sleep(0)

    async def refused() -> None:
        slots.refused(slots.era)
        await slots.requeue()
        order.append("refused")

    again = asyncio.create_task(refused())
    await asyncio.sleep(0)
    assert order == [] and slots.in_use == 1
    waiting[0].cancel()
    slots.release()
    await asyncio.gather(again, waiting[0], return_exceptions=True)
    slots.release()
    await waiting[1]
    assert order == ["refused", "b"] and slots.in_use == 1


async def test_fewer_are_under_way_after_refusals(service: FakeService) -> None:
    most_after = 0
    refused = False

    async def refuse_once(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        nonlocal refused, most_after
        if service.calls["submit"] <= 16:
            refused = True
            return refusal(429, 0)
        pending = sum(not job.done for job in service.jobs.values())
        most_after = max(most_after, pending + 1)
        return None

    service.before = refuse_once
    service.make = lambda job: setattr(job, "done", False)
    async with make_client(service.base_url) as cl, cl.batch(pages(100), concurrency=16) as batch:
        while service.accepted < 8:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        assert batch.progress.concurrency < 16
    assert refused and most_after <= 9


async def test_the_rate_limit_is_read_ahead(service: FakeService) -> None:
    """Five calls a window, of a second each: not one is refused, because nobody asks for a sixth."""
    windows: list[list[float]] = []
    refused = 0

    def allow() -> dict[str, str] | None:
        now = time.monotonic()
        if not windows or now >= windows[-1][0] + 1.0:
            windows.append([now])
        else:
            windows[-1].append(now)
        left = 5 - len(windows[-1])
        if left < 0:
            return None
        return {"X-RateLimit-Limit": "5", "X-RateLimit-Remaining": str(left), "X-RateLimit-Reset": "1"}

    async def limited(request: web.Request, *_: Any) -> web.Response | None:
        nonlocal refused
        headers = allow()
        if headers is None:
            refused += 1
            return refusal(429, 1)
        service.headers = headers
        return None

    service.before, service.on_read = limited, limited
    async with make_client(service.base_url) as cl, cl.batch(pages(4), concurrency=1) as batch:
        assert all([outcome.ok async for outcome in batch])
    assert refused == 0 and len(windows) == 2


async def test_waiting_jobs_share_their_polls(service: FakeService) -> None:
    service.make = lambda job: setattr(job, "done", False)
    began = time.monotonic()
    async with make_client(service.base_url) as cl, cl.batch(pages(400), concurrency=400):
        await until(lambda: service.accepted == 400)
        await asyncio.sleep(0.5)
        reads, passed = service.calls["read"], time.monotonic() - began
    assert 0 < reads <= READS_PER_SECOND * (passed + 1)


async def test_a_pause_is_heard_by_those_who_wait_at_the_gate(service: FakeService) -> None:
    moments: list[float] = []

    async def before(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        moments.append(time.monotonic())
        is_first = len(moments) == 1
        await asyncio.sleep(0.01)
        return refusal(429, 1) if is_first else None

    service.before = before
    async with make_client(service.base_url, max_connections=2) as cl:
        async with cl.batch(pages(12)) as batch:
            async for outcome in batch:
                assert outcome.ok
    answered = moments[0] + 0.01
    assert not [moment for moment in moments if answered + 0.02 < moment < answered + 0.95]
    assert batch.report.refusals == 1


async def test_in_no_seconds_said_again_and_again_is_not_taken_at_its_word(service: FakeService) -> None:
    async def before(request: web.Request, body: dict[str, Any]) -> web.Response:
        return refusal(429, 0)

    service.before = before
    async with make_client(service.base_url) as cl:
        async with cl.batch(pages(4), concurrency=2):
            await asyncio.sleep(1)
    assert service.calls["submit"] < 20


async def test_refusals_count_behind_the_first_of_a_journal_too(service: FakeService, journal: Path) -> None:
    async def before(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        return refusal(429, 0.01) if service.calls["submit"] <= 4 else None

    service.before = before
    async with make_client(service.base_url) as cl:
        async with cl.batch(pages(8), journal=journal, concurrency=8) as batch:
            await until(lambda: service.calls["submit"] >= 1)
            assert batch.progress.submitting <= 1
            async for outcome in batch:
                assert outcome.ok
    assert batch.report.refusals == 4


async def test_downloads_that_are_refused_for_a_while_are_not_given_up(
    service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudlayer_async.downloads._REAL_WAIT", 0.01)
    asked: Counter[str] = Counter()

    async def busy(request: web.Request) -> web.StreamResponse | None:
        asked[request.path] += 1
        return refusal(429, 0.01) if asked[request.path] <= 9 else None

    service.on_download = busy
    async with make_client(service.base_url, retry=RetryPolicy(attempts=2)) as cl:
        async with cl.batch(pages(3)) as batch:
            async for outcome in batch:
                assert outcome.ok, outcome.error
