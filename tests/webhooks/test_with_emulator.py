"""Conversions at an emulator that posts webhooks: everybody knows at once, and what is lost on the way costs time only."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloudlayer_async import AsyncCloudlayer, HtmlToPdf, Job, JobFailedError, PollSchedule

from .conftest import TOKEN, Set

pytestmark = pytest.mark.timeout(100)


async def convert_many(client: AsyncCloudlayer, count: int) -> Counter[str]:
    """So many conversions, 100 at a time, waited for; gives how often each job id came out."""
    numbers = itertools.count(1)
    seen: Counter[str] = Counter()

    async def worker() -> None:
        while (number := next(numbers)) <= count:
            conversion = await client.html_to_pdf(f"<p>{number}</p>", name=f"page-{number}")
            job = await conversion.wait(timeout=60)
            assert job.is_success
            seen[job.id] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(100):
            group.create_task(worker())
    return seen


@pytest.mark.asyncio
@pytest.mark.parametrize(("path_token", "count"), [(TOKEN, 1_000), (None, 300)])
async def test_a_thousand_jobs_cost_one_read_each(setting: Set, path_token: str | None, count: int) -> None:
    async with setting(path_token=path_token) as house:
        seen = await convert_many(house.client, count)
        assert len(seen) == count
        await house.receiver.aclose()
        assert Counter(job.id for job in house.told) == seen
        assert house.reads <= 1.1 * count
        assert house.emulator.seen.accepted == count


@pytest.mark.asyncio
async def test_lost_late_and_doubled_webhooks_lose_nothing(setting: Set) -> None:
    async with setting(path_token=TOKEN, polling=PollSchedule(min_interval=0.05, max_interval=0.5)) as house:
        faults = house.emulator.faults
        faults.add("webhook-drop", probability=0.2)
        faults.add("webhook-duplicate", probability=0.2)
        faults.add("webhook-late", probability=0.1, seconds=0.7)
        seen = await convert_many(house.client, 1_000)
        assert len(seen) == 1_000
        assert min(faults.struck.values()) > 50
        await house.emulator.settle()
        await house.receiver.aclose()
        # The waiter tells what the webhook did not, so nothing is missing here either, and nothing comes twice.
        assert Counter(job.id for job in house.told) == seen
        assert house.emulator.seen.accepted == 1_000


@pytest.mark.asyncio
async def test_wait_result_save_and_convert_end_with_the_webhook(setting: Set, tmp_path: Path) -> None:
    async with setting() as house:  # polls are a minute apart
        async with asyncio.timeout(20):
            assert (await (await house.client.html_to_pdf("<p>")).wait()).is_success
            assert (await (await house.client.html_to_pdf("<p>")).result()).content == b"%PDF-1.7"
            assert (await (await house.client.html_to_pdf("<p>")).save(tmp_path / "a.pdf")).exists()
            async with (await house.client.html_to_pdf("<p>")).stream() as chunks:
                assert b"".join([chunk async for chunk in chunks]) == b"%PDF-1.7"
            assert (await house.client.convert(HtmlToPdf("<p>"))).content == b"%PDF-1.7"
        assert house.reads == 5


@pytest.mark.asyncio
@pytest.mark.parametrize("journal", [None, "run.db"])
async def test_batches_end_with_the_webhooks(setting: Set, tmp_path: Path, journal: str | None) -> None:
    async with setting() as house, asyncio.timeout(30):
        report = await house.client.run_batch(
            (HtmlToPdf(f"<p>{number}</p>") for number in range(60)),
            save_to=tmp_path / "out",
            journal=journal and tmp_path / journal,
        )
        assert report.succeeded == 60
        assert house.reads <= 66


@pytest.mark.asyncio
async def test_failed_jobs_are_told_and_raise(setting: Set) -> None:
    async with setting() as house, asyncio.timeout(20):
        house.renderer.error = "Navigation timeout"
        with pytest.raises(JobFailedError, match="Navigation timeout"):
            await house.client.convert(HtmlToPdf("<p>"))
        await house.receiver.aclose()
        assert [job.error for job in house.told] == ["Navigation timeout"]


@pytest.mark.asyncio
async def test_any_number_may_wait_for_one_job_in_any_way(setting: Set) -> None:
    async with setting() as house, asyncio.timeout(20):
        house.renderer.gate.clear()
        conversion = await house.client.html_to_pdf("<p>")
        job_id = conversion.job_id or ""
        sibling = house.client.with_options(api_version="v1")
        waits = [
            conversion.wait(),
            conversion.result(),
            conversion.wait(),
            sibling.wait_for_job(job_id),
            house.client.attach(job_id).wait(),
            anext(aiter(ended(house.client, job_id))),
        ]
        tasks = [asyncio.create_task(wait) for wait in waits]
        while house.reads < 3:  # attached ones look at once
            await asyncio.sleep(0.001)
        house.renderer.gate.set()
        await asyncio.gather(*tasks)
        assert house.reads == 4


async def ended(client: AsyncCloudlayer, job_id: str) -> AsyncIterator[Job]:
    """The last of a job's changes."""
    async for job in client.watch_job(job_id):
        if job.is_success:
            yield job


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "dialect",
    ["webhook-small", "job-id", "job-id-replies", "status-queued", "timestamp-firestore", "ids-digits,webhook-small"],
)
async def test_every_generation_of_the_service_is_understood(setting: Set, dialect: str) -> None:
    async with setting(dialect=dialect) as house, asyncio.timeout(20):
        await house.client.convert(HtmlToPdf("<p>"))
        assert house.reads == 1
        assert len(house.told) == 1


@pytest.mark.asyncio
async def test_a_webhook_that_comes_before_anybody_waits_is_not_forgotten(setting: Set) -> None:
    async with setting() as house, asyncio.timeout(20):
        conversion = await house.client.html_to_pdf("<p>")
        await house.emulator.settle()
        while not house.told:
            await asyncio.sleep(0)
        assert house.reads == 1
        await conversion.wait()
        await conversion.wait()
        assert house.reads == 1


@pytest.mark.asyncio
async def test_a_closed_receiver_leaves_waiters_to_polling(setting: Set) -> None:
    async with setting(polling=PollSchedule(min_interval=0.01, max_interval=0.02)) as house, asyncio.timeout(20):
        house.renderer.gate.clear()
        conversion = await house.client.html_to_pdf("<p>")
        waiting = asyncio.create_task(conversion.wait())
        await asyncio.sleep(0)
        await house.receiver.aclose()
        house.renderer.gate.set()
        assert (await waiting).is_success
        assert (await (await house.client.html_to_pdf("<p>")).wait()).is_success


@pytest.mark.asyncio
async def test_cancelled_waiters_leave_nothing_behind(setting: Set) -> None:
    async with setting() as house, asyncio.timeout(20):
        house.renderer.gate.clear()
        conversion = await house.client.html_to_pdf("<p>")
        waiting = asyncio.create_task(conversion.wait())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        house.renderer.gate.set()
        assert (await conversion.wait()).is_success
        assert house.reads == 1
