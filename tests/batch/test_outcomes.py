"""What comes out of a batch, and how much of it is under way at a time."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from cloudlayer_async import (
    AmbiguousSubmissionError,
    AsyncCloudlayer,
    AuthenticationError,
    BadRequestError,
    BatchStoppedError,
    ConfigError,
    HtmlToImage,
    HtmlToPdf,
    JobFailedError,
    MergePdfs,
    Outcome,
    RetryPolicy,
    UrlToPdf,
    ValidationError,
)

from .conftest import make_client, pages
from .service import FakeService, Job, refusal, reset, until

pytestmark = pytest.mark.asyncio


async def all_of(batch: Any) -> list[Outcome]:
    return [outcome async for outcome in batch]


async def test_every_request_has_its_outcome_with_its_index(cl: AsyncCloudlayer, service: FakeService) -> None:
    requests = pages(50)
    async with cl.batch(requests, concurrency=8) as batch:
        outcomes = await all_of(batch)
    assert sorted(outcome.index for outcome in outcomes) == list(range(50))
    for outcome in outcomes:
        assert outcome.ok and outcome.error is None and outcome.path is None
        assert outcome.request is requests[outcome.index]
        assert outcome.document is not None and f"page {outcome.index}<".encode() in outcome.document.content
        assert outcome.job is not None and outcome.job.is_success
    assert service.calls["submit"] == 50
    report = batch.report
    assert report.finished and report.succeeded == 50 == report.accepted
    assert report.credits == 50 and report.failed == report.ambiguous == report.retries == 0
    assert "50 succeeded" in str(report)
    assert json.loads(report.to_json())["succeeded"] == 50
    assert pickle.loads(pickle.dumps(report)) == report


async def test_outcomes_come_in_the_order_of_completion(cl: AsyncCloudlayer, service: FakeService) -> None:
    def hold_the_first(job: Job) -> None:
        job.done = "page 0<" not in service_html(job)

    service.make = hold_the_first
    async with cl.batch(pages(5), concurrency=5) as batch:
        outcomes = [await anext(batch) for _ in range(4)]
        assert {outcome.index for outcome in outcomes} == {1, 2, 3, 4}
        for job in service.jobs.values():
            job.done = True
        assert (await anext(batch)).index == 0
        with pytest.raises(StopAsyncIteration):
            await anext(batch)


def service_html(job: Job) -> str:
    import base64

    return base64.b64decode(job.body["html"]).decode()


async def test_a_failure_is_an_outcome_and_sinks_nothing(cl: AsyncCloudlayer, service: FakeService) -> None:
    async def refuse_two(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        return refusal(400) if body.get("name") == "bad" else None

    def fail(job: Job) -> None:
        job.failed = job.name == "fails"

    service.before, service.make = refuse_two, fail
    requests = [*pages(3), *pages(1, name="bad"), *pages(1, name="fails"), *pages(3, start=5)]
    async with cl.batch(requests, concurrency=3) as batch:
        outcomes = {outcome.index: outcome async for outcome in batch}
    assert [index for index, outcome in outcomes.items() if not outcome.ok] == [3, 4] or not (
        outcomes[3].ok or outcomes[4].ok
    )
    assert isinstance(outcomes[3].error, BadRequestError) and not outcomes[3].error.maybe_billed
    error = outcomes[4].error
    assert isinstance(error, JobFailedError) and error.job_id and outcomes[4].job is not None
    assert batch.report.failed == 2 and batch.report.succeeded == 6
    assert {item.error for item in batch.report.failures} == {"BadRequestError", "JobFailedError"}
    assert batch.report.credits == 6


async def test_mixed_kinds_and_any_iterable(cl: AsyncCloudlayer, service: FakeService) -> None:
    def some() -> Iterator[Any]:
        yield HtmlToPdf("<p>1</p>")
        yield ("a key", HtmlToImage("<p>2</p>"))
        yield UrlToPdf("https://example.com")

    service.filename = lambda job: "x.pdf"
    service.product = lambda job: b"%PDF"  # type: ignore[method-assign]
    async with cl.batch(some()) as batch:
        outcomes = {outcome.index: outcome for outcome in await all_of(batch)}
    assert [outcomes[index].ok for index in range(3)] == [True] * 3
    assert [outcomes[index].key for index in range(3)] == [None, "a key", None]

    async def later() -> AsyncIterator[Any]:
        for page in pages(3):
            await asyncio.sleep(0)
            yield page

    async with cl.batch(later()) as batch:
        assert len(await all_of(batch)) == 3


async def test_what_is_no_request_is_a_failed_outcome(cl: AsyncCloudlayer) -> None:
    async with cl.batch([*pages(1), "<p>no</p>", ("", pages(1)[0])]) as batch:  # type: ignore[list-item]
        outcomes = {outcome.index: outcome for outcome in await all_of(batch)}
    assert outcomes[0].ok
    assert isinstance(outcomes[1].error, ValidationError) and isinstance(outcomes[2].error, ValidationError)


async def test_requests_are_taken_only_as_fast_as_there_are_places(cl: AsyncCloudlayer, service: FakeService) -> None:
    service.make = lambda job: setattr(job, "done", False)
    taken = 0

    def endless() -> Iterator[HtmlToPdf]:
        nonlocal taken
        while True:
            taken += 1
            yield HtmlToPdf(f"<p>{taken}</p>")

    async with cl.batch(endless(), concurrency=7) as batch:
        await until(lambda: service.accepted == 7)
        await asyncio.sleep(0.05)
        assert taken == 7 and service.accepted == 7
        assert batch.progress.pending == 7
    assert taken == 7
    assert len(batch.report.in_flight) == 7 and not batch.report.finished


async def test_a_slow_consumer_stops_submission(cl: AsyncCloudlayer, service: FakeService) -> None:
    async with cl.batch(pages(100), concurrency=6) as batch:
        await until(lambda: batch.progress.ready == 6)
        await asyncio.sleep(0.05)
        assert service.calls["submit"] == 6
        await anext(batch)
        await until(lambda: service.calls["submit"] == 7)
        await asyncio.sleep(0.05)
        assert service.calls["submit"] == 7


async def test_slow_downloads_do_not_hold_back_submissions(service: FakeService) -> None:
    gate = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse | None:
        await gate.wait()
        return None

    service.on_download = slow
    async with make_client(service.base_url, max_connections=2) as cl, cl.batch(pages(20), concurrency=20) as batch:
        await until(lambda: service.calls["submit"] == 20)
        assert service.now["download"] <= 2
        gate.set()
        assert len(await all_of(batch)) == 20
    assert service.most["submit"] <= 2


async def test_without_a_journal_an_unknown_outcome_is_the_outcome(cl: AsyncCloudlayer, service: FakeService) -> None:
    async def lose_one(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        return reset(request) if body.get("name") == "lost" else None

    service.after = lose_one
    async with cl.batch([*pages(2), *pages(1, name="lost")]) as batch:
        outcomes = {outcome.index: outcome for outcome in await all_of(batch)}
    error = outcomes[2].error
    assert isinstance(error, AmbiguousSubmissionError) and error.maybe_billed
    assert batch.report.ambiguous == 1 and batch.report.failed == 0 and service.accepted == 3
    assert batch.report.ambiguous_items[0].maybe_billed


async def test_a_refused_key_stops_the_batch_once(cl: AsyncCloudlayer, service: FakeService) -> None:
    async def revoked(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        return refusal(401) if service.calls["submit"] > 10 else None

    service.before = revoked
    outcomes = []
    async with cl.batch(pages(1000), concurrency=4) as batch:
        with pytest.raises(BatchStoppedError) as caught:
            async for outcome in batch:
                outcomes.append(outcome)  # noqa: PERF401 (an error ends it)
        with pytest.raises(StopAsyncIteration):
            await anext(batch)
    assert service.calls["submit"] <= 14
    assert isinstance(caught.value.__cause__, AuthenticationError)
    report = caught.value.report
    assert report.stopped and not report.finished
    assert report.succeeded == sum(outcome.ok for outcome in outcomes)
    assert report.succeeded + len(report.in_flight) == 10 == report.accepted
    assert pickle.loads(pickle.dumps(caught.value)).report == report


async def test_max_credits_stops_before_it_is_passed(cl: AsyncCloudlayer, service: FakeService) -> None:
    async with cl.batch(pages(20), concurrency=4, max_credits=7) as batch:
        got = []
        with pytest.raises(BatchStoppedError, match="max_credits") as caught:
            async for outcome in batch:
                got.append(outcome)  # noqa: PERF401 (an error ends it)
    assert service.accepted == 7 == len(got) and all(outcome.ok for outcome in got)
    assert caught.value.report.credits == 7 and not caught.value.report.in_flight


async def test_a_batch_of_addresses_counts_one_more_than_its_addresses(
    cl: AsyncCloudlayer, service: FakeService
) -> None:
    urls = [f"https://example.com/{number}" for number in range(4)]
    async with cl.batch([MergePdfs(urls), UrlToPdf(batch=urls)], concurrency=1, max_credits=9) as batch:
        service.product = lambda job: b"%PDF"  # type: ignore[method-assign]
        assert (await anext(batch)).ok
        with pytest.raises(BatchStoppedError):
            # The service said 1 for the first (apiCreditCost), so 8 are left: enough for 5, not for a third.
            async for _ in batch:
                pass
            raise BatchStoppedError("not stopped, as it should be", report=None)
    assert service.accepted == 2


async def test_a_repeated_connection_failure_is_an_outcome(tmp_path: Path) -> None:
    async with (
        make_client("http://127.0.0.1:9", retry=RetryPolicy(attempts=1)) as cl,
        cl.batch(pages(3)) as batch,
    ):
        outcomes = await all_of(batch)
    assert len(outcomes) == 3 and not any(outcome.ok for outcome in outcomes)
    assert batch.report.failed == 3 and batch.report.credits == 0


@pytest.mark.parametrize(
    "options",
    [
        {"concurrency": 0},
        {"concurrency": True},
        {"max_credits": -1},
        {"max_credits": float("nan")},
        {"on_progress": 3},
        {"save_to": 3},
        {"save_to": ""},
        {"requests": "<p>"},
        {"requests": HtmlToPdf("<p>")},
        {"requests": 3},
    ],
)
async def test_arguments_that_cannot_be_are_refused_at_once(cl: AsyncCloudlayer, options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        cl.batch(**{"requests": [], **options})


async def test_a_batch_is_used_once_and_inside_its_block(cl: AsyncCloudlayer) -> None:
    batch = cl.batch(pages(1))
    with pytest.raises(ConfigError, match="async with"):
        await anext(batch)
    async with batch:
        await all_of(batch)
    with pytest.raises(ConfigError, match="once"):
        async with batch:
            pass


async def test_run_batch_saves_everything_and_reports(
    cl: AsyncCloudlayer, service: FakeService, tmp_path: Path
) -> None:
    report = await cl.run_batch(pages(10), save_to=tmp_path / "new" / "folder")
    assert report.succeeded == 10 and report.finished
    files = sorted((tmp_path / "new" / "folder").iterdir())
    assert len(files) == 10 and all(file.stat().st_size == service.size for file in files)
