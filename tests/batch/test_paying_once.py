"""Ways in which an item could be paid for twice, a job forgotten, or credits be counted wrong."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from cloudlayer_async import (
    AsyncCloudlayer,
    AuthenticationError,
    BatchStoppedError,
    HtmlToPdf,
    Outcome,
    RetryPolicy,
    ServerError,
    TemplateToPdf,
    ValidationError,
    jsontext,
)
from cloudlayer_async.batch.identity import Tokens, digest

from .conftest import batch_of, make_client, pages
from .service import KEY, FakeService, Job, refusal, reset, until

pytestmark = pytest.mark.asyncio


async def run(client: AsyncCloudlayer, requests: Any, **options: Any) -> list[Outcome]:
    async with batch_of(client, requests, **options) as batch:
        return sorted([outcome async for outcome in batch], key=lambda outcome: outcome.index)


def states(journal: Path) -> list[str]:
    with sqlite3.connect(journal) as connection:
        found = connection.execute("SELECT state FROM items ORDER BY number").fetchall()
    connection.close()
    return [state for (state,) in found]


async def lose_the_answer(request: web.Request, body: dict[str, Any]) -> web.Response:
    return reset(request)


async def test_a_key_that_is_revoked_while_an_item_is_settled(
    cl: AsyncCloudlayer, service: FakeService, journal: Path
) -> None:
    async def revoked(request: web.Request) -> web.Response:
        return refusal(401)

    service.after, service.on_list = lose_the_answer, revoked
    batch = batch_of(cl, pages(1), journal=journal)
    with pytest.raises(BatchStoppedError) as stopped:
        async with batch:
            async for _ in batch:
                pass
    assert isinstance(stopped.value.__cause__, AuthenticationError) and stopped.value.maybe_billed
    assert states(journal) == ["intent"] and len(batch.report.in_flight) == 1
    service.after = service.on_list = None
    assert all(outcome.ok for outcome in await run(cl, pages(1), journal=journal))
    assert service.accepted == 1


async def test_foreign_code_that_raises_when_the_answer_is_there(service: FakeService, journal: Path) -> None:
    async def broken(session: object, context: object, params: aiohttp.TraceRequestEndParams) -> None:
        if params.method == "POST" and service.accepted and not fixed:
            raise ValueError("a bug in tracing")

    fixed: list[bool] = []
    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(broken)
    async with make_client(service.base_url, trace_configs=[trace]) as cl:
        batch = batch_of(cl, pages(1), journal=journal)
        with pytest.raises(ValueError, match="a bug in tracing") as raised:
            async with batch:
                async for _ in batch:
                    pass
        assert raised.value.maybe_billed is True  # type: ignore[attr-defined]
        assert len(batch.report.in_flight) == 1 and states(journal) == ["intent"]
        fixed.append(True)
        assert all(outcome.ok for outcome in await run(cl, pages(1), journal=journal))
    assert service.accepted == 1


async def test_a_product_that_came_at_once_and_could_not_be_saved(
    cl: AsyncCloudlayer, service: FakeService, journal: Path, tmp_path: Path
) -> None:
    """A service that does not heed `async`."""

    async def product(request: web.Request, body: dict[str, Any]) -> web.Response:
        folder.rmdir()
        return web.Response(body=b"%PDF-1.7", status=201, content_type="application/pdf")

    service.before = product
    folder = tmp_path / "out"
    folder.mkdir()
    [outcome] = await run(cl, pages(1), journal=journal, save_to=lambda request: folder / "x.pdf")
    assert not outcome.ok and states(journal) == ["submitted"]
    [outcome] = await run(cl, pages(1), journal=journal, save_to=lambda request: tmp_path / "good")
    assert not outcome.ok and "cannot be had again" in str(outcome.error)
    assert service.calls["submit"] == 1


async def test_an_item_is_known_with_and_without_the_speed_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    request = TemplateToPdf(template_id="t", data={"small": 1e-7, "large": 1e16, "é": "\u2028"})
    fast = await digest(request, b"salt")
    monkeypatch.setattr(jsontext, "orjson", None)
    assert await digest(request, b"salt") == fast


async def test_tokens_are_found_wherever_the_service_puts_them_and_never_mistaken() -> None:
    tokens = Tokens("abcdefgh")
    label = tokens.label("Invoice", 48)
    for shown in (label, f"{label}.pdf", f"copy of {label}", f"{label} (2)"):
        assert tokens.number_in(shown) == 48
        assert "~" not in tokens.strip(shown)
    for end in range(len(label)):
        assert tokens.number_in(label[:end]) is None  # cut short it is not another item's


@pytest.mark.parametrize("suffix", [".pdf", " (1)"])
async def test_a_listed_name_with_something_behind_the_token(
    cl: AsyncCloudlayer, service: FakeService, journal: Path, suffix: str
) -> None:
    async def lose_first(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        return reset(request) if service.accepted == 1 else None

    def longer(shown: dict[str, Any]) -> None:
        shown["name"] += suffix

    service.after, service.on_show = lose_first, longer
    assert all(outcome.ok for outcome in await run(cl, pages(3, name="Page"), journal=journal))
    assert service.accepted == 3


async def from_within() -> AsyncIterator[HtmlToPdf]:
    for page in pages(3):
        yield page
    task = asyncio.create_task(asyncio.sleep(10))
    task.cancel()
    await task


async def test_a_source_that_awaits_something_cancelled(cl: AsyncCloudlayer, service: FakeService) -> None:
    batch = batch_of(cl, from_within())
    with pytest.raises(RuntimeError, match="requests raised CancelledError"):
        async with batch:
            async for outcome in batch:
                assert outcome.ok
    assert batch.report.succeeded == 3 and batch.report.stopped


async def test_a_key_function_that_awaits_something_cancelled(service: FakeService) -> None:
    calls = 0

    async def key() -> str:
        nonlocal calls
        calls += 1
        if calls == 5:
            task = asyncio.create_task(asyncio.sleep(10))
            task.cancel()
            await task
        return KEY

    async with make_client(service.base_url, api_key=key) as cl:
        with pytest.raises(RuntimeError, match="raised CancelledError"):
            await run(cl, pages(6), concurrency=1)


async def test_a_resumed_batch_goes_on_where_the_list_of_jobs_cannot_be_had(
    service: FakeService, journal: Path, tmp_path: Path
) -> None:
    async def lose_second(request: web.Request, body: dict[str, Any]) -> web.Response | None:
        return reset(request) if service.accepted == 2 else None

    async def no_list(request: web.Request) -> web.Response:
        return refusal(500)

    service.after, service.on_list = lose_second, no_list
    async with make_client(service.base_url, retry=RetryPolicy(attempts=1)) as cl:
        first = await run(cl, pages(5), journal=journal, save_to=tmp_path / "out", concurrency=1)
        assert [outcome.ok for outcome in first] == [True, False, True, True, True]
        second = await run(cl, pages(5), journal=journal, save_to=tmp_path / "out", concurrency=1)
        assert [outcome.ok for outcome in second] == [True, False, True, True, True]
        service.on_list = None
        third = await run(cl, pages(5), journal=journal, save_to=tmp_path / "out", concurrency=1)
    assert all(outcome.ok for outcome in third) and service.accepted == 5


async def test_reads_refused_for_longer_than_anybody_waits_stop_the_batch(
    cl: AsyncCloudlayer, service: FakeService
) -> None:
    async def for_an_hour(request: web.Request) -> web.Response:
        return refusal(429, 3600)

    service.on_read = for_an_hour
    batch = batch_of(cl, pages(100), concurrency=4)
    with pytest.raises(BatchStoppedError, match="3600"):
        async with batch:
            async for _ in batch:
                pass
    assert service.accepted <= 8
    named = {item.job_id for item in (*batch.report.in_flight, *batch.report.failures)}
    assert named == set(service.jobs)


async def test_outcomes_that_nobody_took_are_in_the_report(cl: AsyncCloudlayer, service: FakeService) -> None:
    batch = batch_of(cl, pages(8), concurrency=8)
    async with batch:
        first = await anext(batch)
        await until(lambda: batch.progress.ready == 7)
    assert first.job is not None
    assert {item.job_id for item in batch.report.in_flight} == set(service.jobs) - {first.job.id}
    assert all(job_id in batch.report.to_json() for job_id in set(service.jobs) - {first.job.id})


async def test_a_key_that_no_file_can_hold_is_that_item_s_fault_alone(
    cl: AsyncCloudlayer, service: FakeService, journal: Path
) -> None:
    entries = [*pages(2), ("k\ud800", HtmlToPdf("<p>")), *pages(2, start=5)]
    outcomes = await run(cl, entries, journal=journal)
    assert [outcome.ok for outcome in outcomes] == [True, True, False, True, True]
    assert isinstance(outcomes[2].error, ValidationError) and outcomes[2].error.field == "key"


async def test_intents_that_came_to_nothing_are_not_counted_as_spent(
    cl: AsyncCloudlayer, service: FakeService, journal: Path
) -> None:
    await run(cl, pages(1), journal=journal)
    with sqlite3.connect(journal) as connection:  # as a kill before the bytes left leaves it
        connection.execute("UPDATE items SET state = 'intent', job_id = NULL, accepted_step = NULL")
    connection.close()
    service.jobs.clear()
    [outcome] = await run(cl, pages(1), journal=journal, max_credits=1)
    assert outcome.ok and service.accepted == 1


async def test_what_a_resumed_job_turns_out_to_cost_counts(
    cl: AsyncCloudlayer, service: FakeService, journal: Path
) -> None:
    def dear(shown: dict[str, Any]) -> None:
        if "apiCreditCost" in shown:
            shown["apiCreditCost"] = 5

    def slow(job: Job) -> None:
        job.done = False

    service.on_show, service.make = dear, slow
    async with batch_of(cl, pages(1), journal=journal):
        await until(lambda: service.accepted == 1)
    service.make = None
    for job in service.jobs.values():
        job.done = True
    with pytest.raises(BatchStoppedError, match="max_credits"):
        await run(cl, pages(10), journal=journal, max_credits=6, concurrency=1)
    assert service.accepted == 2


async def test_the_cost_in_the_reply_counts_where_the_job_says_nothing(
    cl: AsyncCloudlayer, service: FakeService
) -> None:
    service.headers = {"cl-api-credit-cost": "3"}
    service.on_show = lambda shown: shown.pop("apiCreditCost", None)
    batch = batch_of(cl, pages(4))
    async with batch:
        async for outcome in batch:
            assert outcome.ok
    assert batch.report.credits == 12


async def test_the_first_cause_is_the_one_that_is_raised(cl: AsyncCloudlayer, service: FakeService) -> None:
    async def source() -> AsyncIterator[HtmlToPdf]:
        try:
            for page in pages(3):
                yield page
            await asyncio.sleep(100)
        finally:
            raise RuntimeError("the source's cleaning up failed")

    with pytest.raises(BatchStoppedError, match="max_credits"):
        await run(cl, source(), max_credits=2)


async def test_names_of_files_never_show_a_part_of_a_token(
    cl: AsyncCloudlayer, service: FakeService, journal: Path, tmp_path: Path
) -> None:
    requests = [HtmlToPdf("<p>", name="x" * length) for length in (170, 184, 186, 190, 197)]
    for outcome in await run(cl, requests, journal=journal, save_to=tmp_path):
        assert outcome.path is not None and outcome.document is not None
        assert "~" not in outcome.path.name and "~" not in outcome.document.filename


async def test_a_server_error_keeps_its_class(cl: AsyncCloudlayer, service: FakeService) -> None:
    async def broken(request: web.Request) -> web.Response:
        return refusal(500)

    service.on_read = broken
    async with make_client(service.base_url, retry=RetryPolicy(attempts=1)) as impatient:
        [outcome] = await run(impatient, pages(1))
    assert isinstance(outcome.error, ServerError) and outcome.error.job_id in service.jobs
