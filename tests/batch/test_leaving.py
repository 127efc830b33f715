"""Leaving early: nothing is left behind, no job id is lost, and the caller's own exception passes unchanged."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from cloudlayer_async import AsyncCloudlayer, BatchStoppedError, HtmlToPdf

from .conftest import batch_of, make_client, pages
from .service import FakeService, Job, refusal, until

pytestmark = pytest.mark.asyncio


def others() -> set[Any]:
    """Tasks that are neither ours nor the test server's."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    return {task for task in tasks if "RequestHandler" not in repr(task)}


def stay_pending(job: Job) -> None:
    job.done = False


async def test_break_leaves_the_ids_of_what_goes_on(cl: AsyncCloudlayer, service: FakeService, tmp_path: Path) -> None:
    def first_only(job: Job) -> None:
        job.done = len(service.jobs) == 0

    service.make = first_only
    before = others()
    async with cl.batch(pages(100), concurrency=5, save_to=tmp_path / "out") as batch:
        async for outcome in batch:
            assert outcome.ok
            break
        await until(lambda: service.accepted == 6)
    report = batch.report
    assert {item.job_id for item in report.in_flight} == {job.id for job in service.jobs.values() if not job.done}
    assert report.succeeded == 1 and not report.finished and report.stopped is None
    assert "5 left in flight" in str(report)
    assert others() == before
    assert len(list((tmp_path / "out").iterdir())) == 1
    for item in report.in_flight:
        assert item.job_id is not None
        service.jobs[item.job_id].done = True
        assert (await cl.attach(item.job_id).result()).content


async def test_an_exception_of_the_body_passes_unchanged(cl: AsyncCloudlayer, service: FakeService) -> None:
    service.make = stay_pending
    mine = KeyError("mine")
    with pytest.raises(KeyError) as caught:
        async with cl.batch(pages(10), concurrency=3) as batch:
            await until(lambda: service.accepted == 3)
            raise mine
    assert caught.value is mine and caught.value.__cause__ is None
    assert len(batch.report.in_flight) == 3


async def test_cancelling_passes_as_cancellation(cl: AsyncCloudlayer, service: FakeService) -> None:
    service.make = stay_pending
    batch = cl.batch(pages(10), concurrency=3)

    async def body() -> None:
        async with batch:
            async for _ in batch:
                pass

    before = others()
    task = asyncio.create_task(body())
    await until(lambda: service.accepted == 3)
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(batch.report.in_flight) == 3 and others() == before
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1), cl.batch(pages(3)) as batch:
            async for _ in batch:
                pass
    current = asyncio.current_task()
    assert current is not None and current.cancelling() == 0


async def test_a_submission_under_way_is_given_a_moment_to_be_answered(
    cl: AsyncCloudlayer, service: FakeService
) -> None:
    arrived = asyncio.Event()

    async def slow(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        arrived.set()
        await asyncio.sleep(0.1)
        return None

    service.after = slow
    async with cl.batch(pages(10), concurrency=2) as batch:
        await arrived.wait()
    assert {item.job_id for item in batch.report.in_flight} == set(service.jobs) and service.jobs
    assert service.calls["submit"] == 2


async def test_a_submission_cut_off_is_named_as_such(
    cl: AsyncCloudlayer, service: FakeService, journal: Path, caplog: pytest.LogCaptureFixture
) -> None:
    arrived = asyncio.Event()

    async def never(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        arrived.set()
        await asyncio.Event().wait()
        return None

    service.after = never
    batch = batch_of(cl, pages(10), concurrency=2, journal=journal)

    async def body() -> None:
        async with batch:
            async for _ in batch:
                pass

    task = asyncio.create_task(body())
    await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (item,) = batch.report.in_flight
    assert item.job_id is None and item.maybe_billed and item.name == next(iter(service.jobs.values())).name
    service.after = None
    async with batch_of(cl, pages(10), journal=journal) as batch:
        assert all([outcome.ok async for outcome in batch])
    assert service.accepted == 10


async def test_the_sources_own_exception_passes_unchanged_after_what_is_under_way(
    cl: AsyncCloudlayer, service: FakeService
) -> None:
    mine = RuntimeError("no more input")

    def source() -> Iterator[HtmlToPdf]:
        yield from pages(5)
        raise mine

    got = []
    with pytest.raises(RuntimeError) as caught:
        async with cl.batch(source(), concurrency=10) as batch:
            async for outcome in batch:
                got.append(outcome)  # noqa: PERF401 (an error ends it)
    assert caught.value is mine and len(got) == 5 and batch.report.succeeded == 5


async def test_generators_are_closed(cl: AsyncCloudlayer, service: FakeService) -> None:
    closed = []

    async def later() -> AsyncIterator[HtmlToPdf]:
        try:
            for page in pages(100):
                yield page
        finally:
            closed.append("async")

    def now() -> Iterator[HtmlToPdf]:
        try:
            yield from pages(100)
        finally:
            closed.append("plain")

    for source in (later(), now()):
        async with cl.batch(source, concurrency=2) as batch:
            await anext(batch)
    assert closed == ["async", "plain"]


async def test_a_source_that_never_goes_on_does_not_keep_a_stopped_batch(
    cl: AsyncCloudlayer, service: FakeService
) -> None:
    async def endless() -> AsyncIterator[HtmlToPdf]:
        for page in pages(3):
            yield page
        await asyncio.Event().wait()

    async with cl.batch(endless(), max_credits=2) as batch:
        with pytest.raises(BatchStoppedError):
            async for _ in batch:
                pass
    assert service.accepted == 2


async def test_no_thread_is_left_by_a_journal(cl: AsyncCloudlayer, service: FakeService, journal: Path) -> None:
    for _ in range(2):
        async with batch_of(cl, pages(3), journal=journal) as batch:
            async for _ in batch:
                break
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("journal")]


@pytest.mark.parametrize("source", [pages, lambda count: iter(pages(count))])
@pytest.mark.parametrize("how", ["break", "error"])
async def test_leaving_takes_nothing_more_and_is_no_fault(
    cl: AsyncCloudlayer, service: FakeService, source: Any, how: str
) -> None:
    for take in range(1, 12):
        taken = pulled = 0
        with suppress(KeyError):
            async with cl.batch(source(60), concurrency=4) as batch:
                async for _ in batch:
                    taken += 1
                    if taken == take:
                        pulled = batch.report.pulled
                        if how == "error":
                            raise KeyError("mine")
                        break
        report = batch.report
        assert report.stopped is None and not report.finished and "not finished" in str(report)
        assert report.pulled == pulled <= take + 4
        assert all([outcome.ok async for outcome in batch])  # what was ready may still be taken


async def test_a_block_that_takes_no_outcomes_has_not_finished(cl: AsyncCloudlayer, service: FakeService) -> None:
    service.make = stay_pending
    async with cl.batch(pages(3)) as batch:
        await until(lambda: service.accepted == 3)
    assert not batch.report.finished and len(batch.report.in_flight) == 3


@pytest.mark.parametrize(
    ("journalled", "options", "sent"),
    [(True, {}, 1), (False, {"max_connections": 2}, 2)],
    ids=["behind the first of a journal", "behind the gate"],
)
async def test_nothing_is_sent_any_more_from_any_queue(
    service: FakeService, journal: Path, journalled: bool, options: dict[str, Any], sent: int
) -> None:
    answer = asyncio.Event()

    async def slow(request: web.Request, body: dict[str, Any]) -> None:
        await answer.wait()

    service.before = slow
    async with make_client(service.base_url, **options) as cl:
        async with cl.batch(pages(100), journal=journal if journalled else None):
            await until(lambda: service.calls["submit"] == sent)
            asyncio.get_running_loop().call_later(0.05, answer.set)
    assert service.accepted == service.calls["submit"] == sent


async def test_a_refused_key_sends_nothing_more_from_the_gate(service: FakeService) -> None:
    async def revoke(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        return refusal(401) if service.calls["submit"] >= 4 else None

    service.before = revoke
    async with make_client(service.base_url, max_connections=1) as cl:
        with pytest.raises(BatchStoppedError):
            async with cl.batch(pages(100)) as batch:
                async for _ in batch:
                    pass
    assert service.calls["submit"] == 4


@pytest.mark.parametrize("how", ["cancelled", "source"])
async def test_run_batch_loses_no_id(cl: AsyncCloudlayer, service: FakeService, tmp_path: Path, how: str) -> None:
    service.make = stay_pending

    async def source() -> AsyncIterator[HtmlToPdf]:
        for page in pages(5, name="Invoice"):
            yield page
        await until(lambda: service.accepted == 5)
        for job in service.jobs.values():
            job.done = how == "source" and job.id != "job-3"
        if how == "source":
            service.jobs["job-3"].failed = True
            raise KeyError("no more")
        await asyncio.Event().wait()

    running = asyncio.create_task(cl.run_batch(source(), save_to=tmp_path))
    await until(lambda: service.accepted == 5)
    if how == "cancelled":
        await asyncio.sleep(0.05)
        running.cancel()
    with pytest.raises(asyncio.CancelledError if how == "cancelled" else KeyError) as caught:
        await running
    report = caught.value.report  # type: ignore[attr-defined]
    assert caught.value.maybe_billed is True  # type: ignore[attr-defined]
    if how == "cancelled":
        assert {item.job_id for item in report.in_flight} == set(service.jobs)
        assert "job-1" in caught.value.__notes__[0]
    else:
        assert report.succeeded == 4 and [item.job_id for item in report.failures] == ["job-3"]


@pytest.mark.parametrize("what", ["progress", "source"])
async def test_foreign_coroutines_that_never_end_do_not_hold_up_a_cancellation(
    cl: AsyncCloudlayer, service: FakeService, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudlayer_async.batch.pipeline._LAST_WORD", 0.05)
    service.make = stay_pending

    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    async def source() -> AsyncIterator[HtmlToPdf]:
        try:
            yield pages(1)[0]
            await asyncio.Event().wait()
        finally:
            if what == "source":
                await hang()

    async def body() -> None:
        async with cl.batch(source(), on_progress=hang if what == "progress" else None) as batch:
            async for _ in batch:
                pass

    task = asyncio.create_task(body())
    await until(lambda: service.accepted == 1)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=5)
    assert done and task.cancelled()


async def test_items_that_were_cut_off_keep_their_names(cl: AsyncCloudlayer, service: FakeService) -> None:
    async def never(request: web.Request, body: dict[str, Any]) -> None:
        await asyncio.Event().wait()

    service.before = never
    task = asyncio.create_task(cl.run_batch(pages(2, name="Invoice 7"), save_to=lambda request: "x.pdf"))
    await until(lambda: service.calls["submit"] == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    report = caught.value.report  # type: ignore[attr-defined]
    assert [(item.name, item.maybe_billed) for item in report.in_flight] == [("Invoice 7", True)] * 2


async def test_a_slow_source_does_not_keep_what_it_gave_from_being_sent(
    cl: AsyncCloudlayer, service: FakeService
) -> None:
    sent: list[int] = []

    def source() -> Iterator[HtmlToPdf]:
        for page in pages(20):
            sent.append(service.calls["submit"])
            time.sleep(0.01)
            yield page

    async with cl.batch(source(), concurrency=32) as batch:
        assert len([outcome async for outcome in batch]) == 20
    assert sent[-1] > 0
